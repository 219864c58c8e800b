//! Somebody who waits until all recorded so far is acknowledged.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::metering::FlushError;
use crate::metering::ring::Ring;

/// Flushes waited for at once; others wait to be waited for.
pub const MAX_FLUSHES: usize = 64;

/// One that waits.
#[derive(Debug)]
pub(crate) struct Flush {
    /// Rings, and how many events each had ever been given.
    rings: Vec<(Arc<Ring>, u64)>,
    /// Frames that must be acknowledged, once all those events are in frames.
    frames: Option<u64>,
    reply: oneshot::Sender<Result<(), FlushError>>,
}

impl Flush {
    pub(crate) fn new(rings: Vec<(Arc<Ring>, u64)>, reply: oneshot::Sender<Result<(), FlushError>>) -> Self {
        Self { rings, frames: None, reply }
    }

    /// Whether its events are all in frames.
    pub(crate) fn taken(&self) -> bool {
        self.frames.is_some()
    }

    /// Looks whether its events are in frames by now; `pushed` is how many frames there ever were.
    pub(crate) fn look(&mut self, pushed: u64) {
        if self.frames.is_none() && self.rings.iter().all(|(ring, nth)| ring.took(*nth)) {
            self.frames = Some(pushed);
        }
    }

    /// Whether its frames are acknowledged.
    pub(crate) fn done(&self, acknowledged: u64) -> bool {
        self.frames.is_some_and(|frames| acknowledged >= frames)
    }

    pub(crate) fn answer(self, came_to: Result<(), FlushError>) {
        // Whoever asked may have gone.
        let _ = self.reply.send(came_to);
    }
}
