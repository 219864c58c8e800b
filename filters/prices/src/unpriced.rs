//! Why something has no price.

use thiserror::Error;

use crate::kind::Kind;
use crate::service_tier::ServiceTier;

/// No price can be told. It is never zero: count it apart and alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("unpriced: {reason}")]
pub struct Unpriced {
    /// Why.
    pub reason: Reason,
}

/// Why something has no price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Reason {
    /// No row is of the provider.
    #[error("no price row is of this provider: add rows with its name")]
    UnknownProvider,
    /// The provider has rows, none of the model.
    #[error("no price row names this model: add a row, or an alias to the row whose prices it has")]
    UnknownModel,
    /// Rows name the model, none was in effect at the time.
    #[error("no price row of this model was in effect at the time: add one, or correct its effective dates")]
    NotInEffect,
    /// The row has no prices for the service tier.
    #[error("the model's price row has no `{}` prices: add the table `{}` to it", .0.as_str(), .0.as_str())]
    ServiceTier(ServiceTier),
    /// The service tier is not one that rows can price.
    #[error("the answer was billed at a service tier without a price per token")]
    UnknownServiceTier,
    /// The service tier has no prices for a context this long.
    #[error("the `{}` prices of the model's row end below this many input tokens: add a `long` entry", .0.as_str())]
    LongContext(ServiceTier),
    /// The row has no price for a kind that was used.
    #[error("the model's price row has no price for `{}`: add it", .0.as_str())]
    Kind(Kind),
    /// The call does not bound its output, and the row does not know the model's own bound.
    #[error("the call names no most output tokens, and the model's price row has no `max_output`: add it")]
    OutputLimit,
    /// The call reads what is not in it, and the row does not know how much the model can read.
    #[error("the call reads more than it holds, and the model's price row has no `context_window`: add it")]
    ContextWindow,
    /// The sum is beyond about 1.7e23 units.
    #[error("the sum is too large to be held exactly")]
    TooLarge,
}
