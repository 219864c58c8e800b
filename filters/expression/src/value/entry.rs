//! Reading one entry of a map from text to text.

use super::Value;

/// Longest key that fits in the short form, in bytes.
const SHORT: usize = 23;

/// A key of a map, as an expression names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    text: Box<str>,
    short: Option<[u64; 3]>,
}

impl Key {
    pub(crate) fn new(text: &str) -> Self {
        let mut bytes = [0; SHORT + 1];
        let short = bytes.get_mut(..text.len()).filter(|_| text.len() <= SHORT).map(|room| {
            room.copy_from_slice(text.as_bytes());
        });
        // The length is part of it, for a key may end in what fills the rest.
        bytes[SHORT] = u8::try_from(text.len()).unwrap_or(u8::MAX);
        let mut words = [0; 3];
        for (word, part) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_ne_bytes(*part);
        }
        Self { text: text.into(), short: short.map(|()| words) }
    }

    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// A form that only equal keys share, to remember what was found; none for a key of more than 23 bytes.
    #[must_use]
    pub fn short(&self) -> Option<[u64; 3]> {
        self.short
    }
}

/// What a map has under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'v> {
    /// This text.
    Text(&'v str),
    /// Something that is no text.
    NoText,
    /// Nothing.
    Missing,
    /// The attribute is no such map, or is not there, or is not known.
    NoMap,
}

impl<'v> Entry<'v> {
    /// The entry of an attribute.
    pub(crate) fn of(attribute: Value<'v>, key: &str) -> Self {
        let Value::Lookup(entries) = attribute else { return Self::NoMap };
        match entries.get(key) {
            Some(text) => Self::Text(text),
            None if entries.contains(key) => Self::NoText,
            None => Self::Missing,
        }
    }
}
