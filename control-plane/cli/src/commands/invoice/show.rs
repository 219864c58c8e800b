//! `creto invoice show`.

use creto_billing::{Draft, InvoiceDocument};
use serde_json::{Map, Value};

use super::paper::Paper;
use super::{Got, get, summary};
use crate::commands::billing::document_of;
use crate::failure::{Failure, Outcome};
use crate::session::Session;

/// Shows an invoice or a draft.
///
/// # Errors
/// When there is none, or the control plane refuses.
pub(super) async fn run(session: &Session, invoice: &str) -> Outcome {
    let operator = session.operator().await?;
    let Got { summary: found, content, .. } = get(&operator, invoice, "json").await?;
    let text = String::from_utf8(content).map_err(|error| {
        Failure::new("The control plane sends a document that is no text.")
            .why(error)
            .next("Use the `creto` of the same version as the control plane.")
    })?;
    let paper = if found.state == "draft" {
        Paper::of_draft(&document_of::<Draft>(&text)?)
    } else {
        Paper::of_document(document(&text)?)
    };
    let mut value = summary::value(&found);
    if let (Value::Object(fields), Value::Object(of_paper)) = (&mut value, paper.value()) {
        for (name, content) in of_paper {
            fields.entry(name).or_insert(content);
        }
    }
    let shown = format!(
        "{}\n{} to {} ({}), customer {}\n\n{}",
        summary::told(&found),
        paper.period.from(),
        paper.period.to(),
        paper.period.zone(),
        paper.customer,
        paper.text()
    );
    session.output.value(&value, &shown)
}

/// What a signed text says; its signature is not looked at here.
fn document(text: &str) -> Outcome<InvoiceDocument> {
    let mut fields: Map<String, Value> = document_of(text)?;
    fields.remove("signature");
    fields.remove("signing_key");
    document_of(&Value::Object(fields).to_string())
}
