//! Agents, as kept.

use async_trait::async_trait;

use crate::StoreError;

/// Whether an agent acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptState {
    /// It does.
    Active,
    /// Not until it is resumed.
    Suspended,
    /// Never again.
    Revoked,
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAgent {
    /// Whose.
    pub namespace: String,
    /// Unique in the namespace, for good.
    pub name: String,
    /// SHA-256 of the public key.
    pub agent_id: [u8; 32],
    /// Ed25519.
    pub public_key: [u8; 32],
    /// The API's number.
    pub tier: i32,
    /// The API's number.
    pub trust_level: i32,
    /// Whether it acts.
    pub state: KeptState,
    /// Sorted by key.
    pub labels: std::collections::BTreeMap<String, String>,
    /// May sign the first link of a chain.
    pub root: bool,
    /// Milliseconds since the Unix epoch.
    pub created_at_ms: i64,
    /// Milliseconds since the Unix epoch.
    pub updated_at_ms: i64,
}

/// What checking a delegation needs to know of a participant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentSummary {
    /// Its name.
    pub name: String,
    /// Ed25519.
    pub public_key: [u8; 32],
    /// Whether it acts.
    pub state: KeptState,
    /// May sign the first link.
    pub root: bool,
}

/// An agent whose state was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateSet {
    /// As it is now.
    pub agent: KeptAgent,
    /// It changed, and chains of other agents may stand on links of this one.
    pub concerns_others: bool,
}

/// Keeps agents, and the namespace's revocation epoch.
#[async_trait]
pub trait AgentStore: Send + Sync + 'static {
    /// Adds an agent; `limit` is how many its namespace may hold.
    async fn create_agent(&self, agent: &KeptAgent, limit: u64) -> Result<(), StoreError>;
    /// One agent.
    async fn agent(&self, namespace: &str, name: &str) -> Result<KeptAgent, StoreError>;
    /// What is known of the agent that has this key now; none for a key rotated away.
    async fn agent_by_id(
        &self,
        namespace: &str,
        agent_id: &[u8; 32],
    ) -> Result<Option<AgentSummary>, StoreError>;
    /// At most `limit` agents by name, after `after`.
    async fn agents(&self, namespace: &str, after: &str, limit: u32) -> Result<Vec<KeptAgent>, StoreError>;
    /// Replaces the key `old_id`, ends every delegation the old key has a part in, and bumps the revocation epoch.
    async fn rotate_agent_key(
        &self,
        namespace: &str,
        name: &str,
        old_id: &[u8; 32],
        new_key: (&[u8; 32], &[u8; 32]),
        now_ms: i64,
    ) -> Result<KeptAgent, StoreError>;
    /// Sets the state; revoking also ends every delegation the agent has a part in. Unless the agent is resumed, the
    /// revocation epoch is bumped if others' chains may stand on its links: a delegation has one, or a chain was ever
    /// minted on one. Nothing changes when the agent is in that state already.
    async fn set_agent_state(
        &self,
        namespace: &str,
        name: &str,
        state: KeptState,
        now_ms: i64,
    ) -> Result<StateSet, StoreError>;
    /// The namespace's revocation epoch, from 1.
    async fn revocation_epoch(&self, namespace: &str) -> Result<u32, StoreError>;
}
