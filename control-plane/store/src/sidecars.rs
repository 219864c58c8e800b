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
    /// Epoch of the bundle offered last; 0 for none.
    pub offered_epoch: u64,
    /// Version of the bundle offered last.
    pub offered_version: String,
    /// Epoch of the bundle acknowledged last.
    pub applied_epoch: u64,
    /// Why the offered one was refused; empty if it was not.
    pub rejection: String,
    /// Milliseconds since the Unix epoch.
    pub last_seen_ms: i64,
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
    /// The epoch under which this version is offered: the last one if the version is the same and the sidecar's
    /// own epoch is not ahead, else one higher than both.
    async fn offer_bundle(
        &self,
        namespace: &str,
        sidecar_id: &str,
        version: &str,
        own_epoch: u64,
        now_ms: i64,
    ) -> Result<u64, StoreError>;
    /// Notes an acknowledgement, or with a reason a refusal.
    async fn note_answer(
        &self,
        namespace: &str,
        sidecar_id: &str,
        epoch: u64,
        rejection: Option<&str>,
        now_ms: i64,
    ) -> Result<(), StoreError>;
    /// Notes that the sidecar was heard of.
    async fn note_seen(&self, namespace: &str, sidecar_id: &str, now_ms: i64) -> Result<(), StoreError>;
}
