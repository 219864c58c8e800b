//! `creto invoice`: what is asked for, from the open period so far to the signed invoice.

mod credit;
mod draw_up;
mod export;
mod finalize;
mod list;
mod paper;
mod patience;
mod preview;
mod settle;
mod show;
mod summary;
mod verify;

use clap::Subcommand;
use creto_proto::v1;

use crate::failure::Outcome;
use crate::operator::{Operator, refused};
use crate::session::Session;

/// What is done about invoices.
#[derive(Debug, Subcommand)]
pub(crate) enum InvoiceCommand {
    /// What the open period of a subscription comes to so far. Keeps nothing.
    Preview(preview::PreviewArgs),
    /// Draw up drafts for every period that is over and not billed. Exits with 1 if a subscription cannot be billed.
    DrawUp(draw_up::DrawUpArgs),
    /// Issue drafts: numbered, signed, never edited again. Exits with 1 if one is refused.
    Finalize(finalize::FinalizeArgs),
    /// Invoices and where they stand.
    List(list::ListArgs),
    /// What an invoice or a draft says.
    Show {
        /// Its id or number.
        invoice: String,
    },
    /// The signed invoice as JSON, or printed as PDF.
    Export(export::ExportArgs),
    /// Note that an invoice was paid.
    Pay(settle::PayArgs),
    /// Take an invoice back; its number stays used.
    Void(settle::VoidArgs),
    /// Give back a part of an invoice with a credit note, which is signed and pays later invoices.
    Credit(credit::CreditArgs),
    /// The credit notes of a customer.
    CreditNotes {
        /// The customer.
        customer: String,
    },
    /// The public key that verifies an invoice: whoever is to verify pins it once.
    Key(export::KeyArgs),
    /// Verify a signed invoice or credit note offline: with its file and the public key alone.
    Verify(verify::VerifyArgs),
}

/// Does it; gives the exit code.
///
/// # Errors
/// When a file does not hold or the control plane refuses.
pub(crate) async fn run(session: &Session, command: InvoiceCommand) -> Outcome<u8> {
    match command {
        InvoiceCommand::Preview(args) => preview::run(session, args).await?,
        InvoiceCommand::DrawUp(args) => return draw_up::run(session, args).await,
        InvoiceCommand::Finalize(args) => return finalize::run(session, args).await,
        InvoiceCommand::List(args) => list::run(session, args).await?,
        InvoiceCommand::Show { invoice } => show::run(session, &invoice).await?,
        InvoiceCommand::Export(args) => export::run(session, args).await?,
        InvoiceCommand::Pay(args) => settle::pay(session, args).await?,
        InvoiceCommand::Void(args) => settle::void(session, args).await?,
        InvoiceCommand::Credit(args) => credit::run(session, args).await?,
        InvoiceCommand::CreditNotes { customer } => credit::list(session, customer).await?,
        InvoiceCommand::Key(args) => export::key(session, args).await?,
        InvoiceCommand::Verify(args) => verify::run(session, args)?,
    }
    Ok(0)
}

/// An invoice by its id or number, in a format.
///
/// # Errors
/// When there is none, or it has no such format.
async fn get(operator: &Operator, invoice: &str, format: &str) -> Outcome<Got> {
    let request = v1::GetInvoiceRequest {
        namespace: operator.namespace.clone(),
        invoice: invoice.to_owned(),
        format: format.to_owned(),
    };
    let answer = operator.client.billing().get_invoice(request).await;
    let answer =
        answer.map_err(|status| refused(format!("Invoice {invoice} cannot be had."), &status))?.into_inner();
    let summary = answer.invoice.unwrap_or_default();
    Ok(Got { summary, content: answer.content, public_key: answer.public_key })
}

/// An invoice, and what was asked for of it.
struct Got {
    /// Where it stands.
    summary: v1::InvoiceSummary,
    /// The signed document, the draft, or the paper.
    content: Vec<u8>,
    /// What verifies the document; nothing of a draft, and where the key was another.
    public_key: Vec<u8>,
}
