//! `creto invoice list`.

use clap::{Args, ValueEnum};
use creto_proto::v1;

use super::summary;
use crate::commands::LONGEST_LIST;
use crate::failure::Outcome;
use crate::operator::{Operator, refused};
use crate::output::remark;
use crate::session::Session;

/// Where an invoice stands.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    /// Drawn up; may be drawn up again.
    Draft,
    /// Issued and not paid.
    Finalized,
    /// Paid, or nothing was due.
    Paid,
    /// Taken back.
    Void,
}

impl State {
    /// Its name on the API.
    fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Finalized => "finalized",
            Self::Paid => "paid",
            Self::Void => "void",
        }
    }
}

/// Options of `invoice list`.
#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// In this state only.
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Of this subscription only.
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    subscription: String,
}

/// Lists them by id.
///
/// # Errors
/// When the control plane refuses.
pub(super) async fn run(session: &Session, args: ListArgs) -> Outcome {
    let operator = session.operator().await?;
    let state = args.state.map(State::as_str).unwrap_or_default();
    let invoices = all(&operator, state, &args.subscription).await?;
    let rows: Vec<_> = invoices.iter().map(summary::row).collect();
    session.output.list(&summary::HEADING, &rows)
}

/// Every invoice in a state, or in any; the first [`LONGEST_LIST`] of them, with a remark when there are more.
///
/// # Errors
/// When the control plane refuses.
pub(super) async fn all(
    operator: &Operator,
    state: &str,
    subscription: &str,
) -> Outcome<Vec<v1::InvoiceSummary>> {
    let mut found = Vec::new();
    let mut after = String::new();
    loop {
        let request = v1::ListInvoicesRequest {
            namespace: operator.namespace.clone(),
            subscription: subscription.to_owned(),
            state: state.to_owned(),
            after,
        };
        let answer = operator.client.billing().list_invoices(request).await;
        let page = answer.map_err(|status| refused("The invoices cannot be listed.", &status))?.into_inner();
        found.extend(page.invoices);
        if page.next.is_empty() {
            return Ok(found);
        }
        if found.len() >= LONGEST_LIST {
            remark(&format!("Only the first {} are listed.", found.len()));
            return Ok(found);
        }
        after = page.next;
    }
}
