//! What operators see of quotas.

use std::collections::BTreeMap;

use creto_identity::{IdentityError, now_ms};
use creto_proto::v1::{
    ListQuotaEventsRequest, ListQuotaEventsResponse, ListQuotasRequest, ListQuotasResponse, QuotaNotice,
    QuotaState,
};
use creto_quota_issuer::{QuotaLimit, WindowUsage};
use creto_store::{KeptAgent, StoreError};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::documents::KnownRule;
use super::limits::{Shares, named_parts};
use super::words;
use super::{QuotaDesk, QuotaError};

/// Most quotas in one answer.
pub(crate) const MAX_LISTED: usize = 5_000;
/// Agents read at a time.
const READ_AT_ONCE: u32 = 200;
/// Accounts asked for at once.
const AT_ONCE: usize = 64;

type Found = BTreeMap<Box<str>, (KnownRule, QuotaLimit)>;

impl QuotaDesk {
    /// The quotas of one agent, or of all, with what was used of them in the windows under way.
    ///
    /// # Errors
    /// [`QuotaError`].
    pub(crate) async fn list(&self, request: &ListQuotasRequest) -> Result<ListQuotasResponse, QuotaError> {
        let namespace = request.namespace.as_str();
        let mut found = Found::new();
        if request.agent_name.is_empty() {
            let mut after = String::new();
            loop {
                let page = self.store.agents(namespace, &after, READ_AT_ONCE).await?;
                let Some(last) = page.last() else { break };
                after.clone_from(&last.name);
                for agent in &page {
                    self.gather(agent, &mut found).await?;
                }
            }
        } else {
            let agent = match self.store.agent(namespace, &request.agent_name).await {
                Err(StoreError::NotFound) => {
                    return Err(IdentityError::NoAgent(request.agent_name.clone()).into());
                }
                found => found?,
            };
            self.gather(&agent, &mut found).await?;
        }
        if found.is_empty() {
            return Ok(ListQuotasResponse::default());
        }
        self.namespaces.open(namespace, self.issuer.as_ref()).await?;
        let now_ms = u64::try_from(now_ms()).unwrap_or(0);
        let quotas = stream::iter(found.into_values())
            .map(|(known, limit)| async move {
                let usage = self.issuer.usage(&limit, now_ms).await?;
                Ok::<_, QuotaError>(state(&known, &limit, &usage))
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(ListQuotasResponse { quotas })
    }

    async fn gather(&self, agent: &KeptAgent, found: &mut Found) -> Result<(), QuotaError> {
        let rules = self.documents.rules_for(agent).await?;
        let mut shares = Shares::new(self.store.as_ref(), &self.delegations, agent);
        for known in rules {
            // An agent without a share has used nothing of it.
            if let Ok(limit) = shares.limit(&known).await? {
                found.entry(limit.name.clone()).or_insert((known, limit));
            }
            if found.len() > MAX_LISTED {
                return Err(QuotaError::TooManyListed);
            }
        }
        Ok(())
    }

    /// What people are told of, oldest first.
    ///
    /// # Errors
    /// [`QuotaError`].
    pub(crate) async fn events(
        &self,
        request: &ListQuotaEventsRequest,
    ) -> Result<ListQuotaEventsResponse, QuotaError> {
        let namespace = request.namespace.as_str();
        let mut events = Vec::new();
        for event in self.issuer.events(namespace, request.after).await? {
            let (policy, quota, scope) = named_parts(&event.limit);
            let unit = self.documents.unit(namespace, policy, quota).await?.unwrap_or("unit");
            events.push(QuotaNotice {
                sequence: event.sequence,
                at_ms: signed(event.at_ms),
                policy: policy.to_owned(),
                quota: quota.to_owned(),
                scope: scope.to_owned(),
                kind: event.level.as_str().to_owned(),
                detail: words::detail(&event, unit),
            });
        }
        Ok(ListQuotaEventsResponse { events })
    }
}

fn state(known: &KnownRule, limit: &QuotaLimit, found: &WindowUsage) -> QuotaState {
    let (policy, quota, scope) = named_parts(&limit.name);
    let usage = &found.usage;
    QuotaState {
        policy: policy.to_owned(),
        quota: quota.to_owned(),
        scope: scope.to_owned(),
        meter: known.rule.meter().as_str().to_owned(),
        unit: limit.unit.to_string(),
        period: known.rule.period().to_string(),
        action: limit.action.as_str().to_owned(),
        amount: usage.amount,
        spent: usage.spent.saturating_add(usage.overrun),
        leased: usage.leased,
        stranded: usage.stranded,
        lost: usage.lost,
        assumed: usage.assumed,
        overage: usage.overage,
        window_starts_ms: signed(found.window.start_ms),
        window_ends_ms: signed(found.window.end_ms),
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
