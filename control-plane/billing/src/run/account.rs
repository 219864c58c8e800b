//! The periods of one subscription that a run looks at, and the usage fed to them.

use std::sync::Arc;

use creto_rating::{Moment, Period, Received, Subscription, Usage, UsageError};

use super::report::Unmatched;
use super::{BillingRun, MAX_PERIODS};
use crate::BillingError;
use crate::store::BillingStore;
use crate::subscription::SubscriptionRecord;
use crate::usage_source::SourcedEvent;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    Due,
    Progressive,
    Preview,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It is over and has no invoice.
    Unbilled,
    /// It has one; what came after is looked for.
    Billed,
    /// It goes on.
    Open,
}

pub(super) struct Account {
    pub(super) record: SubscriptionRecord,
    pub(super) subscription: Arc<Subscription>,
    pub(super) usages: Vec<(Usage, Role)>,
    lasting: bool,
    /// There are more periods than one run takes.
    pub(super) unfinished: bool,
    pub(super) from: Moment,
    pub(super) refused: Option<UsageError>,
}

impl Account {
    /// Feeds an event to every period it may count in. Returns why it counts in none, where that is for good.
    pub(super) fn take(&mut self, sourced: &SourcedEvent) -> Option<Unmatched> {
        let at = sourced.event.order.at;
        if at < self.record.started_at || self.record.ended_at.is_some_and(|end| at >= end) {
            return Some(Unmatched::NoService);
        }
        let mut charged = None;
        for (usage, _) in &mut self.usages {
            let period = usage.period();
            if at >= period.to() || (at < period.from() && !self.lasting) {
                continue;
            }
            match usage.add(&sourced.event) {
                Ok(Received::NoCharge) => {
                    charged.get_or_insert(false);
                }
                Ok(_) => charged = Some(true),
                Err(error) => {
                    self.refused.get_or_insert(error);
                }
            }
        }
        (charged == Some(false)).then_some(Unmatched::NoCharge)
    }
}

impl BillingRun<'_> {
    /// The periods of a subscription that are to be rated; nothing when there are none.
    pub(super) async fn account(
        &self,
        store: &dyn BillingStore,
        record: &SubscriptionRecord,
        plan: Plan,
    ) -> Result<Option<Account>, BillingError> {
        let mut periods: Vec<(Period, Role)> = Vec::new();
        match plan {
            Plan::Preview => {
                let period = &record.current_period;
                if record.ended_at.is_none_or(|end| end > period.from()) {
                    periods.push((period.clone(), Role::Open));
                }
            }
            Plan::Progressive => {
                let period = &record.current_period;
                let thresholds = record.thresholds.is_some();
                if thresholds
                    && period.contains(self.at)
                    && record.ended_at.is_none_or(|end| end > period.from())
                {
                    periods.push((period.clone(), Role::Open));
                }
            }
            Plan::Due => {
                // A period after the end has no service, but takes the late usage of those before.
                let last = |end: Moment| end.micros().saturating_add(self.late_window_micros);
                let closed = |period: &Period| {
                    period.to().micros().saturating_add(self.grace_micros) <= self.at.micros()
                        && record.ended_at.is_none_or(|end| last(end) > period.from().micros())
                };
                let mut next = record.current_period.clone();
                while closed(&next) && periods.len() < MAX_PERIODS {
                    let period = next;
                    next = record.period_after(&period)?;
                    periods.push((period, Role::Unbilled));
                }
                for period in store.reopened(self.namespace, &record.id).await?.into_iter().take(MAX_PERIODS)
                {
                    periods.push((period, Role::Unbilled));
                }
                self.add_late(record, &mut periods)?;
            }
        }
        if periods.is_empty() {
            return Ok(None);
        }
        let unfinished = periods.len() >= MAX_PERIODS;
        periods.sort_by_key(|(period, _)| period.from());
        let subscription = Arc::new(store.rateable(self.namespace, &record.id).await?);
        let lasting = subscription
            .versions
            .iter()
            .any(|version| version.plan.charges.iter().any(|charge| charge.metric.recurring));
        let usages = periods
            .into_iter()
            .map(|(period, role)| Ok((Usage::new(Arc::clone(&subscription), period)?, role)))
            .collect::<Result<Vec<_>, UsageError>>()?;
        let first = usages.first().map_or(record.started_at, |(usage, _)| usage.period().from());
        // Units that last were counted by events of any time before.
        let from = if lasting { record.started_at.min(first) } else { first };
        let record = record.clone();
        Ok(Some(Account { record, subscription, usages, lasting, unfinished, from, refused: None }))
    }

    /// Adds the periods before the current one that ended within the late window.
    fn add_late(
        &self,
        record: &SubscriptionRecord,
        periods: &mut Vec<(Period, Role)>,
    ) -> Result<(), BillingError> {
        let since = self.at.micros().saturating_sub(self.late_window_micros);
        let mut end = record.current_period.from();
        while end > record.started_at && end.micros() > since && periods.len() < MAX_PERIODS {
            let inside = Moment::from_micros(end.micros() - 1)
                .map_err(|error| BillingError::Damaged { what: "period", cause: error.to_string() })?;
            let period = record
                .billing_period
                .period_at(inside, record.current_period.zone())
                .map_err(UsageError::from)?;
            end = period.from();
            if !periods.iter().any(|(known, _)| *known == period) {
                periods.push((period, Role::Billed));
            }
        }
        Ok(())
    }
}
