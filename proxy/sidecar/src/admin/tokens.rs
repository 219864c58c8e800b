//! What models used, by kind.

use std::sync::atomic::{AtomicU64, Ordering};

use creto_metering::Usage;

/// One counter a kind of tokens, and how many calls were counted.
#[derive(Debug, Default)]
pub(crate) struct TokenCounters {
    kinds: [AtomicU64; NAMES.len()],
    exact: AtomicU64,
    estimated: AtomicU64,
}

/// Labels of the kinds, in the order of [`counts`].
const NAMES: [&str; 11] = [
    "{type=\"input\"}",
    "{type=\"cached_input\"}",
    "{type=\"cache_write\"}",
    "{type=\"cache_write_1h\"}",
    "{type=\"output\"}",
    "{type=\"reasoning\"}",
    "{type=\"audio_input\"}",
    "{type=\"audio_output\"}",
    "{type=\"image_input\"}",
    "{type=\"images\"}",
    "{type=\"server_tool_calls\"}",
];

fn counts(usage: &Usage) -> [u64; NAMES.len()] {
    [
        usage.input,
        usage.cached_input,
        usage.cache_write,
        usage.cache_write_1h,
        usage.output,
        usage.reasoning,
        usage.audio_input,
        usage.audio_output,
        usage.image_input,
        usage.images,
        usage.server_tool_calls,
    ]
}

impl TokenCounters {
    pub(crate) fn add(&self, usage: &Usage) {
        for (counter, count) in self.kinds.iter().zip(counts(usage)) {
            counter.fetch_add(count, Ordering::Relaxed);
        }
        let calls = if usage.estimated { &self.estimated } else { &self.exact };
        calls.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn by_kind(&self) -> Vec<(&'static str, f64)> {
        NAMES.into_iter().zip(&self.kinds).map(|(name, counter)| (name, read(counter))).collect()
    }

    pub(crate) fn calls(&self) -> [(&'static str, f64); 2] {
        [("{usage=\"exact\"}", read(&self.exact)), ("{usage=\"estimated\"}", read(&self.estimated))]
    }
}

fn read(counter: &AtomicU64) -> f64 {
    counter.load(Ordering::Relaxed) as f64
}
