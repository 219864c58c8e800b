//! The value of a tree for one event.

use super::node::{Arithmetic, Comparison, Node};
use crate::{Exact, Quantity, QuantityError, Rounding, RoundingFunction, UsageEvent, Value};

/// Why an expression has no value for an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// The event does not carry a property.
    #[error("property `{0}` is missing: send it, or write default({0}, 0) in the expression")]
    Missing(String),
    /// A property is a flag where a number is needed.
    #[error("property `{0}` is true or false where a number is needed")]
    NotANumber(String),
    /// A property's text is no number.
    #[error("property `{property}`: {error}")]
    Unreadable {
        /// Its name.
        property: String,
        /// Why.
        error: QuantityError,
    },
    /// A division by zero.
    #[error("division by zero: guard it with if(divisor == 0, ...)")]
    DivisionByZero,
    /// The result has more than 18 digits before the point.
    #[error("the result is too large: at most 18 digits before the point")]
    OutOfRange,
    /// A condition where a number was expected: refused when the expression is parsed.
    #[error("the expression mixes numbers and conditions")]
    Mixed,
}

/// The number a property holds.
pub(crate) fn property(event: &UsageEvent, name: &str) -> Result<Quantity, EvaluationError> {
    match event.properties.get(name) {
        None => Err(EvaluationError::Missing(name.to_owned())),
        Some(Value::Number(number)) => Ok(*number),
        Some(Value::Flag(_)) => Err(EvaluationError::NotANumber(name.to_owned())),
        Some(Value::Text(text)) => {
            text.parse().map_err(|error| EvaluationError::Unreadable { property: name.to_owned(), error })
        }
    }
}

pub(super) fn number(node: &Node, event: &UsageEvent) -> Result<Exact, EvaluationError> {
    let extreme = |nodes: &[Node], larger: bool| {
        let mut values = nodes.iter().map(|node| number(node, event));
        let first = values.next().ok_or(EvaluationError::Mixed)??;
        values.try_fold(first, |best, next| {
            let next = next?;
            Ok(if (next > best) == larger { next } else { best })
        })
    };
    match node {
        Node::Number(quantity) => Ok((*quantity).into()),
        Node::Property(name) => property(event, name).map(Exact::from),
        Node::Negate(inner) => Ok(-number(inner, event)?),
        Node::Arithmetic(arithmetic, left, right) => {
            let (left, right) = (number(left, event)?, number(right, event)?);
            match arithmetic {
                Arithmetic::Add => Ok(left + right),
                Arithmetic::Subtract => Ok(left - right),
                Arithmetic::Multiply => Ok(left * right),
                Arithmetic::Divide => left.divided_by(&right).ok_or(EvaluationError::DivisionByZero),
            }
        }
        Node::Least(nodes) => extreme(nodes, false),
        Node::Greatest(nodes) => extreme(nodes, true),
        Node::Ceil(inner) => Ok(number(inner, event)?.ceil()),
        Node::Floor(inner) => Ok(number(inner, event)?.floor()),
        Node::Round(inner, precision) => {
            let rounding = Rounding { function: RoundingFunction::Round, precision: *precision };
            Ok(rounding.apply(&number(inner, event)?))
        }
        Node::If(test, then, otherwise) => number(if holds(test, event)? { then } else { otherwise }, event),
        Node::Default(name, otherwise) => {
            if event.properties.contains_key(name) {
                property(event, name).map(Exact::from)
            } else {
                number(otherwise, event)
            }
        }
        Node::Text(_) | Node::Compare(..) | Node::Not(_) | Node::And(..) | Node::Or(..) => {
            Err(EvaluationError::Mixed)
        }
    }
}

pub(super) fn holds(node: &Node, event: &UsageEvent) -> Result<bool, EvaluationError> {
    match node {
        Node::Not(inner) => Ok(!holds(inner, event)?),
        Node::And(left, right) => Ok(holds(left, event)? && holds(right, event)?),
        Node::Or(left, right) => Ok(holds(left, event)? || holds(right, event)?),
        Node::Compare(comparison, left, right) => {
            if matches!(**left, Node::Text(_)) || matches!(**right, Node::Text(_)) {
                let equal = text(left, event)? == text(right, event)?;
                return Ok(equal == (*comparison == Comparison::Equal));
            }
            let (left, right) = (number(left, event)?, number(right, event)?);
            Ok(match comparison {
                Comparison::Less => left < right,
                Comparison::AtMost => left <= right,
                Comparison::More => left > right,
                Comparison::AtLeast => left >= right,
                Comparison::Equal => left == right,
                Comparison::Unequal => left != right,
            })
        }
        _ => Err(EvaluationError::Mixed),
    }
}

fn text<'e>(node: &'e Node, event: &'e UsageEvent) -> Result<std::borrow::Cow<'e, str>, EvaluationError> {
    match node {
        Node::Text(text) => Ok(text.as_str().into()),
        Node::Property(name) => {
            event.properties.get(name).map(Value::text).ok_or_else(|| EvaluationError::Missing(name.clone()))
        }
        _ => Err(EvaluationError::Mixed),
    }
}
