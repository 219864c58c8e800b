//! Billing runs: one scan of usage, every subscription's usage fed as it passes, drafts at the end.
//!
//! For each subscription a run looks at the periods that are over and not billed, at those whose invoice was voided, and
//! at those billed within the late window, for usage that came after. What it finds is a draft; nothing is issued here.
//!
//! Units that last from one period to the next are not counted from the first event again: a run that closes a period keeps
//! what the subscription carried over an instant, and later runs start from there. The instant lies behind the late window,
//! where no event comes in any more, so late events find their period, and the one after, in the scan.
//!
//! Memory: the usage of at most [`MAX_USAGES_PER_SCAN`] periods is held at once (each bounded by rating); more
//! subscriptions take more scans. Events are not held.

mod account;
mod billing;
mod directory;
mod preview;
mod report;

use std::collections::HashMap;
use std::ops::ControlFlow;

use creto_rating::Moment;

use crate::BillingError;
use crate::store::BillingStore;
use crate::subscription::SubscriptionRecord;
use crate::usage_source::{SourceError, SourcedEvent, UsageSource};
use account::{Account, Plan};
use directory::Directory;
pub use report::{RunReport, Unmatched};

/// Periods whose usage is held at once.
pub const MAX_USAGES_PER_SCAN: usize = 4_096;
/// Periods of one subscription that one run bills or looks at again.
pub const MAX_PERIODS: usize = 1_000;
/// Subscriptions of a namespace in one run: their records are held, a few kilobytes each.
pub const MAX_SUBSCRIPTIONS: usize = 200_000;
/// How far back a scan shared by many subscriptions reaches, in microseconds: 80 days. One that reaches further is made for one
/// subscription alone: its source may not have such old events any more, and nobody else's bill may fail for that.
pub const FURTHEST_SHARED_MICROS: i64 = 80 * 86_400_000_000;
/// Ids of unmatched events that are told.
pub const MAX_UNMATCHED_SHOWN: usize = 100;
/// How long after its period usage is still looked for, by default: 35 days, as long as events are taken in.
pub const LATE_WINDOW_MICROS: i64 = 35 * 86_400_000_000;

/// How far behind the late window the instant lies whose units are kept for later runs, in microseconds: a day, for events
/// that were let in just before and are not on disk yet.
pub const CARRIED_BEHIND_MICROS: i64 = 86_400_000_000;

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct BillingRun<'r> {
    /// The namespace.
    pub namespace: &'r str,
    /// Now.
    pub at: Moment,
    /// How long to wait after a period for usage that comes late, in microseconds.
    pub grace_micros: i64,
    /// How long after a period's end it is looked at again, in microseconds.
    pub late_window_micros: i64,
}

impl<'r> BillingRun<'r> {
    /// A run without grace, with the default late window.
    #[must_use]
    pub const fn new(namespace: &'r str, at: Moment) -> Self {
        Self { namespace, at, grace_micros: 0, late_window_micros: LATE_WINDOW_MICROS }
    }

    /// Draws up the invoices of periods that are over.
    ///
    /// # Errors
    /// [`BillingError`] when the store or the source fails. What is wrong with one subscription is in the report.
    pub async fn draw_up(
        &self,
        store: &dyn BillingStore,
        source: &dyn UsageSource,
    ) -> Result<RunReport, BillingError> {
        self.each_batch(store, source, Plan::Due).await
    }

    /// Draws up invoices of open periods: of usage so far where thresholds were passed, and of what is paid in advance.
    ///
    /// # Errors
    /// As [`BillingRun::draw_up`].
    pub async fn draw_up_progressive(
        &self,
        store: &dyn BillingStore,
        source: &dyn UsageSource,
    ) -> Result<RunReport, BillingError> {
        self.each_batch(store, source, Plan::Progressive).await
    }

    async fn each_batch(
        &self,
        store: &dyn BillingStore,
        source: &dyn UsageSource,
        plan: Plan,
    ) -> Result<RunReport, BillingError> {
        let mut report = RunReport::default();
        let mut directory = Directory::read(store, self.namespace).await?;
        if plan == Plan::Progressive {
            directory.read_advance(store, self.namespace).await?;
        }
        let directory = directory;
        // What is billed before its period ends, of those who are billed so.
        let concerns = |record: &SubscriptionRecord| {
            plan != Plan::Progressive || record.thresholds.is_some() || directory.pays_in_advance(record)
        };
        let mut batch: Vec<Account> = Vec::new();
        let mut held = 0;
        let mut far = Vec::new();
        for record in directory.records.values().filter(|record| concerns(record)) {
            let account = match self.account(store, record, plan).await {
                Ok(Some(account)) => account,
                Ok(None) => continue,
                Err(error @ (BillingError::Away(_) | BillingError::Damaged { .. })) => return Err(error),
                Err(error) => {
                    report.refused.push((record.id.clone(), error));
                    continue;
                }
            };
            if account.from.micros() < self.at.micros().saturating_sub(FURTHEST_SHARED_MICROS) {
                far.push(record);
                continue;
            }
            if held > 0 && held + account.usages.len() > MAX_USAGES_PER_SCAN {
                self.bill_batch(store, source, plan, &directory, std::mem::take(&mut batch), &mut report)
                    .await?;
                held = 0;
            }
            held += account.usages.len();
            batch.push(account);
        }
        if !batch.is_empty() {
            self.bill_batch(store, source, plan, &directory, batch, &mut report).await?;
        }
        for record in far {
            // Made a second time on purpose: an account holds usage, and however many there are of these, one is held.
            let Some(account) = self.account(store, record, plan).await? else { continue };
            let recounted = account.recounted.clone();
            match self.bill_batch(store, source, plan, &directory, vec![account], &mut report).await {
                Err(BillingError::Source(error)) => {
                    report.refused.push((record.id.clone(), alone(error, recounted).into()));
                }
                other => other?,
            }
        }
        Ok(report)
    }

    async fn bill_batch(
        &self,
        store: &dyn BillingStore,
        source: &dyn UsageSource,
        plan: Plan,
        directory: &Directory,
        mut batch: Vec<Account>,
        report: &mut RunReport,
    ) -> Result<(), BillingError> {
        let from = batch.iter().map(|account| account.from).min();
        let to = batch.iter().flat_map(|account| &account.usages).map(|(usage, _)| usage.period().to()).max();
        let places: HashMap<String, usize> =
            batch.iter().enumerate().map(|(place, account)| (account.record.id.clone(), place)).collect();
        if let (Some(from), Some(to)) = (from, to) {
            let first_scan = report.scans == 0;
            report.scans += 1;
            let mut tally = RunReport::default();
            let mut each = |sourced: &SourcedEvent| {
                let unmatched = match directory.owner(sourced) {
                    Ok(owner) => match places.get(owner) {
                        Some(place) => batch[*place].take(sourced),
                        None => None,
                    },
                    Err(reason) => Some(reason),
                };
                tally.count(sourced, unmatched);
                ControlFlow::Continue(())
            };
            source.scan(self.namespace, from, to, &mut each).await?;
            // Later scans see the same strangers again; they are counted once.
            if first_scan {
                report.counted(tally);
            } else {
                report.merge_charges(tally);
            }
        }
        for account in batch {
            let id = account.record.id.clone();
            match self.bill_account(store, plan, account, report).await {
                Ok(()) => {}
                Err(error @ (BillingError::Away(_) | BillingError::Damaged { .. })) => return Err(error),
                Err(error) => report.refused.push((id, error)),
            }
        }
        Ok(())
    }
}

/// What a source says that was asked for one subscription only, and why it was asked for so much.
fn alone(error: SourceError, recounted: Option<String>) -> SourceError {
    match recounted {
        Some(charge) => SourceError(format!(
            "charge `{charge}` counts otherwise than it did, which takes all its events, and {}; end the subscription and \
             start a new one",
            error.0
        )),
        None => error,
    }
}
