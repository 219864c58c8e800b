//! What an answer used when the provider did not say, or did not say to the end.
//!
//! What is known stays. Input that is not known is a quarter of the request's bytes, rounded up: about what English
//! text and JSON cost. Output that is not known to the end is the largest of what was told, a quarter of the bytes of
//! text written, and one for every event that brought text; sound counts by its length. Every such usage is marked.

use crate::shape::Shape;
use crate::usage::Usage;

/// Bytes of text in a token.
pub(crate) const BYTES_PER_TOKEN: u64 = 4;
/// Bytes of base64 in a token of sound: 50 ms of 24 kHz, 16 bit, mono.
const SOUND_PER_TOKEN: u64 = 3200;

/// What there is to estimate from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// Bytes of the request, for input that is not known.
    pub(crate) request_bytes: Option<u64>,
    /// Bytes of text written.
    pub(crate) text: u64,
    /// Bytes of sound written, in base64.
    pub(crate) sound: u64,
    /// Events that brought text.
    pub(crate) pieces: u64,
    /// Bytes of an answer that could not be read.
    pub(crate) unread: u64,
    /// The model has answered: it wrote something even if we saw nothing.
    pub(crate) answered: bool,
}

/// Raises `usage` to what has at least been used, and marks it.
pub(crate) fn estimate(shape: Shape, mut usage: Usage, seen: Seen) -> Usage {
    usage.estimated = true;
    if let Some(bytes) = seen.request_bytes {
        usage.input = usage.input.max(bytes.div_ceil(BYTES_PER_TOKEN));
    }
    if !shape.writes_text() {
        return usage;
    }
    usage.audio_output = usage.audio_output.max(seen.sound.div_ceil(SOUND_PER_TOKEN));
    let mut written = seen.text.div_ceil(BYTES_PER_TOKEN).max(seen.pieces);
    if written == 0 && seen.sound == 0 && seen.answered {
        written = seen.unread.div_ceil(BYTES_PER_TOKEN).max(u64::from(usage.images == 0));
    }
    usage.output = usage.output.max(written.saturating_sub(usage.reasoning));
    usage
}
