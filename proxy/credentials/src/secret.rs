//! A secret value in memory.

use std::{fmt, sync::Arc};

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes that nobody may see: wiped when the last copy goes, compared in constant time, shown nowhere.
///
/// A clone shares the bytes.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<Vec<u8>>>);

impl Secret {
    /// Takes the bytes over.
    #[must_use]
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(Arc::new(bytes))
    }

    /// Copies the bytes; the caller wipes its own.
    #[must_use]
    pub fn copied_from(bytes: &[u8]) -> Self {
        Self::new(Zeroizing::new(bytes.to_vec()))
    }

    /// The bytes themselves: for putting them into a request, never for showing.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is the very same load of a secret, not just an equal one.
    pub(crate) fn is_same_load(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl PartialEq for Secret {
    /// In constant time for equal lengths.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_the_bytes_nor_how_many() {
        assert_eq!(format!("{:?}", Secret::copied_from(b"sk-real-key")), "Secret(..)");
        assert_eq!(format!("{:#?}", Secret::copied_from(b"")), "Secret(..)");
    }

    #[test]
    fn equal_bytes_are_equal_secrets() {
        assert_eq!(Secret::copied_from(b"abc"), Secret::copied_from(b"abc"));
        assert_ne!(Secret::copied_from(b"abc"), Secret::copied_from(b"abd"));
        assert_ne!(Secret::copied_from(b"abc"), Secret::copied_from(b"abcd"));
    }
}
