//! `application/vnd.amazon.eventstream`: messages of a prelude, headers, a payload and two CRC-32.
//!
//! A message counts only when its checksum holds: until then what it told can be taken back.

use crc32fast::Hasher;

use crate::base64_stream::Base64Stream;
use crate::document::Documents;
use crate::field::Field;
use crate::json::{Scalar, Sink, Tokenizer};
use crate::meter::Meter;
use crate::shape::CHUNK;

/// Longest headers of a message, as AWS states it.
pub const MAX_HEADER_BYTES: u32 = 128 << 10;
/// Longest payload of a message, as the AWS SDKs accept it.
pub const MAX_PAYLOAD_BYTES: u32 = 24 << 20;

const PRELUDE: usize = 12;
/// Both lengths, both checksums.
const FRAME_BYTES: u32 = 16;
const MESSAGE_TYPE: &[u8] = b":message-type";
const EVENT: &[u8] = b"event";
/// Bytes of a name and of a value that are kept: enough to know those two from anything longer.
const NAME_BYTES: usize = 16;
const VALUE_BYTES: usize = 16;

/// Where in a message the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Prelude,
    /// In the headers: before a name, in it, before the type of the value, in the length of the value, in it.
    NameLength,
    Name {
        left: u8,
    },
    ValueType,
    ValueLength {
        high: Option<u8>,
    },
    Value {
        left: u16,
    },
    Payload,
    Checksum,
    /// A length or a checksum was wrong: nothing that follows can be trusted.
    Broken,
}

/// The reader. See the module.
#[derive(Debug)]
pub(crate) struct EventStream {
    state: State,
    prelude: [u8; PRELUDE],
    have: usize,
    headers_left: u32,
    payload_left: u32,
    crc: Hasher,
    name: [u8; NAME_BYTES],
    name_len: usize,
    value: [u8; VALUE_BYTES],
    value_len: usize,
    /// The message tells an error.
    exception: bool,
    /// The message lay whole in one piece, and its checksum holds.
    checked: bool,
    /// What was known before the message, if some of it has been read that may have to be taken back.
    before: Meter,
    unproven: bool,
    /// For payloads that carry the event in base64.
    chunk: Option<(Tokenizer, Base64Stream)>,
}

/// Takes the event out of a chunk.
struct Unwrap<'a> {
    base64: &'a mut Base64Stream,
    documents: &'a mut Documents,
}

impl Sink for Unwrap<'_> {
    fn scalar(&mut self, _: Field, _: Scalar<'_>) {}
    fn piece(&mut self, _: Field, bytes: &[u8]) {
        let documents = &mut *self.documents;
        self.base64.push(bytes, |decoded| documents.feed(decoded));
    }
    fn open(&mut self, _: Field) {}
    fn close(&mut self, _: Field) {}
}

impl EventStream {
    /// `chunked`: the event stands in base64 within the payload.
    pub(crate) fn new(meter: &Meter, chunked: bool) -> Self {
        Self {
            state: State::Prelude,
            prelude: [0; PRELUDE],
            have: 0,
            headers_left: 0,
            payload_left: 0,
            crc: Hasher::new(),
            name: [0; NAME_BYTES],
            name_len: 0,
            value: [0; VALUE_BYTES],
            value_len: 0,
            exception: false,
            checked: false,
            before: meter.clone(),
            unproven: false,
            chunk: chunked.then(|| (Tokenizer::new(&CHUNK), Base64Stream::new())),
        }
    }

    /// Reads on.
    pub(crate) fn push(&mut self, bytes: &[u8], documents: &mut Documents) {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let rest = bytes.get(at..).unwrap_or_default();
            at += match self.state {
                State::Prelude => self.prelude(rest, documents),
                State::NameLength => {
                    self.name_len = 0;
                    self.header_bytes(rest.get(..1).unwrap_or_default());
                    self.state = if byte == 0 { State::Broken } else { State::Name { left: byte } };
                    1
                }
                State::Name { left } => {
                    let part = self.within_headers(rest, usize::from(left));
                    keep(&mut self.name, &mut self.name_len, part);
                    self.header_bytes(part);
                    let left = left - part.len() as u8;
                    self.state = if left == 0 { State::ValueType } else { State::Name { left } };
                    part.len()
                }
                State::ValueType => {
                    self.value_len = 0;
                    self.header_bytes(rest.get(..1).unwrap_or_default());
                    self.state = match byte {
                        0 | 1 => State::NameLength,
                        2 => State::Value { left: 1 },
                        3 => State::Value { left: 2 },
                        4 => State::Value { left: 4 },
                        5 | 8 => State::Value { left: 8 },
                        6 | 7 => State::ValueLength { high: None },
                        9 => State::Value { left: 16 },
                        _ => State::Broken,
                    };
                    1
                }
                State::ValueLength { high } => {
                    self.header_bytes(rest.get(..1).unwrap_or_default());
                    self.state = match high {
                        None => State::ValueLength { high: Some(byte) },
                        Some(high) => match u16::from_be_bytes([high, byte]) {
                            0 => State::NameLength,
                            left => State::Value { left },
                        },
                    };
                    1
                }
                State::Value { left } => {
                    let part = self.within_headers(rest, usize::from(left));
                    keep(&mut self.value, &mut self.value_len, part);
                    self.header_bytes(part);
                    let left = left - part.len() as u16;
                    if left == 0 {
                        self.header();
                        self.state = State::NameLength;
                    } else {
                        self.state = State::Value { left };
                    }
                    part.len()
                }
                State::Payload => self.payload(rest, documents),
                State::Checksum => self.checksum(byte, documents),
                State::Broken => {
                    (documents.damaged, documents.garbled) = (true, true);
                    return;
                }
            };
            // The headers end where the prelude says, not where a header would.
            if self.headers_left == 0 {
                match self.state {
                    State::NameLength => self.after_headers(),
                    State::Name { .. }
                    | State::ValueType
                    | State::ValueLength { .. }
                    | State::Value { .. } => {
                        self.state = State::Broken;
                    }
                    _ => {}
                }
            }
            if self.state == State::Broken {
                (documents.damaged, documents.garbled) = (true, true);
                return;
            }
        }
    }

    /// No bytes follow. Says whether the last message was whole.
    pub(crate) fn end(&mut self, documents: &mut Documents) -> bool {
        let whole = self.state == State::Prelude && self.have == 0;
        if !whole {
            // A message cut short could not be checked: what it told counts as far as text goes, not for numbers.
            documents.damaged = true;
            let seen = (documents.meter.text, documents.meter.sound, documents.meter.pieces);
            if self.unproven {
                documents.end();
                documents.meter = self.before.clone();
                (documents.meter.text, documents.meter.sound, documents.meter.pieces) = seen;
            }
        }
        whole
    }

    fn prelude(&mut self, rest: &[u8], documents: &Documents) -> usize {
        let mut used = 0;
        for (slot, &byte) in self.prelude.iter_mut().skip(self.have).zip(rest) {
            *slot = byte;
            used += 1;
        }
        self.have += used;
        if self.have < PRELUDE {
            return used;
        }
        self.have = 0;
        let [a, b, c, d, e, f, g, h, crc @ ..] = self.prelude;
        let total = u32::from_be_bytes([a, b, c, d]);
        let headers = u32::from_be_bytes([e, f, g, h]);
        let mut hasher = Hasher::new();
        hasher.update(&[a, b, c, d, e, f, g, h]);
        let payload = total.checked_sub(FRAME_BYTES).and_then(|rest| rest.checked_sub(headers));
        match payload {
            Some(payload)
                if hasher.finalize() == u32::from_be_bytes(crc)
                    && headers <= MAX_HEADER_BYTES
                    && payload <= MAX_PAYLOAD_BYTES =>
            {
                self.crc = Hasher::new();
                self.crc.update(&self.prelude);
                self.headers_left = headers;
                self.payload_left = payload;
                self.exception = false;
                if let Some((tokenizer, base64)) = &mut self.chunk {
                    tokenizer.restart();
                    base64.restart();
                }
                let rest = rest.get(used..).unwrap_or_default();
                match self.check(rest) {
                    Some(true) => {
                        self.checked = true;
                        return used + self.whole_headers(rest);
                    }
                    Some(false) => {
                        self.state = State::Broken;
                        return used;
                    }
                    None => {
                        self.checked = false;
                        self.before.clone_from(&documents.meter);
                        self.unproven = true;
                    }
                }
                self.state = State::NameLength;
            }
            _ => self.state = State::Broken,
        }
        used
    }

    /// Whether the checksum of a message holds that lies whole in `rest`; none if it does not.
    fn check(&self, rest: &[u8]) -> Option<bool> {
        let len = usize::try_from(self.headers_left.checked_add(self.payload_left)?).ok()?;
        let (body, crc) = rest.split_at_checked(len)?;
        let crc = u32::from_be_bytes(*crc.first_chunk()?);
        let mut hasher = self.crc.clone();
        hasher.update(body);
        Some(hasher.finalize() == crc)
    }

    /// The headers of a message that is checked, which lie whole at the start of `rest`: as the states read them, in
    /// one go. Returns how many bytes are done.
    fn whole_headers(&mut self, rest: &[u8]) -> usize {
        let len = self.headers_left as usize;
        self.headers_left = 0;
        match is_exception(rest.get(..len).unwrap_or_default()) {
            Some(exception) => {
                self.exception = exception;
                self.after_headers();
            }
            None => self.state = State::Broken,
        }
        len
    }

    /// The next `left` bytes, as far as there are any and the prelude grants them.
    fn within_headers<'a>(&self, rest: &'a [u8], left: usize) -> &'a [u8] {
        let granted = usize::try_from(self.headers_left).unwrap_or(usize::MAX);
        rest.get(..rest.len().min(left).min(granted)).unwrap_or_default()
    }

    /// Counts header bytes.
    fn header_bytes(&mut self, part: &[u8]) {
        if !self.checked {
            self.crc.update(part);
        }
        self.headers_left = self.headers_left.saturating_sub(part.len() as u32);
    }

    /// A header is whole.
    fn header(&mut self) {
        let name = self.name.get(..self.name_len).unwrap_or_default();
        let value = self.value.get(..self.value_len).unwrap_or_default();
        if name == MESSAGE_TYPE {
            self.exception = value != EVENT;
        }
    }

    fn after_headers(&mut self) {
        self.have = 0;
        self.state = if self.payload_left == 0 { State::Checksum } else { State::Payload };
    }

    fn payload(&mut self, rest: &[u8], documents: &mut Documents) -> usize {
        let part = rest.get(..rest.len().min(self.payload_left as usize)).unwrap_or_default();
        if !self.checked {
            self.crc.update(part);
        }
        self.payload_left -= part.len() as u32;
        if !self.exception {
            match &mut self.chunk {
                None => documents.feed(part),
                Some((tokenizer, base64)) => tokenizer.feed(part, &mut Unwrap { base64, documents }),
            }
        }
        if self.payload_left == 0 {
            self.state = State::Checksum;
        }
        part.len()
    }

    fn checksum(&mut self, byte: u8, documents: &mut Documents) -> usize {
        if let Some(slot) = self.prelude.get_mut(self.have) {
            *slot = byte;
        }
        self.have += 1;
        if self.have < 4 {
            return 1;
        }
        self.have = 0;
        let [a, b, c, d, ..] = self.prelude;
        if !self.checked && self.crc.clone().finalize() != u32::from_be_bytes([a, b, c, d]) {
            documents.meter.clone_from(&self.before);
            documents.tokenizer.restart();
            self.unproven = false;
            self.state = State::Broken;
            return 1;
        }
        self.unproven = false;
        if let Some((tokenizer, base64)) = &mut self.chunk {
            let mut unwrap = Unwrap { base64, documents };
            let whole = tokenizer.end(&mut unwrap) || tokenizer.is_fresh();
            let sound = self.exception || (whole && base64.end(|decoded| documents.feed(decoded)));
            documents.damaged |= !sound;
        }
        documents.meter.failed |= self.exception;
        documents.end();
        self.state = State::Prelude;
        1
    }
}

/// Whether headers tell an error; none if they are not headers.
fn is_exception(mut headers: &[u8]) -> Option<bool> {
    let mut exception = false;
    while let Some((&name_len, rest)) = headers.split_first() {
        let (name, rest) = rest.split_at_checked(usize::from(name_len))?;
        let (&kind, rest) = rest.split_first()?;
        let (value_len, rest) = match kind {
            0 | 1 => (0, rest),
            2 => (1, rest),
            3 => (2, rest),
            4 => (4, rest),
            5 | 8 => (8, rest),
            6 | 7 => {
                let (len, rest) = rest.split_first_chunk()?;
                (usize::from(u16::from_be_bytes(*len)), rest)
            }
            9 => (16, rest),
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(value_len)?;
        if name.is_empty() {
            return None;
        }
        if name == MESSAGE_TYPE && !value.is_empty() {
            exception = value != EVENT;
        }
        headers = rest;
    }
    Some(exception)
}

fn keep(buffer: &mut [u8], len: &mut usize, part: &[u8]) {
    for (slot, &byte) in buffer.iter_mut().skip(*len).zip(part) {
        *slot = byte;
        *len += 1;
    }
}
