//! Strings: the plain run up to the next special byte, escapes that may be cut anywhere, and short values kept.

use crate::usage::MAX_MODEL_BYTES;

/// A string of at most [`MAX_MODEL_BYTES`] bytes; what is pushed beyond is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Short {
    bytes: [u8; MAX_MODEL_BYTES],
    len: usize,
    cut: bool,
}

impl Short {
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; MAX_MODEL_BYTES], len: 0, cut: false }
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
        self.cut = false;
    }

    pub(crate) fn push(&mut self, piece: &[u8]) {
        let room = self.bytes.get_mut(self.len..).unwrap_or_default();
        let taken = room.len().min(piece.len());
        if let (Some(to), Some(from)) = (room.get_mut(..taken), piece.get(..taken)) {
            to.copy_from_slice(from);
        }
        self.len += taken;
        self.cut |= taken < piece.len();
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cut
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// What pushing the whole of `bytes` would keep.
    pub(crate) fn cut(bytes: &[u8]) -> &[u8] {
        bytes.get(..MAX_MODEL_BYTES).unwrap_or(bytes)
    }
}

/// How a read of a part of a string ended, and how many bytes it took.
pub(super) enum Read {
    /// The bytes ended first.
    More(usize),
    /// The closing quote was read.
    End(usize),
    /// A byte that must not stand in a string.
    Bad,
}

/// Where in an escape the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// In none.
    None,
    /// Behind the backslash.
    Backslash,
    /// Behind `\u` and so many digits, with their value.
    Hex(u8, u16),
}

impl Escape {
    /// Reads on in a string and passes what it holds, decoded.
    pub(super) fn read(&mut self, bytes: &[u8], mut pass: impl FnMut(&[u8])) -> Read {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match *self {
                Escape::None => {
                    let rest = bytes.get(at..).unwrap_or_default();
                    let run = plain_run(rest);
                    if run > 0 {
                        pass(rest.get(..run).unwrap_or_default());
                        at += run;
                    }
                    match rest.get(run) {
                        None => break,
                        Some(b'"') => return Read::End(at + 1),
                        Some(b'\\') => *self = Escape::Backslash,
                        Some(_) => return Read::Bad,
                    }
                    at += 1;
                }
                Escape::Backslash => {
                    at += 1;
                    *self = Escape::None;
                    match byte {
                        b'"' | b'\\' | b'/' => pass(&[byte]),
                        b'b' => pass(b"\x08"),
                        b'f' => pass(b"\x0c"),
                        b'n' => pass(b"\n"),
                        b'r' => pass(b"\r"),
                        b't' => pass(b"\t"),
                        b'u' => *self = Escape::Hex(0, 0),
                        _ => return Read::Bad,
                    }
                }
                Escape::Hex(digits, value) => {
                    at += 1;
                    let Some(digit) = char::from(byte).to_digit(16) else { return Read::Bad };
                    let value = value << 4 | digit as u16;
                    if digits < 3 {
                        *self = Escape::Hex(digits + 1, value);
                        continue;
                    }
                    *self = Escape::None;
                    match char::from_u32(u32::from(value)) {
                        Some(decoded) => pass(decoded.encode_utf8(&mut [0; 4]).as_bytes()),
                        // Half of a pair: two of the four bytes the pair has in UTF-8. No wanted value has one.
                        None => pass(b"??"),
                    }
                }
            }
        }
        Read::More(bytes.len())
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The high bit of every byte that is a quote, a backslash or below space. Exact up to and including the first such
/// byte, counted from the low end; bytes above it may be marked wrongly by a borrow.
#[inline]
fn special(word: u64) -> u64 {
    let zero = |x: u64| x.wrapping_sub(ONES) & !x;
    let below_space = word.wrapping_sub(ONES * 0x20) & !word;
    (zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\'))) | below_space) & HIGHS
}

/// How many bytes from the start belong to a string as they are: up to a quote, a backslash or a control byte.
#[inline(always)]
pub(super) fn plain_run(bytes: &[u8]) -> usize {
    let mut at = 0;
    // Keys and words are short: a few words of eight bytes find their end before a search has started.
    while at < 32 {
        let Some(word) = bytes.get(at..at + 8).and_then(|word| word.try_into().ok()) else {
            return at + tail(bytes.get(at..).unwrap_or_default());
        };
        let found = special(u64::from_le_bytes(word));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at + long_run(bytes.get(at..).unwrap_or_default())
}

#[inline(never)]
fn tail(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| is_special(byte)).unwrap_or(bytes.len())
}

#[inline]
fn is_special(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < 0x20
}

/// The same for text: search for what usually ends a run, then see that no control byte stands before it.
#[inline(never)]
fn long_run(bytes: &[u8]) -> usize {
    let end = memchr::memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
    let run = bytes.get(..end).unwrap_or_default();
    let mut checked = 0;
    for block in run.chunks(64) {
        // A fold without a way out early becomes vector code.
        if block.iter().fold(false, |found, &byte| found | (byte < 0x20)) {
            return checked + block.iter().position(|&byte| byte < 0x20).unwrap_or(block.len());
        }
        checked += block.len();
    }
    end
}
