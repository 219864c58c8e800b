//! The draft of an invoice.

use serde::{Deserialize, Serialize};

use super::Settled;
use super::attribute::{Attribution, sum_attributions};
use crate::fee::FeeTooLarge;
use crate::usage::{BucketLabel, Usage};
use crate::wallet::{Due, Spent, Wallet};
use crate::{Currency, Exact, Fee, Moment, Period, Quantity};

/// What a line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// The plan's own fee.
    Subscription,
    /// The use of one thing.
    Usage,
    /// What is missing to a charge's minimum.
    Minimum,
    /// What is missing to the plan's commitment.
    Commitment,
}

/// Something taken off a line before tax.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reduction {
    /// The coupon; nothing for what was billed progressively.
    pub coupon: Option<String>,
    /// Minor units.
    pub minor: i64,
}

/// A tax on a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineTax {
    /// Its code.
    pub code: String,
    /// The tax on the precise amount, in the main unit.
    pub precise: Exact,
    /// The line's part of the tax of the invoice, which is rounded once.
    pub minor: i64,
}

/// A line of an invoice. Amounts ending in `_minor` are in minor units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What it is for.
    pub kind: LineKind,
    /// The plan.
    pub plan: String,
    /// The charge, but for lines of the plan itself.
    pub charge: Option<String>,
    /// The type of the events, for usage.
    pub meter: Option<String>,
    /// The price and the group.
    pub bucket: BucketLabel,
    /// The first instant it covers.
    pub from: Moment,
    /// The first instant after it.
    pub to: Moment,
    /// Units, as they were priced.
    pub units: Exact,
    /// Events.
    pub events: u64,
    /// The precise fee of a unit on average, in the main unit; nothing without units.
    pub unit_price: Option<Exact>,
    /// The fee, before anything is taken off.
    pub fee: Fee,
    /// What is taken off before tax.
    pub reductions: Vec<Reduction>,
    /// The fee less reductions.
    pub net_minor: i64,
    /// Taxes on it.
    pub taxes: Vec<LineTax>,
    /// Net and taxes.
    pub total_minor: i64,
    /// What is left to pay, after credit notes and wallets.
    pub due_minor: i64,
    /// Who caused it.
    pub attribution: Attribution,
}

/// A tax of an invoice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxTotal {
    /// Its code.
    pub code: String,
    /// Its rate in percent.
    pub percent: Quantity,
    /// The precise tax, in the main unit.
    pub precise: Exact,
    /// The tax in minor units, rounded half-up, once.
    pub minor: i64,
}

/// Money owed back to the customer, set against what an invoice asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreditNote {
    /// Its id.
    pub id: String,
    /// Its currency.
    pub currency: Currency,
    /// What is left of it, in minor units.
    pub left: u64,
}

/// An invoice, drawn up and not yet issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceDraft {
    /// The subscription.
    pub subscription: String,
    /// Who pays.
    pub customer: String,
    /// What it covers.
    pub period: Period,
    /// The currency of every amount.
    pub currency: Currency,
    /// Its lines, by plan, charge, price and group.
    pub lines: Vec<Line>,
    /// All fees.
    pub subtotal_minor: i64,
    /// Everything taken off before tax.
    pub reductions_minor: i64,
    /// Billed before for usage and more than usage came to, before tax: owed back to the customer, and not taken off this
    /// invoice.
    pub overpaid_minor: i64,
    /// Taxes by code.
    pub taxes: Vec<TaxTotal>,
    /// All taxes.
    pub tax_minor: i64,
    /// Fees less reductions, and taxes.
    pub total_minor: i64,
    /// Paid by credit notes.
    pub credited_minor: i64,
    /// Paid by wallets.
    pub prepaid_minor: i64,
    /// Left to pay.
    pub due_minor: i64,
    /// Each credit spent, with the line it paid.
    pub spent: Vec<Spent>,
    /// The wallets as they are once the invoice is issued.
    pub wallets: Vec<Wallet>,
    /// The credit notes as they are once the invoice is issued.
    pub credit_notes: Vec<CreditNote>,
    /// Who caused it: the parts of the total add up to it.
    pub attribution: Attribution,
}

/// Sets credit notes against lines, the largest first; returns what they paid.
pub(super) fn credit(notes: &mut [CreditNote], dues: &mut [Due]) -> u64 {
    let mut paid = 0;
    for note in notes {
        let mut lines: Vec<usize> = (0..dues.len()).collect();
        lines.sort_by_key(|line| (std::cmp::Reverse(dues[*line].minor), *line));
        for line in lines {
            let minor = note.left.min(dues[line].minor);
            note.left -= minor;
            dues[line].minor -= minor;
            paid += minor;
        }
    }
    paid
}

/// The sum of minor units.
pub(super) fn sum_minor(parts: impl Iterator<Item = i64>, currency: Currency) -> Result<i64, FeeTooLarge> {
    let sum: i128 = parts.map(i128::from).sum();
    i64::try_from(sum).map_err(|_| FeeTooLarge { amount: format!("{sum} minor units"), currency })
}

pub(super) fn total(
    usage: &Usage,
    lines: Vec<Line>,
    taxes: Vec<TaxTotal>,
    settled: Settled,
) -> Result<InvoiceDraft, super::BillError> {
    let currency = usage.currency;
    let sum = |minor: fn(&Line) -> i64| sum_minor(lines.iter().map(minor), currency);
    let reductions = lines.iter().flat_map(|line| &line.reductions).map(|reduction| reduction.minor);
    let prepaid: i128 = settled.spent.iter().map(|spent| i128::from(spent.minor)).sum();
    let within = |minor: i128| {
        i64::try_from(minor).map_err(|_| FeeTooLarge { amount: format!("{minor} minor units"), currency })
    };
    Ok(InvoiceDraft {
        subscription: usage.subscription.id.clone(),
        customer: usage.subscription.customer.clone(),
        period: usage.period.clone(),
        currency,
        subtotal_minor: sum(|line| line.fee.minor)?,
        reductions_minor: sum_minor(reductions, currency)?,
        overpaid_minor: settled.overpaid,
        tax_minor: sum_minor(taxes.iter().map(|tax| tax.minor), currency)?,
        total_minor: sum(|line| line.total_minor)?,
        credited_minor: within(settled.credited.into())?,
        prepaid_minor: within(prepaid)?,
        due_minor: sum(|line| line.due_minor)?,
        attribution: sum_attributions(&lines),
        taxes,
        lines,
        spent: settled.spent,
        wallets: settled.wallets,
        credit_notes: settled.credit_notes,
    })
}
