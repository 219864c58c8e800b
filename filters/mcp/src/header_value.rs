//! How a value of the body is written in a header (MCP 2026-07-28, "Value Encoding"): as it is when it is printable
//! ASCII without blanks at its ends, otherwise `=?base64?…?=` over its UTF-8 bytes, standard alphabet, padded.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const OPEN: &str = "=?base64?";
const CLOSE: &str = "?=";

/// The value a header says; none for bytes outside printable ASCII, or base64 that is broken, not canonical (bits left
/// over) or not UTF-8 inside: such a header agrees with nothing.
pub(crate) fn decode(header: &[u8]) -> Option<Cow<'_, str>> {
    let text = std::str::from_utf8(header).ok()?.trim_matches([' ', '\t']);
    if !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return None;
    }
    match text.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix(CLOSE)) {
        Some(payload) => {
            let bytes = STANDARD.decode(payload).ok()?;
            String::from_utf8(bytes).ok().map(Cow::Owned)
        }
        None => Some(Cow::Borrowed(text)),
    }
}

/// The header form of a value.
#[cfg(test)]
pub(crate) fn encode(value: &str) -> String {
    let plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        && value.trim_matches(' ') == value
        && !(value.starts_with(OPEN) && value.ends_with(CLOSE));
    if plain { value.to_owned() } else { format!("{OPEN}{}{CLOSE}", STANDARD.encode(value)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{decode, encode};

    #[test]
    fn the_examples_of_the_specification_hold() {
        for (value, header) in [
            ("us-west1", "us-west1"),
            ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ] {
            assert_eq!(encode(value), header);
            assert_eq!(decode(header.as_bytes()).as_deref(), Some(value));
        }
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(value in ".{0,20}") {
            let header = encode(&value);
            let decoded = decode(header.as_bytes());
            prop_assert_eq!(decoded.as_deref(), Some(value.as_str()));
        }
    }
}
