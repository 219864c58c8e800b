//! WebSocket frames of a server (RFC 6455, section 5): unmasked, no extension, text messages in fragments or whole.

use crate::document::Documents;

/// Where in a frame the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    First,
    Length,
    /// In a long length: so many bytes are still to come.
    LongLength(u8),
    Payload,
    /// The frames break the protocol, or are compressed.
    Broken,
}

/// The reader. See the module.
#[derive(Debug, Clone)]
pub(crate) struct WebSocket {
    state: State,
    last: bool,
    opcode: u8,
    left: u64,
    /// The message that is being read: none, text, or something else.
    message: Option<bool>,
}

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PONG: u8 = 10;

impl WebSocket {
    pub(crate) const fn new() -> Self {
        Self { state: State::First, last: false, opcode: 0, left: 0, message: None }
    }

    /// Reads on.
    pub(crate) fn push(&mut self, bytes: &[u8], documents: &mut Documents) {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match self.state {
                State::First => {
                    at += 1;
                    self.first(byte);
                }
                State::Length => {
                    at += 1;
                    let control = self.opcode >= CLOSE;
                    self.left = 0;
                    self.state = match byte {
                        // The server masked, or a control frame is long.
                        128.. => State::Broken,
                        126.. if control => State::Broken,
                        126 => State::LongLength(2),
                        127 => State::LongLength(8),
                        short => {
                            self.left = u64::from(short);
                            State::Payload
                        }
                    };
                    self.maybe_end(documents);
                }
                State::LongLength(left) => {
                    at += 1;
                    // The highest bit of eight bytes must be zero: nothing is shifted out that matters.
                    self.left = self.left << 8 | u64::from(byte);
                    self.state = match left {
                        1 if self.left > i64::MAX as u64 => State::Broken,
                        1 => State::Payload,
                        _ => State::LongLength(left - 1),
                    };
                    self.maybe_end(documents);
                }
                State::Payload => {
                    let rest = bytes.get(at..).unwrap_or_default();
                    let take = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest.len());
                    let part = rest.get(..take).unwrap_or_default();
                    if self.opcode < CLOSE && self.message == Some(true) {
                        documents.feed(part);
                    }
                    at += take;
                    self.left -= take as u64;
                    self.maybe_end(documents);
                }
                State::Broken => {
                    (documents.damaged, documents.garbled) = (true, true);
                    return;
                }
            }
        }
    }

    /// No bytes follow. Says whether the last message was whole.
    pub(crate) fn end(&mut self, documents: &mut Documents) -> bool {
        let whole = self.state == State::First && self.message.is_none();
        if !whole {
            documents.end();
            documents.damaged = true;
        }
        whole
    }

    /// The byte of flags and opcode.
    fn first(&mut self, byte: u8) {
        self.last = byte & 0x80 != 0;
        self.opcode = byte & 0x0f;
        let reserved = byte & 0x70 != 0;
        let allowed = match self.opcode {
            CONTINUATION => self.message.is_some(),
            TEXT | BINARY => self.message.is_none(),
            CLOSE..=PONG => self.last,
            _ => false,
        };
        if reserved || !allowed {
            self.state = State::Broken;
            return;
        }
        if matches!(self.opcode, TEXT | BINARY) {
            self.message = Some(self.opcode == TEXT);
        }
        self.state = State::Length;
    }

    /// A frame without a byte left is over, and with the last one its message.
    fn maybe_end(&mut self, documents: &mut Documents) {
        if self.state != State::Payload || self.left > 0 {
            return;
        }
        self.state = State::First;
        if self.opcode < CLOSE && self.last && self.message.take() == Some(true) {
            documents.end();
        }
        if self.opcode == CLOSE {
            documents.meter.over = true;
        }
    }
}
