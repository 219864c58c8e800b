//! Says that something changed, to the streams that it concerns and to no other.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use creto_store::{Store, StoreError};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::snapshot::Snapshot;

/// How much later those hear of a revocation whom it may concern than those whom it does.
pub const OTHERS_LATER: Duration = Duration::from_millis(20);

/// How often things of a namespace changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// Documents. They may wait for more.
    pub(crate) documents: u64,
    /// Agents and delegations that chains of others may stand on. They do not wait.
    pub(crate) principals: u64,
}

/// One namespace's changes.
pub(crate) struct NamespaceChanges {
    sender: watch::Sender<Change>,
    /// Of single agents that have streams.
    agents: Mutex<HashMap<String, watch::Sender<u64>>>,
    /// Counts what changed before the streams that it may concern are woken.
    ahead: AtomicU64,
    snapshot: tokio::sync::Mutex<Option<(Change, u64, Arc<Snapshot>)>>,
}

impl NamespaceChanges {
    pub(crate) fn subscribe(&self) -> watch::Receiver<Change> {
        self.sender.subscribe()
    }

    /// The changes of one agent that concern no other.
    pub(crate) fn subscribe_agent(&self, agent: &str) -> watch::Receiver<u64> {
        let mut agents = self.agents.lock();
        // Those of streams that ended go with the next that begins: the map stays as large as the fleet.
        if agents.len() >= 64 && agents.len().is_power_of_two() {
            agents.retain(|_, sender| sender.receiver_count() > 0);
        }
        agents.entry(agent.to_owned()).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    /// The namespace as it is now: read once a change and shared by all its streams.
    pub(crate) async fn snapshot(
        &self,
        store: &dyn Store,
        namespace: &str,
    ) -> Result<Arc<Snapshot>, StoreError> {
        let mut kept = self.snapshot.lock().await;
        // Taken before reading: what changes meanwhile makes this snapshot old, never the reverse.
        let (change, ahead) = (*self.sender.borrow(), self.ahead.load(Ordering::Acquire));
        if let Some((of, ahead_of, snapshot)) = kept.as_ref()
            && (*of, *ahead_of) == (change, ahead)
        {
            return Ok(Arc::clone(snapshot));
        }
        let before = kept.as_ref().map(|(of, _, snapshot)| (of.documents == change.documents, snapshot));
        let snapshot = Arc::new(Snapshot::read(store, namespace, before).await?);
        *kept = Some((change, ahead, Arc::clone(&snapshot)));
        Ok(snapshot)
    }
}

/// The changes of all namespaces that have streams.
#[derive(Clone, Default)]
pub struct Changes {
    namespaces: Arc<Mutex<HashMap<String, Arc<NamespaceChanges>>>>,
}

impl Changes {
    /// A document changed: it may wait a moment for more.
    pub fn note_documents(&self, namespace: &str) {
        self.send(namespace, |change| change.documents += 1);
    }

    /// An agent or delegation changed that any chain may stand on: nobody waits.
    pub fn note_principals(&self, namespace: &str) {
        self.send(namespace, |change| change.principals += 1);
    }

    /// Something changed that concerns these agents: their streams do not wait. If it may concern others, they are woken
    /// a moment later, so that those it certainly concerns do not stand in line with ten thousand.
    pub fn note_agents(&self, namespace: &str, agents: &[&str], others: bool) {
        let Some(found) = self.namespaces.lock().get(namespace).cloned() else { return };
        if others {
            found.ahead.fetch_add(1, Ordering::Release);
        }
        {
            let senders = found.agents.lock();
            for sender in agents.iter().filter_map(|agent| senders.get(*agent)) {
                sender.send_modify(|count| *count += 1);
            }
        }
        if others {
            let (changes, namespace) = (self.clone(), namespace.to_owned());
            tokio::spawn(async move {
                tokio::time::sleep(OTHERS_LATER).await;
                changes.note_principals(&namespace);
            });
        }
    }

    fn send(&self, namespace: &str, modify: impl FnOnce(&mut Change)) {
        let found = self.namespaces.lock().get(namespace).cloned();
        if let Some(changes) = found {
            changes.sender.send_modify(modify);
        }
    }

    /// The changes of one namespace, from now on.
    pub(crate) fn of(&self, namespace: &str) -> Arc<NamespaceChanges> {
        let mut namespaces = self.namespaces.lock();
        let entry = namespaces.entry(namespace.to_owned()).or_insert_with(|| {
            Arc::new(NamespaceChanges {
                sender: watch::Sender::new(Change::default()),
                agents: Mutex::default(),
                ahead: AtomicU64::new(0),
                snapshot: tokio::sync::Mutex::new(None),
            })
        });
        Arc::clone(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_one_agent_wakes_its_streams_only() {
        let changes = Changes::default();
        let namespace = changes.of("a");
        let (mut one, mut two) = (namespace.subscribe_agent("one"), namespace.subscribe_agent("two"));
        let all = namespace.subscribe();
        one.borrow_and_update();
        two.borrow_and_update();
        changes.note_agents("a", &["one", "nobody"], false);
        changes.note_agents("b", &["two"], false);
        assert!(one.has_changed().unwrap() && !two.has_changed().unwrap() && !all.has_changed().unwrap());
    }

    #[test]
    fn agents_without_streams_are_forgotten() {
        let changes = Changes::default();
        let namespace = changes.of("a");
        for number in 0..1_000 {
            drop(namespace.subscribe_agent(&format!("agent-{number}")));
        }
        assert!(namespace.agents.lock().len() <= 64, "{}", namespace.agents.lock().len());
    }
}
