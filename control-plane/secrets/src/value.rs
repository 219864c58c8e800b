//! A secret's value in memory.

use std::fmt;

use zeroize::Zeroizing;

use crate::SecretsError;

/// Shortest value, in bytes: a shorter one is found by chance in answers, so it could not be scrubbed from them.
pub const MIN_VALUE_BYTES: usize = 8;
/// Longest value, in bytes: 64 KiB.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;

/// A value: overwritten when dropped, not shown when printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Zeroizing<Vec<u8>>);

impl SecretValue {
    /// Takes a value in.
    ///
    /// # Errors
    /// [`SecretsError::Invalid`] for one too short or too long.
    pub fn new(value: Vec<u8>) -> Result<Self, SecretsError> {
        let value = Self(Zeroizing::new(value));
        let length = value.bytes().len();
        if length < MIN_VALUE_BYTES {
            return Err(SecretsError::invalid(
                "value",
                format!(
                    "it has {length} bytes; give at least {MIN_VALUE_BYTES}, for a shorter one cannot be told from other text and scrubbed from answers"
                ),
            ));
        }
        if length > MAX_VALUE_BYTES {
            return Err(SecretsError::invalid(
                "value",
                format!("it has {length} bytes; give at most {MAX_VALUE_BYTES}"),
            ));
        }
        Ok(value)
    }

    /// One that was checked when it was put.
    pub(crate) fn opened(value: Zeroizing<Vec<u8>>) -> Self {
        Self(value)
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, for a message that overwrites them itself.
    #[must_use]
    pub fn into_bytes(mut self) -> Vec<u8> {
        std::mem::take(&mut *self.0)
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_its_bounds_and_the_refusal_does_not_show_it() {
        assert!(SecretValue::new(vec![b'x'; MIN_VALUE_BYTES]).is_ok());
        assert!(SecretValue::new(vec![0; MAX_VALUE_BYTES]).is_ok());
        let short = SecretValue::new(b"hunter2".to_vec()).unwrap_err();
        assert!(short.to_string().contains("at least 8"), "{short}");
        assert!(!format!("{short} {short:?}").contains("hunter2"));
        let long = SecretValue::new(vec![0; MAX_VALUE_BYTES + 1]).unwrap_err();
        assert!(long.to_string().contains("at most 65536"), "{long}");
    }

    #[test]
    fn a_value_is_not_shown() {
        let value = SecretValue::new(b"correct horse".to_vec()).unwrap();
        assert_eq!(format!("{value:?}"), "SecretValue(..)");
        assert_eq!(value.into_bytes(), b"correct horse");
    }
}
