//! A namespace's documents, encoded once and shared by all its streams.

use std::sync::Arc;

use creto_bundle::{SharedResource, policy_resource};
use creto_policy::{AgentFacts, Document, Selector};
use creto_proto::v1::PolicyBody;
use creto_store::{KeptPolicy, Store, StoreError};
use prost::Message as _;

/// Documents read at a time when a namespace is read whole.
const READ_AT_ONCE: u32 = 100;

/// A document as it is sent, with whom it is for.
struct Sent {
    /// None for one that no longer compiles, which is then for everyone: the sidecar refuses it and says so, where
    /// leaving it out could drop a deny rule.
    selector: Option<Selector>,
    resource: SharedResource,
    /// SHA-256 of the document, by which an unchanged one is known.
    version: String,
}

/// A namespace as it is after one change.
pub(crate) struct Snapshot {
    /// Higher than that of every snapshot before.
    pub(crate) epoch: u64,
    /// Chains minted before this epoch are void.
    pub(crate) revocation_epoch: u32,
    policies: Arc<Vec<Sent>>,
}

impl Snapshot {
    /// Reads the namespace. Of the snapshot before, all documents are taken if none changed, else those that are the
    /// same.
    pub(crate) async fn read(
        store: &dyn Store,
        namespace: &str,
        before: Option<(bool, &Arc<Self>)>,
    ) -> Result<Self, StoreError> {
        // The revocation epoch first: chains minted for it are then never of a later one.
        let revocation_epoch = store.revocation_epoch(namespace).await?;
        let policies = match before {
            Some((true, before)) => Arc::clone(&before.policies),
            _ => Arc::new(documents(store, namespace, before.map(|(_, before)| before)).await?),
        };
        let epoch = store.next_policy_epoch(namespace).await?;
        Ok(Self { epoch, revocation_epoch, policies })
    }

    /// The policies for an agent.
    pub(crate) fn policies_for(&self, agent: &AgentFacts) -> Vec<SharedResource> {
        let meant = |sent: &&Sent| sent.selector.as_ref().is_none_or(|selector| selector.matches(agent));
        self.policies.iter().filter(meant).map(|sent| sent.resource.clone()).collect()
    }
}

async fn documents(
    store: &dyn Store,
    namespace: &str,
    before: Option<&Arc<Snapshot>>,
) -> Result<Vec<Sent>, StoreError> {
    let mut policies = Vec::new();
    let mut after = String::new();
    loop {
        let page = store.policies(namespace, &after, READ_AT_ONCE).await?;
        let Some(last) = page.last() else { return Ok(policies) };
        after.clone_from(&last.name);
        policies.extend(page.into_iter().map(|document| sent(document, before)));
    }
}

fn sent(document: KeptPolicy, before: Option<&Arc<Snapshot>>) -> Sent {
    let name = policy_resource(&document.name);
    let same = |sent: &&Sent| sent.resource.name() == name && sent.version == document.version;
    if let Some(kept) = before.and_then(|before| before.policies.iter().find(same)) {
        let (selector, resource) = (kept.selector.clone(), kept.resource.clone());
        return Sent { selector, resource, version: document.version };
    }
    let selector = Document::parse(&document.name, &document.document)
        .map(|compiled| compiled.selector().clone())
        .inspect_err(|_| tracing::error!(policy = document.name, "a stored policy no longer compiles"))
        .ok();
    let body = PolicyBody { name: document.name, document: document.document }.encode_to_vec();
    Sent { selector, resource: SharedResource::new(&name, body), version: document.version }
}
