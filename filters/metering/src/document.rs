//! From the data of events and messages to documents: `[DONE]`, documents that are not JSON, documents without an end.

use crate::json::Tokenizer;
use crate::meter::Meter;
use crate::sse::Events;

const DONE: &[u8] = b"[DONE]";

/// The documents of a stream, and what they told.
#[derive(Debug, Clone)]
pub(crate) struct Documents {
    pub(crate) tokenizer: Tokenizer,
    pub(crate) meter: Meter,
    /// How many bytes of `[DONE]` this document began with.
    done: usize,
    /// Some document was not JSON, or had no end.
    pub(crate) damaged: bool,
    /// Some bytes could not be read at all.
    pub(crate) garbled: bool,
}

impl Documents {
    pub(crate) fn new(tokenizer: Tokenizer, meter: Meter) -> Self {
        Self { tokenizer, meter, done: 0, damaged: false, garbled: false }
    }

    /// Forgets every document.
    pub(crate) fn clear(&mut self) {
        self.tokenizer.restart();
        self.meter.clear();
        self.done = 0;
        (self.damaged, self.garbled) = (false, false);
    }

    /// Some of a document.
    #[inline]
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        // One marker may follow another: the second is looked for as if it had come by itself.
        while !bytes.is_empty() && (self.done > 0 || self.tokenizer.is_fresh()) {
            if self.done == 0 {
                bytes = bytes.trim_ascii_start();
                if bytes.first() != Some(&b'[') {
                    break;
                }
            }
            bytes = self.done(bytes);
        }
        self.tokenizer.feed(bytes, &mut self.meter);
    }

    /// Takes the bytes of `[DONE]`, which look like an array at first; returns what is not of it.
    fn done<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let left = DONE.get(self.done..).unwrap_or_default();
        let same = left.iter().zip(bytes).take_while(|(expected, byte)| expected == byte).count();
        let rest = bytes.get(same..).unwrap_or_default();
        self.done += same;
        if same == left.len() {
            self.meter.over = true;
            self.done = 0;
            return rest;
        }
        if rest.is_empty() {
            return rest;
        }
        // Not the marker after all: the tokenizer gets what was held back.
        let held = DONE.get(..self.done).unwrap_or_default();
        self.done = 0;
        self.tokenizer.feed(held, &mut self.meter);
        rest
    }

    /// The event or message is over, and with it its document.
    pub(crate) fn end(&mut self) {
        if self.done > 0 {
            self.done = 0;
            self.damaged = true;
        } else if !self.tokenizer.is_fresh() && !self.tokenizer.end(&mut self.meter) {
            self.damaged = true;
            self.garbled |= self.tokenizer.is_bad();
            self.meter.abandon();
        }
        self.tokenizer.restart();
    }
}

impl Events for Documents {
    fn line(&mut self) {
        // A line joins the one before it with a line feed. Where a document is whole another begins, and where it is
        // not JSON, or was cut in a string, the new line is a new chance.
        if self.done > 0 {
            self.feed(b"\n");
        } else if !self.tokenizer.is_fresh() {
            self.tokenizer.feed(b"\n", &mut self.meter);
        }
        if self.tokenizer.is_bad() || self.tokenizer.is_closed() {
            self.end();
        }
    }

    fn data(&mut self, bytes: &[u8]) {
        self.feed(bytes);
    }

    fn dispatch(&mut self) {
        self.end();
    }
}
