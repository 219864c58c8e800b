//! The rules of secrets' names.

use crate::SecretsError;

/// Checks a secret's name: 1 to 63 of a-z, 0-9, '-', '_' and '.', a letter or digit at both ends.
///
/// # Errors
/// [`SecretsError::Invalid`].
pub fn check_secret_name(name: &str) -> Result<(), SecretsError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    let holds = (1..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| plain(*byte) || matches!(byte, b'-' | b'_' | b'.'))
        && bytes.first().copied().is_some_and(plain)
        && bytes.last().copied().is_some_and(plain);
    if holds {
        Ok(())
    } else {
        Err(SecretsError::invalid(
            "name",
            "use 1 to 63 of a-z, 0-9, '-', '_' and '.', with a letter or digit at both ends",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_agents_names_with_dots_and_underscores() {
        for good in ["a", "openai", "team.openai_key-2", "0", &"x".repeat(63)] {
            assert!(check_secret_name(good).is_ok(), "{good}");
        }
        for bad in ["", ".a", "a.", "_a", "a_", "-a", "A", "a/b", "a b", "é", "a\0", &"x".repeat(64)] {
            assert!(check_secret_name(bad).is_err(), "{bad:?}");
        }
    }
}
