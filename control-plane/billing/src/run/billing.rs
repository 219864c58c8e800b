//! What is over, rated, into drafts.

use std::sync::Arc;

use creto_rating::{Adjustments, Carried, LineKind, Period, Subscription, bill};

use super::BillingRun;
use super::account::{Account, Plan, Role};
use super::report::RunReport;
use crate::BillingError;
use crate::invoice::{Booking, Draft, InvoiceKind, LateCredit, LineFacts, RatedLine, draw_up, rated_lines};
use crate::store::BillingStore;
use crate::subscription::SubscriptionRecord;

/// Lines to bill, and credits to give back.
type Changes = (Vec<RatedLine>, Vec<LateCredit>);

/// Whether a line is one that is paid before its period ends.
fn in_advance(subscription: &Subscription, facts: &LineFacts) -> bool {
    let in_force = subscription.versions.iter().rev().find(|version| version.from <= facts.from);
    in_force.is_some_and(|version| match facts.kind {
        LineKind::Subscription => version.plan.pay_in_advance,
        LineKind::Usage => {
            let mut charges = version.plan.charges.iter();
            let charge = charges.find(|charge| Some(&charge.code) == facts.charge.as_ref());
            charge.is_some_and(|charge| charge.pay_in_advance)
        }
        // What is missing to a least amount is known at the end.
        LineKind::Minimum | LineKind::Commitment => false,
    })
}

/// A subscription whose usage is rated.
struct Rated {
    record: SubscriptionRecord,
    /// How often its bookings had changed.
    revision: i64,
    booked: Vec<Booking>,
    /// Units that last, to be kept with the first period that is closed.
    carried: Vec<Carried>,
    subscription: Arc<Subscription>,
    periods: Vec<(Period, Role, Vec<RatedLine>)>,
}

impl Rated {
    fn draft(&self, kind: InvoiceKind, period: &Period, (lines, credits): Changes) -> Draft {
        Draft {
            subscription: self.record.id.clone(),
            customer: self.record.customer.clone(),
            kind,
            period: period.clone(),
            currency: self.record.currency,
            bookings_revision: self.revision,
            lines,
            credits,
        }
    }

    /// What a period comes to now, less what was booked for it.
    fn changes(
        &self,
        period: &Period,
        lines: Vec<RatedLine>,
        wanted: &dyn Fn(&LineFacts) -> bool,
    ) -> Result<Changes, BillingError> {
        let of_period = |booking: &&Booking| booking.facts.period_from == period.from();
        let booked: Vec<Booking> = self.booked.iter().filter(of_period).cloned().collect();
        draw_up(lines, &booked, wanted)
    }
}

impl BillingRun<'_> {
    /// Rates all periods of an account.
    async fn rated(&self, store: &dyn BillingStore, mut account: Account) -> Result<Rated, BillingError> {
        let carried = if account.refused.is_none() { account.carried()? } else { Vec::new() };
        let Account { record, subscription, usages, refused, .. } = account;
        if let Some(error) = refused {
            return Err(error.into());
        }
        let first = usages.first().map_or(record.started_at, |(usage, _)| usage.period().from());
        let (revision, booked) = store.bookings(self.namespace, &record.id, first).await?;
        let periods = Vec::with_capacity(usages.len());
        let mut rated =
            Rated { record, revision, booked, carried, subscription: Arc::clone(&subscription), periods };
        for (usage, role) in usages {
            let coupons = rated.record.coupons.clone();
            let adjustments = Adjustments { coupons, ..Adjustments::none(self.at) };
            let lines = rated_lines(&subscription, &bill(&usage, &adjustments)?);
            rated.periods.push((usage.period().clone(), role, lines));
        }
        Ok(rated)
    }

    /// The draft of an account's one period, which is not kept.
    pub(super) async fn unkept(
        &self,
        store: &dyn BillingStore,
        account: Account,
    ) -> Result<Option<Draft>, BillingError> {
        let mut rated = self.rated(store, account).await?;
        let Some((period, _, lines)) = rated.periods.pop() else { return Ok(None) };
        let changes = rated.changes(&period, lines, &|_| true)?;
        Ok(Some(rated.draft(InvoiceKind::Period, &period, changes)))
    }

    pub(super) async fn bill_account(
        &self,
        store: &dyn BillingStore,
        plan: Plan,
        account: Account,
        report: &mut RunReport,
    ) -> Result<(), BillingError> {
        if account.unfinished {
            report.unfinished.push(account.record.id.clone());
        }
        let rated = self.rated(store, account).await?;
        match plan {
            // Keeps nothing.
            Plan::Preview => Ok(()),
            Plan::Progressive => self.put_progressive(store, rated, report).await,
            Plan::Due => self.put_due(store, rated, report).await,
        }
    }

    async fn put_progressive(
        &self,
        store: &dyn BillingStore,
        mut rated: Rated,
        report: &mut RunReport,
    ) -> Result<(), BillingError> {
        let id = rated.record.id.clone();
        for (period, _, lines) in std::mem::take(&mut rated.periods) {
            let of_usage = |facts: &LineFacts| facts.kind == LineKind::Usage;
            let usage = rated.changes(&period, lines.clone(), &of_usage)?;
            let before = store.usage_billed(self.namespace, &id).await?;
            let now: i64 = usage.0.iter().map(|line| line.amounts.net_minor).sum();
            let amount = |minor: i64| u64::try_from(minor).unwrap_or_default();
            let thresholds = rated.record.thresholds.as_ref();
            let passed = thresholds.map(|thresholds| thresholds.passed(amount(before), amount(now)));
            let passed = passed.unwrap_or_default();
            let wanted = |facts: &LineFacts| {
                (!passed.is_empty() && of_usage(facts)) || in_advance(&rated.subscription, facts)
            };
            let changes = rated.changes(&period, lines, &wanted)?;
            // What was paid too much in advance is given back with the next invoice there is.
            if changes.0.is_empty() {
                store.drop_draft(self.namespace, &id, InvoiceKind::Progressive, &period).await?;
                continue;
            }
            let draft = rated.draft(InvoiceKind::Progressive, &period, changes);
            report.drafts.push(store.put_draft(self.namespace, &draft, &[]).await?);
            if !passed.is_empty() {
                report.passed.push((id.clone(), passed));
            }
        }
        Ok(())
    }

    async fn put_due(
        &self,
        store: &dyn BillingStore,
        mut rated: Rated,
        report: &mut RunReport,
    ) -> Result<(), BillingError> {
        let id = rated.record.id.clone();
        let mut late: Changes = Changes::default();
        let mut due = Vec::new();
        for (period, role, lines) in std::mem::take(&mut rated.periods) {
            let changes = rated.changes(&period, lines, &|_| true)?;
            match role {
                Role::Unbilled => due.push((period, changes)),
                Role::Billed | Role::Open => {
                    late.0.extend(changes.0);
                    late.1.extend(changes.1);
                }
            }
        }
        // What came late goes on the last invoice that is due now.
        match due.last_mut() {
            Some((_, changes)) => {
                changes.0.append(&mut late.0);
                changes.1.append(&mut late.1);
            }
            None if late.0.is_empty() && late.1.is_empty() => {}
            None => report.waiting.push(id.clone()),
        }
        // They stand for an instant before which nothing comes in any more, so they hold whatever becomes of the draft.
        let mut carried = std::mem::take(&mut rated.carried);
        for (period, changes) in due {
            // What it asked for is in the invoice of the whole period now.
            store.drop_draft(self.namespace, &id, InvoiceKind::Progressive, &period).await?;
            if changes.0.is_empty() && changes.1.is_empty() {
                store.drop_draft(self.namespace, &id, InvoiceKind::Period, &period).await?;
                store.close_period(self.namespace, &id, &period, &carried).await?;
                carried.clear();
                report.empty.push(id.clone());
                continue;
            }
            let draft = rated.draft(InvoiceKind::Period, &period, changes);
            report.drafts.push(store.put_draft(self.namespace, &draft, &carried).await?);
            carried.clear();
        }
        Ok(())
    }
}
