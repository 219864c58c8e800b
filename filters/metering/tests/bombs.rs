//! Codings made to hurt: bombs, and windows nobody should keep.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

#[allow(dead_code, reason = "every test uses its own part of it")]
mod coding;

use std::alloc::System;

use creto_metering::{Encoding, Ending, Framing, MAX_DECODED_BYTES, Scanner, Shape};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn a_compressed_bomb_costs_a_window_and_is_estimated() {
    // One test in this file: the allocations of another would be counted too.
    let body = vec![b' '; MAX_DECODED_BYTES as usize + 4096];
    let bombs = [
        (Encoding::Gzip, coding::gzip(&body)),
        (Encoding::Zstd, coding::zstd(&body)),
        (Encoding::Brotli, coding::brotli(&body)),
    ];
    drop(body);
    for (encoding, bomb) in bombs {
        let region = Region::new(ALLOCATOR);
        let mut scanner = Scanner::new(Shape::OpenAiChat, Framing::Json, encoding);
        for piece in bomb.chunks(1000) {
            scanner.push(piece);
        }
        // The reference zstd decoder keeps its window outside of this count, in C: its bound is set by parameter.
        let held = region.change().bytes_allocated;
        assert!(held < 24 << 20, "{encoding:?} holds {held} bytes");
        let settled = scanner.finish(Ending::Complete, 40);
        assert!(settled.usage.estimated && !settled.complete, "{encoding:?}: {settled:?}");
    }
    windows_beyond_the_bound_are_not_read();
}

fn windows_beyond_the_bound_are_not_read() {
    // Brotli: a window of 2^24 bytes. zstd: a frame header that asks for 2^27.
    for (encoding, start) in [
        (Encoding::Brotli, &[0x0f, 0x00, 0x00][..]),
        (Encoding::Zstd, &[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88, 0x01, 0x00, 0x00][..]),
    ] {
        let mut scanner = Scanner::new(Shape::OpenAiChat, Framing::Json, encoding);
        scanner.push(start);
        let settled = scanner.finish(Ending::Complete, 40);
        assert!(settled.usage.estimated, "{encoding:?}");
        assert_eq!(settled.usage.output, (start.len() as u64).div_ceil(4), "{encoding:?}");
    }
}
