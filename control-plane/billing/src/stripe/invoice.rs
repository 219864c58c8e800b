//! An invoice at Stripe: made, filled, finalized, step by step. Each step has its own idempotency key and is noted when it
//! is done, so that a step that is repeated gives what it gave.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::client::{Body, Call, StripeClient, StripeError};
use super::outbox::{InvoiceExport, KeptItem};
use crate::BillingError;
use crate::store::BillingStore;

/// Items an invoice at Stripe may have; more are put together into one.
pub const MAX_STRIPE_ITEMS: usize = 250;

pub(super) enum Failed {
    Store(Box<BillingError>),
    Call(StripeError),
    Never(String),
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Progress {
    /// Its id at Stripe.
    invoice: Option<String>,
    /// Items that are there.
    items: usize,
}

/// Minor units as Stripe counts them: hundredths for the Icelandic crown and the Ugandan shilling, which have none, and
/// thousandths in tens.
fn stripe_minor(export: &InvoiceExport, minor: i64) -> Result<i64, Failed> {
    let too_large = || Failed::Never(format!("{minor} minor units are out of range at Stripe"));
    match (export.currency.as_str(), export.digits) {
        ("ISK" | "UGX", _) => minor.checked_mul(100).ok_or_else(too_large),
        (_, 3) if minor % 10 != 0 => Err(Failed::Never(format!(
            "{minor} thousandths: Stripe takes amounts in {} in tens only",
            export.currency
        ))),
        (_, 4..) => Err(Failed::Never(format!("Stripe does not take {}", export.currency))),
        _ => Ok(minor),
    }
}

pub(super) async fn send<S: BillingStore + ?Sized>(
    store: &S,
    client: &StripeClient,
    namespace: &str,
    item: &KeptItem,
) -> Result<(), Failed> {
    let never = |error: serde_json::Error| Failed::Never(format!("unreadable: {error}"));
    let export: InvoiceExport = serde_json::from_str(&item.item.payload).map_err(never)?;
    let mut progress: Progress = match &item.progress {
        Some(text) => serde_json::from_str(text).map_err(never)?,
        None => Progress::default(),
    };
    let mut items = Vec::with_capacity(export.items.len());
    for (description, minor) in &export.items {
        items.push((description.clone(), stripe_minor(&export, *minor)?));
    }
    let due: i64 = items.iter().map(|(_, minor)| minor).sum();
    if items.len() > MAX_STRIPE_ITEMS {
        let rest = items.split_off(MAX_STRIPE_ITEMS - 1);
        let sum = rest.iter().map(|(_, minor)| minor).sum();
        items.push((format!("{} more lines of {}", rest.len(), export.number), sum));
    }
    let key = |step: &str| hex::encode(Sha256::digest(format!("{} {step}", item.item.id)));
    let call = async |path: &str, step: &str, fields: &[(&str, String)]| {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let idempotency = key(step);
        let call = Call { path, body: Body::Form(fields), idempotency: Some(&idempotency), token: None };
        client.call(call).await.map_err(Failed::Call)
    };
    let noted = async |progress: &Progress| {
        let text = serde_json::to_string(progress).map_err(never)?;
        store
            .progressed(namespace, &item.item.id, &text)
            .await
            .map_err(|error| Failed::Store(Box::new(error)))
    };
    let currency = export.currency.to_ascii_lowercase();
    let id = match &progress.invoice {
        Some(id) => id.clone(),
        None => {
            let fields = [
                ("customer", export.stripe_customer.clone()),
                ("currency", currency.clone()),
                ("collection_method", "send_invoice".to_owned()),
                ("days_until_due", export.days_until_due.to_string()),
                ("auto_advance", "false".to_owned()),
                ("pending_invoice_items_behavior", "exclude".to_owned()),
                ("metadata[creto_namespace]", export.namespace.clone()),
                ("metadata[creto_invoice]", export.invoice.clone()),
                ("metadata[creto_number]", export.number.clone()),
            ];
            let answer = call("/v1/invoices", "invoice", &fields).await?;
            let id = plain_id(&answer)?;
            progress.invoice = Some(id.clone());
            noted(&progress).await?;
            id
        }
    };
    for (place, (description, minor)) in items.iter().enumerate().skip(progress.items) {
        let fields = [
            ("customer", export.stripe_customer.clone()),
            ("invoice", id.clone()),
            ("currency", currency.clone()),
            ("amount", minor.to_string()),
            ("description", description.clone()),
        ];
        call("/v1/invoiceitems", &format!("item {place}"), &fields).await?;
        progress.items = place + 1;
        noted(&progress).await?;
    }
    let path = format!("/v1/invoices/{id}/finalize");
    let answer = call(&path, "finalize", &[("auto_advance", "false".to_owned())]).await?;
    match answer.get("total").and_then(Value::as_i64) {
        Some(total) if total == due => Ok(()),
        total => Err(Failed::Never(format!(
            "Stripe's invoice `{id}` comes to {}, ours to {due} minor units: look at both",
            total.map_or_else(|| "nothing".to_owned(), |total| total.to_string())
        ))),
    }
}

/// The id in an answer; it becomes part of a path.
fn plain_id(answer: &Value) -> Result<String, Failed> {
    let id = answer.get("id").and_then(Value::as_str).unwrap_or_default();
    let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if id.is_empty() || id.len() > 128 || !plain {
        return Err(Failed::Never("Stripe answered without the id of an invoice".to_owned()));
    }
    Ok(id.to_owned())
}
