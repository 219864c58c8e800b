//! A few words that one thread writes while others read: a reader gets all of one write or nothing.
//!
//! A sequence lock (Boehm, "Can seqlocks get along with programming language memory models?", MSPC 2012), in safe
//! Rust: the words are atomics themselves, read with acquire and written with release, so that a reader that saw any
//! word of a write also sees that its sequence has moved on. Nobody waits: a reader that meets a writer reads nothing,
//! a writer that meets a writer writes nothing.

use std::sync::atomic::{AtomicU64, Ordering};

/// An atomic word: the processor's, or in tests the one of a model checker.
pub(crate) trait Word {
    fn new(value: u64) -> Self;
    fn load(&self, order: Ordering) -> u64;
    fn store(&self, value: u64, order: Ordering);
    /// Whether it held `from` and holds `to` now.
    fn exchange(&self, from: u64, to: u64) -> bool;
}

impl Word for AtomicU64 {
    fn new(value: u64) -> Self {
        Self::new(value)
    }

    #[inline]
    fn load(&self, order: Ordering) -> u64 {
        self.load(order)
    }

    #[inline]
    fn store(&self, value: u64, order: Ordering) {
        self.store(value, order);
    }

    #[inline]
    fn exchange(&self, from: u64, to: u64) -> bool {
        self.compare_exchange(from, to, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }
}

/// `WORDS` words under one sequence: 0 never written, odd while a thread writes.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Slot<W, const WORDS: usize> {
    sequence: W,
    words: [W; WORDS],
}

impl<W: Word, const WORDS: usize> Slot<W, WORDS> {
    pub(crate) fn new() -> Self {
        Self { sequence: W::new(0), words: std::array::from_fn(|_| W::new(0)) }
    }

    /// All words of one write; none if nothing was written yet or somebody writes now.
    #[inline(always)]
    pub(crate) fn read(&self) -> Option<[u64; WORDS]> {
        let before = self.sequence.load(Ordering::Acquire);
        if before == 0 || before % 2 == 1 {
            return None;
        }
        let mut words = [0; WORDS];
        // The last one first, against the order of writing: whoever meets it new meets them all new.
        for (word, kept) in words.iter_mut().zip(&self.words).rev() {
            *word = kept.load(Ordering::Acquire);
        }
        (self.sequence.load(Ordering::Relaxed) == before).then_some(words)
    }

    /// Writes, unless somebody else does.
    pub(crate) fn write(&self, words: &[u64; WORDS]) -> bool {
        let before = self.sequence.load(Ordering::Relaxed);
        if before % 2 == 1 || !self.sequence.exchange(before, before + 1) {
            return false;
        }
        for (kept, word) in self.words.iter().zip(words) {
            kept.store(*word, Ordering::Release);
        }
        self.sequence.store(before + 2, Ordering::Release);
        true
    }
}
