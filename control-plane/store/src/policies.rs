//! Policy documents, as kept.

use async_trait::async_trait;

use crate::StoreError;

/// A policy document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptPolicy {
    /// Whose.
    pub namespace: String,
    /// Unique in the namespace.
    pub name: String,
    /// The TOML as it was applied.
    pub document: String,
    /// SHA-256 of the document, hex.
    pub version: String,
    /// Counts applications from 1.
    pub revision: u64,
    /// Milliseconds since the Unix epoch.
    pub updated_at_ms: i64,
}

/// Keeps policy documents.
#[async_trait]
pub trait PolicyDocumentStore: Send + Sync + 'static {
    /// Adds or replaces a document; its revision is counted here. `max_count` and `max_bytes` bound what the
    /// namespace's documents may come to.
    async fn put_policy(
        &self,
        policy: &KeptPolicy,
        max_count: u64,
        max_bytes: u64,
    ) -> Result<KeptPolicy, StoreError>;
    /// One document.
    async fn policy(&self, namespace: &str, name: &str) -> Result<KeptPolicy, StoreError>;
    /// At most `limit` documents by name, after `after`.
    async fn policies(&self, namespace: &str, after: &str, limit: u32)
    -> Result<Vec<KeptPolicy>, StoreError>;
    /// Drops a document.
    async fn delete_policy(&self, namespace: &str, name: &str) -> Result<(), StoreError>;
}
