//! The stripper drops the usage chunk and nothing else.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

#[allow(dead_code, reason = "every test uses its own part of it")]
mod support;

use creto_metering::{Framing, MAX_HELD_BYTES, Shape, UsageChunkStripper};
use proptest::prelude::*;
use support::goldens;

const USAGE: &str =
    "data: {\"id\":\"1\",\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}";
const CHUNK: &str =
    "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}],\"usage\":null}";
const BOTH: &str = "data: {\"choices\":[{\"delta\":{}}],\"usage\":{\"prompt_tokens\":1}}";
const FILTER: &str = "data: {\"choices\":[],\"prompt_filter_results\":[{}],\"usage\":null}";
const DONE: &str = "data: [DONE]";

fn strip(input: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut stripper = UsageChunkStripper::new();
    let mut out = Vec::new();
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (input.len() + 1)).collect();
    cuts.sort_unstable();
    let mut from = 0;
    for cut in cuts {
        stripper.push(&input[from..cut], &mut out);
        from = cut;
    }
    stripper.push(&input[from..], &mut out);
    stripper.finish(&mut out);
    out
}

fn stream(events: &[&str], end: &str) -> String {
    events.iter().map(|event| format!("{}{end}{end}", event.replace('\n', end))).collect()
}

#[test]
fn only_the_usage_chunk_is_dropped_in_every_cut_and_line_end() {
    for end in ["\n", "\r\n", "\r"] {
        let with = stream(&[": hello", FILTER, CHUNK, BOTH, "event: x\nid: 5\ndata: {}", USAGE, DONE], end);
        let without = stream(&[": hello", FILTER, CHUNK, BOTH, "event: x\nid: 5\ndata: {}", DONE], end);
        for cut in 0..=with.len() {
            let out = strip(with.as_bytes(), &[cut]);
            assert_eq!(String::from_utf8(out).unwrap(), without, "{end:?} cut at {cut}");
        }
        let every: Vec<usize> = (0..with.len()).collect();
        assert_eq!(strip(with.as_bytes(), &every), without.as_bytes(), "{end:?} byte by byte");
    }
}

#[test]
fn a_usage_chunk_in_other_words_is_dropped_too() {
    for event in [
        "data:{ \"usage\" : { } , \"choices\" : [ ] }",
        "event: message\ndata: {\"choices\":[],\ndata: \"usage\":{\"a\":[{}]}}",
        "data: {\"choices\":[],\"\\u0075sage\":{}}",
    ] {
        let with = stream(&[CHUNK, event, DONE], "\n");
        assert_eq!(strip(with.as_bytes(), &[]), stream(&[CHUNK, DONE], "\n").as_bytes(), "{event}");
    }
}

#[test]
fn what_only_looks_like_a_usage_chunk_passes() {
    for event in [
        "data: {\"choices\":[],\"usage\":null}",
        "data: {\"choices\":[],\"usage\":[]}x",
        "data: {\"choices\":{},\"usage\":{}",
        "data: {\"choices\":[],\"x\":{\"usage\":{}}}",
        "data: {\"choices\":[null],\"usage\":{}}",
        "data: {\"choices\":[],\"usage\":{}",
        "data: {\"choices\":[],\"usage\":{}}\ndata: {\"choices\":[1]}",
        "data: {\"usage\":{}}",
        "data: \"choices\":[],\"usage\":{}",
        "id: {\"choices\":[],\"usage\":{}}",
        "data",
    ] {
        let with = stream(&[CHUNK, event, DONE], "\n");
        assert_eq!(String::from_utf8(strip(with.as_bytes(), &[])).unwrap(), with, "{event}");
    }
}

#[test]
fn a_comment_does_not_wait_and_is_not_dropped() {
    let mut stripper = UsageChunkStripper::new();
    let mut out = Vec::new();
    stripper.push(b": ping\n", &mut out);
    assert_eq!(out, b": ping\n");
    stripper.push(USAGE.as_bytes(), &mut out);
    stripper.push(b"\n: ping\n\n", &mut out);
    assert_eq!(out, b": ping\n: ping\n");
    assert_eq!(stripper.dropped(), 1);
}

#[test]
fn an_event_waits_no_longer_than_it_must() {
    let mut stripper = UsageChunkStripper::new();
    let mut out = Vec::new();
    stripper.push(b"data: {\"choices\":[", &mut out);
    assert!(out.is_empty(), "it may still be the usage chunk");
    stripper.push(b"{", &mut out);
    assert_eq!(out, b"data: {\"choices\":[{", "it is not");
    stripper.push(b"}]}\r\n\r\n", &mut out);
    assert_eq!(out, b"data: {\"choices\":[{}]}\r\n\r\n");
}

#[test]
fn an_event_beyond_the_bound_passes() {
    let long =
        format!("data: {{\"choices\":[],\"pad\":\"{}\",\"usage\":{{}}}}\n\n", "x".repeat(MAX_HELD_BYTES));
    let with = format!("{long}{USAGE}\n\n");
    assert_eq!(String::from_utf8(strip(with.as_bytes(), &[5, 70_000])).unwrap(), long);
}

#[test]
fn a_usage_chunk_without_its_blank_line_is_dropped_at_the_end() {
    assert_eq!(strip(format!("{CHUNK}\n\n{USAGE}\n").as_bytes(), &[]), format!("{CHUNK}\n\n").as_bytes());
    assert_eq!(
        strip(format!("{CHUNK}\n\n{CHUNK}").as_bytes(), &[]),
        format!("{CHUNK}\n\n{CHUNK}").as_bytes()
    );
}

#[test]
fn the_goldens_lose_their_usage_chunk_and_nothing_else() {
    let mut seen = 0;
    for golden in goldens() {
        if golden.shape != Shape::OpenAiChat || golden.framing != Framing::Sse {
            continue;
        }
        let Ok(text) = String::from_utf8(golden.body.clone()) else { continue };
        if text.contains('\r') || !text.contains("\n\n") || golden.name.contains("multi-line") {
            continue;
        }
        let expected: String = text
            .split_inclusive("\n\n")
            .filter(|event| !(event.contains("\"choices\":[]") && event.contains("\"usage\":{")))
            .collect();
        seen += 1;
        assert_eq!(String::from_utf8(strip(text.as_bytes(), &[])).unwrap(), expected, "{}", golden.name);
    }
    assert!(seen > 10, "{seen}");
}

proptest! {
    #[test]
    fn random_cuts_change_nothing(
        events in prop::collection::vec(prop::sample::select(vec![USAGE, CHUNK, BOTH, FILTER, DONE, ": c", "data", ""]), 0..8),
        ends in prop::collection::vec(prop::sample::select(vec!["\n", "\r\n", "\r", "\n\n", "\r\n\r\n", "\r\r"]), 8),
        cuts in prop::collection::vec(any::<usize>(), 0..10),
    ) {
        let text: String = events.iter().zip(&ends).map(|(event, end)| format!("{event}{end}")).collect();
        prop_assert_eq!(strip(text.as_bytes(), &cuts), strip(text.as_bytes(), &[]));
    }

    #[test]
    fn what_has_no_usage_passes_byte_for_byte(bytes in prop::collection::vec(any::<u8>(), 0..300), cuts in prop::collection::vec(any::<usize>(), 0..6)) {
        prop_assert_eq!(strip(&bytes, &cuts), bytes);
    }
}
