//! Bytes both ways until one side ends or both are silent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::path::record::{CallRecord, Outcome};

/// Buffer of each direction, bytes.
const BUFFER: usize = 16 * 1024;

/// Copies until both directions have ended, one breaks, or nothing moves for `idle`.
pub(crate) async fn both_ways<A, U>(agent: A, upstream: U, record: &CallRecord, idle: Duration) -> Outcome
where
    A: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let (mut from_agent, mut to_agent) = tokio::io::split(agent);
    let (mut from_upstream, mut to_upstream) = tokio::io::split(upstream);
    let moved = AtomicU64::new(0);
    let out = pump(&mut from_agent, &mut to_upstream, &moved, |bytes| record.sent(bytes));
    let back = pump(&mut from_upstream, &mut to_agent, &moved, |bytes| record.answered(bytes));
    let watch = async {
        loop {
            let before = moved.load(Ordering::Relaxed);
            tokio::time::sleep(idle).await;
            if moved.load(Ordering::Relaxed) == before {
                return;
            }
        }
    };
    tokio::select! {
        ended = async { tokio::try_join!(out, back) } => match ended {
            Ok(_) => Outcome::Completed,
            Err(_) => Outcome::UpstreamFailed,
        },
        () = watch => Outcome::UpstreamFailed,
    }
}

async fn pump<R, W>(from: &mut R, to: &mut W, moved: &AtomicU64, count: impl Fn(usize)) -> std::io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut buffer = vec![0; BUFFER];
    loop {
        let got = from.read(&mut buffer).await?;
        if got == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..got]).await?;
        to.flush().await?;
        count(got);
        moved.fetch_add(got as u64, Ordering::Relaxed);
    }
}
