//! The tree of an expression.

use crate::Quantity;

#[derive(Clone, Debug)]
pub(super) enum Node {
    Number(Quantity),
    Text(String),
    Property(String),
    Negate(Box<Node>),
    Arithmetic(Arithmetic, Box<Node>, Box<Node>),
    Compare(Comparison, Box<Node>, Box<Node>),
    Not(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Least(Vec<Node>),
    Greatest(Vec<Node>),
    Ceil(Box<Node>),
    Floor(Box<Node>),
    Round(Box<Node>, i8),
    If(Box<Node>, Box<Node>, Box<Node>),
    Default(String, Box<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    Unequal,
}

/// What a node may yield. A property is known only when an event is at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Text,
    Condition,
    Property,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Text => "a text",
            Self::Condition => "a condition",
            Self::Property => "a property",
        }
    }
}

impl Node {
    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Property(_) => Kind::Property,
            Self::Compare(..) | Self::Not(_) | Self::And(..) | Self::Or(..) => Kind::Condition,
            _ => Kind::Number,
        }
    }
}
