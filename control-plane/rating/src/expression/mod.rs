//! A small language that folds an event's properties into one number, for custom aggregations and custom prices.
//!
//! ```text
//! if(model == "large", max(input_tokens, 100) * 1.5, input_tokens) + default(tool_calls, 0) * 2
//! ```
//!
//! Numbers, texts in double quotes, names of properties (letters, digits, `_` and dots), `+ - * /`, comparisons
//! (`< <= > >= == !=`), `and`, `or`, `not`, and the functions `min`, `max`, `ceil`, `floor`, `round(x, places)`,
//! `if(condition, then, otherwise)` and `default(property, otherwise)`. No loops and no state: every expression ends.
//! It is parsed once; size and depth are bounded.

mod evaluate;
mod node;
mod parse;
mod quick;
mod token;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use evaluate::EvaluationError;
pub(crate) use evaluate::property;
use node::Node;
pub use parse::{MAX_DEPTH, MAX_NODES, MAX_SOURCE_BYTES, ParseError};

use crate::{Quantity, UsageEvent};

/// A parsed expression.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Expression {
    source: String,
    root: Node,
}

impl Expression {
    /// Parses and checks a source.
    ///
    /// # Errors
    ///
    /// [`ParseError`], which shows the place.
    pub fn parse(source: &str) -> Result<Self, ParseError> {
        Ok(Self { root: parse::parse(source)?, source: source.to_owned() })
    }

    /// What it was parsed from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Its value for one event: worked out exactly, then rounded half-up to 18 decimals, so that sums over events are
    /// exact and need bounded memory.
    ///
    /// # Errors
    ///
    /// [`EvaluationError`] for a property that is missing or of another type, a division by zero, or a result out of
    /// range.
    pub fn value(&self, event: &UsageEvent) -> Result<Quantity, EvaluationError> {
        let value = match quick::atto(&self.root, event) {
            Some(atto) => Quantity::from_atto(atto),
            None => evaluate::number(&self.root, event)?.to_quantity(),
        };
        value.ok_or(EvaluationError::OutOfRange)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Expression {}

impl TryFrom<String> for Expression {
    type Error = ParseError;
    fn try_from(source: String) -> Result<Self, ParseError> {
        Self::parse(&source)
    }
}

impl From<Expression> for String {
    fn from(expression: Expression) -> Self {
        expression.source
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}
