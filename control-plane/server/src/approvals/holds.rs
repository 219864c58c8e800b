//! The hold that a sidecar names, as the control plane's own policy has it: who decides is not for the sidecar to say.

use std::collections::HashMap;
use std::sync::Arc;

use creto_oversight::Panel;
use creto_policy::Document;
use creto_policy_store::facts;
use creto_store::{KeptAgent, Store, StoreError};
use parking_lot::Mutex;
use tonic::Status;

use crate::status::of_store;

/// Documents that are held compiled; at one more all are let go and compiled again when asked for.
const MAX_DOCUMENTS: usize = 64;

/// What a hold says of approvals.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// Who decides.
    pub(crate) panel: Panel,
    /// Most uses of one approval.
    pub(crate) most_uses: u16,
    /// How long one holds at most, in milliseconds.
    pub(crate) most_ms: u64,
    /// Why, for people.
    pub(crate) reason: Option<String>,
}

/// Finds holds.
#[derive(Clone)]
pub(crate) struct Holds {
    store: Arc<dyn Store>,
    /// By the SHA-256 of their text.
    compiled: Arc<Mutex<HashMap<String, Arc<Document>>>>,
}

impl Holds {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, compiled: Arc::default() }
    }

    /// What a hold of a policy says, for an agent that the policy is for.
    ///
    /// # Errors
    /// `FAILED_PRECONDITION` when there is none: the sidecar's policy is older or newer.
    pub(crate) async fn find(&self, agent: &KeptAgent, policy: &str, rule: &str) -> Result<Held, Status> {
        let none = |why: &str| {
            Status::failed_precondition(format!(
                "{why}: the sidecar's policy is older or newer than this one"
            ))
        };
        let kept = match self.store.policy(&agent.namespace, policy).await {
            Ok(kept) => kept,
            Err(StoreError::NotFound) => return Err(none("the control plane has no such policy")),
            Err(error) => return Err(of_store(error)),
        };
        let known = self.compiled.lock().get(&kept.version).cloned();
        let document = match known {
            Some(known) => known,
            None => {
                let parsed = Document::parse(&kept.name, &kept.document);
                let document = Arc::new(parsed.map_err(|_| none("the policy does not compile any more"))?);
                let mut compiled = self.compiled.lock();
                if compiled.len() >= MAX_DOCUMENTS {
                    compiled.clear();
                }
                compiled.insert(kept.version, Arc::clone(&document));
                document
            }
        };
        if !document.selector().matches(&facts(agent)) {
            return Err(none("the policy is not for this agent"));
        }
        panel_of(&document, rule).ok_or_else(|| none("the policy has no such hold"))
    }
}

fn panel_of(document: &Document, rule: &str) -> Option<Held> {
    let hold = document.hold(rule)?;
    Some(Held {
        panel: hold.panel().clone(),
        most_uses: hold.most_uses(),
        most_ms: hold.most_ms(),
        reason: hold.reason().map(str::to_owned),
    })
}
