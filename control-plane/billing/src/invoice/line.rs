//! A line: what it is for, and what it comes to.

use creto_rating::{Attribution, Exact, LineKind, Moment};
use serde::{Deserialize, Serialize};

use super::amounts::{Amounts, TaxAmount};

/// Decimals quantities and unit prices are printed with at most.
const SHOWN_PLACES: u32 = 18;

/// What a line is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineFacts {
    /// The sort.
    pub kind: LineKind,
    /// The plan.
    pub plan: String,
    /// The charge, but for lines of the plan itself.
    pub charge: Option<String>,
    /// The type of the events, for usage.
    pub meter: Option<String>,
    /// The filter that set the price.
    pub filter: Option<String>,
    /// The values the charge is grouped by.
    pub group: Vec<Option<String>>,
    /// The first instant it covers.
    pub from: Moment,
    /// The first instant after it.
    pub to: Moment,
    /// The first instant of the billing period it belongs to.
    pub period_from: Moment,
}

impl LineFacts {
    /// What tells it from other lines of its period. The end is not part of it: a plan that is changed, or a subscription
    /// that ends, moves it.
    #[must_use]
    pub fn key(&self) -> String {
        let parts = serde_json::json!([
            self.kind,
            self.plan,
            self.charge,
            self.filter,
            self.group,
            self.from.micros()
        ]);
        parts.to_string()
    }

    /// In words, for people.
    #[must_use]
    pub fn description(&self) -> String {
        let charge = self.charge.as_deref().unwrap_or_default();
        let mut text = match self.kind {
            LineKind::Subscription => format!("Plan {}", self.plan),
            LineKind::Usage => charge.to_owned(),
            LineKind::Minimum => format!("Minimum of {charge}"),
            LineKind::Commitment => format!("Commitment of plan {}", self.plan),
        };
        let groups = self.group.iter().map(|value| value.as_deref().unwrap_or("none"));
        let details: Vec<&str> = self.filter.as_deref().into_iter().chain(groups).collect();
        if !details.is_empty() {
            text = format!("{text} ({})", details.join(", "));
        }
        text
    }
}

/// A line of an invoice. Amounts in minor units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineItem {
    /// Its number on the invoice, from 1.
    pub number: u32,
    /// In words.
    pub description: String,
    /// What it is for.
    pub facts: LineFacts,
    /// Whether it adds to what an earlier invoice billed.
    pub correction: bool,
    /// Units, in decimal digits.
    pub quantity: String,
    /// Events.
    pub events: i64,
    /// The fee of a unit on average, in the main unit of the currency, in decimal digits; nothing without units.
    pub unit_price: Option<String>,
    /// The fee.
    pub fee_minor: i64,
    /// What is taken off before tax: coupon and amount.
    pub reductions: Vec<(String, i64)>,
    /// The fee less reductions.
    pub net_minor: i64,
    /// Taxes.
    pub taxes: Vec<TaxAmount>,
    /// Net and taxes.
    pub total_minor: i64,
    /// Who caused it.
    pub attribution: Attribution,
}

impl LineItem {
    /// The line of amounts.
    #[must_use]
    pub fn of(number: u32, facts: LineFacts, amounts: &Amounts, correction: bool) -> Self {
        let mut description = facts.description();
        if correction {
            description = format!("{description}, late usage");
        }
        Self {
            number,
            description,
            correction,
            quantity: shown(&amounts.units),
            events: amounts.events,
            unit_price: amounts.precise.divided_by(&amounts.units).map(|price| shown(&price)),
            fee_minor: amounts.fee_minor,
            reductions: amounts.reductions.iter().map(|(coupon, minor)| (coupon.clone(), *minor)).collect(),
            net_minor: amounts.net_minor,
            taxes: amounts.taxes.clone(),
            total_minor: amounts.total_minor,
            attribution: amounts.attribution.clone(),
            facts,
        }
    }
}

fn shown(number: &Exact) -> String {
    let digits = number.to_decimal(SHOWN_PLACES);
    digits.trim_end_matches('0').trim_end_matches('.').to_owned()
}
