//! Which secrets an agent's policies name.

use async_trait::async_trait;
use creto_store::{KeptAgent, StoreError};

/// Says which secrets an agent may have: those that policies name.
#[async_trait]
pub trait NamedBy: Send + Sync + 'static {
    /// Whether a `[[credential]]` of a policy that applies to the agent now says `from = { secret = "<secret>" }`.
    async fn names(&self, agent: &KeptAgent, secret: &str) -> Result<bool, StoreError>;
}
