//! What models used, by kind.

use std::sync::atomic::{AtomicU64, Ordering};

use creto_metering::Usage;

/// One counter a kind of tokens, and how many calls were counted.
#[derive(Debug, Default)]
pub(crate) struct TokenCounters {
    kinds: [AtomicU64; Usage::KINDS.len()],
    exact: AtomicU64,
    estimated: AtomicU64,
}

impl TokenCounters {
    pub(crate) fn add(&self, usage: &Usage) {
        for (counter, count) in self.kinds.iter().zip(usage.counts()) {
            counter.fetch_add(count, Ordering::Relaxed);
        }
        let calls = if usage.estimated { &self.estimated } else { &self.exact };
        calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Labels and values.
    pub(crate) fn by_kind(&self) -> Vec<(String, f64)> {
        let kinds = Usage::KINDS.into_iter().zip(&self.kinds);
        kinds.map(|(kind, counter)| (format!("{{type=\"{kind}\"}}"), read(counter))).collect()
    }

    /// Labels and values.
    pub(crate) fn calls(&self) -> [(&'static str, f64); 2] {
        [("{usage=\"exact\"}", read(&self.exact)), ("{usage=\"estimated\"}", read(&self.estimated))]
    }
}

fn read(counter: &AtomicU64) -> f64 {
    counter.load(Ordering::Relaxed) as f64
}
