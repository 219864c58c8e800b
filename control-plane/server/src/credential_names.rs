//! Which secrets the policies of an agent name, read from the documents once a change.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use creto_policy::{Document, SecretFrom, Selector};
use creto_policy_store::facts;
use creto_secrets::NamedBy;
use creto_store::{KeptAgent, KeptPolicy, Store, StoreError};
use parking_lot::Mutex;
use tonic::async_trait;

/// Documents read at a time.
const READ_AT_ONCE: u32 = 100;
/// Namespaces whose names are held; at one more all are let go and read again when asked for.
const MAX_NAMESPACES: usize = 1_000;

/// The secrets that one document names, and for whom.
#[derive(Debug)]
struct Named {
    selector: Selector,
    secrets: BTreeSet<String>,
}

/// One namespace.
#[derive(Default)]
struct Namespace {
    changes: AtomicU64,
    /// What was read, with the count of changes before reading.
    read: tokio::sync::Mutex<Option<(u64, Arc<[Named]>)>>,
}

/// Says which secrets an agent's policies name.
pub(crate) struct CredentialNames {
    store: Arc<dyn Store>,
    namespaces: Mutex<HashMap<String, Arc<Namespace>>>,
}

impl CredentialNames {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, namespaces: Mutex::default() }
    }

    /// A document of the namespace changed.
    pub(crate) fn note(&self, namespace: &str) {
        if let Some(known) = self.namespaces.lock().get(namespace) {
            known.changes.fetch_add(1, Ordering::Release);
        }
    }

    fn of(&self, namespace: &str) -> Arc<Namespace> {
        let mut namespaces = self.namespaces.lock();
        if namespaces.len() >= MAX_NAMESPACES && !namespaces.contains_key(namespace) {
            namespaces.clear();
        }
        Arc::clone(namespaces.entry(namespace.to_owned()).or_default())
    }

    /// The documents of a namespace that name secrets.
    async fn read(&self, namespace: &str) -> Result<Arc<[Named]>, StoreError> {
        let known = self.of(namespace);
        // Held while reading: of many that ask at once, one reads.
        let mut kept = known.read.lock().await;
        // Taken before reading: what changes meanwhile makes this reading old, never the reverse.
        let changes = known.changes.load(Ordering::Acquire);
        if let Some((of, named)) = kept.as_ref()
            && *of == changes
        {
            return Ok(Arc::clone(named));
        }
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.store.policies(namespace, &after, READ_AT_ONCE).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.name);
            found.extend(page.iter().filter_map(named_in));
        }
        let named: Arc<[Named]> = found.into();
        *kept = Some((changes, Arc::clone(&named)));
        Ok(named)
    }
}

#[async_trait]
impl NamedBy for CredentialNames {
    async fn names(&self, agent: &KeptAgent, secret: &str) -> Result<bool, StoreError> {
        let named = self.read(&agent.namespace).await?;
        let agent = facts(agent);
        Ok(named.iter().any(|one| one.secrets.contains(secret) && one.selector.matches(&agent)))
    }
}

/// Whom a document is for and which secrets its credentials name; none for one that names no secret or does not
/// compile any more: it gives nobody anything.
fn named_in(kept: &KeptPolicy) -> Option<Named> {
    let document = Document::parse(&kept.name, &kept.document).ok()?;
    let secrets: BTreeSet<String> = document
        .credentials()
        .filter_map(|credential| match credential.from() {
            SecretFrom::Stored(name) => Some(name.clone()),
            SecretFrom::File(_) | SecretFrom::Env(_) => None,
        })
        .collect();
    (!secrets.is_empty()).then(|| Named { selector: document.selector().clone(), secrets })
}
