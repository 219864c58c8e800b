//! Words into a tree, with every mistake shown where it stands.

use std::fmt;

use super::node::{Arithmetic, Comparison, Kind, Node};
use super::token::{Token, Word, cut};
use crate::MAX_PRECISION;

/// Bytes a source may have.
pub const MAX_SOURCE_BYTES: usize = 2_048;
/// Parentheses, calls and signs that may stand within each other.
pub const MAX_DEPTH: usize = 32;
/// Nodes a tree may have.
pub const MAX_NODES: usize = 256;

/// What is wrong with a source, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    line: String,
    line_number: usize,
    column: usize,
    problem: String,
}

impl ParseError {
    pub(super) fn new(source: &str, at: usize, problem: String) -> Self {
        let before = &source[..at.min(source.len())];
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: source[start..].lines().next().unwrap_or_default().to_owned(),
            line_number: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
            problem,
        }
    }

    /// Line and column of the place, each from 1.
    #[must_use]
    pub const fn place(&self) -> (usize, usize) {
        (self.line_number, self.column)
    }

    /// What is wrong, without the place.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, line_number, column, problem } = self;
        let gutter = line_number.to_string();
        write!(f, "{problem}\n{gutter} | {line}\n{:>1$}", "^", gutter.len() + 3 + column)
    }
}

impl std::error::Error for ParseError {}

pub(super) fn parse(source: &str) -> Result<Node, ParseError> {
    if source.len() > MAX_SOURCE_BYTES {
        let problem =
            format!("an expression of {} bytes is too long: at most {MAX_SOURCE_BYTES}", source.len());
        return Err(ParseError::new("", 0, problem));
    }
    let mut parser = Parser { source, tokens: cut(source)?, next: 0, nodes: 0, depth: 0 };
    let at = parser.at();
    let root = parser.either()?;
    if parser.peek() != &Word::End {
        return Err(parser.refuse(parser.at(), "the expression should end here".to_owned()));
    }
    parser.numeric(&root, at)?;
    Ok(root)
}

struct Parser<'s> {
    source: &'s str,
    tokens: Vec<Token>,
    next: usize,
    nodes: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &Word {
        &self.tokens[self.next].word
    }

    fn at(&self) -> usize {
        self.tokens[self.next].at
    }

    fn advance(&mut self) {
        // The last token is the end, and stays.
        if self.next + 1 < self.tokens.len() {
            self.next += 1;
        }
    }

    fn refuse(&self, at: usize, problem: String) -> ParseError {
        ParseError::new(self.source, at, problem)
    }

    fn takes(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Word::Sign(found) if *found == sign);
        if found {
            self.advance();
        }
        found
    }

    fn takes_name(&mut self, name: &str) -> bool {
        let found = matches!(self.peek(), Word::Name(found) if found == name);
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), ParseError> {
        if self.takes(sign) { Ok(()) } else { Err(self.refuse(self.at(), format!("expected `{sign}` here"))) }
    }

    fn made(&mut self, node: Node, at: usize) -> Result<Node, ParseError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(self.refuse(at, format!("the expression has too many parts: at most {MAX_NODES}")));
        }
        Ok(node)
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, ParseError>) -> Result<T, ParseError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.refuse(self.at(), format!("nested too deeply: at most {MAX_DEPTH} levels")));
        }
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn numeric(&self, node: &Node, at: usize) -> Result<(), ParseError> {
        match node.kind() {
            Kind::Number | Kind::Property => Ok(()),
            other => Err(self.refuse(at, format!("expected a number, found {}", other.name()))),
        }
    }

    fn condition(&self, node: &Node, at: usize) -> Result<(), ParseError> {
        match node.kind() {
            Kind::Condition => Ok(()),
            other => {
                Err(self.refuse(at, format!("expected a condition such as `a > 1`, found {}", other.name())))
            }
        }
    }

    fn either(&mut self) -> Result<Node, ParseError> {
        let at = self.at();
        let mut left = self.both()?;
        while self.takes_name("or") {
            let right_at = self.at();
            let right = self.both()?;
            self.condition(&left, at)?;
            self.condition(&right, right_at)?;
            left = self.made(Node::Or(left.into(), right.into()), at)?;
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<Node, ParseError> {
        let at = self.at();
        let mut left = self.negated()?;
        while self.takes_name("and") {
            let right_at = self.at();
            let right = self.negated()?;
            self.condition(&left, at)?;
            self.condition(&right, right_at)?;
            left = self.made(Node::And(left.into(), right.into()), at)?;
        }
        Ok(left)
    }

    fn negated(&mut self) -> Result<Node, ParseError> {
        if self.takes_name("not") {
            let at = self.at();
            let inner = self.deeper(Self::negated)?;
            self.condition(&inner, at)?;
            return self.made(Node::Not(inner.into()), at);
        }
        self.compared()
    }

    fn compared(&mut self) -> Result<Node, ParseError> {
        const SIGNS: [(&str, Comparison); 6] = [
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("==", Comparison::Equal),
            ("!=", Comparison::Unequal),
            ("<", Comparison::Less),
            (">", Comparison::More),
        ];
        let at = self.at();
        let left = self.sum()?;
        let Some((_, comparison)) = SIGNS.into_iter().find(|(sign, _)| self.takes(sign)) else {
            return Ok(left);
        };
        let right_at = self.at();
        let right = self.sum()?;
        let equality = matches!(comparison, Comparison::Equal | Comparison::Unequal);
        let of_text = left.kind() == Kind::Text || right.kind() == Kind::Text;
        if equality && of_text {
            for (node, place) in [(&left, at), (&right, right_at)] {
                if !matches!(node.kind(), Kind::Text | Kind::Property) {
                    return Err(self
                        .refuse(place, "a text can be compared with a property or a text only".to_owned()));
                }
            }
        } else {
            self.numeric(&left, at)?;
            self.numeric(&right, right_at)?;
        }
        self.made(Node::Compare(comparison, left.into(), right.into()), at)
    }

    fn sum(&mut self) -> Result<Node, ParseError> {
        self.chain(Self::product, [("+", Arithmetic::Add), ("-", Arithmetic::Subtract)])
    }

    fn product(&mut self) -> Result<Node, ParseError> {
        self.chain(Self::signed, [("*", Arithmetic::Multiply), ("/", Arithmetic::Divide)])
    }

    fn chain(
        &mut self,
        operand: fn(&mut Self) -> Result<Node, ParseError>,
        signs: [(&str, Arithmetic); 2],
    ) -> Result<Node, ParseError> {
        let at = self.at();
        let mut left = operand(self)?;
        let mut links = 0;
        while let Some((_, arithmetic)) = signs.into_iter().find(|(sign, _)| self.takes(sign)) {
            let right_at = self.at();
            let right = operand(self)?;
            self.numeric(&left, at)?;
            self.numeric(&right, right_at)?;
            left = self.made(Node::Arithmetic(arithmetic, left.into(), right.into()), at)?;
            links += 1;
            // A long chain is a deep tree, and is walked as one.
            if links > MAX_NODES {
                return Err(
                    self.refuse(right_at, format!("the expression has too many parts: at most {MAX_NODES}"))
                );
            }
        }
        Ok(left)
    }

    fn signed(&mut self) -> Result<Node, ParseError> {
        if self.takes("-") {
            let at = self.at();
            let inner = self.deeper(Self::signed)?;
            self.numeric(&inner, at)?;
            return self.made(Node::Negate(inner.into()), at);
        }
        self.operand()
    }

    fn operand(&mut self) -> Result<Node, ParseError> {
        let at = self.at();
        match self.peek().clone() {
            Word::Number(number) => {
                self.advance();
                self.made(Node::Number(number), at)
            }
            Word::Text(text) => {
                self.advance();
                self.made(Node::Text(text), at)
            }
            Word::Sign("(") => {
                self.advance();
                let inner = self.deeper(Self::either)?;
                self.expect(")")?;
                Ok(inner)
            }
            Word::Name(name) if matches!(name.as_str(), "and" | "or" | "not") => {
                Err(self.refuse(at, format!("expected a number or a property before `{name}`")))
            }
            Word::Name(name) => {
                self.advance();
                if self.takes("(") {
                    self.deeper(|parser| parser.call(&name, at))
                } else {
                    self.made(Node::Property(name), at)
                }
            }
            Word::End => {
                Err(self
                    .refuse(at, "the expression ends too early: expected a number or a property".to_owned()))
            }
            Word::Sign(sign) => {
                Err(self.refuse(at, format!("expected a number or a property, found `{sign}`")))
            }
        }
    }

    fn call(&mut self, name: &str, at: usize) -> Result<Node, ParseError> {
        let mut arguments: Vec<(Node, usize)> = Vec::new();
        while !self.takes(")") {
            if !arguments.is_empty() {
                self.expect(",")?;
            }
            let place = self.at();
            arguments.push((self.either()?, place));
        }
        let node = match name {
            "min" | "max" => {
                self.count(name, at, arguments.len(), 1, "one or more")?;
                for (argument, place) in &arguments {
                    self.numeric(argument, *place)?;
                }
                let nodes = arguments.into_iter().map(|(node, _)| node).collect();
                if name == "min" { Node::Least(nodes) } else { Node::Greatest(nodes) }
            }
            "ceil" | "floor" => {
                let [(inner, place)] = self.exactly(name, at, arguments)?;
                self.numeric(&inner, place)?;
                if name == "ceil" { Node::Ceil(inner.into()) } else { Node::Floor(inner.into()) }
            }
            "round" => {
                if arguments.len() == 1 {
                    arguments.push((Node::Number(crate::Quantity::ZERO), at));
                }
                let [(inner, inner_at), (places, places_at)] = self.exactly(name, at, arguments)?;
                self.numeric(&inner, inner_at)?;
                let literal = match places {
                    Node::Number(number) => crate::Exact::from(number).to_i64(),
                    _ => None,
                };
                match literal
                    .and_then(|places| i8::try_from(places).ok())
                    .filter(|places| *places <= MAX_PRECISION)
                {
                    Some(places) => Node::Round(inner.into(), places),
                    None => {
                        return Err(self.refuse(
                            places_at,
                            format!("expected a whole number of places, 0 to {MAX_PRECISION}"),
                        ));
                    }
                }
            }
            "if" => {
                let [(test, test_at), (then, then_at), (otherwise, otherwise_at)] =
                    self.exactly(name, at, arguments)?;
                self.condition(&test, test_at)?;
                self.numeric(&then, then_at)?;
                self.numeric(&otherwise, otherwise_at)?;
                Node::If(test.into(), then.into(), otherwise.into())
            }
            "default" => {
                let [(property, property_at), (otherwise, otherwise_at)] =
                    self.exactly(name, at, arguments)?;
                self.numeric(&otherwise, otherwise_at)?;
                match property {
                    Node::Property(property) => Node::Default(property, otherwise.into()),
                    _ => return Err(self.refuse(property_at, "expected the name of a property".to_owned())),
                }
            }
            _ => {
                let known = "known are min, max, ceil, floor, round, if and default";
                return Err(self.refuse(at, format!("there is no function `{name}`: {known}")));
            }
        };
        self.made(node, at)
    }

    fn count(
        &self,
        name: &str,
        at: usize,
        found: usize,
        least: usize,
        wanted: &str,
    ) -> Result<(), ParseError> {
        if found >= least {
            return Ok(());
        }
        Err(self.refuse(at, format!("`{name}` takes {wanted} arguments, found {found}")))
    }

    fn exactly<const N: usize>(
        &self,
        name: &str,
        at: usize,
        arguments: Vec<(Node, usize)>,
    ) -> Result<[(Node, usize); N], ParseError> {
        let found = arguments.len();
        arguments
            .try_into()
            .map_err(|_| self.refuse(at, format!("`{name}` takes {N} arguments, found {found}")))
    }
}
