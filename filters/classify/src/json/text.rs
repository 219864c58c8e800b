//! Strings of a document, as they stand there.

use std::borrow::Cow;

use crate::BodyProblem;

/// A string between its quotes; its escapes are known to be valid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'t> {
    raw: &'t str,
    escaped: bool,
}

impl<'t> Text<'t> {
    /// What the string says.
    pub(crate) fn read(self) -> Cow<'t, str> {
        if self.escaped { Cow::Owned(unescape(self.raw)) } else { Cow::Borrowed(self.raw) }
    }

    /// What the string says, if it is at most so many bytes long; escapes are at most six times as long.
    pub(crate) fn read_up_to(self, limit: usize) -> Option<Cow<'t, str>> {
        if self.raw.len() > limit.saturating_mul(6) {
            return None;
        }
        Some(self.read()).filter(|text| text.len() <= limit)
    }
}

/// Reads the string whose opening quote stands before `from`; also where it ends, after the closing quote.
pub(crate) fn string(text: &str, from: usize) -> Result<(Text<'_>, usize), BodyProblem> {
    let bytes = text.as_bytes();
    let mut at = from;
    let mut escaped = false;
    loop {
        at = special(bytes, at);
        match bytes.get(at) {
            Some(b'"') => {
                let raw = text.get(from..at).unwrap_or_default();
                return Ok((Text { raw, escaped }, at + 1));
            }
            Some(b'\\') => {
                escaped = true;
                at = escape(bytes, at)?;
            }
            Some(_) => return Err(BodyProblem::at(at, "a control character stands in a string")),
            None => return Err(BodyProblem::at(bytes.len(), "a string does not end")),
        }
    }
}

/// Where the next quote, backslash or control character stands, or the end.
fn special(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let has_zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    // Eight bytes a step: prompts are long strings with little in them.
    while let Some(chunk) = bytes.get(at..at + 8).and_then(|chunk| chunk.try_into().ok()) {
        let word = u64::from_le_bytes(chunk);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let found = control | has_zero(word ^ (ONES * 0x22)) | has_zero(word ^ (ONES * 0x5c));
        if found != 0 {
            // The lowest bit found is exact: borrows only reach bytes above it.
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)) {
        at += 1;
    }
    at
}

/// Checks the escape whose backslash stands at `at`; where it ends.
fn escape(bytes: &[u8], at: usize) -> Result<usize, BodyProblem> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => {
            let first = hex4(bytes, at + 2).ok_or_else(|| BodyProblem::at(at, "an escape is not valid"))?;
            match first {
                0xd800..0xdc00 => {
                    let low =
                        (bytes.get(at + 6..at + 8) == Some(b"\\u")).then(|| hex4(bytes, at + 8)).flatten();
                    match low {
                        Some(0xdc00..0xe000) => Ok(at + 12),
                        _ => Err(BodyProblem::at(at, "half of a surrogate pair stands alone")),
                    }
                }
                0xdc00..0xe000 => Err(BodyProblem::at(at, "half of a surrogate pair stands alone")),
                _ => Ok(at + 6),
            }
        }
        _ => Err(BodyProblem::at(at, "an escape is not valid")),
    }
}

fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 4)?;
    digits.iter().try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?))
}

/// Replaces escapes that [`escape`] has checked.
fn unescape(raw: &str) -> String {
    let bytes = raw.as_bytes();
    let mut out = String::with_capacity(raw.len());
    let mut at = 0;
    while let Some(found) = raw.get(at..).and_then(|rest| rest.find('\\')) {
        out.push_str(raw.get(at..at + found).unwrap_or_default());
        at += found;
        let (character, length) = match bytes.get(at + 1) {
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            Some(b'u') => code_point(bytes, at + 2),
            Some(other) => (char::from(*other), 2),
            None => break,
        };
        out.push(character);
        at += length;
    }
    out.push_str(raw.get(at..).unwrap_or_default());
    out
}

/// The character that the digits at `at` mean, and the length of its escape or pair of escapes.
fn code_point(bytes: &[u8], at: usize) -> (char, usize) {
    let first = hex4(bytes, at).unwrap_or(0xfffd);
    if let Some(character) = char::from_u32(first) {
        return (character, 6);
    }
    let low = hex4(bytes, at + 6).unwrap_or(0xdc00);
    let point = 0x1_0000 + ((first & 0x3ff) << 10) + (low & 0x3ff);
    (char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
}
