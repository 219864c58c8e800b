//! Sidecars and what they run, as kept.

use async_trait::async_trait;

use crate::StoreError;

/// A sidecar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptSidecar {
    /// Whose.
    pub namespace: String,
    /// Its id.
    pub sidecar_id: String,
    /// The agent it serves.
    pub agent_name: String,
    /// Epoch of the generation offered last; 0 for none.
    pub offered_epoch: u64,
    /// Epoch of the generation acknowledged last.
    pub applied_epoch: u64,
    /// Why the offered one was refused; empty if it was not.
    pub rejection: String,
    /// Milliseconds since the Unix epoch.
    pub last_seen_ms: i64,
}

/// What a sidecar runs, as far as its stream knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SidecarNote {
    /// Whose.
    pub namespace: String,
    /// Its id.
    pub sidecar_id: String,
    /// Epoch of the generation offered last; 0 for none.
    pub offered_epoch: u64,
    /// Epoch of the generation acknowledged last.
    pub applied_epoch: u64,
    /// Why the offered one was refused; empty if it was not.
    pub rejection: String,
    /// Milliseconds since the Unix epoch.
    pub last_seen_ms: i64,
}

/// Something that happened in a sidecar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptSidecarEvent {
    /// Whose.
    pub namespace: String,
    /// Counts up within the namespace; given when it is kept.
    pub number: u64,
    /// Where.
    pub sidecar_id: String,
    /// The agent that the sidecar serves.
    pub agent_name: String,
    /// By the sidecar's clock, milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// By the control plane's.
    pub kept_at_ms: i64,
    /// Number of the kind, as in the API.
    pub kind: i32,
    /// Epoch in force when it happened.
    pub epoch: u64,
    /// What.
    pub detail: String,
}

/// Keeps sidecars.
#[async_trait]
pub trait SidecarStore: Send + Sync + 'static {
    /// The sidecar whose certificate has this SHA-256: its namespace is only known after.
    async fn sidecar_by_fingerprint(&self, fingerprint: &[u8; 32])
    -> Result<Option<KeptSidecar>, StoreError>;
    /// At most `limit` sidecars by id, after `after`.
    async fn sidecars(
        &self,
        namespace: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<KeptSidecar>, StoreError>;
    /// A policy epoch that the namespace never had: one higher than the last.
    async fn next_policy_epoch(&self, namespace: &str) -> Result<u64, StoreError>;
    /// Notes what sidecars run, all or none; those that are not known are passed over.
    async fn note_sidecars(&self, notes: &[SidecarNote]) -> Result<(), StoreError>;
    /// Keeps events in their order, all or none. Of each sidecar only the newest `max_each` stay.
    async fn add_sidecar_events(&self, events: &[KeptSidecarEvent], max_each: u32) -> Result<(), StoreError>;
    /// At most `limit` events with a number below `before`, newest first; of one sidecar, or of all.
    async fn sidecar_events(
        &self,
        namespace: &str,
        sidecar_id: Option<&str>,
        before: u64,
        limit: u32,
    ) -> Result<Vec<KeptSidecarEvent>, StoreError>;
}
