//! What billing found, as it goes on the wire.

use creto_billing::{BillingError, Draft, Invoice, Outcome, RunReport, Standing, Unmatched};
use creto_proto::v1::{DrawUpInvoicesResponse, InvoiceSummary};

/// Entries of each list of a run that are told.
pub(crate) const MAX_TOLD: usize = 1_000;

/// One invoice in a line.
pub(crate) fn summary(invoice: &Invoice) -> InvoiceSummary {
    let mut summary = InvoiceSummary {
        id: invoice.id.clone(),
        subscription: invoice.subscription.clone(),
        customer: invoice.customer.clone(),
        state: invoice.state().name().to_owned(),
        kind: invoice.kind.name().to_owned(),
        currency: invoice.currency.code().to_owned(),
        period_from_us: invoice.period.from().micros(),
        period_to_us: invoice.period.to().micros(),
        ..InvoiceSummary::default()
    };
    match &invoice.standing {
        Standing::Draft(draft) => {
            // Whoever keeps a draft has looked that it is in range.
            let total = draft.total_minor().unwrap_or(creto_billing::MAX_MINOR);
            (summary.total_minor, summary.due_minor) = (total, total);
        }
        Standing::Issued { signed, after } => {
            let document = &signed.document;
            summary.number.clone_from(&document.number);
            summary.total_minor = document.total_minor;
            summary.due_minor = if *after == Outcome::Open { document.due_minor } else { 0 };
            summary.issued_at_us = document.issued_at.micros();
            summary.due_at_us = document.due_at.micros();
        }
    }
    summary
}

/// A draft as JSON.
///
/// # Errors
/// [`BillingError::Damaged`] for what no JSON holds.
pub(crate) fn draft_json(draft: &Draft) -> Result<String, BillingError> {
    serde_json::to_string(draft)
        .map_err(|error| BillingError::Damaged { what: "draft", cause: error.to_string() })
}

/// What a run did.
pub(super) fn drawn(report: &RunReport) -> DrawUpInvoicesResponse {
    let told = |ids: &[String]| ids.iter().take(MAX_TOLD).cloned().collect();
    let refused = report.refused.iter().take(MAX_TOLD);
    DrawUpInvoicesResponse {
        drafts: report.drafts.iter().take(MAX_TOLD).map(summary).collect(),
        refused: refused.map(|(subscription, error)| (subscription.clone(), error.to_string())).collect(),
        empty: told(&report.empty),
        waiting: told(&report.waiting),
        unfinished: told(&report.unfinished),
        unmatched: report
            .unmatched
            .iter()
            .map(|(reason, events)| (reason_name(*reason).to_owned(), *events))
            .collect(),
        running: false,
        drawn_up: report.drafts.len() as u64,
    }
}

const fn reason_name(reason: Unmatched) -> &'static str {
    match reason {
        Unmatched::UnknownSubscription => "unknown_subscription",
        Unmatched::UnknownCustomer => "unknown_customer",
        Unmatched::Ambiguous => "ambiguous",
        Unmatched::Nobody => "nobody",
        Unmatched::NoCharge => "no_charge",
        Unmatched::NoService => "no_service",
    }
}
