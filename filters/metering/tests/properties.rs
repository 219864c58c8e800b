//! Whatever the bytes are: no panic, the same result however they are cut, and counts that stay within their bounds.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

#[allow(dead_code, reason = "every test uses its own part of it")]
mod coding;
#[allow(dead_code, reason = "every test uses its own part of it")]
mod support;

use std::sync::LazyLock;

use creto_metering::{Encoding, Ending, Framing, MAX_COUNT, Scanner, Settled, Shape};
use proptest::prelude::*;
use support::{Golden, goldens};

static GOLDENS: LazyLock<Vec<Golden>> = LazyLock::new(goldens);

const FRAMINGS: [Framing; 5] =
    [Framing::Json, Framing::Lines, Framing::Sse, Framing::EventStream, Framing::WebSocket];
const ENCODINGS: [Encoding; 6] = [
    Encoding::Identity,
    Encoding::Gzip,
    Encoding::Deflate,
    Encoding::Brotli,
    Encoding::Zstd,
    Encoding::Unknown,
];

fn settle(mut scanner: Scanner, bytes: &[u8], cuts: &[usize], ending: Ending) -> Settled {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let mut from = 0;
    for cut in cuts {
        scanner.push(&bytes[from..cut]);
        from = cut;
    }
    scanner.push(&bytes[from..]);
    scanner.finish(ending, 1000)
}

fn believable(settled: &Settled) -> bool {
    let usage = &settled.usage;
    // A kind is at most a sum of a few counts, each bounded.
    usage.input_total() <= 8 * MAX_COUNT && usage.output_total() <= 8 * MAX_COUNT
}

fn ending() -> impl Strategy<Value = Ending> {
    prop::sample::select(vec![Ending::Complete, Ending::Broken, Ending::ClientGone])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_settle_the_same_however_they_are_cut(
        shape in prop::sample::select(Shape::ALL.to_vec()),
        framing in prop::sample::select(FRAMINGS.to_vec()),
        encoding in prop::sample::select(ENCODINGS.to_vec()),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        cuts in prop::collection::vec(any::<usize>(), 0..6),
        ending in ending(),
    ) {
        let whole = settle(Scanner::new(shape, framing, encoding), &bytes, &[], ending);
        prop_assert!(believable(&whole), "{:?}", whole);
        prop_assert_eq!(settle(Scanner::new(shape, framing, encoding), &bytes, &cuts, ending), whole);
    }

    #[test]
    fn a_damaged_golden_settles_the_same_however_it_is_cut(
        golden in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<usize>(), 0..4u8, any::<u8>()), 0..4),
        cuts in prop::collection::vec(any::<usize>(), 0..6),
        ending in ending(),
    ) {
        let golden = golden.get(&GOLDENS);
        let bytes = damaged(&golden.body, &damage);
        let whole = settle(golden.scanner(Encoding::Identity), &bytes, &[], ending);
        prop_assert!(believable(&whole), "{:?}", whole);
        prop_assert_eq!(settle(golden.scanner(Encoding::Identity), &bytes, &cuts, ending), whole);
    }

    #[test]
    fn a_golden_read_as_something_else_settles_the_same_however_it_is_cut(
        golden in any::<prop::sample::Index>(),
        shape in prop::sample::select(Shape::ALL.to_vec()),
        framing in prop::sample::select(FRAMINGS.to_vec()),
        cuts in prop::collection::vec(any::<usize>(), 0..6),
        ending in ending(),
    ) {
        let bytes = &golden.get(&GOLDENS).body;
        let whole = settle(Scanner::new(shape, framing, Encoding::Identity), bytes, &[], ending);
        prop_assert!(believable(&whole), "{:?}", whole);
        prop_assert_eq!(settle(Scanner::new(shape, framing, Encoding::Identity), bytes, &cuts, ending), whole);
    }

    #[test]
    fn a_damaged_coding_settles_the_same_however_it_is_cut(
        golden in any::<prop::sample::Index>(),
        coding in 0..5usize,
        damage in prop::collection::vec((any::<usize>(), 0..4u8, any::<u8>()), 0..3),
        cuts in prop::collection::vec(any::<usize>(), 0..6),
    ) {
        let golden = golden.get(&GOLDENS);
        let (_, encoding, coded) = coding::codings(&golden.body).swap_remove(coding);
        let bytes = damaged(&coded, &damage);
        let whole = settle(golden.scanner(encoding), &bytes, &[], golden.ending);
        prop_assert_eq!(settle(golden.scanner(encoding), &bytes, &cuts, golden.ending), whole);
    }

    #[test]
    fn a_message_with_any_headers_settles_the_same_however_it_is_cut(
        headers in prop::collection::vec(header(), 0..5),
        noise in prop::collection::vec((any::<usize>(), any::<u8>()), 0..2),
        shape in prop::sample::select(vec![Shape::BedrockConverse, Shape::BedrockInvoke]),
        cuts in prop::collection::vec(any::<usize>(), 0..6),
    ) {
        let mut headers = headers.concat();
        for (at, byte) in noise {
            let len = headers.len().max(1);
            if let Some(slot) = headers.get_mut(at % len) {
                *slot = byte;
            }
        }
        let payload = br#"{"usage":{"inputTokens":3,"outputTokens":4},"stopReason":"x","bytes":"eyJ0ZXh0IjoiYSJ9"}"#;
        let mut bytes = message(&headers, payload);
        bytes.extend_from_slice(&message(&[], payload));
        let scanner = || Scanner::new(shape, Framing::EventStream, Encoding::Identity);
        let whole = settle(scanner(), &bytes, &[], Ending::Complete);
        prop_assert_eq!(settle(scanner(), &bytes, &cuts, Ending::Complete), whole);
    }
}

/// A header of an event stream, well formed or nearly.
fn header() -> impl Strategy<Value = Vec<u8>> {
    let name = prop::sample::select(vec![":message-type", ":event-type", "x", ""]);
    let value =
        prop::sample::select(vec!["event", "exception", "", "a value that is longer than what is kept"]);
    (name, 0..11u8, value).prop_map(|(name, kind, value)| {
        let mut header = vec![name.len() as u8];
        header.extend_from_slice(name.as_bytes());
        header.push(kind);
        match kind {
            2 => header.push(1),
            3 => header.extend_from_slice(&[0, 1]),
            4 => header.extend_from_slice(b"even"),
            5 | 8 => header.extend_from_slice(b"event...".as_slice()),
            6 | 7 => {
                header.extend_from_slice(&(value.len() as u16).to_be_bytes());
                header.extend_from_slice(value.as_bytes());
            }
            9 => header.extend_from_slice(&[7; 16]),
            _ => {}
        }
        header
    })
}

/// A message of an event stream with the right checksums.
fn message(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    message.extend_from_slice(&(16 + headers.len() as u32 + payload.len() as u32).to_be_bytes());
    message.extend_from_slice(&(headers.len() as u32).to_be_bytes());
    message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
    message.extend_from_slice(headers);
    message.extend_from_slice(payload);
    message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
    message
}

fn damaged(bytes: &[u8], damage: &[(usize, u8, u8)]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for &(at, how, byte) in damage {
        let at = at % (bytes.len() + 1);
        match how {
            0 => bytes.insert(at, byte),
            1 => bytes.truncate(at),
            2 if at < bytes.len() => {
                bytes.remove(at);
            }
            _ if at < bytes.len() => bytes[at] = byte,
            _ => bytes.push(byte),
        }
    }
    bytes
}
