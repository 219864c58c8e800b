//! The periods of one subscription that a run looks at, and the usage fed to them.

use std::sync::Arc;

use creto_rating::{Carried, Carrying, Moment, Period, Received, Subscription, Usage, UsageError};

use super::report::Unmatched;
use super::{BillingRun, CARRIED_BEHIND_MICROS, LATE_WINDOW_MICROS, MAX_PERIODS};
use crate::BillingError;
use crate::store::{BillingStore, carried_near};
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
    /// It has charges whose units last: events of before its periods count.
    lasting: bool,
    /// Counts units for later runs to start from.
    carrying: Vec<Carrying>,
    /// The charge whose events all have to be there, because it counts otherwise than what was carried.
    pub(super) recounted: Option<String>,
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
        // A scan that is shared reaches further back: those units are carried.
        if self.lasting && at < self.from {
            return None;
        }
        for carrying in &mut self.carrying {
            if let Err(error) = carrying.add(&sourced.event) {
                self.refused.get_or_insert(error);
            }
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

impl Account {
    /// The units to keep, once all events have passed.
    pub(super) fn carried(&mut self) -> Result<Vec<Carried>, UsageError> {
        std::mem::take(&mut self.carrying).into_iter().map(Carrying::finish).collect()
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
                if period.contains(self.at) && record.ended_at.is_none_or(|end| end > period.from()) {
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
        let first = periods.first().map_or(record.started_at, |(period, _)| period.from());
        let (mut base, mut recounted, mut known) = (None, None, Vec::new());
        if lasting {
            known = store.carried_at(self.namespace, &record.id).await?;
            (base, recounted) = self.base(store, &subscription, &known, first).await?;
        }
        // Units that last, and were not carried, were counted by events of any time before.
        let from = match &base {
            Some(base) => base.at(),
            None if lasting => record.started_at.min(first),
            None => first,
        };
        let mut carrying = Vec::new();
        if lasting && plan == Plan::Due && periods.iter().any(|(_, role)| *role == Role::Unbilled) {
            let end = periods.last().map_or(first, |(period, _)| period.to());
            for at in self.carries(record, end)? {
                if at > from && !carried_near(&known, at) {
                    carrying.push(Carrying::new(base.as_ref(), &subscription, at)?);
                    known.push(at);
                }
            }
        }
        let usages = periods
            .into_iter()
            .map(|(period, role)| {
                let subscription = Arc::clone(&subscription);
                let usage = match &base {
                    Some(base) => Usage::carrying(base, subscription, period)?,
                    None => Usage::new(subscription, period)?,
                };
                Ok((usage, role))
            })
            .collect::<Result<Vec<_>, UsageError>>()?;
        let record = record.clone();
        let refused = None;
        Ok(Some(Account {
            record,
            subscription,
            usages,
            lasting,
            carrying,
            recounted,
            unfinished,
            from,
            refused,
        }))
    }

    /// The newest units to start from that are not of after `first`, and the charge for whose sake newer ones cannot be.
    async fn base(
        &self,
        store: &dyn BillingStore,
        subscription: &Subscription,
        known: &[Moment],
        first: Moment,
    ) -> Result<(Option<Carried>, Option<String>), BillingError> {
        let mut recounted = None;
        for at in known.iter().rev().filter(|at| **at <= first) {
            let Some(carried) = store.carried(self.namespace, &subscription.id, *at).await? else { continue };
            match carried.lacks(subscription) {
                None => return Ok((Some(carried), recounted)),
                Some(charge) => recounted = Some(charge.to_owned()),
            }
        }
        Ok((None, recounted))
    }

    /// The instants to keep units of: the latest before which no event comes in any more, and the start of its period.
    ///
    /// A later run starts from the newest that is not after the first period it looks at. Right after a close that period
    /// is often the one that holds the instant, and then its start is what is needed: with both kept, a run scans little more
    /// than the periods it looks at.
    fn carries(&self, record: &SubscriptionRecord, end: Moment) -> Result<Vec<Moment>, BillingError> {
        let behind = self.late_window_micros.max(LATE_WINDOW_MICROS) + CARRIED_BEHIND_MICROS;
        let micros = self.at.micros().saturating_sub(behind).min(end.micros());
        if micros <= record.started_at.micros() {
            return Ok(Vec::new());
        }
        let settled = Moment::from_micros(micros)
            .map_err(|error| BillingError::Damaged { what: "period", cause: error.to_string() })?;
        let period = record
            .billing_period
            .period_at(settled, record.current_period.zone())
            .map_err(UsageError::from)?;
        Ok(vec![period.from(), settled])
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
