//! Delegations, as kept.

use async_trait::async_trait;

use crate::StoreError;

/// One link, as far as it is searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptLink {
    /// SHA-256 over the link's signed bytes and signature.
    pub link_id: [u8; 32],
    /// Who signed.
    pub delegator_id: [u8; 32],
    /// Who may act.
    pub agent_id: [u8; 32],
}

/// A verified chain of links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptDelegation {
    /// Whose.
    pub namespace: String,
    /// The id of its last link.
    pub delegation_id: [u8; 32],
    /// Who may act under it.
    pub holder_id: [u8; 32],
    /// The holder's name.
    pub holder_name: String,
    /// The earliest end of its links, seconds since the Unix epoch.
    pub expires_at_s: u64,
    /// Ended for good.
    pub revoked: bool,
    /// Milliseconds since the Unix epoch.
    pub created_at_ms: i64,
    /// The links in their API encoding, which the store does not look into.
    pub encoded_links: Vec<u8>,
    /// The links, root first; left empty when read.
    pub links: Vec<KeptLink>,
}

/// A delegation that was ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedDelegation {
    /// As it is now.
    pub delegation: KeptDelegation,
    /// Who held it or what was delegated from it: at most 1,000 names.
    pub holders: Vec<String>,
}

/// Keeps delegations.
#[async_trait]
pub trait DelegationStore: Send + Sync + 'static {
    /// Adds a delegation unless one of its links is revoked ([`StoreError::Changed`]); the same one twice changes
    /// nothing. `limit` is how many the namespace may hold.
    async fn add_delegation(&self, delegation: &KeptDelegation, limit: u64) -> Result<(), StoreError>;
    /// One delegation.
    async fn delegation(&self, namespace: &str, id: &[u8; 32]) -> Result<KeptDelegation, StoreError>;
    /// At most `limit` delegations by id, after `after`, of one holder or of all.
    async fn delegations(
        &self,
        namespace: &str,
        holder_name: Option<&str>,
        after: &[u8],
        limit: u32,
    ) -> Result<Vec<KeptDelegation>, StoreError>;
    /// The holder's delegations that are neither revoked nor expired, newest first, at most `limit`.
    async fn live_delegations(
        &self,
        namespace: &str,
        holder_name: &str,
        now_s: u64,
        limit: u32,
    ) -> Result<Vec<KeptDelegation>, StoreError>;
    /// Ends the delegation and all whose links include its last one, and bumps the revocation epoch.
    async fn revoke_delegation(&self, namespace: &str, id: &[u8; 32]) -> Result<EndedDelegation, StoreError>;
    /// Id of the key that the namespace's chains are minted under, from 1.
    async fn chain_key_id(&self, namespace: &str) -> Result<u32, StoreError>;
    /// The next id; with `void_earlier` the revocation epoch is bumped too.
    async fn rotate_chain_keys(&self, namespace: &str, void_earlier: bool) -> Result<u32, StoreError>;
    /// Notes that chains are minted on links of these keys, before any is.
    async fn note_delegators(&self, namespace: &str, agent_ids: &[[u8; 32]]) -> Result<(), StoreError>;
    /// Whether any of these links is revoked.
    async fn any_link_revoked(&self, namespace: &str, link_ids: &[[u8; 32]]) -> Result<bool, StoreError>;
}
