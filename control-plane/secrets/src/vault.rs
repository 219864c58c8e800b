//! Putting, listing, deleting, fetching, and moving to a newer key.

use std::sync::Arc;

use creto_identity::{IdentityError, now_ms, page_limit, page_of};
use creto_proto::v1::{ListSecretsRequest, ListSecretsResponse, SecretMetadata, TrustLevel};
use creto_store::{KeptAgent, KeptSecret, KeptState, SecretSummary, Store, StoreError};
use tokio::sync::Mutex;

use crate::seal::{open, seal};
use crate::{KeyRing, NamedBy, SecretValue, SecretsError, check_secret_name};

/// Most secrets of a namespace.
pub const MAX_SECRETS: u64 = 1_000;

/// Secrets read at a time when they move to a newer key.
const RESEALED_AT_ONCE: u32 = 32;

/// A secret as a sidecar gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The value.
    pub value: SecretValue,
    /// Its version.
    pub version: u64,
}

/// How moving to the newest key went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Secrets now under the newest key that were not before.
    pub moved: u64,
    /// Secrets that do not open and stay as they are.
    pub stuck: u64,
}

/// Keeps secrets.
#[derive(Clone)]
pub struct Vault {
    store: Arc<dyn Store>,
    keys: Arc<KeyRing>,
    named_by: Arc<dyn NamedBy>,
    // One change at a time: the version is sealed with the value, so it must be known before.
    changing: Arc<Mutex<()>>,
}

impl Vault {
    /// Over a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, keys: KeyRing, named_by: Arc<dyn NamedBy>) -> Self {
        Self { store, keys: Arc::new(keys), named_by, changing: Arc::default() }
    }

    /// Keeps a value under a name, in place of the one before it. The namespace's name is the caller's to check.
    ///
    /// # Errors
    /// [`SecretsError::Invalid`] for a bad name, [`SecretsError::Store`] when the namespace is full.
    pub async fn put(
        &self,
        namespace: &str,
        name: &str,
        value: &SecretValue,
    ) -> Result<SecretMetadata, SecretsError> {
        check_secret_name(name)?;
        let _turn = self.changing.lock().await;
        let before = match self.store.secret(namespace, name).await {
            Ok(kept) => kept.summary.version,
            Err(StoreError::NotFound) => 0,
            Err(error) => return Err(SecretsError::Store(error)),
        };
        let now = now_ms();
        let summary = SecretSummary {
            namespace: namespace.into(),
            name: name.into(),
            version: before.saturating_add(1),
            created_at_ms: now,
            updated_at_ms: now,
        };
        let sealed = seal(&self.keys, &summary, value)?;
        let put = self.store.put_secret(&KeptSecret { summary, sealed }, MAX_SECRETS).await;
        put.map(metadata).map_err(|error| SecretsError::about(name, error))
    }

    /// A page of secrets without their values, by name.
    ///
    /// # Errors
    /// [`SecretsError::Identity`] for a page size out of range.
    pub async fn list(&self, request: &ListSecretsRequest) -> Result<ListSecretsResponse, SecretsError> {
        let limit = page_limit(request.page_size)?;
        let page = self
            .store
            .secrets(&request.namespace, &request.page_token, limit)
            .await
            .map_err(SecretsError::Store)?;
        let secrets = page.into_iter().map(metadata).collect();
        let (secrets, next_page_token) =
            page_of(secrets, limit, |secret: &SecretMetadata| secret.name.clone());
        Ok(ListSecretsResponse { secrets, next_page_token })
    }

    /// Drops a secret: sidecars that ask again do not get it any more.
    ///
    /// # Errors
    /// [`SecretsError::NoSecret`].
    pub async fn delete(&self, namespace: &str, name: &str) -> Result<(), SecretsError> {
        check_secret_name(name)?;
        let _turn = self.changing.lock().await;
        let deleted = self.store.delete_secret(namespace, name).await;
        deleted.map_err(|error| SecretsError::about(name, error))
    }

    /// The value of a secret, for a sidecar of this agent.
    ///
    /// # Errors
    /// [`SecretsError::NotForAgent`] unless a policy that applies to the agent names the secret and it is there;
    /// [`SecretsError::Identity`] or [`SecretsError::Distrusted`] for an agent that does not act;
    /// [`SecretsError::Damaged`] or [`SecretsError::UnknownKey`] for a row that does not open.
    pub async fn fetch(&self, namespace: &str, agent: &str, name: &str) -> Result<Fetched, SecretsError> {
        let agent = match self.store.agent(namespace, agent).await {
            Ok(agent) => acting(agent)?,
            Err(StoreError::NotFound) => return Err(SecretsError::NotForAgent),
            Err(error) => return Err(SecretsError::Store(error)),
        };
        // Asked before the secret is looked for: what no policy names takes as long whether it is there or not.
        if check_secret_name(name).is_err()
            || !self.named_by.names(&agent, name).await.map_err(SecretsError::Store)?
        {
            return Err(SecretsError::NotForAgent);
        }
        let kept = match self.store.secret(namespace, name).await {
            Ok(kept) => kept,
            Err(StoreError::NotFound) => return Err(SecretsError::NotForAgent),
            Err(error) => return Err(SecretsError::Store(error)),
        };
        let version = kept.summary.version;
        Ok(Fetched { value: open(&self.keys, kept)?, version })
    }

    /// Moves every secret of every namespace to the newest key. One that does not open is told in the log and stays.
    ///
    /// # Errors
    /// [`SecretsError::Store`] when the store fails, [`SecretsError::Cipher`] when the cipher does; what was moved
    /// before that stays moved.
    pub async fn reseal(&self) -> Result<Resealed, SecretsError> {
        let _turn = self.changing.lock().await;
        let mut done = Resealed::default();
        let mut after = (String::new(), String::new());
        loop {
            let page = self
                .store
                .secrets_of_other_keys(&self.keys.newest().id, (&after.0, &after.1), RESEALED_AT_ONCE)
                .await
                .map_err(SecretsError::Store)?;
            let Some(last) = page.last() else { return Ok(done) };
            after = (last.summary.namespace.clone(), last.summary.name.clone());
            let mut resealed = Vec::with_capacity(page.len());
            for kept in page {
                let summary = kept.summary.clone();
                match open(&self.keys, kept) {
                    Ok(value) => {
                        let sealed = seal(&self.keys, &summary, &value)?;
                        resealed.push(KeptSecret { summary, sealed });
                    }
                    Err(error) => {
                        done.stuck += 1;
                        tracing::error!(
                            namespace = summary.namespace,
                            secret = summary.name,
                            %error,
                            "a secret does not move to the newest key"
                        );
                    }
                }
            }
            self.store.reseal_secrets(&resealed).await.map_err(SecretsError::Store)?;
            done.moved += u64::try_from(resealed.len()).unwrap_or(0);
        }
    }
}

/// The agent, if it acts at all.
fn acting(agent: KeptAgent) -> Result<KeptAgent, SecretsError> {
    match agent.state {
        KeptState::Revoked => Err(IdentityError::Revoked(agent.name).into()),
        KeptState::Suspended => Err(IdentityError::Suspended(agent.name).into()),
        KeptState::Active if agent.trust_level == i32::from(TrustLevel::Suspended) => {
            Err(SecretsError::Distrusted(agent.name))
        }
        KeptState::Active => Ok(agent),
    }
}

fn metadata(kept: SecretSummary) -> SecretMetadata {
    SecretMetadata {
        namespace: kept.namespace,
        name: kept.name,
        version: kept.version,
        created_at_ms: kept.created_at_ms,
        updated_at_ms: kept.updated_at_ms,
    }
}

#[cfg(test)]
mod tests;
