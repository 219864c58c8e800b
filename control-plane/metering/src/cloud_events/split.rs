//! A batch into its events, each as it is written.
//!
//! Only brackets and strings are followed, so that an event that is no JSON costs its neighbours nothing. Every piece is
//! read strictly afterwards.

use super::bounds::MAX_ITEMS;
use super::problem::BodyError;

/// The elements of the array a text is; their own JSON is not looked at.
pub(super) fn elements(text: &str) -> Result<Vec<&str>, BodyError> {
    let wrong = |at, why| Err(BodyError::NotJson { at, why });
    let bytes = text.as_bytes();
    let Some(open) = bytes.iter().position(|byte| !is_blank(*byte)) else {
        return wrong(0, "nothing was sent");
    };
    if bytes[open] != b'[' {
        return wrong(open, "an array starts with [");
    }
    let mut elements = Vec::new();
    let (mut start, mut depth, mut in_string, mut escaped) = (open + 1, 0_usize, false, false);
    for (at, byte) in bytes.iter().enumerate().skip(open + 1) {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b']' if depth == 0 => {
                let last = text[start..at].trim_matches(|c: char| u8::try_from(c).is_ok_and(is_blank));
                if !(elements.is_empty() && last.is_empty()) {
                    push(&mut elements, last)?;
                }
                return match bytes[at + 1..].iter().position(|byte| !is_blank(*byte)) {
                    Some(more) => wrong(at + 1 + more, "something follows the array"),
                    None => Ok(elements),
                };
            }
            b'}' if depth == 0 => return wrong(at, "a } that nothing opened"),
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => {
                push(
                    &mut elements,
                    text[start..at].trim_matches(|c: char| u8::try_from(c).is_ok_and(is_blank)),
                )?;
                start = at + 1;
            }
            _ => {}
        }
    }
    wrong(bytes.len(), if in_string { "a string does not end" } else { "the array does not end" })
}

/// The white space of JSON (RFC 8259, section 2).
pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn push<'t>(elements: &mut Vec<&'t str>, element: &'t str) -> Result<(), BodyError> {
    if elements.len() == MAX_ITEMS {
        return Err(BodyError::TooManyItems);
    }
    elements.push(element);
    Ok(())
}
