//! What holds of the usage of any answer, in any framing and coding.

use creto_mcp::strict_json::{Bounds, parse};
use creto_metering::{
    Encoding, Ending, Framing, MAX_COUNT, MAX_MODEL_BYTES, MAX_TIER_BYTES, Scanner, Settled, Shape,
};

use crate::Head;

/// Settles the input as an answer of each kind, in these framings and codings.
///
/// # Panics
/// When the result depends on how the bytes were cut, or says what cannot be believed.
pub fn check(input: &[u8], framings: &[Framing], encodings: &[Encoding]) {
    let Some((head, body)) = Head::split(input) else { return };
    let shape = *head.pick(&Shape::ALL);
    let failed = usize::from(head.first) / Shape::ALL.len() % 2 == 1;
    let mut choice = usize::from(head.second);
    let mut next = |count: usize| {
        let picked = choice % count;
        choice /= count;
        picked
    };
    let ending = [Ending::Complete, Ending::Broken, Ending::ClientGone][next(3)];
    let framing = framings[next(framings.len())];
    let encoding = encodings[next(encodings.len())];
    let headers = [(None, None), (Some(7), None), (Some(u64::MAX), Some(u64::MAX))][next(3)];
    let settle = |pieces: &[&[u8]]| {
        let mut scanner = Scanner::new(shape, framing, encoding)
            .with_status(if failed { 429 } else { 200 })
            .with_token_headers(headers.0, headers.1);
        for piece in pieces {
            scanner.push(piece);
        }
        scanner.finish(ending, 1000)
    };
    let whole = settle(&[body]);
    believable(&whole);
    if framing == Framing::Json && encoding == Encoding::Identity && parse(body, Bounds::default()).is_ok() {
        assert_eq!(settle(&[&spread(body)]), whole, "blanks mean nothing");
    }
    for pieces in head.chunkings(body) {
        assert_eq!(settle(&pieces), whole, "{shape:?} {framing:?} {encoding:?} {ending:?}");
    }
}

/// The same JSON text with blanks wherever they are allowed.
fn spread(text: &[u8]) -> Vec<u8> {
    let (mut in_string, mut escaped) = (false, false);
    let mut spread = Vec::with_capacity(text.len() * 2);
    for &byte in text {
        if in_string {
            spread.push(byte);
            (in_string, escaped) = (escaped || byte != b'"', !escaped && byte == b'\\');
        } else if matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':') {
            spread.extend_from_slice(&[b' ', byte, b'\t', b'\r', b'\n']);
        } else {
            in_string = byte == b'"';
            spread.push(byte);
        }
    }
    spread
}

fn believable(settled: &Settled) {
    let usage = &settled.usage;
    let kinds = [
        usage.input,
        usage.cached_input,
        usage.cache_write,
        usage.cache_write_1h,
        usage.output,
        usage.reasoning,
        usage.audio_input,
        usage.audio_output,
        usage.image_input,
        usage.images,
        usage.server_tool_calls,
    ];
    assert!(kinds.iter().all(|count| *count <= MAX_COUNT), "{settled:?}");
    // A name that is no UTF-8 is shown with replacement characters of three bytes.
    assert!(settled.response_model.as_ref().is_none_or(|name| name.len() <= MAX_MODEL_BYTES * 3));
    assert!(settled.service_tier.as_ref().is_none_or(|name| name.len() <= MAX_TIER_BYTES * 3));
}
