//! The canonical request: one spelling for all that mean the same.

use std::fmt::Write;

use http::{HeaderName, HeaderValue};

use crate::{credential::is_unreserved, placeholder::percent_decoded_at};

/// How a service reads paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathStyle {
    /// S3: a key is whatever stands there, encoded once.
    Once,
    /// All others: normalized, then encoded once more.
    Twice,
    /// As [`PathStyle::Twice`] without normalizing: for the test suite, no service of ours.
    #[cfg(test)]
    TwiceAsIs,
}

/// The canonical path.
pub(super) fn path(path: &str, style: PathStyle) -> String {
    let path = match style {
        PathStyle::Once => return encoded_once(path.as_bytes()),
        PathStyle::Twice => normalized(path),
        #[cfg(test)]
        PathStyle::TwiceAsIs => path.to_owned(),
    };
    let mut canonical = String::with_capacity(path.len() + 16);
    for byte in path.bytes() {
        encode(byte, true, &mut canonical);
    }
    if canonical.is_empty() {
        canonical.push('/');
    }
    canonical
}

/// What is encoded stays encoded (a `%2F` is no `/` in a key), the rest becomes so.
fn encoded_once(path: &[u8]) -> String {
    let mut canonical = String::with_capacity(path.len() + 16);
    let mut at = 0;
    while at < path.len() {
        let (byte, width) = percent_decoded_at(path, at);
        encode(byte, width == 1, &mut canonical);
        at += width;
    }
    if canonical.is_empty() {
        canonical.push('/');
    }
    canonical
}

/// Without empty and dot segments.
fn normalized(path: &str) -> String {
    let mut segments = Vec::new();
    let mut last = "";
    for segment in path.split('/') {
        last = segment;
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    let mut normalized = String::with_capacity(path.len());
    for segment in &segments {
        normalized.push('/');
        normalized.push_str(segment);
    }
    if segments.is_empty() || matches!(last, "" | "." | "..") {
        normalized.push('/');
    }
    normalized
}

/// The canonical query: decoded, encoded in one way, sorted. A `+` is a space, as AWS reads it.
pub(super) fn query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (respelled(name.as_bytes()), respelled(value.as_bytes()))
        })
        .collect();
    pairs.sort_unstable();
    let mut canonical = String::with_capacity(query.len() + 16);
    for (name, value) in pairs {
        if !canonical.is_empty() {
            canonical.push('&');
        }
        canonical.push_str(&name);
        canonical.push('=');
        canonical.push_str(&value);
    }
    canonical
}

fn respelled(text: &[u8]) -> String {
    let mut spelled = String::with_capacity(text.len() + 8);
    let mut at = 0;
    while at < text.len() {
        let (byte, width) = percent_decoded_at(text, at);
        let byte = if byte == b'+' && width == 1 { b' ' } else { byte };
        encode(byte, false, &mut spelled);
        at += width;
    }
    spelled
}

fn encode(byte: u8, slash_stays: bool, into: &mut String) {
    if is_unreserved(byte) || (byte == b'/' && slash_stays) {
        into.push(byte.into());
    } else {
        // Writing to a String cannot fail.
        let _ = write!(into, "%{byte:02X}");
    }
}

/// The headers that are signed, by name: values of one name joined in their order, spaces folded.
pub(super) fn headers<'a>(
    headers: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>,
) -> Vec<(&'a str, Vec<u8>)> {
    let mut signed: Vec<(&str, Vec<u8>)> =
        headers.map(|(name, value)| (name.as_str(), folded(value.as_bytes()))).collect();
    // Stable: values of one name keep their order.
    signed.sort_by_key(|(name, _)| *name);
    signed.dedup_by(|(name, value), (kept_name, kept)| {
        let same = name == kept_name;
        if same {
            kept.push(b',');
            kept.append(value);
        }
        same
    });
    signed
}

fn folded(value: &[u8]) -> Vec<u8> {
    let mut folded = Vec::with_capacity(value.len());
    for word in value.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty()) {
        if !folded.is_empty() {
            folded.push(b' ');
        }
        folded.extend_from_slice(word);
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalized_and_encoded_twice_but_for_s3() {
        for (sent, twice, once) in [
            ("", "/", "/"),
            ("/", "/", "/"),
            ("/a/./b/../c//d/", "/a/c/d/", "/a/./b/../c//d/"),
            ("/../..", "/", "/../.."),
            ("/model/v1%3A0/converse", "/model/v1%253A0/converse", "/model/v1%3A0/converse"),
            ("/model/v1:0/converse", "/model/v1%3A0/converse", "/model/v1%3A0/converse"),
            ("/a%2Fb%2fc%41", "/a%252Fb%252fc%2541", "/a%2Fb%2FcA"),
            ("/a%zz%4", "/a%25zz%254", "/a%25zz%254"),
        ] {
            assert_eq!(path(sent, PathStyle::Twice), twice, "{sent}");
            assert_eq!(path(sent, PathStyle::Once), once, "{sent}");
        }
    }

    #[test]
    fn queries_have_one_spelling() {
        assert_eq!(query("b=2&a=1&a=0&c&=x&&d=%7e%2f+%2B"), "=x&a=0&a=1&b=2&c=&d=~%2F%20%2B");
        assert_eq!(query(""), "");
    }
}
