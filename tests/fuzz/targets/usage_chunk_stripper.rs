//! The stripper of the usage chunk: what comes out is what went in without whole events, each of them a usage chunk.
#![no_main]
#![forbid(unsafe_code)]

use creto_fuzz::Head;
use creto_metering::{MAX_HELD_BYTES, UsageChunkStripper};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let Some((head, body)) = Head::split(input) else { return };
    let (out, dropped) = strip(&[body]);
    for pieces in head.chunkings(body) {
        assert_eq!(strip(&pieces), (out.clone(), dropped));
    }
    let mut rest = &out[..];
    let mut missing = 0;
    let events = events(body);
    for event in &events {
        if let Some(after) = rest.strip_prefix(*event) {
            rest = after;
            let stayed =
                is_whole(event) && event.len() <= MAX_HELD_BYTES && is_usage_chunk(event) == Some(true);
            assert!(!stayed, "{}", event.escape_ascii());
            continue;
        }
        let comments = comments(event);
        rest = rest
            .strip_prefix(&comments[..])
            .expect("an event is dropped whole or not at all, its comments never");
        assert_ne!(is_usage_chunk(event), Some(false), "{}", event.escape_ascii());
        // One that the end of the stream cut off is dropped when the stream is over, and not counted.
        missing += u64::from(is_whole(event));
    }
    assert!(rest.is_empty(), "nothing is added");
    assert_eq!(missing, dropped);
});

fn strip(pieces: &[&[u8]]) -> (Vec<u8>, u64) {
    let mut stripper = UsageChunkStripper::new();
    let mut out = Vec::new();
    for piece in pieces {
        stripper.push(piece, &mut out);
    }
    let dropped = stripper.dropped();
    stripper.finish(&mut out);
    (out, dropped)
}

/// The lines of a text, each with what ends it.
fn lines(text: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut start = 0;
    for (at, byte) in text.iter().enumerate() {
        let next = text.get(at + 1);
        if *byte == b'\n' || (*byte == b'\r' && next != Some(&b'\n')) {
            found.push(&text[start..=at]);
            start = at + 1;
        }
    }
    found.push(&text[start..]);
    found.retain(|line| !line.is_empty());
    found
}

fn content(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The events of a stream, each with the blank line that ends it.
fn events(stream: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let (mut start, mut at) = (0, 0);
    let after_mark = stream.strip_prefix(b"\xEF\xBB\xBF").map_or(0, |_| 3);
    for line in lines(stream) {
        let first = at == 0;
        at += line.len();
        let text = content(line);
        if text.is_empty() || (first && text.len() == after_mark) {
            found.push(&stream[start..at]);
            start = at;
        }
    }
    found.push(&stream[start..]);
    found.retain(|event| !event.is_empty());
    found
}

fn is_whole(event: &[u8]) -> bool {
    lines(event).last().is_some_and(|line| content(line).is_empty())
}

fn comments(event: &[u8]) -> Vec<u8> {
    lines(event).into_iter().filter(|line| line.starts_with(b":")).flatten().copied().collect()
}

/// Whether the data of an event is a usage chunk; none when that cannot be said, as it is not JSON in one reading.
fn is_usage_chunk(event: &[u8]) -> Option<bool> {
    let event = event.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(event);
    let data = lines(event).into_iter().filter_map(|line| {
        let line = content(line);
        let value = line.strip_prefix(b"data")?;
        match value {
            [] => Some(value),
            [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
            _ => None,
        }
    });
    let data: Vec<&[u8]> = data.collect();
    let data = data.join(&b'\n');
    let value = creto_mcp::strict_json::parse(&data, creto_mcp::strict_json::Bounds::default()).ok()?;
    let empty = value.get("choices").and_then(Value::as_array).is_some_and(Vec::is_empty);
    Some(empty && value.get("usage").is_some_and(Value::is_object))
}
