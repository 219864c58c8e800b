//! Finalization: a draft becomes a numbered, signed invoice, in one transaction.

use creto_rating::Moment;

use super::catalogue::{known_customer, settings};
use super::credit_notes::{Asked, issue as issue_note};
use super::operations::{Counter, next};
use super::{draft, invoices, settle, subscriptions, written};
use crate::BillingError;
use crate::credit_note::CreditLine;
use crate::customer::Customer;
use crate::invoice::{Draft, InvoiceDocument, InvoiceKind, InvoiceState, LateCredit, SignedInvoice};
use crate::store::Finalize;
use creto_sql::Work;

const DAY_MICROS: i64 = 86_400_000_000;

pub(super) async fn issue(
    work: &mut dyn Work,
    namespace: &str,
    finalize: &Finalize<'_>,
) -> Result<SignedInvoice, BillingError> {
    let settings =
        settings(work, namespace).await?.ok_or_else(|| BillingError::NoSettings(namespace.to_owned()))?;
    let invoice = invoices::about_to(work, namespace, finalize.invoice, InvoiceState::Finalized).await?;
    let (mut record, revision) = subscriptions::known(work, namespace, &invoice.subscription).await?;
    let Some(draft) = invoice.draft().cloned() else {
        let (from, to) = (invoice.state(), InvoiceState::Finalized);
        return Err(BillingError::Transition { invoice: invoice.id, from, to });
    };
    if draft.bookings_revision != revision {
        return Err(BillingError::StaleDraft(invoice.id));
    }
    if draft.kind == InvoiceKind::Period && finalize.at < draft.period.to() {
        let (end, at) = (draft.period.to(), finalize.at);
        return Err(BillingError::NotOver { invoice: invoice.id, end, at });
    }
    let customer = known_customer(work, namespace, &draft.customer).await?;
    give_back_late(work, namespace, &draft, finalize).await?;

    let mut dues = settle::dues(&draft)?;
    let credits = settle::credit_notes(work, namespace, &invoice.id, &draft, &mut dues).await?;
    let prepaid = settle::wallets(work, namespace, &invoice.id, &draft, &mut dues, finalize.at).await?;

    let sequence = next(work, namespace, Counter::Invoice).await?;
    let due_at = later(finalize.at, settings.terms_days)?;
    let issue = crate::invoice::Issue {
        namespace: namespace.to_owned(),
        id: invoice.id.clone(),
        number: format!("{}{sequence:06}", settings.invoice_prefix),
        issuer: settings.issuer.clone(),
        customer: customer.party.clone(),
        issued_at: finalize.at,
        due_at,
        credits,
        prepaid,
    };
    let document = InvoiceDocument::issue(&draft, issue)?;
    let json = finalize.signer.sign(&document)?;
    keep(work, namespace, &document, sequence, &json).await?;
    keep_lines(work, namespace, &invoice.id, &draft).await?;
    if draft.kind == InvoiceKind::Period && record.current_period == draft.period {
        record.current_period = record.period_after(&draft.period)?;
    }
    subscriptions::keep(work, namespace, &record, true).await?;
    if settings.export_invoices {
        export(work, namespace, &document, &customer).await?;
    }
    Ok(SignedInvoice { document, json })
}

fn later(at: Moment, days: u16) -> Result<Moment, BillingError> {
    let micros = at.micros().saturating_add(i64::from(days) * DAY_MICROS);
    Moment::from_micros(micros)
        .map_err(|error| BillingError::Damaged { what: "due date", cause: error.to_string() })
}

async fn keep(
    work: &mut dyn Work,
    namespace: &str,
    document: &InvoiceDocument,
    sequence: i64,
    json: &str,
) -> Result<(), BillingError> {
    const KEEP: &str = "UPDATE billing_invoices SET state = $3, sequence = $4, due_at = $5, due_minor = $6, \
         settled_at = $7, document = $8, draft = NULL WHERE namespace = $1 AND id = $2 AND state = 'draft'";
    // Nothing to wait for: credit paid it, or it comes to nothing.
    let paid = document.due_minor == 0;
    let state = if paid { InvoiceState::Paid } else { InvoiceState::Finalized };
    let row = vec![
        namespace.into(),
        document.id.as_str().into(),
        state.name().into(),
        sequence.into(),
        document.due_at.micros().into(),
        document.due_minor.into(),
        paid.then_some(document.issued_at.micros()).into(),
        json.into(),
    ];
    work.run(KEEP, row).await?;
    Ok(())
}

async fn keep_lines(
    work: &mut dyn Work,
    namespace: &str,
    invoice: &str,
    of: &Draft,
) -> Result<(), BillingError> {
    const KEEP: &str = "INSERT INTO billing_lines (namespace, invoice, number, subscription, period_from, line, \
         total_minor, credited_minor, document) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8)";
    for (number, line) in (1_u32..).zip(&of.lines) {
        let row = vec![
            namespace.into(),
            invoice.into(),
            number.into(),
            of.subscription.as_str().into(),
            line.facts.period_from.micros().into(),
            line.facts.key().into(),
            line.amounts.total_minor.into(),
            written("line", line)?.into(),
        ];
        work.run(KEEP, row).await?;
        draft::book(work, namespace, &of.subscription, line, true).await?;
    }
    Ok(())
}

/// Credit notes for what usage came to less than was billed, one for each invoice that billed it, the latest first. Where
/// credit notes by hand gave back the line before, only what is left of it is given back.
async fn give_back_late(
    work: &mut dyn Work,
    namespace: &str,
    of: &Draft,
    finalize: &Finalize<'_>,
) -> Result<(), BillingError> {
    const LINES: &str = "SELECT l.invoice, l.number, l.total_minor - l.credited_minor FROM billing_lines l \
         JOIN billing_invoices i ON i.namespace = l.namespace AND i.id = l.invoice WHERE l.namespace = $1 \
         AND l.subscription = $2 AND l.period_from = $3 AND l.line = $4 AND i.state IN ('finalized', 'paid') \
         AND l.total_minor > l.credited_minor ORDER BY i.sequence DESC";
    let mut notes: std::collections::BTreeMap<String, Vec<CreditLine>> = std::collections::BTreeMap::new();
    for LateCredit { facts, amounts } in &of.credits {
        let given = vec![
            namespace.into(),
            of.subscription.as_str().into(),
            facts.period_from.micros().into(),
            facts.key().into(),
        ];
        let mut left = amounts.total_minor;
        for mut row in work.rows(LINES, given).await? {
            let (invoice, number, open) = (row.text()?, row.number()?, row.number()?);
            let minor = open.min(left);
            if minor > 0 {
                let line = u32::try_from(number).unwrap_or(u32::MAX);
                notes.entry(invoice).or_default().push(CreditLine { line, total_minor: minor });
                left -= minor;
            }
        }
        let line = crate::invoice::RatedLine { facts: facts.clone(), amounts: amounts.clone() };
        draft::book(work, namespace, &of.subscription, &line, false).await?;
    }
    for (invoice, lines) in notes {
        let asked = Asked { invoice: &invoice, lines: &lines, reason: "Late usage", at: finalize.at };
        issue_note(work, namespace, asked, finalize.signer).await?;
    }
    Ok(())
}

async fn export(
    work: &mut dyn Work,
    namespace: &str,
    document: &InvoiceDocument,
    customer: &Customer,
) -> Result<(), BillingError> {
    if let Some(stripe_customer) = &customer.stripe_customer {
        let item = crate::stripe::invoice_item(document, stripe_customer);
        super::outbox::put(work, namespace, &item, document.issued_at).await?;
    }
    Ok(())
}
