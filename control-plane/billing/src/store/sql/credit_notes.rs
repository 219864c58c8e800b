//! Credit notes.

use std::collections::BTreeMap;

use creto_rating::Moment;

use super::catalogue::settings;
use super::operations::{Counter, done_before, next, remember};
use super::{invoices, missing};
use crate::BillingError;
use crate::credit_note::{
    CreditLine, CreditNoteDocument, CreditedLine, KeptCreditNote, MAX_CREDIT_LINES, MAX_REASON_CHARS,
    NewCreditNote,
};
use crate::customer::refused;
use crate::invoice::{InvoiceState, LineItem};
use crate::signature::{InvoiceKey, read_signed};
use crate::store::MAX_PAGE;
use creto_sql::Row;
use creto_sql::Work;

const SCHEMA: u32 = 1;

/// What is to be given back, and why.
pub(super) struct Asked<'a> {
    pub(super) invoice: &'a str,
    pub(super) lines: &'a [CreditLine],
    pub(super) reason: &'a str,
    pub(super) at: Moment,
}

pub(super) async fn issue_by_hand(
    work: &mut dyn Work,
    namespace: &str,
    new: &NewCreditNote,
    signer: &InvoiceKey,
) -> Result<KeptCreditNote, BillingError> {
    let mut problems = Vec::new();
    if new.lines.is_empty() || new.lines.len() > MAX_CREDIT_LINES {
        problems.push(format!("`lines`: between 1 and {MAX_CREDIT_LINES}"));
    }
    if new.lines.iter().any(|line| line.total_minor <= 0) {
        problems.push("`total_minor`: above zero".to_owned());
    }
    if new.reason.is_empty() || new.reason.chars().count() > MAX_REASON_CHARS {
        problems.push(format!("`reason`: 1 to {MAX_REASON_CHARS} characters"));
    }
    refused("a credit note of invoice", &new.invoice, problems)?;
    let lines = serde_json::json!(new.lines).to_string();
    let request = format!("credit {} {lines}", new.invoice);
    if let Some(number) = done_before(work, namespace, &new.key, &request).await? {
        return find(work, namespace, &number).await;
    }
    let asked = Asked { invoice: &new.invoice, lines: &new.lines, reason: &new.reason, at: new.at };
    let note = issue(work, namespace, asked, signer).await?;
    remember(work, namespace, &new.key, &request, &note.document.number).await?;
    Ok(note)
}

/// Issues a credit note. Never above what is left of each line, which the database holds too.
pub(super) async fn issue(
    work: &mut dyn Work,
    namespace: &str,
    asked: Asked<'_>,
    signer: &InvoiceKey,
) -> Result<KeptCreditNote, BillingError> {
    const PUT: &str = "INSERT INTO billing_credit_notes (namespace, number, sequence, invoice, customer, currency, \
         issued_at, total_minor, left_minor, document) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)";
    let settings =
        settings(work, namespace).await?.ok_or_else(|| BillingError::NoSettings(namespace.to_owned()))?;
    let invoice = invoices::known(work, namespace, asked.invoice).await?;
    let state = invoice.state();
    let signed = match invoice.signed() {
        Some(signed) if state != InvoiceState::Void => &signed.document,
        _ => {
            let (id, to) = (invoice.id.clone(), InvoiceState::Paid);
            return Err(BillingError::Transition { invoice: id, from: state, to });
        }
    };
    let mut sums: BTreeMap<u32, i64> = BTreeMap::new();
    for line in asked.lines {
        let sum = sums.entry(line.line).or_default();
        *sum = sum.saturating_add(line.total_minor);
    }
    let mut lines = Vec::with_capacity(sums.len());
    for (number, minor) in sums {
        let item = signed.lines.iter().find(|line| line.number == number);
        let item = item.ok_or_else(|| missing(namespace, "line of the invoice", &number.to_string()))?;
        lines.push(credited(work, namespace, &invoice.id, item, minor).await?);
    }
    let total: i128 = lines.iter().map(|line| i128::from(line.total_minor)).sum();
    let total_minor = crate::invoice::bounded(total)?;
    let sequence = next(work, namespace, Counter::CreditNote).await?;
    let document = CreditNoteDocument {
        schema: SCHEMA,
        namespace: namespace.to_owned(),
        number: format!("{}{sequence:06}", settings.credit_note_prefix),
        invoice: invoice.id.clone(),
        invoice_number: signed.number.clone(),
        customer: invoice.customer.clone(),
        currency: invoice.currency,
        issued_at: asked.at,
        reason: asked.reason.to_owned(),
        tax_minor: lines.iter().fold(0, |sum, line| sum + line.tax_minor),
        lines,
        total_minor,
    };
    let json = signer.sign(&document)?;
    let row = vec![
        namespace.into(),
        document.number.as_str().into(),
        sequence.into(),
        document.invoice.as_str().into(),
        document.customer.as_str().into(),
        document.currency.code().into(),
        asked.at.micros().into(),
        total_minor.into(),
        json.as_str().into(),
    ];
    work.run(PUT, row).await?;
    Ok(KeptCreditNote { document, json, left_minor: total_minor })
}

/// Books what is given back of a line. Its tax goes with it in proportion; given back in full, all of it does.
async fn credited(
    work: &mut dyn Work,
    namespace: &str,
    invoice: &str,
    item: &LineItem,
    minor: i64,
) -> Result<CreditedLine, BillingError> {
    const FIND: &str =
        "SELECT credited_minor FROM billing_lines WHERE namespace = $1 AND invoice = $2 AND number = $3";
    const MORE: &str = "UPDATE billing_lines SET credited_minor = credited_minor + $4 WHERE namespace = $1 \
         AND invoice = $2 AND number = $3";
    let given = vec![namespace.into(), invoice.into(), item.number.into()];
    let row = work.row(FIND, given).await?;
    let before = row.ok_or_else(|| missing(namespace, "line of invoice", invoice))?.number()?;
    let left = item.total_minor - before;
    if minor > left {
        let invoice = invoice.to_owned();
        return Err(BillingError::OverCredited { invoice, line: item.number, asked: minor, left });
    }
    work.run(MORE, vec![namespace.into(), invoice.into(), item.number.into(), minor.into()]).await?;
    let tax = item.total_minor - item.net_minor;
    let tax_minor = tax_of(tax, before + minor, item.total_minor) - tax_of(tax, before, item.total_minor);
    Ok(CreditedLine {
        line: item.number,
        description: item.description.clone(),
        net_minor: minor - tax_minor,
        tax_minor,
        total_minor: minor,
    })
}

/// The tax in a part of a line, half-up; in whole numbers.
fn tax_of(tax: i64, part: i64, total: i64) -> i64 {
    if total == 0 {
        return 0;
    }
    let (tax, part, total) = (i128::from(tax), i128::from(part), i128::from(total));
    // Within `tax`, as a part is within the total.
    i64::try_from((2 * tax * part + total).div_euclid(2 * total)).unwrap_or_default()
}

fn note(mut row: Row) -> Result<KeptCreditNote, BillingError> {
    let (json, left_minor) = (row.text()?, row.number()?);
    let document = read_signed(&json)
        .map_err(|error| BillingError::Damaged { what: "credit note", cause: error.to_string() })?;
    Ok(KeptCreditNote { document, json, left_minor })
}

async fn find(work: &mut dyn Work, namespace: &str, number: &str) -> Result<KeptCreditNote, BillingError> {
    const FIND: &str =
        "SELECT document, left_minor FROM billing_credit_notes WHERE namespace = $1 AND number = $2";
    let row = work.row(FIND, vec![namespace.into(), number.into()]).await?;
    note(row.ok_or_else(|| missing(namespace, "credit note", number))?)
}

pub(super) async fn list(
    work: &mut dyn Work,
    namespace: &str,
    customer: &str,
) -> Result<Vec<KeptCreditNote>, BillingError> {
    const LIST: &str = "SELECT document, left_minor FROM billing_credit_notes WHERE namespace = $1 \
         AND customer = $2 ORDER BY sequence LIMIT $3";
    let rows = work.rows(LIST, vec![namespace.into(), customer.into(), MAX_PAGE.into()]).await?;
    rows.into_iter().map(note).collect()
}
