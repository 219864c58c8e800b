//! Forms, as browsers and RFC 6749 appendix B write them.

use zeroize::Zeroizing;

/// The body of a form: `application/x-www-form-urlencoded`.
#[must_use]
pub fn encode_form(form: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
    // All room at once: a buffer that grows leaves unwiped copies behind.
    let room = form.iter().map(|(name, value)| (name.len() + value.len()) * 3 + 2).sum();
    let mut body = Zeroizing::new(Vec::with_capacity(room));
    for (name, value) in form {
        if !body.is_empty() {
            body.push(b'&');
        }
        encode(name, &mut body);
        body.push(b'=');
        encode(value, &mut body);
    }
    body
}

pub(super) fn encode(text: &str, into: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        match byte {
            b' ' => into.push(b'+'),
            _ if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'*') => into.push(byte),
            _ => into.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_written_as_browsers_write_it() {
        let form = [("grant_type", "refresh_token"), ("refresh_token", "1//a b+c&d=é"), ("scope", "")];
        assert_eq!(
            std::str::from_utf8(&encode_form(&form)).unwrap(),
            "grant_type=refresh_token&refresh_token=1%2F%2Fa+b%2Bc%26d%3D%C3%A9&scope="
        );
    }
}
