//! How much of the log each namespace has.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;

/// Bytes of the log, by segment and namespace.
#[derive(Debug, Default)]
pub(super) struct Usage {
    segments: BTreeMap<u64, HashMap<Arc<str>, u64, RandomState>>,
    namespaces: HashMap<Arc<str>, u64, RandomState>,
}

impl Usage {
    /// Of a namespace.
    pub(super) fn of(&self, namespace: &str) -> u64 {
        self.namespaces.get(namespace).copied().unwrap_or(0)
    }

    /// So much more of a namespace lies in a segment.
    pub(super) fn add(&mut self, segment: u64, namespace: &Arc<str>, bytes: u64) {
        let of_segment = self.segments.entry(segment).or_default();
        *of_segment.entry(Arc::clone(namespace)).or_default() += bytes;
        *self.namespaces.entry(Arc::clone(namespace)).or_default() += bytes;
    }

    /// It was not written.
    pub(super) fn take_back(&mut self, segment: u64, namespace: &Arc<str>, bytes: u64) {
        let of_segment = self.segments.get_mut(&segment).and_then(|segment| segment.get_mut(namespace));
        for held in of_segment.into_iter().chain(self.namespaces.get_mut(namespace)) {
            *held = held.saturating_sub(bytes);
        }
    }

    /// A segment is gone.
    pub(super) fn forget(&mut self, segment: u64) {
        for (namespace, bytes) in self.segments.remove(&segment).unwrap_or_default() {
            if let Some(held) = self.namespaces.get_mut(&namespace) {
                *held = held.saturating_sub(bytes);
                if *held == 0 {
                    self.namespaces.remove(&namespace);
                }
            }
        }
    }
}
