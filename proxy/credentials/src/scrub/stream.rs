//! An answer that streams through.

use std::{fmt, sync::Arc};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};

use super::{
    Patterns,
    held::Held,
    patterns::{Progress, Spans},
};

/// What stands in a secret's place.
const MASK: u8 = b'*';
/// Bytes of a secret's beginning that may be given out when an answer pauses. The shortest secret has 8.
const MAX_GIVEN_EARLY: usize = 3;

/// Replaces secrets in one answer, over any chunking.
///
/// Only bytes that are the beginning of a secret at the end of a chunk are held back, fewer than the longest form of
/// the secret has; everything else leaves with its chunk. Memory: twice that form, once something is held back.
pub struct Scrubber {
    patterns: Arc<Patterns>,
    progress: Progress,
    held: Held,
    found: u64,
}

impl Scrubber {
    pub(crate) fn new(patterns: Arc<Patterns>) -> Self {
        Self { progress: patterns.progress(), held: Held::new(patterns.longest()), patterns, found: 0 }
    }

    /// Takes the next chunk and gives out what is sure: the same bytes, without a copy, if there is nothing to do.
    /// May give out nothing while the answer goes on.
    #[must_use]
    pub fn push(&mut self, mut chunk: Bytes) -> Bytes {
        // Places count from the first byte held.
        let held = self.held.bytes().len();
        let spans = self.patterns.search(&mut self.progress, &chunk, held);
        self.found += spans.len() as u64;
        let mut sure = (held + chunk.len()).saturating_sub(self.progress.open());
        // What is masked already is sure, whatever it may be the beginning of.
        if let Some(&(start, end)) = spans.last()
            && start <= sure
        {
            sure = sure.max(end);
        }
        let sure_of_held = held.min(sure);
        let rest = chunk.split_off(sure - sure_of_held);
        let out = if held == 0 && spans.is_empty() {
            chunk
        } else if held == 0 {
            masked(chunk.try_into_mut().unwrap_or_else(|chunk| BytesMut::from(&chunk[..])), &spans)
        } else {
            let mut out = BytesMut::with_capacity(sure);
            out.extend_from_slice(&self.held.bytes()[..sure_of_held]);
            out.extend_from_slice(&chunk);
            masked(out, &spans)
        };
        self.held.drop_front(sure_of_held);
        self.held.append(&rest);
        mask(self.held.bytes_mut(), sure, &spans);
        out
    }

    /// The answer pauses: gives out what is held back if it is at most 3 bytes, so that a message whose last byte is a
    /// secret's first one is not kept from an agent that has to answer it. If the secret goes on after all, its other
    /// bytes are covered. For streams that go both ways (WebSocket, gRPC), after a moment without a chunk.
    #[must_use]
    pub fn pause(&mut self) -> Bytes {
        if self.progress.open() > MAX_GIVEN_EARLY {
            return Bytes::new();
        }
        let given = Bytes::copy_from_slice(self.held.bytes());
        self.held.drop_front(given.len());
        given
    }

    /// The answer is over: gives out what was held back, which was no secret.
    #[must_use]
    pub fn finish(&mut self) -> Bytes {
        let rest = Bytes::copy_from_slice(self.held.bytes());
        self.held.drop_front(rest.len());
        self.progress.reset();
        rest
    }

    /// How many places were covered so far.
    #[must_use]
    pub fn found(&self) -> u64 {
        self.found
    }

    /// The value of a header, or a trailer, without secrets; none if it has none. The state of the body stays.
    #[must_use]
    pub fn scrub_header_value(&self, value: &HeaderValue) -> Option<HeaderValue> {
        let scrubbed = self.scrub_bytes(value.as_bytes())?;
        let mut scrubbed = HeaderValue::from_bytes(&scrubbed).ok()?;
        scrubbed.set_sensitive(value.is_sensitive());
        Some(scrubbed)
    }

    /// All headers of an answer, or its trailers. Says how many values had secrets.
    pub fn scrub_headers(&self, headers: &mut HeaderMap) -> usize {
        let mut changed = 0;
        for value in headers.values_mut() {
            if let Some(scrubbed) = self.scrub_header_value(value) {
                *value = scrubbed;
                changed += 1;
            }
        }
        changed
    }

    /// A text without secrets, for a log line or an error; none if it has none.
    #[must_use]
    pub fn scrub_text(&self, text: &str) -> Option<String> {
        let scrubbed = self.scrub_bytes(text.as_bytes())?;
        Some(String::from_utf8_lossy(&scrubbed).into_owned())
    }

    fn scrub_bytes(&self, bytes: &[u8]) -> Option<Bytes> {
        let spans = self.patterns.search(&mut self.patterns.progress(), bytes, 0);
        (!spans.is_empty()).then(|| masked(BytesMut::from(bytes), &spans))
    }
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrubber").field("found", &self.found).finish_non_exhaustive()
    }
}

fn masked(mut bytes: BytesMut, spans: &Spans) -> Bytes {
    mask(&mut bytes, 0, spans);
    bytes.freeze()
}

/// Masks the part of the spans that is within `bytes`, whose first byte is number `base`.
fn mask(bytes: &mut [u8], base: usize, spans: &Spans) {
    for &(start, end) in spans {
        let end = end.saturating_sub(base).min(bytes.len());
        let start = start.saturating_sub(base).min(end);
        bytes[start..end].fill(MASK);
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
