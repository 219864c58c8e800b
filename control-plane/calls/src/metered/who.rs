//! Whose calls they are: agent, customer, subscription, delegation.

use std::collections::HashMap;

use creto_client::metering::EventDraft;
use creto_proto::v1::Delegation;
use creto_store::{Store, StoreError};
use prost::Message as _;

use crate::{CallsError, Reporter};

/// Label of an agent that says who pays.
const CUSTOMER: &str = "customer";
/// Label of an agent that says under which subscription.
const SUBSCRIPTION: &str = "subscription";

/// What is known of the reporter's agent.
pub(super) struct Who<'a> {
    reporter: Reporter<'a>,
    customer: String,
    subscription: String,
    delegations: HashMap<Vec<u8>, String>,
}

impl<'a> Who<'a> {
    pub(super) async fn of(store: &dyn Store, reporter: Reporter<'a>) -> Result<Self, CallsError> {
        let mut labels = match store.agent(reporter.namespace, reporter.agent_name).await {
            Ok(agent) => agent.labels,
            Err(StoreError::NotFound) => std::collections::BTreeMap::new(),
            Err(error) => return Err(CallsError::Store(error)),
        };
        let mut label = |name| labels.remove(name).unwrap_or_default();
        let (customer, subscription) = (label(CUSTOMER), label(SUBSCRIPTION));
        Ok(Self { reporter, customer, subscription, delegations: HashMap::new() })
    }

    /// The event with whose it is.
    pub(super) fn sign(&self, draft: EventDraft) -> EventDraft {
        draft
            .agent(self.reporter.agent_name.to_owned())
            .customer(self.customer.clone())
            .subscription(self.subscription.clone())
    }

    /// Names of a delegation's participants, root first, joined by `/`; empty for none. A report has few of them.
    pub(super) async fn delegation(&mut self, store: &dyn Store, id: &[u8]) -> Result<String, CallsError> {
        if let Some(known) = self.delegations.get(id) {
            return Ok(known.clone());
        }
        let names = self.names(store, id).await?;
        self.delegations.insert(id.to_vec(), names.clone());
        Ok(names)
    }

    async fn names(&self, store: &dyn Store, id: &[u8]) -> Result<String, CallsError> {
        let Ok(id) = <[u8; 32]>::try_from(id) else { return Ok(String::new()) };
        let kept = match store.delegation(self.reporter.namespace, &id).await {
            Ok(kept) => kept,
            Err(StoreError::NotFound) => return Ok(String::new()),
            Err(error) => return Err(CallsError::Store(error)),
        };
        let damaged = |_| CallsError::Store(StoreError::Damaged("delegations.links does not decode".into()));
        let links = Delegation::decode(kept.encoded_links.as_slice()).map_err(damaged)?.links;
        let holders = links.iter().map(|link| &link.agent_id);
        let ids = links.first().map(|link| &link.delegator_id).into_iter().chain(holders);
        let mut names: Vec<String> = Vec::new();
        for id in ids {
            names.push(self.name(store, id).await?);
        }
        // The holder is known by name though its key was rotated away since.
        if let Some(last) = names.last_mut() {
            *last = kept.holder_name;
        }
        Ok(names.join("/"))
    }

    async fn name(&self, store: &dyn Store, id: &[u8]) -> Result<String, CallsError> {
        let Ok(key) = <[u8; 32]>::try_from(id) else { return Ok(hex::encode(id)) };
        let found = store.agent_by_id(self.reporter.namespace, &key).await.map_err(CallsError::Store)?;
        // A key rotated away names nobody any more: the beginning of its id still tells it from others.
        Ok(found.map_or_else(|| hex::encode(&key[..8]), |agent| agent.name))
    }
}
