//! The ways in which an answer can write a secret.

use std::io::Write;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use zeroize::Zeroizing;

use crate::credential::is_unreserved;

/// Shortest form that is looked for, in bytes.
pub(super) const MIN_FORM: usize = 8;

type Form = Zeroizing<Vec<u8>>;

/// All forms of a secret, some of them equal.
pub(super) fn forms(secret: &[u8]) -> Vec<Form> {
    let mut forms = vec![Zeroizing::new(secret.to_vec())];
    for alignment in 0..3 {
        forms.push(base64_inside(secret, alignment, &STANDARD_NO_PAD));
        forms.push(base64_inside(secret, alignment, &URL_SAFE_NO_PAD));
    }
    // Alone, its last character is its own, too.
    forms.push(Zeroizing::new(STANDARD_NO_PAD.encode(secret).into_bytes()));
    forms.push(Zeroizing::new(URL_SAFE_NO_PAD.encode(secret).into_bytes()));
    for kept in ["", "/", "!'()*", "!$&'()*+,;=:@/", "!$&'()*+,;=:@/?"] {
        forms.push(percent(secret, kept.as_bytes(), b"0123456789ABCDEF"));
        forms.push(percent(secret, kept.as_bytes(), b"0123456789abcdef"));
    }
    for style in [JsonStyle::Plain, JsonStyle::Slash, JsonStyle::Html, JsonStyle::HtmlUpper] {
        forms.push(json(secret, style));
    }
    forms.push(Zeroizing::new(hex::encode(secret).into_bytes()));
    forms.push(Zeroizing::new(hex::encode_upper(secret).into_bytes()));
    forms.retain(|form| form.len() >= MIN_FORM);
    forms
}

/// The characters of the base64 of `alignment` unknown bytes, the secret and more unknown bytes that the secret alone
/// decides.
fn base64_inside(secret: &[u8], alignment: usize, engine: &impl Engine) -> Form {
    let text = Zeroizing::new([&[0; 2][..alignment], secret].concat());
    let encoded = Zeroizing::new(engine.encode(&*text));
    // A character holds 6 bits.
    let first = (alignment * 8).div_ceil(6);
    let end = text.len() * 8 / 6;
    Zeroizing::new(encoded.as_bytes().get(first..end).unwrap_or_default().to_vec())
}

fn percent(secret: &[u8], kept: &[u8], digits: &[u8; 16]) -> Form {
    let mut form = Zeroizing::new(Vec::with_capacity(secret.len() * 3));
    for &byte in secret {
        if is_unreserved(byte) || kept.contains(&byte) {
            form.push(byte);
        } else {
            form.extend([b'%', digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]);
        }
    }
    form
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum JsonStyle {
    /// What RFC 8259 asks for.
    Plain,
    /// Slashes escaped, as PHP does.
    Slash,
    /// `<`, `>`, `&` as `\u003c`, as Go does.
    Html,
    /// The same with `\u003C`, and `'` and `+` too, as .NET does.
    HtmlUpper,
}

/// A secret has no control characters (it could not stand in a header), so only these are ever escaped.
fn json(secret: &[u8], style: JsonStyle) -> Form {
    let mut form = Zeroizing::new(Vec::with_capacity(secret.len() * 6));
    for &byte in secret {
        // Writing to a Vec cannot fail.
        let _ = match (byte, style) {
            (b'"', JsonStyle::HtmlUpper) => form.write_all(b"\\u0022"),
            (b'"' | b'\\', _) => form.write_all(&[b'\\', byte]),
            (b'/', JsonStyle::Slash) => form.write_all(b"\\/"),
            (b'<' | b'>' | b'&', JsonStyle::Html) => write!(*form, "\\u{byte:04x}"),
            (b'<' | b'>' | b'&' | b'\'' | b'+' | b'`', JsonStyle::HtmlUpper) => {
                write!(*form, "\\u{byte:04X}")
            }
            _ => form.write_all(&[byte]),
        };
    }
    form
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn base64_is_found_at_every_alignment() {
        let secret = b"sk-live-0123456789";
        for before in 0..7 {
            for after in 0..7 {
                let text = [&vec![0xA5; before][..], secret, &vec![0x5A; after][..]].concat();
                let encoded = STANDARD.encode(&text);
                let form = base64_inside(secret, before % 3, &STANDARD_NO_PAD);
                let form = std::str::from_utf8(&form).unwrap();
                assert!(encoded.contains(form), "{before} {after}");
                assert!(
                    form.len() * 6 >= secret.len() * 8 - 10,
                    "at most one character at each end is left out"
                );
            }
        }
    }

    #[test]
    fn a_plain_key_has_few_forms() {
        let mut forms = forms(b"AKIAIOSFODNN7EXAMPLE");
        forms.sort_by(|one, other| one.as_slice().cmp(other));
        forms.dedup();
        assert!(forms.len() <= 7, "{}", forms.len());
    }

    #[test]
    fn forms_are_those_of_the_usual_writers() {
        let forms = forms(b"a\"b\\c/d+e&f g");
        let has = |text: &str| forms.iter().any(|form| form.as_slice() == text.as_bytes());
        assert!(has(r#"a\"b\\c/d+e&f g"#));
        assert!(has(r#"a\"b\\c\/d+e&f g"#));
        assert!(has(r#"a\"b\\c/d+e\u0026f g"#));
        assert!(has("a%22b%5Cc%2Fd%2Be%26f%20g"));
        assert!(has("a%22b%5cc%2fd%2be%26f%20g"));
        assert!(has("a%22b%5Cc/d%2Be%26f%20g"));
        assert!(has("6122625c632f642b652666"[..].to_owned().as_str()) || has("6122625c632f642b6526662067"));
    }
}
