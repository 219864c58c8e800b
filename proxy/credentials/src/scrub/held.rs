//! The bytes at the end of a chunk that may be the beginning of a secret.

use zeroize::{Zeroize, Zeroizing};

/// A queue of at most `most` bytes that never moves its memory, so that one wipe reaches every byte.
pub(super) struct Held {
    room: Zeroizing<Vec<u8>>,
    start: usize,
    most: usize,
}

impl Held {
    pub(super) fn new(most: usize) -> Self {
        Self { room: Zeroizing::default(), start: 0, most }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.room[self.start..]
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.room[self.start..]
    }

    /// Takes bytes off the front.
    pub(super) fn drop_front(&mut self, count: usize) {
        self.room[self.start..self.start + count].zeroize();
        self.start += count;
        if self.start == self.room.len() {
            self.room.clear();
            self.start = 0;
        }
    }

    /// Adds bytes at the end.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.room.capacity() == 0 {
            // Twice the most: then moving to the front costs no more than what was given out since the last time.
            self.room.reserve_exact(self.most * 2);
        }
        if self.room.len() + bytes.len() > self.room.capacity() {
            self.room.copy_within(self.start.., 0);
            let length = self.room.len() - self.start;
            self.room[length..].zeroize();
            self.room.truncate(length);
            self.start = 0;
        }
        self.room.extend_from_slice(bytes);
    }
}
