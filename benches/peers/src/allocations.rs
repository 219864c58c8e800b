//! Counts the allocations of every subject and prints them, for `peers`: where allocations are counted each takes longer,
//! so times are taken in a program that does not count.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout)]

use std::alloc::System;
use std::collections::BTreeMap;

use creto_bench_peers::{Outcome, SCENES};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A whole number of times every call of a scene, 512 or 9 or 2 of them.
const RUNS: usize = 512 * 9;
/// For what takes milliseconds: four of every kind of call.
const RUNS_OF_SLOW: usize = 64;
/// Samples a round of what does not.
const SAMPLES_OF_FAST: usize = 1_000;

fn main() -> Outcome<()> {
    let mut counts = BTreeMap::new();
    for scene in SCENES {
        for mut subject in scene()? {
            let runs = if subject.samples() < SAMPLES_OF_FAST { RUNS_OF_SLOW } else { RUNS };
            let region = Region::new(ALLOCATOR);
            subject.run(runs);
            counts.insert(subject.name, region.change().allocations as f64 / runs as f64);
        }
    }
    println!("{}", serde_json::to_string(&counts)?);
    Ok(())
}
