//! What a run found and did.

use std::collections::BTreeMap;

use creto_rating::{Currency, Passed};

use super::MAX_UNMATCHED_SHOWN;
use crate::BillingError;
use crate::invoice::Invoice;
use crate::trigger::Trigger;
use crate::usage_source::SourcedEvent;

/// Why an event belongs to no subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unmatched {
    /// It names a subscription there is none of.
    UnknownSubscription,
    /// It names no subscription, and a customer there is none of.
    UnknownCustomer,
    /// It names a customer with several subscriptions.
    Ambiguous,
    /// It names neither.
    Nobody,
    /// No charge of the plan counts its meter.
    NoCharge,
    /// It happened before the subscription started, or after it ended.
    NoService,
}

/// What a run did. Everything that passed is counted: `matched` and `unmatched` add up to `events`.
#[derive(Debug, Default)]
pub struct RunReport {
    /// Events that passed.
    pub events: u64,
    /// Events of a subscription, whether its period is billed now or not.
    pub matched: u64,
    /// Events of none, by reason.
    pub unmatched: BTreeMap<Unmatched, u64>,
    /// The first of them, by id.
    pub unmatched_ids: Vec<String>,
    /// Types of events that no plan charges, each with the first event of it; at most [`MAX_UNMATCHED_SHOWN`].
    pub unknown_types: BTreeMap<String, String>,
    /// Drafts that were drawn up.
    pub drafts: Vec<Invoice>,
    /// Subscriptions whose late usage waits for the next period's invoice.
    pub waiting: Vec<String>,
    /// Periods closed with nothing to bill.
    pub empty: Vec<String>,
    /// Subscriptions that could not be billed, and why. Nothing is billed around an event that cannot be rated.
    pub refused: Vec<(String, BillingError)>,
    /// Thresholds that were passed, by subscription.
    pub passed: Vec<(String, Vec<Passed>)>,
    /// Subscriptions with more periods than one run takes: run again.
    pub unfinished: Vec<String>,
    /// Scans that were made.
    pub scans: u64,
}

impl RunReport {
    pub(super) fn count(&mut self, sourced: &SourcedEvent, unmatched: Option<Unmatched>) {
        self.events += 1;
        match unmatched {
            None => self.matched += 1,
            Some(reason) => {
                *self.unmatched.entry(reason).or_default() += 1;
                let types = &mut self.unknown_types;
                if reason == Unmatched::NoCharge
                    && (types.len() < MAX_UNMATCHED_SHOWN || types.contains_key(&sourced.event.meter))
                {
                    types.entry(sourced.event.meter.clone()).or_insert_with(|| sourced.event.id.clone());
                }
                if self.unmatched_ids.len() < MAX_UNMATCHED_SHOWN {
                    self.unmatched_ids.push(sourced.event.id.clone());
                }
            }
        }
    }

    /// Adds what a later scan found out about its own subscriptions: events an earlier one took for matched.
    pub(super) fn merge_charges(&mut self, tally: Self) {
        for (kind, event) in tally.unknown_types {
            if self.unknown_types.len() < MAX_UNMATCHED_SHOWN {
                self.unknown_types.entry(kind).or_insert(event);
            }
        }
        for reason in [Unmatched::NoCharge, Unmatched::NoService] {
            let found = tally.unmatched.get(&reason).copied().unwrap_or_default();
            if found > 0 {
                *self.unmatched.entry(reason).or_default() += found;
                self.matched = self.matched.saturating_sub(found);
            }
        }
    }

    /// Takes over what the first scan counted: later ones see the same strangers again.
    pub(super) fn counted(&mut self, tally: Self) {
        self.events = tally.events;
        self.matched = tally.matched;
        self.unmatched = tally.unmatched;
        self.unmatched_ids = tally.unmatched_ids;
        self.unknown_types = tally.unknown_types;
    }

    /// What somebody should look at: a trigger for each type of event that no plan charges.
    #[must_use]
    pub fn triggers(&self) -> Vec<Trigger> {
        let trigger = |(resource_type, event): (&String, &String)| Trigger::UnknownResourceType {
            resource_type: resource_type.clone(),
            event: event.clone(),
        };
        self.unknown_types.iter().map(trigger).collect()
    }

    /// What all drafts come to, by currency, in minor units.
    #[must_use]
    pub fn totals(&self) -> BTreeMap<Currency, i128> {
        let mut totals: BTreeMap<Currency, i128> = BTreeMap::new();
        for draft in self.drafts.iter().filter_map(Invoice::draft) {
            let sum: i128 = draft.lines.iter().map(|line| i128::from(line.amounts.total_minor)).sum();
            *totals.entry(draft.currency).or_default() += sum;
        }
        totals
    }
}
