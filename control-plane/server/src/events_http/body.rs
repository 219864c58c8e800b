//! Reading a request's body, bounded in bytes and time.

use std::time::Duration;

use http_body_util::BodyExt as _;
use tokio::time::timeout;
use tonic::body::Body;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyFault {
    TooLarge,
    TooSlow,
    Broken,
}

/// The body, of at most so many bytes, in at most so much time.
pub(super) async fn read(body: Body, most: usize, patience: Duration) -> Result<Vec<u8>, BodyFault> {
    timeout(patience, collect(body, most)).await.unwrap_or(Err(BodyFault::TooSlow))
}

/// How many times as much as is taken is read and let go, so that whoever sent too much gets to hear it: over HTTP/2 an
/// answer to a body that is not read looks like a broken stream to some.
const LET_GO: usize = 16;
/// The same for a request that is refused whatever its body says, in bytes and time.
const LET_GO_REFUSED: (usize, Duration) = (1024 * 1024, Duration::from_secs(2));

/// Reads a body and keeps nothing of it.
pub(super) async fn let_go(mut body: Body) {
    let (most, patience) = LET_GO_REFUSED;
    let reading = async {
        let mut came = 0;
        while let Some(Ok(frame)) = body.frame().await {
            came += frame.data_ref().map_or(0, |data| data.len());
            if came > most {
                break;
            }
        }
    };
    // Whether it came whole makes no difference to the answer.
    let _ = timeout(patience, reading).await;
}

async fn collect(mut body: Body, most: usize) -> Result<Vec<u8>, BodyFault> {
    let mut bytes = Vec::new();
    let mut came = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Err(BodyFault::Broken) };
        if let Some(data) = frame.data_ref() {
            came += data.len();
            if came <= most {
                bytes.extend_from_slice(data);
            } else if came > most * LET_GO {
                return Err(BodyFault::TooLarge);
            }
        }
    }
    if came > most { Err(BodyFault::TooLarge) } else { Ok(bytes) }
}
