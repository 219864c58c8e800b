//! From tokens to the syntax tree: a Pratt parser of the CEL grammar.

mod primary;
#[cfg(test)]
mod tests;

use crate::{
    MAX_DEPTH, MAX_SOURCE_BYTES,
    lexer::{Token, TokenKind, tokens},
    problem::Findings,
    syntax::{Expr, ExprKind, Operator, Span},
};

/// Reads a source. Stops at the first problem, which is then among the findings.
pub(crate) fn parse(source: &str, findings: &mut Findings) -> Option<Expr> {
    if source.len() > MAX_SOURCE_BYTES {
        findings.add_help(
            Span::new(0, 0),
            format!("the expression has {} bytes; at most {MAX_SOURCE_BYTES} are read", source.len()),
            "split it into several rules",
        );
        return None;
    }
    let tokens = tokens(source, findings)?;
    let mut parser = Parser { tokens, at: 0, level: 0, findings };
    let expr = parser.expression()?;
    match parser.peek() {
        TokenKind::End => Some(expr),
        _ => {
            parser.unexpected("an operator, or the end");
            None
        }
    }
}

struct Parser<'f> {
    tokens: Vec<Token>,
    at: usize,
    /// How many calls of [`Parser::expression`] are open.
    level: usize,
    findings: &'f mut Findings,
}

/// How tightly an operator between two values binds.
fn binding(kind: &TokenKind) -> Option<(Operator, u8)> {
    let TokenKind::Operator(operator) = kind else { return None };
    let power = match operator {
        Operator::Multiply | Operator::Divide | Operator::Remainder => 3,
        Operator::Add | Operator::Subtract => 2,
        _ => 1,
    };
    Some((*operator, power))
}

impl Parser<'_> {
    fn peek(&self) -> &TokenKind {
        self.tokens.get(self.at).map_or(&TokenKind::End, |token| &token.kind)
    }

    fn span(&self) -> Span {
        self.tokens.get(self.at).or(self.tokens.last()).map_or_else(Span::default, |token| token.span)
    }

    /// Goes on by one token, and says where that was.
    fn advance(&mut self) -> Span {
        let span = self.span();
        self.at += 1;
        span
    }

    fn take(&mut self, kind: &TokenKind) -> Option<Span> {
        (self.peek() == kind).then(|| self.advance())
    }

    fn expect(&mut self, kind: &TokenKind, wanted: &str) -> Option<Span> {
        let found = self.take(kind);
        if found.is_none() {
            self.unexpected(wanted);
        }
        found
    }

    fn unexpected(&mut self, wanted: &str) {
        let message = match self.peek() {
            TokenKind::End => format!("the expression ends where {wanted} should follow"),
            _ => format!("{wanted} should stand here"),
        };
        self.findings.add(self.span(), message);
    }

    /// A node above these, unless that is too deep.
    fn node(&mut self, kind: ExprKind, span: Span, below: usize) -> Option<Expr> {
        if below >= MAX_DEPTH {
            self.too_deep(span);
            return None;
        }
        Some(Expr { kind, span, depth: below + 1 })
    }

    fn too_deep(&mut self, span: Span) {
        self.findings.add_help(
            span,
            format!("this is nested more than {MAX_DEPTH} levels deep"),
            "split the expression into several rules",
        );
    }

    /// `a ? b : c`, and all that binds tighter.
    fn expression(&mut self) -> Option<Expr> {
        if self.level >= MAX_DEPTH {
            self.too_deep(self.span());
            return None;
        }
        self.level += 1;
        let expr = self.choice();
        self.level -= 1;
        expr
    }

    fn choice(&mut self) -> Option<Expr> {
        let condition = self.any_of()?;
        if self.take(&TokenKind::Question).is_none() {
            return Some(condition);
        }
        let yes = self.any_of()?;
        self.expect(&TokenKind::Colon, "`:` and the other value")?;
        let no = self.expression()?;
        let span = condition.span.to(no.span);
        let below = condition.depth.max(yes.depth).max(no.depth);
        let kind = ExprKind::Choose { condition: Box::new(condition), yes: Box::new(yes), no: Box::new(no) };
        self.node(kind, span, below)
    }

    fn any_of(&mut self) -> Option<Expr> {
        self.row(&TokenKind::Or, Self::all_of, ExprKind::Or)
    }

    fn all_of(&mut self) -> Option<Expr> {
        self.row(&TokenKind::And, |parser| parser.binary(1), ExprKind::And)
    }

    /// One, or several with an operator between them.
    fn row(
        &mut self,
        between: &TokenKind,
        term: impl Fn(&mut Self) -> Option<Expr>,
        kind: impl Fn(Vec<Expr>) -> ExprKind,
    ) -> Option<Expr> {
        let first = term(self)?;
        if self.peek() != between {
            return Some(first);
        }
        let mut span = first.span;
        let mut below = first.depth;
        let mut terms = vec![first];
        while self.take(between).is_some() {
            let next = term(self)?;
            span = span.to(next.span);
            below = below.max(next.depth);
            terms.push(next);
        }
        self.node(kind(terms), span, below)
    }

    /// Operators that bind at least so tightly, from left to right.
    fn binary(&mut self, at_least: u8) -> Option<Expr> {
        let mut left = self.unary()?;
        while let Some((operator, power)) = binding(self.peek()) {
            if power < at_least {
                break;
            }
            self.advance();
            let right = self.binary(power + 1)?;
            let span = left.span.to(right.span);
            let below = left.depth.max(right.depth);
            let kind = ExprKind::Binary { operator, left: Box::new(left), right: Box::new(right) };
            left = self.node(kind, span, below)?;
        }
        Some(left)
    }

    /// Any number of `!`, or of `-`, before a value. The sign right before a number is a part of the number.
    fn unary(&mut self) -> Option<Expr> {
        let minus = TokenKind::Operator(Operator::Subtract);
        let sign = if *self.peek() == TokenKind::Not { TokenKind::Not } else { minus.clone() };
        let mut signs = Vec::new();
        while *self.peek() == sign && !(sign == minus && self.number_follows()) {
            signs.push(self.advance());
        }
        let negative =
            if *self.peek() == minus && self.number_follows() { Some(self.advance()) } else { None };
        let mut expr = self.member(negative)?;
        while let Some(span) = signs.pop() {
            let (span, below) = (span.to(expr.span), expr.depth);
            let inner = Box::new(expr);
            let kind = if sign == minus { ExprKind::Negate(inner) } else { ExprKind::Not(inner) };
            expr = self.node(kind, span, below)?;
        }
        Some(expr)
    }

    /// Whether a number stands right after the next token.
    fn number_follows(&self) -> bool {
        let next = self.tokens.get(self.at + 1).map(|token| &token.kind);
        matches!(next, Some(TokenKind::Int(_) | TokenKind::Double(_)))
    }
}
