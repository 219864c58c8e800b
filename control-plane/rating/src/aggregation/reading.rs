//! What one event says to an aggregation.

use super::members::Operation;
use super::metric::Aggregation;
use crate::event::{Order, UsageEvent};
use crate::expression::{EvaluationError, property};
use crate::{Quantity, Value};

/// The property that says whether a unique value is added or removed.
pub const OPERATION_PROPERTY: &str = "operation_type";

/// What one event says to an aggregation, read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub(super) order: Order,
    pub(super) measure: Measure,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    Amount(Quantity),
    Member(String, Operation),
}

/// An event that an aggregation cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event `{event}`: {problem}")]
pub struct ReadingError {
    /// The event's id.
    pub event: String,
    /// What is wrong with it.
    pub problem: EvaluationProblem,
}

/// What is wrong with an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationProblem {
    /// A value that is missing, unreadable or out of range.
    #[error(transparent)]
    Value(#[from] EvaluationError),
    /// An operation on a unique value that is neither `add` nor `remove`.
    #[error("`{OPERATION_PROPERTY}` is `{0}`: send add or remove")]
    Operation(String),
}

impl Aggregation {
    /// What an event says to this aggregation.
    ///
    /// # Errors
    ///
    /// [`ReadingError`] when the property is missing or is no number, or the expression has no value.
    pub fn read(&self, event: &UsageEvent) -> Result<Reading, ReadingError> {
        let measure = self
            .measure(event)
            .map_err(|problem| ReadingError { event: event.id.chars().take(80).collect(), problem })?;
        Ok(Reading { order: event.order, measure })
    }

    fn measure(&self, event: &UsageEvent) -> Result<Measure, EvaluationProblem> {
        Ok(match self {
            Self::Count => Measure::Amount(Quantity::ONE),
            Self::Sum { field }
            | Self::Max { field }
            | Self::WeightedSum { field }
            | Self::Latest { field } => Measure::Amount(property(event, field)?),
            Self::Custom { expression } => Measure::Amount(expression.value(event)?),
            Self::UniqueCount { field } => {
                let value =
                    event.properties.get(field).ok_or_else(|| EvaluationError::Missing(field.clone()))?;
                let operation = match event.properties.get(OPERATION_PROPERTY).map(Value::text) {
                    None => Operation::Add,
                    Some(word) if word == "add" => Operation::Add,
                    Some(word) if word == "remove" => Operation::Remove,
                    Some(other) => {
                        return Err(EvaluationProblem::Operation(other.chars().take(40).collect()));
                    }
                };
                Measure::Member(value.text().into_owned(), operation)
            }
        })
    }
}
