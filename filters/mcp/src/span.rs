//! Where the parts of a JSON text are: byte ranges, for what must be kept or cut as it was written.
//!
//! Only for texts that `strict_json` has read: on anything else the ranges mean nothing, but nothing panics.

use std::borrow::Cow;
use std::ops::Range;

/// The range of the document's one value, without the blanks around it.
pub(crate) fn document(text: &[u8]) -> Range<usize> {
    let start = after_blanks(text, 0);
    start..value_end(text, start)
}

/// The range of the value of the object's member `name`.
pub(crate) fn member(text: &[u8], object: Range<usize>, name: &str) -> Option<Range<usize>> {
    let mut at = after_blanks(text, object.start + 1);
    while text.get(at) == Some(&b'"') {
        let key = at..string_end(text, at);
        let colon = after_blanks(text, key.end);
        let start = after_blanks(text, colon + 1);
        let value = start..value_end(text, start);
        if key_text(text, key).as_deref() == Some(name) {
            return Some(value);
        }
        at = after_comma(text, value.end)?;
    }
    None
}

/// The ranges of an array's elements.
pub(crate) fn elements(text: &[u8], array: Range<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = after_blanks(text, array.start + 1);
    while text.get(at).is_some_and(|byte| *byte != b']') {
        let end = value_end(text, at);
        found.push(at..end);
        match after_comma(text, end) {
            Some(next) => at = next,
            None => break,
        }
    }
    found
}

fn key_text(text: &[u8], key: Range<usize>) -> Option<Cow<'_, str>> {
    let quoted = text.get(key)?;
    if quoted.contains(&b'\\') {
        return serde_json::from_slice::<String>(quoted).ok().map(Cow::Owned);
    }
    let inner = quoted.get(1..quoted.len().checked_sub(1)?)?;
    std::str::from_utf8(inner).ok().map(Cow::Borrowed)
}

fn after_comma(text: &[u8], at: usize) -> Option<usize> {
    let comma = after_blanks(text, at);
    (text.get(comma) == Some(&b',')).then(|| after_blanks(text, comma + 1))
}

fn after_blanks(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at.min(text.len())
}

/// The end of the string whose opening quote is at `at`.
fn string_end(text: &[u8], at: usize) -> usize {
    let mut next = at + 1;
    while let Some(rest) = text.get(next..) {
        match memchr::memchr2(b'"', b'\\', rest) {
            Some(found) if rest[found] == b'"' => return next + found + 1,
            Some(found) => next += found + 2,
            None => break,
        }
    }
    text.len()
}

fn value_end(text: &[u8], at: usize) -> usize {
    match text.get(at) {
        Some(b'"') => string_end(text, at),
        Some(b'{' | b'[') => {
            let (mut depth, mut next) = (0_usize, at);
            while let Some(byte) = text.get(next) {
                match byte {
                    b'"' => {
                        next = string_end(text, next);
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth = depth.saturating_sub(1);
                        if depth == 0 {
                            return next + 1;
                        }
                    }
                    _ => {}
                }
                next += 1;
            }
            text.len()
        }
        Some(_) => {
            let rest = &text[at..];
            let ends = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
            at + rest.iter().position(ends).unwrap_or(rest.len())
        }
        None => text.len(),
    }
}

/// The range of an array's first element.
pub(crate) fn first_element(text: &[u8], array: Range<usize>) -> Option<Range<usize>> {
    let at = after_blanks(text, array.start + 1);
    text.get(at).filter(|byte| **byte != b']').map(|_| at..value_end(text, at))
}
