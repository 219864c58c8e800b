//! Group `decision`: policies decide, a quota is reserved, delegation chains are verified.

mod chain;
mod holds;
mod meaning;
mod rules;

use stats_alloc::Region;

use crate::ALLOCATOR;
use crate::report::Report;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const NOW: u64 = 1_800_000_000;
const SAMPLES: usize = 400_000;

pub(crate) fn run() -> Outcome<()> {
    let mut report = Report::new("decision");
    rules::measure(&mut report)?;
    meaning::measure(&mut report)?;
    holds::measure(&mut report)?;
    chain::measure(&mut report)?;
    report.finish()
}

/// How often 10,000 decisions allocate.
fn allocations<T>(mut decide: impl FnMut(usize) -> T) -> f64 {
    let region = Region::new(ALLOCATOR);
    for run in 0..10_000 {
        std::hint::black_box(decide(run));
    }
    region.change().allocations as f64
}
