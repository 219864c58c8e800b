//! Memory for what is on its way: a sidecar that does not read keeps its delta in the control plane's memory.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::SidecarIdentity;

/// Bytes of deltas that are sent and not answered, over all streams.
pub const DEFAULT_BYTES_IN_FLIGHT: usize = 256 << 20;
/// Deltas of one sidecar that are sent and not answered, over the streams it opened one after the other.
pub const MAX_DELTAS_EACH: usize = 2;
/// Semaphores count in pieces of this size, in bytes.
const PIECE: usize = 1 << 10;

/// The room.
#[derive(Clone)]
pub(crate) struct DeltaRoom {
    pieces: Arc<Semaphore>,
    all: usize,
    each: Arc<Mutex<HashMap<SidecarIdentity, usize>>>,
}

/// Room that a delta takes until it is answered or its stream is gone.
pub(crate) struct Taken {
    _permit: OwnedSemaphorePermit,
    sidecar: SidecarIdentity,
    each: Arc<Mutex<HashMap<SidecarIdentity, usize>>>,
}

impl DeltaRoom {
    pub(crate) fn new(bytes: usize) -> Self {
        let all = (bytes / PIECE).clamp(1, Semaphore::MAX_PERMITS);
        Self { pieces: Arc::new(Semaphore::new(all)), all, each: Arc::default() }
    }

    /// Takes room for a sidecar's delta of so many bytes; none while others take it all, or while the sidecar leaves as
    /// many as it may have unread. A delta larger than the whole room goes alone.
    pub(crate) fn take(&self, sidecar: &SidecarIdentity, bytes: usize) -> Option<Taken> {
        let mut each = self.each.lock();
        if each.get(sidecar).is_some_and(|taken| *taken >= MAX_DELTAS_EACH) {
            return None;
        }
        let pieces = bytes.div_ceil(PIECE).clamp(1, self.all);
        let pieces = u32::try_from(pieces).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.pieces).try_acquire_many_owned(pieces).ok()?;
        *each.entry(sidecar.clone()).or_default() += 1;
        Some(Taken { _permit: permit, sidecar: sidecar.clone(), each: Arc::clone(&self.each) })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut each = self.each.lock();
        if let Some(taken) = each.get_mut(&self.sidecar) {
            *taken -= 1;
            if *taken == 0 {
                each.remove(&self.sidecar);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sidecar(id: &str) -> SidecarIdentity {
        SidecarIdentity { namespace: "a".into(), sidecar_id: id.into(), agent_name: "one".into() }
    }

    #[test]
    fn what_is_in_flight_is_bounded_and_comes_back() {
        let room = DeltaRoom::new(10 << 10);
        let first = room.take(&sidecar("s"), 6 << 10).unwrap();
        assert!(room.take(&sidecar("t"), 6 << 10).is_none());
        let small = room.take(&sidecar("t"), 100).unwrap();
        drop((first, small));
        let alone = room.take(&sidecar("s"), 1 << 20).unwrap();
        assert!(room.take(&sidecar("t"), 1).is_none());
        drop(alone);
        assert!(room.take(&sidecar("s"), 1).is_some());
    }

    #[test]
    fn one_sidecar_takes_two_at_most_and_is_forgotten_after() {
        let room = DeltaRoom::new(10 << 10);
        let both = (room.take(&sidecar("s"), 1), room.take(&sidecar("s"), 1));
        assert!(both.0.is_some() && both.1.is_some() && room.take(&sidecar("s"), 1).is_none());
        assert!(room.take(&sidecar("t"), 1).is_some(), "another has its own");
        drop(both);
        assert!(room.each.lock().is_empty());
        assert!(room.take(&sidecar("s"), 1).is_some());
    }
}
