//! Takes the usage chunk out of an OpenAI chat stream.
//!
//! When the proxy, and not the agent, asked for `stream_options.include_usage`, the stream gets one more chunk: its
//! `choices` are empty and its `usage` is an object. That event is dropped, nothing else: the `"usage":null` of the
//! other chunks stays, byte for byte.

use crate::field::Field;
use crate::json::{Scalar, Sink, Tokenizer};
use crate::shape::{STRIP_CHOICES, STRIP_USAGE, STRIPPED};
use crate::sse::{Events, Sse};

/// Longest event held back until it is known not to be the usage chunk: 64 KiB. A longer one passes.
pub const MAX_HELD_BYTES: usize = 64 << 10;

/// What is known of the event that is being read.
#[derive(Debug, Clone, Default)]
struct Chunk {
    /// `choices` is a list and has an element.
    choice: bool,
    /// `choices` is a list.
    choices: bool,
    /// `usage` is an object.
    usage: bool,
}

impl Sink for Chunk {
    fn scalar(&mut self, field: Field, _: Scalar<'_>) {
        self.choice |= field == Field::Item;
    }
    fn piece(&mut self, _: Field, _: &[u8]) {}
    fn open(&mut self, field: Field) {
        match field {
            Field::Item => self.choice = true,
            STRIP_CHOICES => self.choices = true,
            STRIP_USAGE => self.usage = true,
            _ => {}
        }
    }
    fn close(&mut self, _: Field) {}
}

/// The document of one event.
#[derive(Debug, Clone)]
struct Event {
    tokenizer: Tokenizer,
    chunk: Chunk,
    /// A line of data has begun.
    data: bool,
    over: bool,
}

impl Event {
    fn restart(&mut self) {
        self.tokenizer.restart();
        self.chunk = Chunk::default();
        self.data = false;
        self.over = false;
    }

    /// Nothing that follows can make it the usage chunk.
    fn passes(&self) -> bool {
        self.chunk.choice || self.tokenizer.is_bad()
    }

    fn is_usage_chunk(&self) -> bool {
        self.chunk.choices && !self.chunk.choice && self.chunk.usage && self.tokenizer.is_closed()
    }
}

impl Events for Event {
    fn line(&mut self) {
        if self.data {
            self.tokenizer.feed(b"\n", &mut self.chunk);
        }
        self.data = true;
    }
    fn data(&mut self, bytes: &[u8]) {
        self.tokenizer.feed(bytes, &mut self.chunk);
    }
    fn dispatch(&mut self) {
        self.over = true;
    }
}

/// Passes a stream of server-sent events without its usage chunk. See the module. The stream must not be compressed.
#[derive(Debug, Clone)]
pub struct UsageChunkStripper {
    sse: Sse,
    event: Event,
    held: Vec<u8>,
    /// The event goes on as it comes.
    passing: bool,
    line: Line,
    /// The last event ended with a CR, and whether it was dropped: a LF that follows belongs to it.
    ended_cr: Option<bool>,
    dropped: u64,
}

/// Where in a line the input was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Start,
    /// In a comment that stands before any field of its event.
    Comment,
    Field,
}

impl Default for UsageChunkStripper {
    fn default() -> Self {
        Self::new()
    }
}

impl UsageChunkStripper {
    /// For one stream.
    #[must_use]
    pub fn new() -> Self {
        Self {
            sse: Sse::new(),
            event: Event {
                tokenizer: Tokenizer::new(&STRIPPED),
                chunk: Chunk::default(),
                data: false,
                over: false,
            },
            held: Vec::new(),
            passing: false,
            line: Line::Start,
            ended_cr: None,
            dropped: 0,
        }
    }

    /// Takes the next bytes of the stream and adds to `out` what may go on to the agent. An event is held at most
    /// until its end has come, and no longer than until it is known to be another one.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let mut rest = input;
        while !rest.is_empty() {
            if let Some(dropped) = self.ended_cr.take()
                && let Some(after) = rest.strip_prefix(b"\n")
            {
                self.sse.push(b"\n", &mut self.event);
                if !dropped {
                    out.push(b'\n');
                }
                rest = after;
                continue;
            }
            // A line at a time: an event ends with one.
            let end = memchr::memchr2(b'\n', b'\r', rest).map_or(rest.len(), |end| end + 1);
            let (line, after) = rest.split_at(end);
            rest = after;
            self.sse.push(line, &mut self.event);
            self.take(line, out);
        }
    }

    /// The stream is over: adds what was still held, unless it is the usage chunk without its blank line.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        if !self.event.is_usage_chunk() {
            out.append(&mut self.held);
        }
    }

    /// How many chunks were dropped.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes a line, or what has come of it.
    fn take(&mut self, line: &[u8], out: &mut Vec<u8>) {
        if self.line == Line::Start {
            let comment = self.held.is_empty() && line.first() == Some(&b':');
            self.line = if comment { Line::Comment } else { Line::Field };
        }
        // A comment is of no event: a sign of life must not wait for one.
        if self.passing || self.line == Line::Comment {
            out.extend_from_slice(line);
        } else {
            self.held.extend_from_slice(line);
        }
        if matches!(line.last(), Some(b'\n' | b'\r')) {
            self.line = Line::Start;
        }
        if self.event.over {
            let dropped = !self.passing && self.event.is_usage_chunk();
            if dropped {
                self.dropped += 1;
                self.keep_comments(out);
            } else {
                out.append(&mut self.held);
            }
            self.ended_cr = (line.last() == Some(&b'\r')).then_some(dropped);
            self.passing = false;
            self.event.restart();
        } else if !self.passing && (self.event.passes() || self.held.len() > MAX_HELD_BYTES) {
            out.append(&mut self.held);
            self.passing = true;
        }
    }

    /// Drops what is held but for the comments that stand in it.
    fn keep_comments(&mut self, out: &mut Vec<u8>) {
        let lines = self.held.split_inclusive(|byte| matches!(byte, b'\n' | b'\r'));
        for comment in lines.filter(|line| line.first() == Some(&b':')) {
            out.extend_from_slice(comment);
        }
        self.held.clear();
    }
}
