//! Operator tokens, as kept: their digests.

use async_trait::async_trait;

use crate::StoreError;

/// An operator's token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptOperatorToken {
    /// Whose.
    pub namespace: String,
    /// Tells the namespace's tokens apart.
    pub name: String,
    /// SHA-256 of the token.
    pub digest: [u8; 32],
    /// Every namespace, not only its own.
    pub admin: bool,
    /// Sends metering events into its namespace, and may do nothing else.
    pub producer: bool,
    /// Milliseconds since the Unix epoch.
    pub created_at_ms: i64,
}

/// Keeps operator tokens.
#[async_trait]
pub trait TokenStore: Send + Sync + 'static {
    /// Adds a token; `limit` is how many the namespace may hold.
    async fn add_operator_token(&self, token: &KeptOperatorToken, limit: u64) -> Result<(), StoreError>;
    /// The token with this digest: its namespace is only known after.
    async fn operator_token(&self, digest: &[u8; 32]) -> Result<Option<KeptOperatorToken>, StoreError>;
    /// Drops a token.
    async fn delete_operator_token(&self, namespace: &str, name: &str) -> Result<(), StoreError>;
}
