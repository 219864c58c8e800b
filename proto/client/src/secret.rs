//! A secret as a sidecar gets it.

use std::fmt;

use zeroize::Zeroizing;

/// A secret's value: overwritten when dropped, not shown when printed.
#[derive(Clone, PartialEq, Eq)]
pub struct FetchedSecret {
    /// The value.
    pub value: Zeroizing<Vec<u8>>,
    /// Counts the values put under the name; another one means another value.
    pub version: u64,
}

impl fmt::Debug for FetchedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchedSecret").field("version", &self.version).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetched_value_is_not_shown() {
        let fetched = FetchedSecret { value: Zeroizing::new(b"s3cret-value".to_vec()), version: 7 };
        assert_eq!(format!("{fetched:?}"), "FetchedSecret { version: 7, .. }");
    }
}
