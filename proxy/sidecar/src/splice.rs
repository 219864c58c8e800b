//! Bytes both ways until one side ends, both are silent, or what let them through is taken away.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use creto_call::RefusalCode;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::path::observe::{PAUSE, Reading};
use crate::path::record::{CallRecord, Outcome};
use crate::path::tenure::Tenure;

/// Buffer of each direction, bytes.
const BUFFER: usize = 16 * 1024;

/// For how long bytes may flow.
pub(crate) struct Lasts<'l, L> {
    /// They end when nothing moves for so long,
    pub(crate) idle: Duration,
    /// when what let them through is taken away,
    pub(crate) tenure: &'l Tenure,
    /// or when this, asked as often as the tenure is, says so.
    pub(crate) look: L,
}

/// Copies until both directions have ended, one breaks, or it has lasted. What comes back is shown to `reading`.
pub(crate) async fn both_ways<A, U, L>(
    agent: A,
    upstream: U,
    record: &CallRecord,
    lasts: Lasts<'_, L>,
    mut reading: Option<Box<Reading>>,
) -> Outcome
where
    A: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
    L: FnMut() -> Result<(), RefusalCode>,
{
    let Lasts { idle, tenure, look } = lasts;
    let (mut from_agent, mut to_agent) = tokio::io::split(agent);
    let (mut from_upstream, mut to_upstream) = tokio::io::split(upstream);
    let moved = AtomicU64::new(0);
    let out = pump(&mut from_agent, &mut to_upstream, &moved, None, Counting::Sent(record));
    let back =
        pump(&mut from_upstream, &mut to_agent, &moved, reading.as_deref_mut(), Counting::Answered(record));
    // Whose fault an end is: of the side that broke, whether it was read from or written to.
    let out = async {
        out.await.map_err(|broken| broken.outcome(Outcome::ClientGone, Outcome::UpstreamFailed, record))
    };
    let back = async {
        back.await.map_err(|broken| broken.outcome(Outcome::UpstreamFailed, Outcome::ClientGone, record))
    };
    let watch = async {
        loop {
            let before = moved.load(Ordering::Relaxed);
            tokio::time::sleep(idle).await;
            if moved.load(Ordering::Relaxed) == before {
                return;
            }
        }
    };
    let outcome = tokio::select! {
        ended = async { tokio::try_join!(out, back) } => match ended {
            Ok(_) => Outcome::Completed,
            Err(outcome) => outcome,
        },
        () = watch => Outcome::UpstreamFailed,
        code = tenure.over(look) => {
            record.taken_away(code);
            Outcome::Refused
        }
    };
    if let Some(reading) = reading {
        // Whatever is held back at the end of a broken stream is not wanted any more.
        let _ = reading.end(record, outcome.ending());
    }
    outcome
}

/// Whose bytes they are.
#[derive(Clone, Copy)]
enum Counting<'r> {
    Sent(&'r CallRecord),
    Answered(&'r CallRecord),
}

impl Counting<'_> {
    /// Waits until quotas cover so many bytes more.
    async fn covers(self, bytes: usize) -> Result<(), Broken> {
        match self {
            Self::Sent(record) => record.sending(bytes).await.map_err(Broken::Quota),
            Self::Answered(_) => Ok(()),
        }
    }

    fn count(self, bytes: usize) {
        match self {
            Self::Sent(record) => record.sent(bytes),
            Self::Answered(record) => record.answered(bytes),
        }
    }
}

/// Where a direction broke.
enum Broken {
    Reading,
    Writing,
    /// What it may send is used up.
    Quota(RefusalCode),
}

impl Broken {
    fn outcome(self, reading: Outcome, writing: Outcome, record: &CallRecord) -> Outcome {
        match self {
            Self::Quota(code) => {
                record.taken_away(code);
                Outcome::Refused
            }
            Self::Reading => reading,
            Self::Writing => writing,
        }
    }
}

async fn pump<R, W>(
    from: &mut R,
    to: &mut W,
    moved: &AtomicU64,
    mut reading: Option<&mut Reading>,
    counting: Counting<'_>,
) -> Result<(), Broken>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = from.read(&mut buffer);
        let came = match reading.as_deref().is_some_and(Reading::holds) {
            false => read.await,
            true => match tokio::time::timeout(PAUSE, read).await {
                Ok(came) => came,
                Err(_) => {
                    if let Some(reading) = &mut reading {
                        let given = reading.pause().map_err(|_| Broken::Reading)?;
                        to.write_all(&given).await.map_err(|_| Broken::Writing)?;
                        to.flush().await.map_err(|_| Broken::Writing)?;
                    }
                    continue;
                }
            },
        };
        let got = match came {
            Ok(got) => got,
            // TLS peers that close without saying so: many do, and what is inside has an end of its own.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => 0,
            Err(_) => return Err(Broken::Reading),
        };
        if got == 0 {
            if let Some(reading) = &mut reading {
                to.write_all(&reading.rest()).await.map_err(|_| Broken::Writing)?;
            }
            // The other side may have closed already: that ends this direction just as well.
            let _ = to.shutdown().await;
            return Ok(());
        }
        counting.covers(got).await?;
        // Before they are written: what breaks off midway may have got through.
        counting.count(got);
        match &mut reading {
            None => to.write_all(&buffer[..got]).await.map_err(|_| Broken::Writing)?,
            Some(reading) => {
                let came = Bytes::copy_from_slice(&buffer[..got]);
                let passed = reading.push(came).map_err(|_| Broken::Reading)?;
                to.write_all(&passed).await.map_err(|_| Broken::Writing)?;
            }
        }
        to.flush().await.map_err(|_| Broken::Writing)?;
        moved.fetch_add(got as u64, Ordering::Relaxed);
    }
}
