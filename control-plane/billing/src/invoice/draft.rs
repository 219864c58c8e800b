//! Drafts: what a period comes to by now, less what was booked for it before.
//!
//! The first invoice of a period has nothing booked before it and bills everything. Late usage is the same step once more:
//! the period is rated again as a whole, and the difference is billed or given back. Nothing that was issued is edited.

use std::collections::BTreeMap;

use creto_rating::{Attribution, Currency, InvoiceDraft, Line, Moment, Period, Subscription, TaxRate};
use serde::{Deserialize, Serialize};

use super::amounts::{Amounts, TaxAmount};
use super::line::{LineFacts, LineItem};
use super::{InvoiceKind, MAX_LINES, MAX_MINOR};
use crate::BillingError;

/// A line of a period as rating sees it now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RatedLine {
    /// What it is for.
    pub facts: LineFacts,
    /// What it comes to.
    pub amounts: Amounts,
}

/// What was billed for a line of a period, over all invoices and late credits.
pub type Booking = RatedLine;

/// What is given back when usage comes to less than was billed: a credit note at finalization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateCredit {
    /// What it is for.
    pub facts: LineFacts,
    /// How much less, all above zero.
    pub amounts: Amounts,
}

/// An invoice that is not issued. Amounts in minor units, before credit notes and wallets, which are set against it when it
/// is finalized.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The subscription.
    pub subscription: String,
    /// Who pays.
    pub customer: String,
    /// Why it was drawn up.
    pub kind: InvoiceKind,
    /// What it covers.
    pub period: Period,
    /// What its amounts are in.
    pub currency: Currency,
    /// How often the subscription's bookings had changed when it was drawn up.
    pub bookings_revision: i64,
    /// What it asks for.
    pub lines: Vec<RatedLine>,
    /// What it gives back.
    pub credits: Vec<LateCredit>,
}

impl Draft {
    /// Its lines, numbered. `booked` lines of its own period and lines of earlier ones are corrections.
    #[must_use]
    pub fn items(&self) -> Vec<LineItem> {
        let numbered = (1_u32..).zip(&self.lines);
        let item = |(number, line): (u32, &RatedLine)| {
            let correction = line.facts.period_from != self.period.from();
            LineItem::of(number, line.facts.clone(), &line.amounts, correction)
        };
        numbered.map(item).collect()
    }

    /// What its lines come to with tax, in minor units.
    ///
    /// # Errors
    /// [`BillingError::Amount`] beyond [`MAX_MINOR`].
    pub fn total_minor(&self) -> Result<i64, BillingError> {
        let total: i128 = self.lines.iter().map(|line| i128::from(line.amounts.total_minor)).sum();
        bounded(total)
    }
}

pub(crate) fn bounded(minor: i128) -> Result<i64, BillingError> {
    match i64::try_from(minor) {
        Ok(amount) if (0..=MAX_MINOR).contains(&amount) => Ok(amount),
        _ => Err(BillingError::Amount(minor)),
    }
}

/// The lines of a rated period.
#[must_use]
pub(crate) fn rated_lines(subscription: &Subscription, draft: &InvoiceDraft) -> Vec<RatedLine> {
    let line = |line: &Line| {
        let facts = LineFacts {
            kind: line.kind,
            plan: line.plan.clone(),
            charge: line.charge.clone(),
            meter: line.meter.clone(),
            filter: line.bucket.filter.clone(),
            group: line.bucket.group.clone(),
            from: line.from,
            to: line.to,
            period_from: draft.period.from(),
        };
        let mut reductions: BTreeMap<String, i64> = BTreeMap::new();
        for reduction in &line.reductions {
            *reductions.entry(reduction.coupon.clone().unwrap_or_default()).or_default() += reduction.minor;
        }
        let rates = rates_of(subscription, line);
        let taxes = line.taxes.iter().map(|tax| TaxAmount {
            code: tax.code.clone(),
            percent: rates
                .iter()
                .find(|rate| rate.code == tax.code)
                .map(|rate| rate.percent)
                .unwrap_or_default(),
            minor: tax.minor,
        });
        let amounts = Amounts {
            units: line.units.clone(),
            events: i64::try_from(line.events).unwrap_or(i64::MAX),
            precise: line.fee.precise.clone(),
            fee_minor: line.fee.minor,
            reductions,
            net_minor: line.net_minor,
            taxes: taxes.collect(),
            total_minor: line.total_minor,
            attribution: without_nothing(&line.attribution),
        };
        RatedLine { facts, amounts }
    };
    draft.lines.iter().map(line).collect()
}

/// Rating tells the taxes of a line by code; their rates stand in the plan that was in force.
fn rates_of<'s>(subscription: &'s Subscription, line: &Line) -> &'s [TaxRate] {
    let in_force = subscription.versions.iter().rev().find(|version| version.from <= line.from);
    let Some(version) = in_force.or_else(|| subscription.versions.first()) else {
        return &[];
    };
    let charge = version.plan.charges.iter().find(|charge| Some(&charge.code) == line.charge.as_ref());
    charge.and_then(|charge| charge.taxes.as_deref()).unwrap_or(&version.plan.taxes)
}

fn without_nothing(attribution: &Attribution) -> Attribution {
    let kept = |parts: &[creto_rating::Part]| {
        parts.iter().filter(|part| part.fee_minor != 0 || part.total_minor != 0).cloned().collect()
    };
    Attribution {
        agents: kept(&attribution.agents),
        dimensions: attribution.dimensions.iter().map(|(key, parts)| (key.clone(), kept(parts))).collect(),
    }
}

/// Every line of rated periods less what was booked for it: lines to bill, and credits to give back.
///
/// A line that was booked and is no longer rated is given back in full. Lines that are not `wanted` wait for the end of the
/// period.
///
/// # Errors
/// [`BillingError::TooMany`] beyond [`MAX_LINES`].
pub(crate) fn draw_up(
    rated: Vec<RatedLine>,
    booked: &[Booking],
    wanted: &dyn Fn(&LineFacts) -> bool,
) -> Result<(Vec<RatedLine>, Vec<LateCredit>), BillingError> {
    if rated.len() > MAX_LINES {
        return Err(BillingError::TooMany {
            what: "lines of an invoice",
            found: rated.len(),
            most: MAX_LINES,
        });
    }
    let mut before: BTreeMap<(Moment, String), &Booking> =
        booked.iter().map(|booking| ((booking.facts.period_from, booking.facts.key()), booking)).collect();
    let (mut lines, mut credits) = (Vec::new(), Vec::new());
    let mut settle = |facts: LineFacts, left: Amounts| {
        if left.total_minor < 0 {
            credits.push(LateCredit { facts, amounts: Amounts::default().minus(&left) });
        } else if !left.is_nothing() {
            lines.push(RatedLine { facts, amounts: left });
        }
    };
    for RatedLine { facts, amounts } in rated {
        if !wanted(&facts) {
            continue;
        }
        match before.remove(&(facts.period_from, facts.key())) {
            Some(booking) => settle(facts, amounts.minus(&booking.amounts)),
            None => settle(facts, amounts),
        }
    }
    for booking in before.into_values().filter(|booking| wanted(&booking.facts)) {
        settle(booking.facts.clone(), Amounts::default().minus(&booking.amounts));
    }
    Ok((lines, credits))
}
