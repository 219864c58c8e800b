//! Delegation chains: checked in full, and remembered.
//!
//! Two methods. `_p50_ns` and `_p99_ns`: each check alone between two readings of the clock, their own cost taken off;
//! the reading waits until the check is over, and the clock steps in 10 ns. `_loop_ns`: many checks between two
//! readings, the median of the batches.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use creto_authz::{
    AgentId, ChainKey, ChainVerifier, CompactChain, DelegatorKey, Link, LinkError, MasterKey, SharedVerdicts,
    VerdictCache, VerifiedDelegation, verify_links,
};
use ed25519_dalek::SigningKey;

use super::{NOW, SAMPLES, allocations};
use crate::report::Report;
use crate::timing::{Times, median};

/// Checks between two readings of the clock, and how many times.
const BATCH: usize = 10_000;
const BATCHES: usize = 101;
/// Chains in turn: more than a thread remembers, and more than the first and second cache of a core hold.
const MANY: usize = 50_000;
/// What is written to between two checks so that neither chain nor verdict nor key is in a cache near the core.
const EVICTION_BYTES: usize = 8 << 20;
const COLD_SAMPLES: usize = 2000;

/// Chains of one length, and who checks them.
struct Checked {
    verifier: ChainVerifier,
    /// One after the other, as tightly as calls bring them.
    chains: Vec<u8>,
    length: usize,
    holder: AgentId,
}

impl Checked {
    fn new(links: u8, chains: usize) -> Result<Self, LinkError> {
        let delegation = delegation(links)?;
        let key: ChainKey = MasterKey::from_bytes([7; 32]).derive("sidecar", 1);
        let mut bytes = Vec::new();
        for epoch in (0_u32..).take(chains) {
            bytes.extend_from_slice(CompactChain::mint(&delegation, &key, epoch).as_bytes());
        }
        let length = bytes.len() / chains;
        Ok(Self { verifier: ChainVerifier::new(key), chains: bytes, length, holder: *delegation.holder() })
    }

    fn bytes(&self, run: usize) -> &[u8] {
        let at = run % (self.chains.len() / self.length) * self.length;
        black_box(&self.chains[at..at + self.length])
    }

    fn fully(&self, run: usize) -> bool {
        self.verifier.verify(self.bytes(run), black_box(&self.holder), black_box(NOW), 0).is_ok()
    }

    fn remembered(&self, run: usize, cache: &mut VerdictCache) -> bool {
        cache.verify(&self.verifier, self.bytes(run), black_box(&self.holder), black_box(NOW), 0).is_ok()
    }
}

pub(super) fn measure(report: &mut Report) -> Result<(), Box<dyn std::error::Error>> {
    for links in 1..=8 {
        let checked = Checked::new(links, 1)?;
        let name = format!("chain.verify{links}");
        add(report, &name, &format!("{links} links, in full"), |run| checked.fully(run));
    }
    let two = Checked::new(2, 1)?;
    report.add("chain.verify2_allocations", allocations(|run| two.fully(run)), "", "in 10,000 checks");

    let mut cache = VerdictCache::new();
    let closed =
        add(report, "chain.cached", "one hot chain, this thread's", |run| two.remembered(run, &mut cache));
    report.add("chain.cached_per_s", 1e9 / closed, "1/s", "on one core, from the loop");
    let cached = allocations(|run| two.remembered(run, &mut cache));
    report.add("chain.cached_allocations", cached, "", "in 10,000 checks");

    let many = Checked::new(2, MANY)?;
    let shared = Arc::new(SharedVerdicts::new(MANY));
    let mut filling = VerdictCache::shared(Arc::clone(&shared));
    for run in 0..MANY {
        many.remembered(run, &mut filling);
    }
    let few = Checked::new(2, 2 * 4096)?;
    let mut behind = VerdictCache::shared(Arc::clone(&shared));
    add(report, "chain.cached_shared", "8,192 chains in turn, 4,096 in this thread's", |run| {
        few.remembered(run, &mut behind)
    });
    let counted = allocations(|run| few.remembered(run, &mut behind));
    report.add("chain.cached_shared_allocations", counted, "", "in 10,000 checks");
    let mut behind = VerdictCache::shared(shared);
    add(report, "chain.cached_50k", "50,000 chains in turn, shared", |run| many.remembered(run, &mut behind));

    let mut cold = Cold::new();
    let times = cold.times(|| two.fully(0));
    add_cold(report, "chain.verify2_cold", times);
    let times = cold.times(|| two.remembered(0, &mut cache));
    add_cold(report, "chain.cached_cold", times);
    Ok(())
}

/// Adds figures by both methods; says nanoseconds a check in the loop.
fn add(report: &mut Report, name: &str, what: &str, mut check: impl FnMut(usize) -> bool) -> f64 {
    let times = Times::of(SAMPLES, &mut check);
    report.add(&format!("{name}_p50_ns"), times.percentile(50.0), "ns", format!("{what}; each alone"));
    report.add(&format!("{name}_p99_ns"), times.percentile(99.0), "ns", "same");
    let mut run = 0;
    let batches = (0..BATCHES).map(|_| {
        let start = Instant::now();
        for _ in 0..BATCH {
            black_box(check(run));
            run += 1;
        }
        start.elapsed().as_nanos() as f64 / BATCH as f64
    });
    let closed = median(batches.collect());
    report.add(&format!("{name}_loop_ns"), closed, "ns", "median of 101 batches of 10,000");
    closed
}

fn add_cold(report: &mut Report, name: &str, times: [f64; 2]) {
    let note = format!("{} MiB written before each", EVICTION_BYTES >> 20);
    report.add(&format!("{name}_p50_ns"), times[0], "ns", note);
    report.add(&format!("{name}_p99_ns"), times[1], "ns", "same");
}

/// Times checks whose memory has just been pushed out of the caches near the core.
struct Cold {
    evicting: Vec<u8>,
    clock: u64,
}

impl Cold {
    fn new() -> Self {
        let clock = (0..10_000).map(|_| Instant::now().elapsed().as_nanos() as f64);
        Self { evicting: vec![0; EVICTION_BYTES], clock: median(clock.collect()) as u64 }
    }

    /// The median and the 99th percentile, nanoseconds.
    fn times(&mut self, mut check: impl FnMut() -> bool) -> [f64; 2] {
        let mut times: Vec<u64> = (0..COLD_SAMPLES)
            .map(|_| {
                for line in self.evicting.chunks_mut(64) {
                    line[0] = line[0].wrapping_add(1);
                }
                black_box(&mut self.evicting);
                let start = Instant::now();
                black_box(check());
                (start.elapsed().as_nanos() as u64).saturating_sub(self.clock)
            })
            .collect();
        times.sort_unstable();
        [times[COLD_SAMPLES / 2] as f64, times[COLD_SAMPLES * 99 / 100] as f64]
    }
}

/// A delegation of this many links from agent 1 on.
fn delegation(links: u8) -> Result<VerifiedDelegation, LinkError> {
    let key = |n: u8| SigningKey::from_bytes(&[n; 32]);
    let public = |n: u8| key(n).verifying_key().to_bytes();
    let id = |n: u8| AgentId::of_key(&public(n));
    let signed: Vec<_> = (1..=links)
        .map(|n| {
            Link {
                delegator_id: id(n),
                agent_id: id(n + 1),
                permissions: vec!["*:*".into()],
                audience: "default".into(),
                not_before_s: NOW - 10,
                expires_at_s: NOW + 1000 - u64::from(n),
                nonce: [n; 16],
            }
            .sign(&key(n))
        })
        .collect();
    verify_links(&signed, "default", NOW, |wanted| {
        (1..=links).find(|n| id(*n) == *wanted).map(|n| DelegatorKey { public_key: public(n), root: n == 1 })
    })
}
