//! Where usage comes from.

use std::ops::ControlFlow;

use async_trait::async_trait;
use creto_rating::{Moment, UsageEvent};

/// A source that failed.
#[derive(Debug, thiserror::Error)]
#[error("usage cannot be read: {0}")]
pub struct SourceError(pub String);

/// An event with who is to pay for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcedEvent {
    /// The subscription; empty when the event does not name one.
    pub subscription: String,
    /// The customer; empty when the event does not name one.
    pub customer: String,
    /// What was used.
    pub event: UsageEvent,
}

/// Gives the events of a namespace. Each event once: repeats are removed where events come in.
#[async_trait]
pub trait UsageSource: Send + Sync {
    /// Calls `each` with every event in `[from, to)`, in any order, until it breaks off.
    ///
    /// # Errors
    /// [`SourceError`] when not all events could be read; what was read until then is not used.
    async fn scan(
        &self,
        namespace: &str,
        from: Moment,
        to: Moment,
        each: &mut (dyn for<'e> FnMut(&'e SourcedEvent) -> ControlFlow<()> + Send),
    ) -> Result<(), SourceError>;
}
