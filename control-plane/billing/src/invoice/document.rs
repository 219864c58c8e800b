//! What a finalized invoice says: everything that was signed.

use std::collections::BTreeMap;

use creto_rating::{Attribution, Currency, Moment, Part, Period, Quantity};
use serde::{Deserialize, Serialize};

use super::InvoiceKind;
use super::draft::{Draft, bounded};
use super::line::LineItem;
use crate::BillingError;
use crate::customer::Party;

/// The schema of the document.
pub(crate) const SCHEMA: u32 = 1;

/// A tax of the whole invoice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaxSum {
    /// Its code.
    pub code: String,
    /// Its rate in percent.
    pub percent: Quantity,
    /// Minor units.
    pub minor: i64,
}

/// What a credit note paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppliedCredit {
    /// The number of the credit note.
    pub credit_note: String,
    /// Minor units.
    pub minor: i64,
}

/// What a wallet paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prepaid {
    /// The wallet.
    pub wallet: String,
    /// The credit in it.
    pub credit: String,
    /// The line it paid, from 1.
    pub line: u32,
    /// Minor units.
    pub minor: i64,
}

/// A finalized invoice. Amounts in minor units of the currency; times in microseconds since 1970.
///
/// Fees less reductions plus taxes are the total; the total less what credit notes and wallets paid is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvoiceDocument {
    /// The schema, 1.
    pub schema: u32,
    /// The namespace it was issued in.
    pub namespace: String,
    /// Its id.
    pub id: String,
    /// Its number, without gaps in its namespace.
    pub number: String,
    /// Why it was drawn up.
    pub kind: InvoiceKind,
    /// Who issued it.
    pub issuer: Party,
    /// The id of the customer.
    pub customer_id: String,
    /// Who pays.
    pub customer: Party,
    /// The subscription.
    pub subscription: String,
    /// What it covers.
    pub period: Period,
    /// What amounts are in.
    pub currency: Currency,
    /// When it was issued.
    pub issued_at: Moment,
    /// When it is to be paid by.
    pub due_at: Moment,
    /// Its lines.
    pub lines: Vec<LineItem>,
    /// All fees.
    pub subtotal_minor: i64,
    /// Everything taken off before tax.
    pub reductions_minor: i64,
    /// Taxes by code and rate.
    pub taxes: Vec<TaxSum>,
    /// All taxes.
    pub tax_minor: i64,
    /// Fees less reductions, and taxes.
    pub total_minor: i64,
    /// Credit notes that paid.
    pub credits: Vec<AppliedCredit>,
    /// All of them.
    pub credited_minor: i64,
    /// Wallets that paid.
    pub prepaid: Vec<Prepaid>,
    /// All of them.
    pub prepaid_minor: i64,
    /// Left to pay.
    pub due_minor: i64,
    /// Who caused it: agents, and the values of each dimension. Parts add up to subtotal and total.
    pub attribution: Attribution,
}

/// What finalization knows besides the draft.
pub(crate) struct Issue {
    pub(crate) namespace: String,
    pub(crate) id: String,
    pub(crate) number: String,
    pub(crate) issuer: Party,
    pub(crate) customer: Party,
    pub(crate) issued_at: Moment,
    pub(crate) due_at: Moment,
    pub(crate) credits: Vec<AppliedCredit>,
    pub(crate) prepaid: Vec<Prepaid>,
}

impl InvoiceDocument {
    /// The document of a draft.
    ///
    /// # Errors
    /// [`BillingError::Amount`] for sums out of range.
    pub(crate) fn issue(draft: &Draft, issue: Issue) -> Result<Self, BillingError> {
        let lines = draft.items();
        let sum = |minor: &dyn Fn(&LineItem) -> i64| -> i128 {
            lines.iter().map(|line| i128::from(minor(line))).sum()
        };
        let subtotal = sum(&|line| line.fee_minor);
        let net = sum(&|line| line.net_minor);
        let total = sum(&|line| line.total_minor);
        let credited: i128 = issue.credits.iter().map(|credit| i128::from(credit.minor)).sum();
        let prepaid: i128 = issue.prepaid.iter().map(|prepaid| i128::from(prepaid.minor)).sum();
        let mut taxes: BTreeMap<(String, Quantity), i64> = BTreeMap::new();
        for tax in lines.iter().flat_map(|line| &line.taxes) {
            *taxes.entry((tax.code.clone(), tax.percent)).or_default() += tax.minor;
        }
        let taxes = taxes.into_iter().map(|((code, percent), minor)| TaxSum { code, percent, minor });
        let attribution = attributed(&lines);
        Ok(Self {
            schema: SCHEMA,
            namespace: issue.namespace,
            id: issue.id,
            number: issue.number,
            kind: draft.kind,
            issuer: issue.issuer,
            customer_id: draft.customer.clone(),
            customer: issue.customer,
            subscription: draft.subscription.clone(),
            period: draft.period.clone(),
            currency: draft.currency,
            issued_at: issue.issued_at,
            due_at: issue.due_at,
            lines,
            // Corrections may move a cent between net and tax, so these two alone may be below zero.
            subtotal_minor: signed(subtotal)?,
            reductions_minor: signed(subtotal - net)?,
            taxes: taxes.collect(),
            tax_minor: signed(total - net)?,
            total_minor: bounded(total)?,
            credits: issue.credits,
            credited_minor: bounded(credited)?,
            prepaid: issue.prepaid,
            prepaid_minor: bounded(prepaid)?,
            due_minor: bounded(total - credited - prepaid)?,
            attribution,
        })
    }
}

fn signed(minor: i128) -> Result<i64, BillingError> {
    bounded(minor.abs()).map(|amount| if minor < 0 { -amount } else { amount })
}

/// The attribution of all lines, added up. A line without a dimension counts as caused by nobody in it.
fn attributed(lines: &[LineItem]) -> Attribution {
    let whole =
        |line: &LineItem| vec![Part { name: None, fee_minor: line.fee_minor, total_minor: line.total_minor }];
    let sum = |of: &dyn Fn(&LineItem) -> Option<Vec<Part>>| {
        let mut sums: BTreeMap<Option<String>, (i64, i64)> = BTreeMap::new();
        for line in lines {
            for part in of(line).filter(|parts| !parts.is_empty()).unwrap_or_else(|| whole(line)) {
                let (fee, total) = sums.entry(part.name).or_default();
                *fee = fee.saturating_add(part.fee_minor);
                *total = total.saturating_add(part.total_minor);
            }
        }
        let parts = sums.into_iter().filter(|(_, (fee, total))| *fee != 0 || *total != 0);
        parts
            .map(|(name, (fee_minor, total_minor))| Part { name, fee_minor, total_minor })
            .collect::<Vec<_>>()
    };
    let keys: std::collections::BTreeSet<&String> =
        lines.iter().flat_map(|line| line.attribution.dimensions.keys()).collect();
    Attribution {
        agents: sum(&|line| Some(line.attribution.agents.clone())),
        dimensions: keys
            .into_iter()
            .map(|key| (key.clone(), sum(&|line| line.attribution.dimensions.get(key).cloned())))
            .collect(),
    }
}
