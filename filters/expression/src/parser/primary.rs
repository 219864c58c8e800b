//! Literals, names, calls, fields and indexes.

use super::Parser;
use crate::{
    lexer::TokenKind,
    syntax::{Expr, ExprKind, Name, Span},
};

/// Words that CEL keeps for the languages around it.
const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

impl Parser<'_> {
    /// A value with the fields, indexes and methods that follow it. `minus` is the sign before a number.
    pub(super) fn member(&mut self, minus: Option<Span>) -> Option<Expr> {
        let mut expr = self.primary(minus)?;
        loop {
            if self.take(&TokenKind::Dot).is_some() {
                expr = self.field(expr)?;
            } else if self.take(&TokenKind::OpenSquare).is_some() {
                self.refuse_optional()?;
                let key = self.expression()?;
                let end = self.expect(&TokenKind::CloseSquare, "`]`")?;
                let (span, below) = (expr.span.to(end), expr.depth.max(key.depth));
                expr = self.node(ExprKind::Index { of: Box::new(expr), key: Box::new(key) }, span, below)?;
            } else if *self.peek() == TokenKind::OpenCurly && is_dotted(&expr) {
                self.findings.add_help(
                    expr.span.to(self.span()),
                    "messages are not supported",
                    "policy works on plain values, lists and maps",
                );
                return None;
            } else {
                return Some(expr);
            }
        }
    }

    fn refuse_optional(&mut self) -> Option<()> {
        if *self.peek() == TokenKind::Question {
            self.findings.add_help(
                self.span(),
                "optional values are not supported",
                "ask with `has(a.b)` or `\"b\" in a` first",
            );
            return None;
        }
        Some(())
    }

    fn field(&mut self, of: Expr) -> Option<Expr> {
        self.refuse_optional()?;
        let span = self.span();
        let (text, quoted) = match self.peek() {
            TokenKind::Word(word) => (word.clone(), false),
            TokenKind::Quoted(word) => (word.clone(), true),
            _ => {
                self.unexpected("the name of a field or function");
                return None;
            }
        };
        self.advance();
        let name = Name { text, span };
        if !quoted && self.take(&TokenKind::OpenRound).is_some() {
            let (arguments, end, below) = self.arguments()?;
            let (span, below) = (of.span.to(end), below.max(of.depth));
            return self.node(ExprKind::Method { of: Box::new(of), name, arguments }, span, below);
        }
        let (span, below) = (of.span.to(span), of.depth);
        self.node(ExprKind::Select { of: Box::new(of), field: name }, span, below)
    }

    /// Arguments up to the closing bracket, where that stands, and how deep they are.
    fn arguments(&mut self) -> Option<(Vec<Expr>, Span, usize)> {
        let mut arguments: Vec<Expr> = Vec::new();
        let mut below = 0;
        if let Some(end) = self.take(&TokenKind::CloseRound) {
            return Some((arguments, end, below));
        }
        loop {
            let argument = self.expression()?;
            below = below.max(argument.depth);
            arguments.push(argument);
            if self.take(&TokenKind::Comma).is_none() {
                let end = self.expect(&TokenKind::CloseRound, "`,` or `)`")?;
                return Some((arguments, end, below));
            }
        }
    }

    fn primary(&mut self, minus: Option<Span>) -> Option<Expr> {
        let span = self.span();
        let kind = match self.peek().clone() {
            TokenKind::Int(value) => {
                let value = if minus.is_some() {
                    0i64.checked_sub_unsigned(value)
                } else {
                    i64::try_from(value).ok()
                };
                let Some(value) = value else {
                    self.findings.add_help(
                        span,
                        "this number does not fit in 64 bits with a sign",
                        "write a `u` after it for a number without a sign",
                    );
                    return None;
                };
                ExprKind::Int(value)
            }
            TokenKind::Double(value) => ExprKind::Double(if minus.is_some() { -value } else { value }),
            TokenKind::Uint(value) => ExprKind::Uint(value),
            TokenKind::Text(value) => ExprKind::Text(value),
            TokenKind::Bytes(value) => ExprKind::Bytes(value),
            TokenKind::True => ExprKind::Bool(true),
            TokenKind::False => ExprKind::Bool(false),
            TokenKind::Null => ExprKind::Null,
            TokenKind::Word(word) => return self.name(word, span, false),
            TokenKind::Dot => {
                self.advance();
                let TokenKind::Word(word) = self.peek().clone() else {
                    self.unexpected("a name");
                    return None;
                };
                return self.name(word, span.to(self.span()), true);
            }
            TokenKind::OpenRound => {
                self.advance();
                let inner = self.expression()?;
                let end = self.expect(&TokenKind::CloseRound, "`)`")?;
                return Some(Expr { span: span.to(end), ..inner });
            }
            TokenKind::OpenSquare => return self.list(),
            TokenKind::OpenCurly => return self.map(),
            _ => {
                self.unexpected("a value");
                return None;
            }
        };
        self.advance();
        let span = minus.map_or(span, |minus| minus.to(span));
        self.node(kind, span, 0)
    }

    fn name(&mut self, name: String, span: Span, absolute: bool) -> Option<Expr> {
        if RESERVED.contains(&name.as_str()) {
            self.findings.add(span, format!("`{name}` is a reserved word"));
            return None;
        }
        self.advance();
        if self.take(&TokenKind::OpenRound).is_none() {
            return self.node(ExprKind::Ident { name, absolute }, span, 0);
        }
        let (arguments, end, below) = self.arguments()?;
        self.node(ExprKind::Call { name: Name { text: name, span }, arguments }, span.to(end), below)
    }

    fn list(&mut self) -> Option<Expr> {
        let start = self.advance();
        let mut elements: Vec<Expr> = Vec::new();
        let mut below = 0;
        loop {
            if let Some(end) = self.take(&TokenKind::CloseSquare) {
                return self.node(ExprKind::List(elements), start.to(end), below);
            }
            self.refuse_optional()?;
            let element = self.expression()?;
            below = below.max(element.depth);
            elements.push(element);
            if self.take(&TokenKind::Comma).is_none() && *self.peek() != TokenKind::CloseSquare {
                self.unexpected("`,` or `]`");
                return None;
            }
        }
    }

    fn map(&mut self) -> Option<Expr> {
        let start = self.advance();
        let mut entries: Vec<(Expr, Expr)> = Vec::new();
        let mut below = 0;
        loop {
            if let Some(end) = self.take(&TokenKind::CloseCurly) {
                return self.node(ExprKind::Map(entries), start.to(end), below);
            }
            self.refuse_optional()?;
            let key = self.expression()?;
            self.expect(&TokenKind::Colon, "`:` and a value")?;
            let value = self.expression()?;
            below = below.max(key.depth).max(value.depth);
            entries.push((key, value));
            if self.take(&TokenKind::Comma).is_none() && *self.peek() != TokenKind::CloseCurly {
                self.unexpected("`,` or `}`");
                return None;
            }
        }
    }
}

/// Names with dots between them: what the name of a message looks like.
fn is_dotted(expr: &Expr) -> bool {
    let mut at = expr;
    loop {
        match &at.kind {
            ExprKind::Ident { .. } => return true,
            ExprKind::Select { of, .. } => at = of,
            _ => return false,
        }
    }
}
