//! The amounts of a line, and what is left of them when those booked before are taken off.

use std::collections::BTreeMap;

use creto_rating::{Attribution, Exact, Part, Quantity};
use serde::{Deserialize, Serialize};

/// A tax on a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxAmount {
    /// Its code.
    pub code: String,
    /// Its rate in percent.
    pub percent: Quantity,
    /// Minor units.
    pub minor: i64,
}

/// What a line comes to. Amounts in minor units. Two of them add and subtract part by part, so that what is billed for one
/// thing over many invoices is what it comes to in the end, to the cent, for each agent too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    /// Units, as they were priced.
    pub units: Exact,
    /// Events.
    pub events: i64,
    /// The fee before it was rounded, in the main unit of the currency.
    pub precise: Exact,
    /// The fee, before anything is taken off.
    pub fee_minor: i64,
    /// What is taken off, by coupon.
    pub reductions: BTreeMap<String, i64>,
    /// The fee less reductions.
    pub net_minor: i64,
    /// Taxes, by code and rate.
    pub taxes: Vec<TaxAmount>,
    /// Net and taxes.
    pub total_minor: i64,
    /// Who caused it.
    pub attribution: Attribution,
}

impl Amounts {
    /// This and `other`.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.combined(other, 1)
    }

    /// This without `other`.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        self.combined(other, -1)
    }

    /// Nothing to bill and nothing to give back.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.fee_minor == 0
            && self.net_minor == 0
            && self.total_minor == 0
            && self.taxes.iter().all(|tax| tax.minor == 0)
            && self.reductions.values().all(|minor| *minor == 0)
    }

    /// All taxes, in minor units.
    #[must_use]
    pub fn tax_minor(&self) -> i64 {
        self.taxes.iter().fold(0, |sum, tax| sum.saturating_add(tax.minor))
    }

    /// `self + sign * other`. Amounts of invoices are within 2^53, so sums of a few stay far from the ends of 64 bits.
    fn combined(&self, other: &Self, sign: i64) -> Self {
        let join = |a: i64, b: i64| a.saturating_add(b.saturating_mul(sign));
        let mut reductions = self.reductions.clone();
        for (coupon, minor) in &other.reductions {
            let sum = reductions.entry(coupon.clone()).or_default();
            *sum = join(*sum, *minor);
        }
        reductions.retain(|_, minor| *minor != 0);
        let mut taxes: BTreeMap<(String, Quantity), i64> = BTreeMap::new();
        for (list, sign) in [(&self.taxes, 1), (&other.taxes, sign)] {
            for tax in list {
                let sum = taxes.entry((tax.code.clone(), tax.percent)).or_default();
                *sum = sum.saturating_add(tax.minor.saturating_mul(sign));
            }
        }
        let taxes = taxes.into_iter().map(|((code, percent), minor)| TaxAmount { code, percent, minor });
        let sum = |a: &Exact, b: &Exact| a + &(b * &Exact::from(sign));
        Self {
            units: sum(&self.units, &other.units),
            precise: sum(&self.precise, &other.precise),
            events: join(self.events, other.events),
            fee_minor: join(self.fee_minor, other.fee_minor),
            reductions,
            net_minor: join(self.net_minor, other.net_minor),
            taxes: taxes.collect(),
            total_minor: join(self.total_minor, other.total_minor),
            attribution: combined_attribution(self, other, sign),
        }
    }
}

/// Parts of both, name by name. A dimension that only one of them knows counts as caused by nobody in the other, so that
/// parts still add up to the whole.
fn combined_attribution(one: &Amounts, other: &Amounts, sign: i64) -> Attribution {
    let mut dimensions = BTreeMap::new();
    let keys = one.attribution.dimensions.keys().chain(other.attribution.dimensions.keys());
    for key in keys {
        if dimensions.contains_key(key) {
            continue;
        }
        let of = |amounts: &Amounts| match amounts.attribution.dimensions.get(key) {
            Some(parts) => parts.clone(),
            None => unnamed(amounts),
        };
        dimensions.insert(key.clone(), combined_parts(&of(one), &of(other), sign));
    }
    let agents = |amounts: &Amounts| {
        if amounts.attribution.agents.is_empty() {
            unnamed(amounts)
        } else {
            amounts.attribution.agents.clone()
        }
    };
    Attribution { agents: combined_parts(&agents(one), &agents(other), sign), dimensions }
}

fn unnamed(amounts: &Amounts) -> Vec<Part> {
    if amounts.fee_minor == 0 && amounts.total_minor == 0 {
        return Vec::new();
    }
    vec![Part { name: None, fee_minor: amounts.fee_minor, total_minor: amounts.total_minor }]
}

fn combined_parts(one: &[Part], other: &[Part], sign: i64) -> Vec<Part> {
    let mut sums: BTreeMap<Option<String>, (i64, i64)> = BTreeMap::new();
    for (parts, sign) in [(one, 1), (other, sign)] {
        for part in parts {
            let (fee, total) = sums.entry(part.name.clone()).or_default();
            *fee = fee.saturating_add(part.fee_minor.saturating_mul(sign));
            *total = total.saturating_add(part.total_minor.saturating_mul(sign));
        }
    }
    let parts = sums.into_iter().filter(|(_, (fee, total))| *fee != 0 || *total != 0);
    parts.map(|(name, (fee_minor, total_minor))| Part { name, fee_minor, total_minor }).collect()
}
