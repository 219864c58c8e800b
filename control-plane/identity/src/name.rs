//! The rules of names.

use crate::IdentityError;

/// Checks a namespace, agent or token name: 1 to 63 of a-z, 0-9 and '-', a letter or digit at both ends
/// (a DNS label, RFC 1123 section 2.1, lower case).
///
/// # Errors
/// [`IdentityError::Invalid`] naming `field`.
pub fn check_name(field: &'static str, name: &str) -> Result<(), IdentityError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    let holds = (1..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| plain(*byte) || *byte == b'-')
        && bytes.first().copied().is_some_and(plain)
        && bytes.last().copied().is_some_and(plain);
    if holds {
        Ok(())
    } else {
        Err(IdentityError::invalid(
            field,
            "use 1 to 63 of a-z, 0-9 and '-', with a letter or digit at both ends",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lower_case_labels_are_names() {
        for good in ["a", "a-1", "0", &"x".repeat(63)] {
            assert!(check_name("name", good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a.b", "é", "a b", "a\0", &"x".repeat(64)] {
            assert!(check_name("name", bad).is_err(), "{bad:?}");
        }
    }
}
