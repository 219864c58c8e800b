//! Says that something changed, to the streams of the namespace it changed in and to no other.

use std::collections::HashMap;
use std::sync::Arc;

use creto_policy::{Document, Selector};
use creto_proto::v1::Policy;
use creto_store::{Store, StoreError};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::documents::policy_message;

/// Documents read at a time when a namespace is read whole.
const READ_AT_ONCE: u32 = 100;

/// How often things changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// Changes of any kind.
    pub(crate) any: u64,
    /// Changes that must not wait: of an agent's state, of a delegation.
    pub(crate) urgent: u64,
}

/// A namespace's documents, read once a change and shared by all its streams.
pub(crate) struct Snapshot {
    /// Each with whom it is for; none for one that no longer compiles, which is then for everyone: the sidecar
    /// refuses it and says so, where leaving it out could drop a deny rule.
    pub(crate) policies: Vec<(Option<Selector>, Policy)>,
    /// Chains minted before this epoch are void.
    pub(crate) revocation_epoch: u32,
}

/// One namespace's changes.
pub(crate) struct NamespaceChanges {
    sender: watch::Sender<Change>,
    snapshot: tokio::sync::Mutex<Option<(u64, Arc<Snapshot>)>>,
}

impl NamespaceChanges {
    pub(crate) fn subscribe(&self) -> watch::Receiver<Change> {
        self.sender.subscribe()
    }

    /// The namespace as it is now.
    pub(crate) async fn snapshot(
        &self,
        store: &dyn Store,
        namespace: &str,
    ) -> Result<Arc<Snapshot>, StoreError> {
        let mut kept = self.snapshot.lock().await;
        // Taken before reading: what changes meanwhile makes this snapshot old, never the reverse.
        let generation = self.sender.borrow().any;
        if let Some((of, snapshot)) = kept.as_ref()
            && *of == generation
        {
            return Ok(Arc::clone(snapshot));
        }
        let revocation_epoch = store.revocation_epoch(namespace).await?;
        let mut policies = Vec::new();
        let mut after = String::new();
        loop {
            let page = store.policies(namespace, &after, READ_AT_ONCE).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.name);
            policies.extend(page.into_iter().map(|document| {
                let selector = Document::parse(&document.name, &document.document)
                    .map(|compiled| compiled.selector().clone())
                    .inspect_err(|_| {
                        tracing::error!(policy = document.name, "a stored policy no longer compiles");
                    })
                    .ok();
                (selector, policy_message(document))
            }));
        }
        let snapshot = Arc::new(Snapshot { policies, revocation_epoch });
        *kept = Some((generation, Arc::clone(&snapshot)));
        Ok(snapshot)
    }
}

/// The changes of all namespaces that have streams.
#[derive(Clone, Default)]
pub struct Changes {
    namespaces: Arc<Mutex<HashMap<String, Arc<NamespaceChanges>>>>,
}

impl Changes {
    /// Something changed that may wait for more: a document.
    pub fn note(&self, namespace: &str) {
        self.send(namespace, false);
    }

    /// Something changed that must not wait: an agent, a delegation.
    pub fn note_at_once(&self, namespace: &str) {
        self.send(namespace, true);
    }

    fn send(&self, namespace: &str, urgent: bool) {
        let found = self.namespaces.lock().get(namespace).cloned();
        if let Some(changes) = found {
            changes.sender.send_modify(|change| {
                change.any += 1;
                change.urgent += u64::from(urgent);
            });
        }
    }

    /// The changes of one namespace, from now on.
    pub(crate) fn of(&self, namespace: &str) -> Arc<NamespaceChanges> {
        let mut namespaces = self.namespaces.lock();
        let entry = namespaces.entry(namespace.to_owned()).or_insert_with(|| {
            Arc::new(NamespaceChanges {
                sender: watch::Sender::new(Change::default()),
                snapshot: tokio::sync::Mutex::new(None),
            })
        });
        Arc::clone(entry)
    }
}
