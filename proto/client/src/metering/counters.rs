//! What came of the events.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What came of the events so far. Once everything is acknowledged, sent = accepted + duplicate + rejected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Taken into a ring.
    pub recorded: u64,
    /// Sent at least once, those of an earlier process's spool too.
    pub sent: u64,
    /// Counted by the control plane.
    pub accepted: u64,
    /// Sent again because the answer was lost; counted once.
    pub duplicate: u64,
    /// Refused by the control plane, one by one.
    pub rejected: u64,
    /// Not taken, because the ring was full, or given up unacknowledged when the client closed.
    pub dropped: u64,
}

/// The same, as it is counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    recorded: AtomicU64,
    sent: AtomicU64,
    accepted: AtomicU64,
    duplicate: AtomicU64,
    rejected: AtomicU64,
    dropped: AtomicU64,
}

impl Tally {
    pub(crate) fn recorded(&self) {
        self.recorded.fetch_add(1, Relaxed);
    }

    pub(crate) fn sent(&self, events: u64) {
        self.sent.fetch_add(events, Relaxed);
    }

    pub(crate) fn dropped(&self, events: u64) {
        self.dropped.fetch_add(events, Relaxed);
    }

    pub(crate) fn answered(&self, accepted: u64, duplicate: u64, rejected: u64) {
        self.accepted.fetch_add(accepted, Relaxed);
        self.duplicate.fetch_add(duplicate, Relaxed);
        self.rejected.fetch_add(rejected, Relaxed);
    }

    pub(crate) fn read(&self) -> Counters {
        Counters {
            recorded: self.recorded.load(Relaxed),
            sent: self.sent.load(Relaxed),
            accepted: self.accepted.load(Relaxed),
            duplicate: self.duplicate.load(Relaxed),
            rejected: self.rejected.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
        }
    }
}
