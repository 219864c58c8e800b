//! Enrolment tokens, as kept: their digests.

use async_trait::async_trait;

use crate::StoreError;

/// An enrolment token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptEnrollmentToken {
    /// Whose.
    pub namespace: String,
    /// SHA-256 of the token.
    pub digest: [u8; 32],
    /// The agent a sidecar may enrol for.
    pub agent_name: String,
    /// Milliseconds since the Unix epoch.
    pub expires_at_ms: i64,
}

/// A sidecar that enrols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSidecar {
    /// Its id.
    pub sidecar_id: String,
    /// Its Ed25519 key.
    pub public_key: [u8; 32],
    /// SHA-256 of its certificate.
    pub fingerprint: [u8; 32],
}

/// Keeps enrolment tokens.
#[async_trait]
pub trait EnrollmentStore: Send + Sync + 'static {
    /// Adds a token for an agent that is there and not revoked; drops the namespace's tokens that expired before
    /// `now_ms`. `limit` is how many unexpired ones the namespace may hold.
    async fn add_enrollment_token(
        &self,
        token: &KeptEnrollmentToken,
        now_ms: i64,
        limit: u64,
    ) -> Result<(), StoreError>;
    /// A token neither used nor expired, by digest: its namespace is only known after.
    async fn enrollment_token(
        &self,
        digest: &[u8; 32],
        now_ms: i64,
    ) -> Result<KeptEnrollmentToken, StoreError>;
    /// Uses the token up and adds the sidecar, both or neither.
    async fn redeem_enrollment_token(
        &self,
        token: &KeptEnrollmentToken,
        sidecar: &NewSidecar,
        now_ms: i64,
    ) -> Result<(), StoreError>;
}
