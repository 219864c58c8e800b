//! Which subscription an event belongs to.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::MAX_SUBSCRIPTIONS;
use super::report::Unmatched;
use crate::BillingError;
use crate::catalogue::PlanVersion;
use crate::store::BillingStore;
use crate::subscription::SubscriptionRecord;
use crate::usage_source::SourcedEvent;

/// Who owns what.
pub(super) struct Directory {
    pub(super) records: BTreeMap<String, SubscriptionRecord>,
    /// The subscriptions of each customer.
    by_customer: HashMap<String, Vec<String>>,
    /// Versions of plans that ask for something in advance.
    advance: HashSet<(String, u32)>,
}

impl Directory {
    pub(super) async fn read(store: &dyn BillingStore, namespace: &str) -> Result<Self, BillingError> {
        let mut records = BTreeMap::new();
        let mut by_customer: HashMap<String, Vec<String>> = HashMap::new();
        let mut after = String::new();
        loop {
            let page = store.subscriptions(namespace, &after).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.id);
            if records.len() + page.len() > MAX_SUBSCRIPTIONS {
                let found = records.len() + page.len();
                return Err(BillingError::TooMany {
                    what: "subscriptions of a run",
                    found,
                    most: MAX_SUBSCRIPTIONS,
                });
            }
            for record in page {
                by_customer.entry(record.customer.clone()).or_default().push(record.id.clone());
                records.insert(record.id.clone(), record);
            }
        }
        Ok(Self { records, by_customer, advance: HashSet::new() })
    }

    /// Looks up which plans ask for something in advance.
    pub(super) async fn read_advance(
        &mut self,
        store: &dyn BillingStore,
        namespace: &str,
    ) -> Result<(), BillingError> {
        let changes = self.records.values().flat_map(|record| &record.plans);
        let codes: BTreeSet<&str> = changes.map(|change| change.plan.as_str()).collect();
        let mut advance = HashSet::new();
        for code in codes {
            for PlanVersion { version, document } in store.plan_versions(namespace, code).await? {
                let plan = document.plan;
                if plan.pay_in_advance || plan.charges.iter().any(|charge| charge.pay_in_advance) {
                    advance.insert((code.to_owned(), version));
                }
            }
        }
        self.advance = advance;
        Ok(())
    }

    /// Whether a subscription ever had a plan that asks for something in advance.
    pub(super) fn pays_in_advance(&self, record: &SubscriptionRecord) -> bool {
        record.plans.iter().any(|change| self.advance.contains(&(change.plan.clone(), change.version)))
    }

    /// The subscription an event belongs to.
    pub(super) fn owner(&self, sourced: &SourcedEvent) -> Result<&str, Unmatched> {
        if !sourced.subscription.is_empty() {
            let record = self.records.get(&sourced.subscription).ok_or(Unmatched::UnknownSubscription)?;
            return Ok(&record.id);
        }
        if sourced.customer.is_empty() {
            return Err(Unmatched::Nobody);
        }
        let owned = self.by_customer.get(&sourced.customer).ok_or(Unmatched::UnknownCustomer)?;
        let at = sourced.event.order.at;
        let in_service = |id: &&String| {
            let record = &self.records[id.as_str()];
            record.started_at <= at && record.ended_at.is_none_or(|end| at < end)
        };
        let mut candidates = owned.iter().filter(in_service);
        match (candidates.next(), candidates.next()) {
            (Some(id), None) => Ok(id),
            (None, _) => Err(Unmatched::NoService),
            _ => Err(Unmatched::Ambiguous),
        }
    }
}
