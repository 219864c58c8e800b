//! From source text to tokens.

mod literal;

use crate::{
    problem::Findings,
    syntax::{Operator, Span},
};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind {
    /// Without its sign, which the parser joins to it.
    Int(u64),
    Uint(u64),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
    Word(String),
    /// A field name in backquotes.
    Quoted(String),
    True,
    False,
    Null,
    Operator(Operator),
    And,
    Or,
    Not,
    Question,
    Colon,
    Comma,
    Dot,
    OpenRound,
    CloseRound,
    OpenSquare,
    CloseSquare,
    OpenCurly,
    CloseCurly,
    End,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
}

/// All tokens and an end, or nothing after the first text that is none.
pub(crate) fn tokens(source: &str, findings: &mut Findings) -> Option<Vec<Token>> {
    let mut lexer = Lexer { source, at: 0, findings };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next()?;
        let end = token.kind == TokenKind::End;
        tokens.push(token);
        if end {
            return Some(tokens);
        }
    }
}

struct Lexer<'s, 'f> {
    source: &'s str,
    at: usize,
    findings: &'f mut Findings,
}

impl<'s> Lexer<'s, '_> {
    fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.source.as_bytes().get(self.at + ahead).copied()
    }

    fn span_from(&self, start: usize) -> Span {
        Span::new(start, self.at)
    }

    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0c']).len();
            self.at += blank;
            if !self.rest().starts_with("//") {
                return;
            }
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        }
    }

    fn next(&mut self) -> Option<Token> {
        self.skip_blank();
        let start = self.at;
        let Some(first) = self.peek(0) else {
            return Some(Token { kind: TokenKind::End, span: self.span_from(start) });
        };
        let kind = match first {
            b'0'..=b'9' => self.number()?,
            b'.' if self.peek(1).is_some_and(|b| b.is_ascii_digit()) => self.number()?,
            b'"' | b'\'' => self.quoted(false, false)?,
            b'`' => self.backquoted()?,
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => match self.prefix() {
                Some((letters, raw, bytes)) => {
                    self.at += letters;
                    self.quoted(raw, bytes)?
                }
                None => self.word(),
            },
            _ => self.sign()?,
        };
        Some(Token { kind, span: self.span_from(start) })
    }

    /// Letters before a quote: how many, and what they mean.
    fn prefix(&self) -> Option<(usize, bool, bool)> {
        let quote = |at: usize| matches!(self.peek(at), Some(b'"' | b'\''));
        match (self.peek(0)?, self.peek(1)?) {
            (b'r' | b'R', _) if quote(1) => Some((1, true, false)),
            (b'b' | b'B', _) if quote(1) => Some((1, false, true)),
            (b'b' | b'B', b'r' | b'R') if quote(2) => Some((2, true, true)),
            _ => None,
        }
    }

    fn word(&mut self) -> TokenKind {
        let rest = self.rest();
        let end = rest.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        self.at += end;
        match rest.get(..end).unwrap_or_default() {
            "true" => TokenKind::True,
            "false" => TokenKind::False,
            "null" => TokenKind::Null,
            "in" => TokenKind::Operator(Operator::In),
            word => TokenKind::Word(word.to_owned()),
        }
    }

    fn backquoted(&mut self) -> Option<TokenKind> {
        let start = self.at;
        self.at += 1;
        let rest = self.rest();
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/' | ' ');
        let end = rest.find(|c| !allowed(c)).unwrap_or(rest.len());
        self.at += end;
        if end == 0 || self.peek(0) != Some(b'`') {
            self.findings.add_help(
                Span::new(start, self.at),
                "this is not a field name in backquotes",
                "between backquotes stand letters, digits, `_`, `.`, `-`, `/` and spaces",
            );
            return None;
        }
        self.at += 1;
        Some(TokenKind::Quoted(rest.get(..end).unwrap_or_default().to_owned()))
    }

    fn sign(&mut self) -> Option<TokenKind> {
        const SIGNS: &[(&str, TokenKind)] = &[
            ("==", TokenKind::Operator(Operator::Equal)),
            ("!=", TokenKind::Operator(Operator::NotEqual)),
            ("<=", TokenKind::Operator(Operator::LessEqual)),
            (">=", TokenKind::Operator(Operator::GreaterEqual)),
            ("&&", TokenKind::And),
            ("||", TokenKind::Or),
            ("<", TokenKind::Operator(Operator::Less)),
            (">", TokenKind::Operator(Operator::Greater)),
            ("+", TokenKind::Operator(Operator::Add)),
            ("-", TokenKind::Operator(Operator::Subtract)),
            ("*", TokenKind::Operator(Operator::Multiply)),
            ("/", TokenKind::Operator(Operator::Divide)),
            ("%", TokenKind::Operator(Operator::Remainder)),
            ("!", TokenKind::Not),
            ("?", TokenKind::Question),
            (":", TokenKind::Colon),
            (",", TokenKind::Comma),
            (".", TokenKind::Dot),
            ("(", TokenKind::OpenRound),
            (")", TokenKind::CloseRound),
            ("[", TokenKind::OpenSquare),
            ("]", TokenKind::CloseSquare),
            ("{", TokenKind::OpenCurly),
            ("}", TokenKind::CloseCurly),
        ];
        let rest = self.rest();
        if let Some((text, kind)) = SIGNS.iter().find(|(text, _)| rest.starts_with(text)) {
            self.at += text.len();
            return Some(kind.clone());
        }
        let wrong = rest.chars().next().unwrap_or_default();
        let start = self.at;
        self.at += wrong.len_utf8();
        let help = match wrong {
            '=' => "equality is written `==`",
            '&' => "logical and is written `&&`",
            '|' => "logical or is written `||`",
            _ => "text stands in quotes: \"...\" or '...'",
        };
        self.findings.add_help(
            Span::new(start, self.at),
            format!("`{}` means nothing here", wrong.escape_debug()),
            help,
        );
        None
    }
}
