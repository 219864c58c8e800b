//! Reading a stream allocates nothing after the scanner is made, however long it is.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

#[allow(dead_code, reason = "every test uses its own part of it")]
mod support;

use std::alloc::System;

use creto_metering::{Encoding, Ending};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::goldens;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn reading_a_long_stream_allocates_nothing() {
    // One test in this file: another's allocations would be counted too.
    for golden in goldens() {
        let mut scanner = golden.scanner(Encoding::Identity);
        let region = Region::new(ALLOCATOR);
        for _ in 0..50 {
            for piece in golden.body.chunks(97) {
                scanner.push(piece);
            }
        }
        let change = region.change();
        assert_eq!((change.allocations, change.reallocations), (0, 0), "{}", golden.name);
        let settled = scanner.finish(Ending::Complete, 0);
        assert!(settled.usage.input_total() < 1 << 41, "{}", golden.name);
    }
    assert!(size_of::<creto_metering::Scanner>() <= 4096, "{}", size_of::<creto_metering::Scanner>());
}
