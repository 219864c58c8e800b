//! Bytes both ways until one side ends or both are silent.

use std::io::ErrorKind;
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
    // Whose fault an end is: of the side that broke, whether it was read from or written to.
    let out =
        async { out.await.map_err(|broken| broken.outcome(Outcome::ClientGone, Outcome::UpstreamFailed)) };
    let back =
        async { back.await.map_err(|broken| broken.outcome(Outcome::UpstreamFailed, Outcome::ClientGone)) };
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
            Err(outcome) => outcome,
        },
        () = watch => Outcome::UpstreamFailed,
    }
}

/// The side on which a direction broke.
enum Broken {
    Reading,
    Writing,
}

impl Broken {
    fn outcome(self, reading: Outcome, writing: Outcome) -> Outcome {
        match self {
            Self::Reading => reading,
            Self::Writing => writing,
        }
    }
}

async fn pump<R, W>(from: &mut R, to: &mut W, moved: &AtomicU64, count: impl Fn(usize)) -> Result<(), Broken>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut buffer = vec![0; BUFFER];
    loop {
        let got = match from.read(&mut buffer).await {
            Ok(got) => got,
            // TLS peers that close without saying so: many do, and what is inside has an end of its own.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => 0,
            Err(_) => return Err(Broken::Reading),
        };
        if got == 0 {
            // The other side may have closed already: that ends this direction just as well.
            let _ = to.shutdown().await;
            return Ok(());
        }
        to.write_all(&buffer[..got]).await.map_err(|_| Broken::Writing)?;
        to.flush().await.map_err(|_| Broken::Writing)?;
        count(got);
        moved.fetch_add(got as u64, Ordering::Relaxed);
    }
}
