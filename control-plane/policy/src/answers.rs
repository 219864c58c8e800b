//! The sending side of a push stream, and the memory it may take.
//!
//! A delta leaves this process only as fast as its sidecar reads. Until then it is memory: the room it takes is given
//! back when the sidecar answers it, or when the transport lets go of the stream, and not when the session merely ends.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use creto_proto::v1::SyncResponse;
use creto_proto::v1::sync_response::Message as Answer;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::Stream;

use crate::SyncEnd;
use crate::room::Taken;

/// How long a message may wait for a sidecar that does not read.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// Messages that wait for a sidecar to read them.
pub const WAITING: usize = 2;

type Slot = Arc<Mutex<Option<Taken>>>;

/// What a sidecar is sent; the last item is why the stream ends, if not because the sidecar ended it.
pub struct Answers {
    messages: mpsc::Receiver<Result<SyncResponse, SyncEnd>>,
    _delta: Slot,
}

/// Sends.
pub(crate) struct Outbox {
    messages: mpsc::Sender<Result<SyncResponse, SyncEnd>>,
    delta: Slot,
}

/// Both ends.
pub(crate) fn answers() -> (Outbox, Answers) {
    let (sender, messages) = mpsc::channel(WAITING);
    let delta = Slot::default();
    (Outbox { messages: sender, delta: Arc::clone(&delta) }, Answers { messages, _delta: delta })
}

impl Outbox {
    pub(crate) async fn send(&self, message: Answer) -> Result<(), SyncEnd> {
        self.put(Ok(SyncResponse { message: Some(message) })).await
    }

    /// Sends the last item. Nobody may be reading any more; the stream ends either way.
    pub(crate) async fn end(&self, end: SyncEnd) {
        let _ = self.put(Err(end)).await;
    }

    /// Keeps a delta's room.
    pub(crate) fn hold(&self, room: Taken) {
        *self.delta.lock() = Some(room);
    }

    /// The delta is answered: the sidecar has read it.
    pub(crate) fn answered(&self) {
        *self.delta.lock() = None;
    }

    async fn put(&self, item: Result<SyncResponse, SyncEnd>) -> Result<(), SyncEnd> {
        match timeout(SEND_TIMEOUT, self.messages.send(item)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(SyncEnd::NotReading),
        }
    }
}

impl Stream for Answers {
    type Item = Result<SyncResponse, SyncEnd>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.messages.poll_recv(context)
    }
}
