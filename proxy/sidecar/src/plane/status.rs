//! How the sidecar stands with the control plane.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Written by the link, read by operators.
#[derive(Debug, Default)]
pub(crate) struct PlaneStatus {
    connected: AtomicBool,
    /// Documents read so far, rather than taken over unchanged.
    compiled: AtomicU64,
    pending: AtomicU64,
}

impl PlaneStatus {
    pub(crate) fn connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Relaxed);
    }

    pub(crate) fn compiled(&self, documents: u64) {
        self.compiled.store(documents, Ordering::Relaxed);
    }

    pub(crate) fn pending(&self, entries: u64) {
        self.pending.store(entries, Ordering::Relaxed);
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// Entries of the spool that the control plane has not taken.
    pub(crate) fn spool_pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    pub(crate) fn documents_read(&self) -> u64 {
        self.compiled.load(Ordering::Relaxed)
    }
}
