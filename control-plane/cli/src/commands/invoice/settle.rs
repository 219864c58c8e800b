//! `creto invoice pay` and `creto invoice void`: what becomes of an issued invoice.

use clap::Args;
use creto_proto::v1;
use creto_rating::Currency;

use super::{get, summary};
use crate::commands::billing::money;
use crate::failure::{Failure, Outcome, exit};
use crate::operator::refused;
use crate::session::Session;

/// Options of `invoice pay`.
#[derive(Args, Debug)]
pub(crate) struct PayArgs {
    /// Id or number of the invoice.
    invoice: String,
    /// What was paid, in the currency of the invoice, such as 24.99. All that is due: parts are not taken.
    #[arg(long, value_name = "AMOUNT")]
    amount: String,
    /// What tells this payment from others, such as the bank's reference. The same again is noted once.
    #[arg(long, value_name = "KEY")]
    key: String,
}

/// Options of `invoice void`.
#[derive(Args, Debug)]
pub(crate) struct VoidArgs {
    /// Id or number of the invoice.
    invoice: String,
    /// Why, at most 500 characters.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Idempotency key; made from the invoice's id when left out.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

/// Notes a payment.
///
/// # Errors
/// When it is another amount than is due, or the control plane refuses.
pub(super) async fn pay(session: &Session, args: PayArgs) -> Outcome {
    let operator = session.operator().await?;
    let found = get(&operator, &args.invoice, "json").await?.summary;
    let minor = minor_of(&args.amount, &found.currency)?;
    let what = format!("Invoice {} is not noted as paid.", args.invoice);
    let namespace = operator.namespace.clone();
    let request = v1::PayInvoiceRequest { namespace, invoice: found.id, minor, key: args.key };
    let answer = operator.client.billing().pay_invoice(request).await;
    let paid = answer.map_err(|status| refused(what, &status))?.into_inner().invoice.unwrap_or_default();
    session.output.value(&summary::value(&paid), &summary::told(&paid))
}

fn minor_of(amount: &str, code: &str) -> Outcome<i64> {
    let wrong = |problem: String| {
        Failure::new("The amount cannot be read.")
            .why(problem)
            .next("`creto invoice show` tells what is due.")
            .code(exit::USAGE)
    };
    let currency: Currency = code.parse().map_err(|error| wrong(format!("{error}")))?;
    money::minor(amount, currency).map_err(wrong)
}

/// Takes an invoice back.
///
/// # Errors
/// When it is paid, or the control plane refuses.
pub(super) async fn void(session: &Session, args: VoidArgs) -> Outcome {
    let operator = session.operator().await?;
    let found = get(&operator, &args.invoice, "json").await?.summary;
    let what = format!("Invoice {} is not taken back.", args.invoice);
    let key = args.key.unwrap_or_else(|| format!("void-{}", found.id));
    let namespace = operator.namespace.clone();
    let request = v1::VoidInvoiceRequest { namespace, invoice: found.id, reason: args.reason, key };
    let answer = operator.client.billing().void_invoice(request).await;
    let void = answer.map_err(|status| refused(what, &status))?.into_inner().invoice.unwrap_or_default();
    session.output.value(&summary::value(&void), &summary::told(&void))
}
