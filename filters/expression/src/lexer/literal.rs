//! Numbers, text and bytes.

use super::{Lexer, TokenKind};
use crate::syntax::Span;

impl Lexer<'_, '_> {
    pub(super) fn number(&mut self) -> Option<TokenKind> {
        let start = self.at;
        let rest = self.rest();
        if rest.starts_with("0x") || rest.starts_with("0X") {
            self.at += 2;
            let digits = self.run(|b| b.is_ascii_hexdigit());
            return self.whole(start, digits, 16);
        }
        let whole = self.run(|b| b.is_ascii_digit());
        let mut floating = false;
        if self.peek(0) == Some(b'.') && self.peek(1).is_some_and(|b| b.is_ascii_digit()) {
            floating = true;
            self.at += 1;
            self.run(|b| b.is_ascii_digit());
        }
        let sign = usize::from(matches!(self.peek(1), Some(b'+' | b'-')));
        if matches!(self.peek(0), Some(b'e' | b'E'))
            && self.peek(1 + sign).is_some_and(|b| b.is_ascii_digit())
        {
            floating = true;
            self.at += 1 + sign;
            self.run(|b| b.is_ascii_digit());
        }
        if !floating {
            return self.whole(start, whole, 10);
        }
        let text = self.source.get(start..self.at).unwrap_or_default();
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() && !self.touches_word() => Some(TokenKind::Double(value)),
            _ => {
                self.findings.add(self.span_from(start), "this is not a number that fits in 64 bits");
                None
            }
        }
    }

    /// Goes over bytes that are wanted and says where they stand.
    fn run(&mut self, wanted: impl Fn(u8) -> bool) -> std::ops::Range<usize> {
        let start = self.at;
        while self.peek(0).is_some_and(&wanted) {
            self.at += 1;
        }
        start..self.at
    }

    fn touches_word(&self) -> bool {
        self.peek(0).is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
    }

    fn whole(&mut self, start: usize, digits: std::ops::Range<usize>, radix: u32) -> Option<TokenKind> {
        let text = self.source.get(digits).unwrap_or_default();
        let value = u64::from_str_radix(text, radix);
        let unsigned = matches!(self.peek(0), Some(b'u' | b'U'));
        self.at += usize::from(unsigned);
        let glued = self.touches_word();
        self.run(|b| b.is_ascii_alphanumeric() || b == b'_');
        match value {
            Ok(value) if !glued => {
                Some(if unsigned { TokenKind::Uint(value) } else { TokenKind::Int(value) })
            }
            _ => {
                self.findings.add_help(
                    self.span_from(start),
                    "this is not a number that fits in 64 bits",
                    "write 42, 0x2a, 42u, 4.2 or 4.2e1",
                );
                None
            }
        }
    }

    /// Text or bytes, from its first quote.
    pub(super) fn quoted(&mut self, raw: bool, bytes: bool) -> Option<TokenKind> {
        let start = self.at;
        let quote = self.rest().chars().next().unwrap_or('"');
        let triple = match quote {
            '"' => "\"\"\"",
            _ => "'''",
        };
        let close =
            if self.rest().starts_with(triple) { triple } else { triple.get(..1).unwrap_or_default() };
        let many_lines = close.len() == 3;
        self.at += close.len();
        let mut text = String::new();
        let mut octets = Vec::new();
        loop {
            let rest = self.rest();
            if rest.starts_with(close) {
                self.at += close.len();
                return Some(if bytes { TokenKind::Bytes(octets) } else { TokenKind::Text(text) });
            }
            let next = rest.chars().next().filter(|c| many_lines || !matches!(c, '\n' | '\r'));
            let Some(next) = next else {
                self.findings.add_help(
                    Span::new(start, self.at),
                    "this text has no end",
                    format!("close it with {close}"),
                );
                return None;
            };
            if next == '\\' && !raw {
                self.escape(bytes, &mut text, &mut octets)?;
                continue;
            }
            self.at += next.len_utf8();
            if bytes {
                octets.extend_from_slice(next.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                text.push(next);
            }
        }
    }

    /// One escape, from its backslash.
    fn escape(&mut self, bytes: bool, text: &mut String, octets: &mut Vec<u8>) -> Option<()> {
        let start = self.at;
        self.at += 1;
        // At the end of the source there is none, and a zero is no escape.
        let letter = self.rest().chars().next().unwrap_or_default();
        self.at = (self.at + letter.len_utf8()).min(self.source.len());
        let simple = match letter {
            'a' => Some('\x07'),
            'b' => Some('\x08'),
            'f' => Some('\x0c'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\x0b'),
            '\\' | '?' | '"' | '\'' | '`' => Some(letter),
            _ => None,
        };
        let code = match letter {
            _ if simple.is_some() => simple.map(u32::from),
            'x' | 'X' => self.digits(2, 16),
            'u' if !bytes => self.digits(4, 16),
            'U' if !bytes => self.digits(8, 16),
            '0'..='3' => {
                self.at -= 1;
                self.digits(3, 8)
            }
            _ => None,
        };
        let done = match code {
            Some(code) if bytes => u8::try_from(code).ok().map(|octet| octets.push(octet)),
            Some(code) => char::from_u32(code).map(|c| text.push(c)),
            None => None,
        };
        if done.is_none() {
            let help = if bytes {
                "escapes of bytes: \\n \\r \\t \\a \\b \\f \\v \\\\ \\\" \\' \\` \\? \\xHH \\OOO; or a raw literal: br\"...\""
            } else {
                "escapes: \\n \\r \\t \\a \\b \\f \\v \\\\ \\\" \\' \\` \\? \\xHH \\uHHHH \\UHHHHHHHH \\OOO; or raw text: r\"...\""
            };
            self.findings.add_help(Span::new(start, self.at), "this is not an escape", help);
        }
        done
    }

    /// So many digits, as a number.
    fn digits(&mut self, count: usize, radix: u32) -> Option<u32> {
        let text = self.rest().get(..count)?;
        if !text.chars().all(|c| c.is_digit(radix)) {
            return None;
        }
        self.at += count;
        u32::from_str_radix(text, radix).ok()
    }
}
