//! Secrets, as kept: sealed by whoever calls; no value ever comes here.

use async_trait::async_trait;

use crate::StoreError;

/// A value under encryption.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedValue {
    /// Of how it is sealed.
    pub schema: u32,
    /// Tells the key.
    pub key_id: [u8; 8],
    /// Of the cipher.
    pub nonce: [u8; 12],
    /// Ciphertext and tag.
    pub ciphertext: Vec<u8>,
}

impl std::fmt::Debug for SealedValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedValue")
            .field("schema", &self.schema)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// A secret without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretSummary {
    /// Whose.
    pub namespace: String,
    /// Unique in the namespace.
    pub name: String,
    /// Counts the values put under the name from 1.
    pub version: u64,
    /// Milliseconds since the Unix epoch.
    pub created_at_ms: i64,
    /// Milliseconds since the Unix epoch.
    pub updated_at_ms: i64,
}

/// A secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptSecret {
    /// All but the value.
    pub summary: SecretSummary,
    /// The value.
    pub sealed: SealedValue,
}

/// Keeps sealed secrets.
#[async_trait]
pub trait SecretStore: Send + Sync + 'static {
    /// Adds a secret (version 1) or replaces it (the version after the one kept); when it was made stays as it was.
    /// `limit` is how many the namespace may hold. `Changed` when the version is not the next one: it is part of
    /// what was sealed, so the store cannot count it.
    async fn put_secret(&self, secret: &KeptSecret, limit: u64) -> Result<SecretSummary, StoreError>;
    /// One secret.
    async fn secret(&self, namespace: &str, name: &str) -> Result<KeptSecret, StoreError>;
    /// At most `limit` secrets by name, after `after`.
    async fn secrets(
        &self,
        namespace: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<SecretSummary>, StoreError>;
    /// Drops a secret.
    async fn delete_secret(&self, namespace: &str, name: &str) -> Result<(), StoreError>;
    /// Whether there is a secret in any namespace: its key must then be there too.
    async fn any_secret(&self) -> Result<bool, StoreError>;
    /// At most `limit` secrets of all namespaces under other keys than this one, after a namespace and name.
    async fn secrets_of_other_keys(
        &self,
        key_id: &[u8; 8],
        after: (&str, &str),
        limit: u32,
    ) -> Result<Vec<KeptSecret>, StoreError>;
    /// Puts the same values under another key: all of them or none. One that is not of this version any more stays
    /// as it is.
    async fn reseal_secrets(&self, resealed: &[KeptSecret]) -> Result<(), StoreError>;
}
