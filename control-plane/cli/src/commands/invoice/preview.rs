//! `creto invoice preview`: what the open period comes to so far.

use clap::Args;
use creto_billing::Draft;
use creto_proto::v1;

use super::paper::Paper;
use super::patience::Patience;
use crate::commands::billing::document_of;
use crate::failure::Outcome;
use crate::operator::refused;
use crate::session::Session;

/// Options of `invoice preview`.
#[derive(Args, Debug)]
pub(crate) struct PreviewArgs {
    /// The subscription.
    subscription: String,
}

/// Shows it.
///
/// # Errors
/// When the control plane refuses.
pub(super) async fn run(session: &Session, args: PreviewArgs) -> Outcome {
    let operator = session.operator().await?;
    let request = v1::PreviewInvoiceRequest {
        namespace: operator.namespace.clone(),
        subscription: args.subscription.clone(),
    };
    let mut patience = Patience::default();
    let preview = loop {
        let answer = operator.client.billing().preview_invoice(request.clone()).await;
        let what = || format!("Subscription {} cannot be previewed.", args.subscription);
        let preview = answer.map_err(|status| refused(what(), &status))?.into_inner();
        if !preview.running {
            break preview;
        }
        patience.wait_on()?;
    };
    let draft: Draft = document_of(&preview.draft)?;
    let paper = Paper::of_draft(&draft);
    let text = format!(
        "{} of customer {}, {} to {} ({}), so far; credit notes and wallets are set against it later\n\n{}",
        paper.subscription,
        paper.customer,
        paper.period.from(),
        paper.period.to(),
        paper.period.zone(),
        paper.text()
    );
    session.output.value(&paper.value(), &text)
}
