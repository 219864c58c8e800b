//! JSON read once, strictly, without building it.
//!
//! Strict means: RFC 8259 and nothing more, UTF-8, each key of an object once (as spelt after escapes), no lone
//! surrogates, nothing after the value, and bounded depth. What is wanted of the document is told to a [`Sink`] while it
//! goes by, so memory does not grow with the document, keys of open objects aside.

mod keys;
mod text;
mod walk;

pub(crate) use text::Text;
pub(crate) use walk::{Scalar, Shape, Sink, utf8, walk};

/// Deepest nesting of objects and arrays.
pub(crate) const MAX_DEPTH: usize = 128;
/// Most keys of all objects that are open at once.
pub(crate) const MAX_OPEN_KEYS: usize = 65_536;

#[cfg(test)]
mod tests;
