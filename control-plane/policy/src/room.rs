//! Memory for what is on its way: a sidecar that does not read keeps its delta in the control plane's memory.

use std::sync::Arc;

use creto_proto::v1::Delta;
use prost::Message as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of deltas that are sent and not answered, over all streams.
pub const DEFAULT_BYTES_IN_FLIGHT: usize = 256 << 20;
/// Semaphores count in pieces of this size, in bytes.
const PIECE: usize = 1 << 10;

/// The room.
#[derive(Clone)]
pub(crate) struct DeltaRoom {
    pieces: Arc<Semaphore>,
    all: usize,
}

/// Room that a delta takes until it is answered.
pub(crate) struct Taken {
    _permit: OwnedSemaphorePermit,
}

impl DeltaRoom {
    pub(crate) fn new(bytes: usize) -> Self {
        let all = (bytes / PIECE).clamp(1, Semaphore::MAX_PERMITS);
        Self { pieces: Arc::new(Semaphore::new(all)), all }
    }

    /// Takes room for a delta; none while others take it all. A delta larger than the whole room goes alone.
    pub(crate) fn take(&self, delta: &Delta) -> Option<Taken> {
        let pieces = delta.encoded_len().div_ceil(PIECE).clamp(1, self.all);
        let pieces = u32::try_from(pieces).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.pieces).try_acquire_many_owned(pieces).ok()?;
        Some(Taken { _permit: permit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_flight_is_bounded_and_comes_back() {
        let room = DeltaRoom::new(10 << 10);
        let delta = |bytes| Delta { manifest: vec![0; bytes].into(), ..Delta::default() };
        let first = room.take(&delta(6 << 10)).unwrap();
        assert!(room.take(&delta(6 << 10)).is_none());
        let small = room.take(&delta(100)).unwrap();
        drop((first, small));
        let alone = room.take(&delta(1 << 20)).unwrap();
        assert!(room.take(&delta(1)).is_none());
        drop(alone);
        assert!(room.take(&delta(1)).is_some());
    }
}
