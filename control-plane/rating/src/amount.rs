//! Prices that events carry or that are worked out from them.

use crate::expression::{EvaluationError, property};
use crate::{Currency, Model, Quantity, UsageEvent, Value};

/// An event whose price cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// The price is missing, unreadable or out of range.
    #[error("event `{event}`: {problem}")]
    Value {
        /// The event's id.
        event: String,
        /// What is wrong.
        problem: EvaluationError,
    },
    /// The price is in another currency than the plan.
    #[error(
        "event `{event}` is priced in `{found}`, the plan bills in {wanted}: amounts are never converted"
    )]
    Currency {
        /// The event's id.
        event: String,
        /// The event's currency.
        found: String,
        /// The plan's.
        wanted: Currency,
    },
}

/// What an event costs by itself under a model, in the main unit; nothing under models that price units.
pub(crate) fn carried_amount(
    model: &Model,
    event: &UsageEvent,
    currency: Currency,
) -> Result<Option<Quantity>, AmountError> {
    let id = || event.id.chars().take(80).collect::<String>();
    let value = |problem| AmountError::Value { event: id(), problem };
    match model {
        Model::Dynamic { amount_field, currency_field } => {
            if let Some(field) = currency_field {
                let found = event.properties.get(field).map(Value::text);
                let found = found.ok_or_else(|| value(EvaluationError::Missing(field.clone())))?;
                if found != currency.code() {
                    let found = found.chars().take(16).collect();
                    return Err(AmountError::Currency { event: id(), found, wanted: currency });
                }
            }
            property(event, amount_field).map(Some).map_err(value)
        }
        Model::Custom { amount } => amount.value(event).map(Some).map_err(value),
        _ => Ok(None),
    }
}
