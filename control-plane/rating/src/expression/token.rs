//! A source cut into words.

use super::parse::ParseError;
use crate::Quantity;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word {
    Number(Quantity),
    Text(String),
    Name(String),
    Sign(&'static str),
    End,
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) word: Word,
    /// Bytes from the start of the source.
    pub(super) at: usize,
}

/// Longer ones first, so that `<=` is not read as `<`.
const SIGNS: [&str; 13] = ["<=", ">=", "==", "!=", "<", ">", "+", "-", "*", "/", "(", ")", ","];

pub(super) fn cut(source: &str) -> Result<Vec<Token>, ParseError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = source[at..].chars().next() {
        let rest = &source[at..];
        let length = if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        } else if first.is_ascii_digit() {
            let length = number_length(rest.as_bytes());
            let number =
                rest[..length].parse().map_err(|error| ParseError::new(source, at, format!("{error}")))?;
            tokens.push(Token { word: Word::Number(number), at });
            length
        } else if first.is_ascii_alphabetic() || first == '_' {
            let length = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'))
                .unwrap_or(rest.len());
            tokens.push(Token { word: Word::Name(rest[..length].to_owned()), at });
            length
        } else if first == '"' {
            let Some(end) = rest[1..].find('"') else {
                return Err(ParseError::new(
                    source,
                    at,
                    "this text never ends: close it with a double quote".to_owned(),
                ));
            };
            tokens.push(Token { word: Word::Text(rest[1..=end].to_owned()), at });
            end + 2
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push(Token { word: Word::Sign(sign), at });
            sign.len()
        } else {
            return Err(ParseError::new(source, at, format!("`{first}` means nothing here")));
        };
        at += length;
    }
    tokens.push(Token { word: Word::End, at: source.len() });
    Ok(tokens)
}

fn number_length(bytes: &[u8]) -> usize {
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut length = digits(0);
    if bytes.get(length) == Some(&b'.') && bytes.get(length + 1).is_some_and(u8::is_ascii_digit) {
        length += 1;
        length += digits(length);
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = bytes
            .get(length + 1 + sign..)
            .map_or(0, |rest| rest.iter().take_while(|b| b.is_ascii_digit()).count());
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    length
}
