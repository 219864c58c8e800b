//! Policy documents: applying, showing, deleting.

use std::sync::Arc;

use creto_identity::{now_ms, page_limit, page_of};
use creto_policy::Document;
use creto_proto::v1::{ApplyPolicyRequest, ListPoliciesRequest, ListPoliciesResponse, Policy};
use creto_store::{KeptPolicy, Store, StoreError};
use sha2::{Digest as _, Sha256};

use crate::PolicyError;

/// Largest document, in bytes.
pub const MAX_POLICY_BYTES: usize = 1 << 20;
/// Most documents of a namespace.
pub const MAX_POLICIES: u64 = 1_000;
/// Most bytes of all documents of a namespace: all of them fit into one bundle and one message.
pub const MAX_NAMESPACE_BYTES: u64 = 3 << 20;

/// Keeps documents.
#[derive(Clone)]
pub struct PolicyDocuments {
    store: Arc<dyn Store>,
}

impl PolicyDocuments {
    /// Over a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Compiles a document and keeps it if it does. The name in the document is the policy's name.
    ///
    /// # Errors
    /// [`PolicyError::DoesNotCompile`] with line and caret; the one stored before stays.
    pub async fn apply(&self, request: ApplyPolicyRequest) -> Result<Policy, PolicyError> {
        let bytes = request.document.len();
        if bytes > MAX_POLICY_BYTES {
            return Err(PolicyError::TooLarge { bytes, limit: MAX_POLICY_BYTES });
        }
        let name = Document::parse("policy.toml", &request.document)
            .map_err(|problems| PolicyError::DoesNotCompile(problems.render(false)))?
            .name()
            .to_owned();
        let kept = KeptPolicy {
            namespace: request.namespace,
            name,
            version: hex::encode(Sha256::digest(request.document.as_bytes())),
            document: request.document,
            revision: 0,
            updated_at_ms: now_ms(),
        };
        let stored = self.store.put_policy(&kept, MAX_POLICIES, MAX_NAMESPACE_BYTES).await;
        stored.map(policy_message).map_err(PolicyError::Store)
    }

    /// One document.
    ///
    /// # Errors
    /// [`PolicyError::NoPolicy`].
    pub async fn get(&self, namespace: &str, name: &str) -> Result<Policy, PolicyError> {
        let found = self.store.policy(namespace, name).await;
        found.map(policy_message).map_err(|error| about(name, error))
    }

    /// A page of documents, by name.
    ///
    /// # Errors
    /// [`PolicyError::Identity`] for a page size out of range.
    pub async fn list(&self, request: &ListPoliciesRequest) -> Result<ListPoliciesResponse, PolicyError> {
        let limit = page_limit(request.page_size)?;
        let page = self
            .store
            .policies(&request.namespace, &request.page_token, limit)
            .await
            .map_err(PolicyError::Store)?;
        let policies = page.into_iter().map(policy_message).collect();
        let (policies, next_page_token) = page_of(policies, limit, |policy: &Policy| policy.name.clone());
        Ok(ListPoliciesResponse { policies, next_page_token })
    }

    /// Drops a document.
    ///
    /// # Errors
    /// [`PolicyError::NoPolicy`].
    pub async fn delete(&self, namespace: &str, name: &str) -> Result<(), PolicyError> {
        self.store.delete_policy(namespace, name).await.map_err(|error| about(name, error))
    }
}

fn about(name: &str, error: StoreError) -> PolicyError {
    match error {
        StoreError::NotFound => PolicyError::NoPolicy(name.into()),
        other => PolicyError::Store(other),
    }
}

/// A document as the API shows it.
pub(crate) fn policy_message(kept: KeptPolicy) -> Policy {
    Policy {
        namespace: kept.namespace,
        name: kept.name,
        document: kept.document,
        version: kept.version,
        revision: kept.revision,
        updated_at_ms: kept.updated_at_ms,
    }
}
