//! The quotas of a namespace's policies, read and compiled once a change.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use creto_policy::{AgentFacts, Document, IMPLICIT_POLICY, PolicySet, QuotaRule, Selector, Tier, Trust};
use creto_policy_store::facts;
use creto_store::{KeptAgent, KeptPolicy, Store, StoreError};
use parking_lot::Mutex;

use super::QuotaError;

/// Documents read at a time.
const READ_AT_ONCE: u32 = 100;
/// Namespaces whose quotas are held; at one more all are let go and read again when asked for.
const MAX_NAMESPACES: usize = 1_000;
/// Revision of a limit that an agent's label says: labels stay as they were at its creation.
const LABEL_REVISION: u64 = 1;

/// A quota, with the revision of what says it.
#[derive(Clone, Debug)]
pub(super) struct KnownRule {
    pub(super) rule: Arc<QuotaRule>,
    /// Rises with each change of its document: when that was applied, in milliseconds since 1970, but above all that this
    /// process has seen in the namespace where it saw the change.
    pub(super) revision: u64,
}

impl KnownRule {
    pub(super) fn is_called(&self, policy: &str, quota: &str) -> bool {
        self.rule.policy() == policy && self.rule.name() == quota
    }
}

/// A document that has quotas.
struct WithQuotas {
    selector: Selector,
    /// SHA-256 of the document, by which an unchanged one is known.
    version: String,
    /// When it was applied, in milliseconds since 1970.
    applied_ms: u64,
    name: String,
    rules: Vec<KnownRule>,
}

/// What was read of a namespace.
#[derive(Default)]
struct Read {
    /// The count of changes before reading; none before the first.
    of: Option<u64>,
    documents: Arc<[Arc<WithQuotas>]>,
    /// The highest revision so far.
    highest: u64,
}

#[derive(Default)]
struct Namespace {
    changes: AtomicU64,
    read: tokio::sync::Mutex<Read>,
}

/// Says which quotas apply to an agent.
pub(super) struct QuotaDocuments {
    store: Arc<dyn Store>,
    namespaces: Mutex<HashMap<String, Arc<Namespace>>>,
}

impl QuotaDocuments {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, namespaces: Mutex::default() }
    }

    /// A document of the namespace changed.
    pub(super) fn note(&self, namespace: &str) {
        if let Some(known) = self.namespaces.lock().get(namespace) {
            known.changes.fetch_add(1, Ordering::Release);
        }
    }

    /// The quotas that apply to an agent: those of the documents that are for it, and those of its labels.
    pub(super) async fn rules_for(&self, agent: &KeptAgent) -> Result<Vec<KnownRule>, StoreError> {
        let documents = self.read(&agent.namespace).await?;
        let facts = facts(agent);
        let meant = documents.iter().filter(|document| document.selector.matches(&facts));
        let mut rules: Vec<KnownRule> = meant.flat_map(|document| document.rules.iter().cloned()).collect();
        let of_labels = PolicySet::for_agent(std::iter::empty(), &facts);
        rules.extend(
            of_labels
                .quotas()
                .iter()
                .map(|rule| KnownRule { rule: Arc::clone(rule), revision: LABEL_REVISION }),
        );
        Ok(rules)
    }

    /// The unit of a quota of a document, as it is now.
    pub(super) async fn unit(
        &self,
        namespace: &str,
        policy: &str,
        quota: &str,
    ) -> Result<Option<&'static str>, StoreError> {
        if policy == IMPLICIT_POLICY {
            return Ok(unit_of_label(quota));
        }
        let documents = self.read(namespace).await?;
        let mut rules = documents.iter().flat_map(|document| &document.rules);
        Ok(rules.find(|known| known.is_called(policy, quota)).map(|known| known.rule.unit()))
    }

    /// Percent of a quota at which it warns, as its document says now.
    pub(super) async fn warn_percent(
        &self,
        namespace: &str,
        policy: &str,
        quota: &str,
    ) -> Result<Option<u8>, StoreError> {
        let documents = self.read(namespace).await?;
        let mut rules = documents.iter().flat_map(|document| &document.rules);
        Ok(rules.find(|known| known.is_called(policy, quota)).map(|known| known.rule.warn_percent()))
    }

    /// Refuses a document in which a quota counts something else than in the one of the same name that is kept.
    pub(super) async fn check_change(&self, namespace: &str, text: &str) -> Result<(), QuotaError> {
        // What does not compile is refused by whoever keeps it, with line and caret.
        let Ok(document) = Document::parse("policy.toml", text) else { return Ok(()) };
        if document.quotas().len() == 0 {
            return Ok(());
        }
        let kept = match self.store.policy(namespace, document.name()).await {
            Ok(kept) => kept,
            Err(StoreError::NotFound) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let Ok(before) = Document::parse("policy.toml", &kept.document) else { return Ok(()) };
        for now in document.quotas() {
            let Some(earlier) = before.quotas().find(|earlier| earlier.name() == now.name()) else {
                continue;
            };
            if counting(earlier) != counting(now) {
                return Err(QuotaError::CountsOtherwise {
                    policy: document.name().to_owned(),
                    quota: now.name().to_owned(),
                    before: counting(earlier),
                    now: counting(now),
                });
            }
        }
        Ok(())
    }

    fn of(&self, namespace: &str) -> Arc<Namespace> {
        let mut namespaces = self.namespaces.lock();
        if namespaces.len() >= MAX_NAMESPACES && !namespaces.contains_key(namespace) {
            namespaces.clear();
        }
        Arc::clone(namespaces.entry(namespace.to_owned()).or_default())
    }

    async fn read(&self, namespace: &str) -> Result<Arc<[Arc<WithQuotas>]>, StoreError> {
        let known = self.of(namespace);
        // Held while reading: of many that ask at once, one reads.
        let mut kept = known.read.lock().await;
        // Taken before reading: what changes meanwhile makes this reading old, never the reverse.
        let changes = known.changes.load(Ordering::Acquire);
        if kept.of == Some(changes) {
            return Ok(Arc::clone(&kept.documents));
        }
        let before = Arc::clone(&kept.documents);
        // What changed since the last reading is newer than all of that, whatever the clock shows.
        let least = if kept.of.is_some() { kept.highest + 1 } else { 1 };
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.store.policies(namespace, &after, READ_AT_ONCE).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.name);
            found.extend(page.iter().filter_map(|policy| with_quotas(policy, &before, least)));
        }
        let documents: Arc<[Arc<WithQuotas>]> = found.into();
        let revisions = documents.iter().flat_map(|document| &document.rules).map(|known| known.revision);
        kept.highest = revisions.max().unwrap_or(0).max(kept.highest);
        (kept.of, kept.documents) = (Some(changes), Arc::clone(&documents));
        Ok(documents)
    }
}

/// The unit of a quota that a label says.
fn unit_of_label(quota: &str) -> Option<&'static str> {
    let agent = AgentFacts {
        name: String::new(),
        tier: Tier::Basic,
        trust: Trust::Untrusted,
        labels: [(format!("quota.{quota}"), "0".to_owned())].into(),
    };
    PolicySet::for_agent(std::iter::empty(), &agent).quotas().first().map(|rule| rule.unit())
}

/// What sidecars take for one and the same: meter, period, clock and whose use it is.
fn counting(rule: &QuotaRule) -> String {
    let (meter, period, zone, per) = (rule.meter().as_str(), rule.period(), rule.zone(), rule.per().as_str());
    let from = match period {
        creto_policy::QuotaPeriod::Custom { anchor_ms, .. } => format!(" from {anchor_ms} ms"),
        _ => format!(" by the clock of {zone}"),
    };
    format!("{meter} {period}{from} per {per}")
}

/// None for a document without quotas, and for one that does not compile any more: the sidecar refuses that.
fn with_quotas(kept: &KeptPolicy, before: &[Arc<WithQuotas>], least: u64) -> Option<Arc<WithQuotas>> {
    let applied_ms = u64::try_from(kept.updated_at_ms).unwrap_or(0);
    let revision = applied_ms.max(least);
    let same = |known: &&Arc<WithQuotas>| {
        known.name == kept.name && known.version == kept.version && known.applied_ms == applied_ms
    };
    if let Some(known) = before.iter().find(same) {
        return Some(Arc::clone(known));
    }
    let document = Document::parse(&kept.name, &kept.document).ok()?;
    let rules: Vec<KnownRule> =
        document.quotas().map(|rule| KnownRule { rule: Arc::clone(rule), revision }).collect();
    (!rules.is_empty()).then(|| {
        Arc::new(WithQuotas {
            selector: document.selector().clone(),
            version: kept.version.clone(),
            applied_ms,
            name: kept.name.clone(),
            rules,
        })
    })
}
