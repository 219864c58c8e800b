//! `creto invoice finalize`: drafts become numbered, signed invoices.

use clap::Args;
use creto_proto::v1;
use serde_json::{Value, json};

use super::{list, summary};
use crate::failure::{Failure, Outcome, exit};
use crate::operator::{Operator, refused};
use crate::output::remark;
use crate::session::Session;

/// Options of `invoice finalize`.
#[derive(Args, Debug)]
pub(crate) struct FinalizeArgs {
    /// Ids of drafts.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    ids: Vec<String>,
    /// Every draft there is.
    #[arg(long)]
    all: bool,
    /// Idempotency key, for one draft; made from its id when left out, so that doing it twice does it once.
    #[arg(long, value_name = "KEY", conflicts_with = "all")]
    key: Option<String>,
}

/// Issues them one by one; one that is refused does not keep the others back. The exit code says whether all are issued.
///
/// # Errors
/// When the drafts cannot be listed, or the only one is refused.
pub(super) async fn run(session: &Session, args: FinalizeArgs) -> Outcome<u8> {
    if args.key.is_some() && args.ids.len() > 1 {
        return Err(Failure::new("One key is of one draft.")
            .next("Name one draft, or leave --key out: each gets its own.")
            .code(exit::USAGE));
    }
    let operator = session.operator().await?;
    let ids = if args.all {
        list::all(&operator, "draft", "").await?.into_iter().map(|draft| draft.id).collect()
    } else {
        args.ids
    };
    let only = ids.len() == 1 && !args.all;
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    for id in &ids {
        let key = args.key.clone().unwrap_or_else(|| format!("finalize-{id}"));
        match finalize(&operator, id, key).await {
            Ok(invoice) => rows.push(summary::row(&invoice)),
            Err(failure) if only => return Err(failure),
            Err(failure) => wrong.push((id, failure)),
        }
    }
    if session.output.is_json() {
        let issued: Vec<&Value> = rows.iter().map(|(_, value)| value).collect();
        let refused: Vec<Value> = wrong
            .iter()
            .map(|(id, failure)| json!({"id": id, "error": failure.to_json()["error"]}))
            .collect();
        session.output.value(&json!({"issued": issued, "refused": refused}), "")?;
    } else {
        session.output.list(&summary::HEADING, &rows)?;
    }
    let code = if wrong.is_empty() { 0 } else { exit::FAILED };
    if !session.output.is_json() {
        wrong.into_iter().for_each(|(_, failure)| remark(&failure.render()));
    }
    Ok(code)
}

async fn finalize(operator: &Operator, id: &str, key: String) -> Outcome<v1::InvoiceSummary> {
    let request =
        v1::FinalizeInvoiceRequest { namespace: operator.namespace.clone(), invoice: id.to_owned(), key };
    let answer = operator.client.billing().finalize_invoice(request).await;
    let answer =
        answer.map_err(|status| refused(format!("Draft {id} is not issued."), &status))?.into_inner();
    Ok(answer.invoice.unwrap_or_default())
}
