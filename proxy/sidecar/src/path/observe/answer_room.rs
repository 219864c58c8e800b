//! Memory for the answers that are held because they may list tools: what servers send must not fill it without end.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// For all such answers together, bytes. A further answer that needs more is cut.
const MEMORY: usize = 64 << 20;
/// Held without being counted, bytes: most answers are smaller.
const FREE: usize = 64 << 10;
/// Room is counted in these, bytes.
const UNIT: usize = 1024;

/// The room of one sidecar.
#[derive(Debug)]
pub(crate) struct AnswerRoom(Arc<Semaphore>);

/// What one answer has of it; given back when dropped.
#[derive(Debug)]
pub(super) struct HeldAnswer {
    room: Arc<Semaphore>,
    taken: Option<OwnedSemaphorePermit>,
    held: usize,
}

impl Default for AnswerRoom {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MEMORY / UNIT)))
    }
}

impl AnswerRoom {
    pub(super) fn answer(&self) -> HeldAnswer {
        HeldAnswer { room: Arc::clone(&self.0), taken: None, held: 0 }
    }
}

impl HeldAnswer {
    /// So many bytes came; false when there is no room to hold them.
    pub(super) fn came(&mut self, bytes: usize) -> bool {
        self.held = self.held.saturating_add(bytes);
        let counted = self.held.saturating_sub(FREE).div_ceil(UNIT);
        let has = self.taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if counted <= has {
            return true;
        }
        let more = u32::try_from(counted - has).unwrap_or(u32::MAX);
        let Ok(more) = Arc::clone(&self.room).try_acquire_many_owned(more) else { return false };
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            None => self.taken = Some(more),
        }
        true
    }

    /// What was held has been handed on, but for these bytes at most.
    pub(super) fn left(&mut self, bytes: usize) {
        self.held = bytes;
        self.taken = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_and_comes_back() {
        let room = AnswerRoom::default();
        let mut large = room.answer();
        assert!(large.came(MEMORY));
        let mut small = room.answer();
        assert!(small.came(FREE) && small.came(FREE));
        assert!(!small.came(UNIT));
        large.left(10);
        assert!(small.came(UNIT) && small.came(MEMORY / 2));
        drop(small);
        assert!(large.came(MEMORY));
    }
}
