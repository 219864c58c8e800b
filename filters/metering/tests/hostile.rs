//! Answers made to hurt: endless values, huge windows.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::alloc::System;
use std::time::{Duration, Instant};

use creto_metering::{Encoding, Ending, Framing, Scanner, Shape};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn values_without_an_end_are_read_in_linear_time_and_fixed_memory() {
    let starts = [
        "{\"model\":\"",
        "{\"",
        "[",
        "{\"a\":",
        "{\"usage\":{\"prompt_tokens\":1",
        "\"\\u0041",
        "data: ",
        ":",
    ];
    let fillers = ["x", "\\n", "[", "{\"a\":", "1", " ", "\\\"", "\n", "data:\n", "\r", "é"];
    for framing in [Framing::Json, Framing::Lines, Framing::Sse] {
        for start in starts {
            for filler in fillers {
                let block = filler.repeat(4096 / filler.len());
                let mut scanner = Scanner::new(Shape::OpenAiChat, framing, Encoding::Identity);
                let region = Region::new(ALLOCATOR);
                let begun = Instant::now();
                scanner.push(start.as_bytes());
                for _ in 0..256 {
                    scanner.push(block.as_bytes());
                }
                assert!(begun.elapsed() < Duration::from_secs(2), "{framing:?} {start} {filler}");
                assert!(region.change().bytes_allocated < 1 << 20, "{framing:?} {start} {filler}");
                let settled = scanner.finish(Ending::Broken, 40);
                assert!(settled.usage.estimated, "{framing:?} {start} {filler}");
            }
        }
    }
}

#[test]
fn markers_in_a_row_read_alike_however_they_are_cut() {
    let message = b"[DONE][DONE]\"#type:i [DONE][DON";
    let answer = [&[0x81, message.len() as u8][..], message].concat();
    let settle = |pieces: &[&[u8]]| {
        let mut scanner = Scanner::new(Shape::OpenAiChat, Framing::WebSocket, Encoding::Identity);
        for piece in pieces {
            scanner.push(piece);
        }
        scanner.finish(Ending::Complete, 4)
    };
    let whole = settle(&[&answer]);
    for at in 0..answer.len() {
        let (one, other) = answer.split_at(at);
        assert_eq!(settle(&[one, other]), whole, "cut at {at}");
    }
}
