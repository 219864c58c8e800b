//! On a resolved model, reserving a ceiling and pricing a usage allocate nothing, priced or not.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::alloc::System;
use std::hint::black_box;

use creto_metering::Usage;
use creto_prices::{Bounds, PriceList, ServiceTier};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ROUNDS: usize = 5;

#[test]
fn a_ceiling_and_a_price_allocate_nothing() {
    let list = PriceList::built_in().unwrap();
    let model = list.resolve("openai", "gpt-5.4", 1_795_219_200_000).unwrap().price;
    let bounds = Bounds::new(400_000);
    let usage =
        Usage { input: 9_000, cached_input: 300_000, output: 70, reasoning: 1_000, ..Usage::default() };
    let sung = Usage { audio_output: 1, ..usage };
    // The counter counts every thread's, the test harness's too: of what allocates itself no round is free.
    let least = (0..ROUNDS).map(|_| {
        let region = Region::new(ALLOCATOR);
        for _ in 0..200 {
            black_box(model.ceiling(black_box(&bounds), None).unwrap());
            black_box(model.ceiling(black_box(&bounds), Some(ServiceTier::Priority)).unwrap());
            black_box(model.ceiling(black_box(&Bounds { images: 1, ..bounds }), None).unwrap_err());
            black_box(model.price(black_box(&usage), ServiceTier::Standard).unwrap());
            black_box(model.price(black_box(&sung), ServiceTier::Standard).unwrap_err());
            black_box(ServiceTier::told(black_box(Some("priority"))).unwrap());
        }
        let change = region.change();
        change.allocations + change.reallocations
    });
    assert_eq!(least.min(), Some(0));
}
