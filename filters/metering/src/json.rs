//! A JSON tokenizer of our own (RFC 8259): it takes bytes in pieces of any size, holds no value but the short ones
//! it is asked for, and says what stands at the wanted paths while they pass.
//!
//! It checks the whole grammar except UTF-8 and pairs of surrogates, which no structure depends on. Memory is fixed:
//! a bit a level of nesting, and one buffer for a key or a short string that is cut by the end of a piece.

mod number;
mod path;
mod text;

pub(crate) use number::Number;
pub(crate) use path::{Node, To};
pub(crate) use text::Short;

use crate::field::{Field, Kind};
use number::NumberState;
use text::{Escape, plain_run};

/// Deepest nesting of objects and arrays; a document beyond it counts as invalid.
pub(crate) const MAX_DEPTH: usize = 128;
/// How deep a wanted path may reach.
const LIVE_DEPTH: usize = 12;

/// A value at a wanted path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    Number(Number),
    /// A short string, decoded; cut at the length of [`Short`].
    Text(&'a [u8]),
}

/// Who is told of the wanted values.
pub(crate) trait Sink {
    /// A scalar at a wanted path.
    fn scalar(&mut self, field: Field, value: Scalar<'_>);
    /// A part of a long string ([`Kind::Text`] or [`Kind::Stream`]), decoded.
    fn piece(&mut self, field: Field, bytes: &[u8]);
    /// An object or array opens at a wanted path.
    fn open(&mut self, field: Field);
    /// It closes.
    fn close(&mut self, field: Field);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A value must follow.
    Value,
    /// A value or `]`.
    FirstItem,
    /// A key or `}`.
    FirstKey,
    /// A key.
    Key,
    /// `:`.
    Colon,
    /// `,` or the end of the container.
    After,
    /// In a key.
    InKey,
    /// In a string value.
    InString,
    /// In a number.
    InNumber,
    /// In `null`, `true` or `false`: how many of its bytes are still to come.
    InLiteral(u8),
    /// The document is whole.
    Closed,
    /// The bytes were not JSON.
    Bad,
}

/// What holds the value that is read now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Top {
    Document,
    Object,
    Array,
}

/// What becomes of the string that is read now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Skip,
    Keep(Field),
    Pass(Field),
}

/// The tokenizer. See the module.
#[derive(Debug, Clone)]
pub(crate) struct Tokenizer {
    root: To,
    state: State,
    top: Top,
    depth: usize,
    /// Bit `i`: container `i + 1` is an object.
    objects: u128,
    live: [Option<&'static Node>; LIVE_DEPTH],
    /// The node of the container at the top.
    node: Option<&'static Node>,
    /// What is wanted of the value that follows.
    target: Option<To>,
    string: Use,
    escape: Escape,
    short: Short,
    number: Number,
    number_state: NumberState,
    literal: &'static [u8],
}

impl Tokenizer {
    /// For documents with these wanted paths.
    pub(crate) fn new(root: &'static Node) -> Self {
        Self {
            root: To::Node(root),
            state: State::Value,
            top: Top::Document,
            depth: 0,
            objects: 0,
            live: [None; LIVE_DEPTH],
            node: None,
            target: Some(To::Node(root)),
            string: Use::Skip,
            escape: Escape::None,
            short: Short::new(),
            number: Number::default(),
            number_state: NumberState::Start,
            literal: b"",
        }
    }

    /// Forgets the document it was in.
    #[inline]
    pub(crate) fn restart(&mut self) {
        self.state = State::Value;
        self.top = Top::Document;
        self.depth = 0;
        self.node = None;
        self.target = Some(self.root);
        self.escape = Escape::None;
    }

    /// The bytes were not JSON; nothing is read until a restart.
    pub(crate) fn is_bad(&self) -> bool {
        self.state == State::Bad
    }

    /// A document is whole and nothing but white space follows it.
    pub(crate) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// No byte of a document has come.
    pub(crate) fn is_fresh(&self) -> bool {
        self.state == State::Value && self.top == Top::Document
    }

    /// No more bytes of this document come: a number at the root ends here. Says whether the document is whole.
    pub(crate) fn end<S: Sink>(&mut self, sink: &mut S) -> bool {
        if self.state == State::InNumber && self.top == Top::Document {
            self.end_number(sink);
        }
        self.is_closed()
    }

    /// Reads on.
    pub(crate) fn feed<S: Sink>(&mut self, bytes: &[u8], sink: &mut S) {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match self.state {
                State::After => match byte {
                    b',' => {
                        at += 1;
                        if self.top == Top::Object {
                            at = self.members(bytes, at, sink);
                        } else {
                            self.target = self.node.and_then(|node| node.items);
                            self.state = State::Value;
                        }
                    }
                    b'}' if self.top == Top::Object => {
                        at += 1;
                        self.close(sink);
                    }
                    b']' if self.top == Top::Array => {
                        at += 1;
                        self.close(sink);
                    }
                    _ => at += self.space(byte),
                },
                State::FirstKey if byte == b'"' => at = self.members(bytes, at, sink),
                State::Key | State::FirstKey => match byte {
                    b'"' => {
                        at += 1;
                        at += self.key(bytes.get(at..).unwrap_or_default());
                    }
                    b'}' if self.state == State::FirstKey => {
                        at += 1;
                        self.close(sink);
                    }
                    _ => at += self.space(byte),
                },
                State::Colon => {
                    if byte == b':' {
                        at += 1;
                        self.state = State::Value;
                    } else {
                        at += self.space(byte);
                    }
                }
                State::Value | State::FirstItem => {
                    at += self.value(byte, bytes.get(at + 1..).unwrap_or_default(), sink);
                }
                State::InString => at += self.in_string(bytes.get(at..).unwrap_or_default(), sink),
                State::InKey => at += self.in_key(bytes.get(at..).unwrap_or_default()),
                State::InNumber => at += self.in_number(bytes.get(at..).unwrap_or_default(), sink),
                State::InLiteral(left) => {
                    let expected = self.literal.len().checked_sub(usize::from(left));
                    if expected.and_then(|index| self.literal.get(index)) != Some(&byte) {
                        self.state = State::Bad;
                        return;
                    }
                    at += 1;
                    if left > 1 {
                        self.state = State::InLiteral(left - 1);
                    } else {
                        self.end_literal(sink);
                    }
                }
                State::Closed => {
                    if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                        at += 1;
                    } else {
                        self.state = State::Bad;
                    }
                }
                State::Bad => return,
            }
        }
    }

    /// Members of an object, as long as each lies whole in `bytes` and its value is a plain scalar: the way of nearly
    /// all bytes. Anything else is left to the states, which come to the same. Returns where it stopped.
    fn members<S: Sink>(&mut self, bytes: &[u8], mut at: usize, sink: &mut S) -> usize {
        let node = self.node;
        self.state = State::Key;
        loop {
            at = skip_space(bytes, at);
            let Some((b'"', rest)) = bytes.get(at..).and_then(<[u8]>::split_first) else { return at };
            let run = plain_run(rest);
            let Some((key, [b'"', b':', ..])) = rest.split_at_checked(run) else { return at };
            let target = node.and_then(|node| node.member(key));
            at = skip_space(bytes, at + run + 3);
            let field = target.and_then(To::field);
            let Some((&first, rest)) = bytes.get(at..).and_then(<[u8]>::split_first) else {
                return self.stop(target, at);
            };
            match first {
                b'"' => {
                    let run = plain_run(rest);
                    let Some((text, [b'"', ..])) = rest.split_at_checked(run) else {
                        return self.stop(target, at);
                    };
                    if let Some(field) = field {
                        match field.kind() {
                            Kind::Text | Kind::Stream => sink.piece(field, text),
                            Kind::Scalar => sink.scalar(field, Scalar::Text(Short::cut(text))),
                        }
                    }
                    at += run + 2;
                }
                b'0'..=b'9' => {
                    let Some((whole, len)) = number::plain(first, rest) else { return self.stop(target, at) };
                    if let Some(field) = field {
                        sink.scalar(field, Scalar::Number(Number { whole, ..Number::default() }));
                    }
                    at += len;
                }
                b'n' if rest.starts_with(b"ull") => {
                    if let Some(field) = field {
                        sink.scalar(field, Scalar::Null);
                    }
                    at += 4;
                }
                _ => return self.stop(target, at),
            }
            if bytes.get(at) != Some(&b',') {
                self.state = State::After;
                return at;
            }
            at += 1;
        }
    }

    /// The value at `at` is for the states.
    fn stop(&mut self, target: Option<To>, at: usize) -> usize {
        self.target = target;
        self.state = State::Value;
        at
    }

    /// White space is one byte further on; anything else was not expected here.
    #[inline]
    fn space(&mut self, byte: u8) -> usize {
        if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            self.state = State::Bad;
        }
        1
    }

    /// The first byte of a value; `rest` is what follows it. Returns how many bytes are done, the first included.
    #[inline]
    fn value<S: Sink>(&mut self, byte: u8, rest: &[u8], sink: &mut S) -> usize {
        match byte {
            b'"' => {
                self.string = match self.target.and_then(To::field) {
                    None => Use::Skip,
                    Some(field) => match field.kind() {
                        Kind::Text | Kind::Stream => Use::Pass(field),
                        Kind::Scalar => Use::Keep(field),
                    },
                };
                return 1 + self.string(rest, sink);
            }
            b'{' => self.open(true, sink),
            b'[' => self.open(false, sink),
            b'-' | b'0'..=b'9' => {
                self.number = Number::default();
                self.number_state = NumberState::Start;
                self.state = State::InNumber;
                return 0;
            }
            b'n' => self.start_literal(b"null"),
            b't' => self.start_literal(b"true"),
            b'f' => self.start_literal(b"false"),
            b']' if self.state == State::FirstItem => self.close(sink),
            _ => {
                self.space(byte);
            }
        }
        1
    }

    fn start_literal(&mut self, literal: &'static [u8]) {
        self.literal = literal;
        self.state = State::InLiteral(literal.len() as u8 - 1);
    }

    fn end_literal<S: Sink>(&mut self, sink: &mut S) {
        if let Some(field) = self.target.and_then(To::field) {
            let value = match self.literal {
                b"null" => Scalar::Null,
                literal => Scalar::Bool(literal == b"true"),
            };
            sink.scalar(field, value);
        }
        self.ended();
    }

    /// A value is whole.
    #[inline]
    fn ended(&mut self) {
        if self.top == Top::Document {
            self.state = State::Closed;
        } else {
            self.state = State::After;
        }
    }

    fn open<S: Sink>(&mut self, object: bool, sink: &mut S) {
        if self.depth == MAX_DEPTH {
            self.state = State::Bad;
            return;
        }
        let target = self.target;
        if let Some(field) = target.and_then(To::field) {
            sink.open(field);
        }
        self.node = target.and_then(To::node);
        if let Some(slot) = self.live.get_mut(self.depth) {
            *slot = self.node;
        } else {
            self.node = None;
        }
        let bit = 1u128 << self.depth;
        self.depth += 1;
        if object {
            self.objects |= bit;
            self.top = Top::Object;
            self.state = State::FirstKey;
        } else {
            self.objects &= !bit;
            self.top = Top::Array;
            self.target = self.node.and_then(|node| node.items);
            self.state = State::FirstItem;
        }
    }

    fn close<S: Sink>(&mut self, sink: &mut S) {
        if let Some(field) = self.node.and_then(|node| node.field) {
            sink.close(field);
        }
        self.depth = self.depth.saturating_sub(1);
        let Some(level) = self.depth.checked_sub(1) else {
            self.top = Top::Document;
            self.node = None;
            self.ended();
            return;
        };
        self.top = if self.objects & (1 << level) != 0 { Top::Object } else { Top::Array };
        self.node = self.live.get(level).copied().flatten();
        self.state = State::After;
    }

    /// What follows the quote that opens a key. Returns how many bytes are done.
    #[inline]
    fn key(&mut self, rest: &[u8]) -> usize {
        let run = plain_run(rest);
        if rest.get(run) == Some(&b'"') {
            self.target = self.node.and_then(|node| node.member(rest.get(..run).unwrap_or_default()));
            // Nearly always the colon follows at once.
            if rest.get(run + 1) == Some(&b':') {
                self.state = State::Value;
                return run + 2;
            }
            self.state = State::Colon;
            return run + 1;
        }
        self.short.clear();
        self.escape = Escape::None;
        self.state = State::InKey;
        0
    }

    fn in_key(&mut self, rest: &[u8]) -> usize {
        let short = &mut self.short;
        let wanted = self.node.is_some();
        match self.escape.read(rest, |piece| {
            if wanted {
                short.push(piece);
            }
        }) {
            text::Read::More(used) => used,
            text::Read::End(used) => {
                // A key that was cut is longer than every wanted one.
                self.target = match self.node {
                    Some(node) if !self.short.is_cut() => node.member(self.short.bytes()),
                    _ => None,
                };
                self.state = State::Colon;
                used
            }
            text::Read::Bad => {
                self.state = State::Bad;
                0
            }
        }
    }

    /// What follows the quote that opens a string value. Returns how many bytes are done.
    #[inline]
    fn string<S: Sink>(&mut self, rest: &[u8], sink: &mut S) -> usize {
        let run = plain_run(rest);
        if rest.get(run) == Some(&b'"') {
            let bytes = rest.get(..run).unwrap_or_default();
            match self.string {
                Use::Skip => {}
                Use::Keep(field) => sink.scalar(field, Scalar::Text(Short::cut(bytes))),
                Use::Pass(field) => sink.piece(field, bytes),
            }
            self.ended();
            return run + 1;
        }
        self.short.clear();
        self.escape = Escape::None;
        self.state = State::InString;
        0
    }

    fn in_string<S: Sink>(&mut self, rest: &[u8], sink: &mut S) -> usize {
        let short = &mut self.short;
        let read = match self.string {
            Use::Skip => self.escape.read(rest, |_| {}),
            Use::Keep(_) => self.escape.read(rest, |piece| short.push(piece)),
            Use::Pass(field) => self.escape.read(rest, |piece| sink.piece(field, piece)),
        };
        match read {
            text::Read::More(used) => used,
            text::Read::End(used) => {
                if let Use::Keep(field) = self.string {
                    sink.scalar(field, Scalar::Text(self.short.bytes()));
                }
                self.ended();
                used
            }
            text::Read::Bad => {
                self.state = State::Bad;
                0
            }
        }
    }

    fn in_number<S: Sink>(&mut self, rest: &[u8], sink: &mut S) -> usize {
        let used = self.number_state.read(rest, &mut self.number);
        if used < rest.len() {
            self.end_number(sink);
        }
        used
    }

    fn end_number<S: Sink>(&mut self, sink: &mut S) {
        if !self.number_state.may_end() {
            self.state = State::Bad;
            return;
        }
        if let Some(field) = self.target.and_then(To::field) {
            sink.scalar(field, Scalar::Number(self.number));
        }
        self.ended();
    }
}

/// Where the white space at `at` ends.
#[inline]
fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests;
