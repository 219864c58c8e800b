//! Binary mode: attributes in `ce-` headers, the properties in the body (CloudEvents HTTP binding, section 3.1).

use super::bounds::{MAX_ATTRIBUTES, MAX_ITEM_BYTES};
use super::item::{Attributes, is_json};
use super::problem::{ItemProblem, quoted};
use crate::NamedEvent;

/// What names an attribute's header.
const PREFIX: &str = "ce-";

/// The attribute a header is, if it is one.
pub(super) fn attribute(header: &str) -> Option<String> {
    let (prefix, name) = header.split_at_checked(PREFIX.len())?;
    prefix.eq_ignore_ascii_case(PREFIX).then(|| name.to_ascii_lowercase())
}

/// The event that headers and a body are.
pub(super) fn event<'h>(
    content_type: &str,
    headers: impl Iterator<Item = (&'h str, &'h [u8])>,
    body: &str,
) -> Result<NamedEvent, ItemProblem> {
    if body.len() > MAX_ITEM_BYTES {
        return Err(ItemProblem::TooLarge(body.len()));
    }
    let mut attributes = Attributes::default();
    let mut count = 0;
    for (header, value) in headers {
        let Some(name) = attribute(header) else { continue };
        count += 1;
        if count > MAX_ATTRIBUTES {
            return Err(ItemProblem::TooManyAttributes);
        }
        attributes.take(&name, decoded(&name, value)?)?;
    }
    let body = body.trim();
    if body.is_empty() {
        return attributes.into_event(None);
    }
    if !is_json(content_type) {
        return Err(ItemProblem::UnsupportedData("content-type is not JSON"));
    }
    attributes.into_event(Some(body))
}

/// A header's value: out of its quotes, then out of one round of percent-encoding (section 3.1.3.2).
fn decoded(name: &str, value: &[u8]) -> Result<String, ItemProblem> {
    let bad = |why| ItemProblem::BadAttribute { name: quoted(name), why };
    let mut bytes = Vec::with_capacity(value.len());
    let value = unquoted(value.trim_ascii());
    let mut rest = value.as_slice();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = rest.split_at_checked(2).and_then(|(digits, after)| {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let byte = digit(digits[0])? * 16 + digit(digits[1])?;
            Some((u8::try_from(byte).ok()?, after))
        });
        let (byte, after) = digits.ok_or_else(|| bad("has a % that two hexadecimal digits do not follow"))?;
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| bad("is not UTF-8"))
}

/// What stands between quotes (RFC 9110, section 5.6.4), or the value as it is.
fn unquoted(value: &[u8]) -> Vec<u8> {
    let Some(inner) = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")) else {
        return value.to_vec();
    };
    let mut escaped = false;
    let keep = |byte: &&u8| {
        escaped = !escaped && **byte == b'\\';
        !escaped
    };
    inner.iter().filter(keep).copied().collect()
}
