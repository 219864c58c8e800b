//! What the open period of one subscription comes to so far.

use std::ops::ControlFlow;

use super::BillingRun;
use super::account::Plan;
use super::directory::Directory;
use crate::BillingError;
use crate::invoice::Draft;
use crate::store::BillingStore;
use crate::usage_source::{SourcedEvent, UsageSource};

impl BillingRun<'_> {
    /// Rates what a subscription used so far in its first period that is not billed, as if the period ended with that, less
    /// what was billed of it at thresholds. Keeps nothing. Late usage of earlier periods, credit notes and wallets are not
    /// in it: they are set against the invoice when it is drawn up and finalized.
    ///
    /// # Errors
    /// [`BillingError`] when the store or the source fails, for a subscription there is none of, or one that ended and is
    /// billed.
    pub async fn preview(
        &self,
        store: &dyn BillingStore,
        source: &dyn UsageSource,
        subscription: &str,
    ) -> Result<Draft, BillingError> {
        let missing = |what| BillingError::NotFound {
            namespace: self.namespace.to_owned(),
            what,
            id: subscription.chars().take(crate::MAX_ID_BYTES).collect(),
        };
        let found = store.subscription(self.namespace, subscription).await?;
        let record = found.ok_or_else(|| missing("subscription"))?;
        let account = self.account(store, &record, Plan::Preview).await?;
        let mut account = account.ok_or_else(|| missing("open period of subscription"))?;
        let from = account.from;
        let to = account.usages.first().map_or(account.from, |(usage, _)| usage.period().to());
        let directory = Directory::read(store, self.namespace).await?;
        let mut each = |sourced: &SourcedEvent| {
            if directory.owner(sourced) == Ok(record.id.as_str()) {
                account.take(sourced);
            }
            ControlFlow::Continue(())
        };
        source.scan(self.namespace, from, to, &mut each).await?;
        let draft = self.unkept(store, account).await?;
        draft.ok_or_else(|| missing("open period of subscription"))
    }
}
