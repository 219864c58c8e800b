//! A namespace with an issuer, a plan and a customer, and events that come in as they do.

use std::process::Stdio;
use std::time::Duration;

use creto_client::metering::{EventDraft, MeteringClient, MeteringOptions};
use creto_client::{OperatorClient, PlaneEndpoint};
use creto_proto::v1::*;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::fixture::PATIENCE;

/// The first instants of last month and of this one, UTC.
pub(crate) fn months() -> (Timestamp, Timestamp) {
    let now = Timestamp::now().to_zoned(TimeZone::UTC);
    let this = now.first_of_month().unwrap().start_of_day().unwrap();
    (this.checked_sub(1.month()).unwrap().timestamp(), this.timestamp())
}

/// An hour before this month.
pub(crate) fn last_hour() -> Timestamp {
    months().1.checked_sub(1.hour()).unwrap()
}

pub(crate) fn settings() -> Value {
    json!({
        "issuer": { "name": "Creto GmbH", "address": ["Hauptstraße 1", "10115 Berlin"] },
        "invoice_prefix": "R-2026-",
    })
}

pub(crate) async fn put(
    operator: &OperatorClient,
    namespace: &str,
    kind: &str,
    document: &Value,
) -> PutBillingDocumentResponse {
    let request = PutBillingDocumentRequest {
        namespace: namespace.into(),
        kind: kind.into(),
        document: document.to_string(),
    };
    operator.billing().put_billing_document(request).await.unwrap().into_inner()
}

/// Twenty euros a month and a tenth of a cent for each unit of size, with 19 percent VAT; the customer `acme` has it since
/// the start of last month as `sub`.
pub(crate) async fn open(operator: &OperatorClient, namespace: &str) {
    let meter = Meter {
        name: "images.size".into(),
        event_type: "image.rendered".into(),
        aggregation: "sum".into(),
        field: "size".into(),
        dimensions: vec!["format".into()],
        ..Meter::default()
    };
    let request = PutMeterRequest { namespace: namespace.into(), meter: Some(meter) };
    operator.meters().put_meter(request).await.unwrap();
    put(operator, namespace, "settings", &settings()).await;
    let plan = json!({
        "code": "team", "effective_from": "2020-01-01T00:00:00Z", "currency": "EUR", "interval": "monthly",
        "amount": "20", "taxes": [{ "code": "vat", "percent": "19" }],
        "charges": [{
            "code": "rendering", "attribute_by": ["format"],
            "metric": { "meter": "image.rendered", "aggregation": { "type": "sum", "field": "size" } },
            "model": { "type": "standard", "rate": "0.001" },
        }],
    });
    assert_eq!(put(operator, namespace, "plan", &plan).await.version, 1);
    assert_eq!(
        put(operator, namespace, "plan", &plan).await.version,
        1,
        "the same again is no other version"
    );
    let customer = json!({
        "id": "acme", "name": "ACME S.A.", "address": ["12 rue de l’Église"], "currency": "EUR", "zone": "UTC",
        "stripe_customer": "cus_acme",
    });
    put(operator, namespace, "customer", &customer).await;
    let subscription =
        json!({ "id": "sub", "customer": "acme", "plan": "team", "started_at": months().0.to_string() });
    put(operator, namespace, "subscription", &subscription).await;
}

/// Sends events of the given sizes as frames, by the SDK.
pub(crate) async fn render(
    endpoint: &PlaneEndpoint,
    token: &str,
    namespace: &str,
    sizes: impl Iterator<Item = u64>,
    at: Timestamp,
) {
    let options = MeteringOptions::new(namespace, "painter").linger(Duration::from_millis(1));
    let client = MeteringClient::connect(endpoint, token, options).unwrap();
    for size in sizes {
        let event = EventDraft::new("image.rendered").agent("painter").customer("acme");
        let event = event.text("format", "png").number("size", size).at_us(at.as_microsecond());
        client.record_async(event).await.unwrap();
    }
    tokio::time::timeout(PATIENCE, client.flush()).await.unwrap().unwrap();
    client.close().await.unwrap();
}

pub(crate) fn cloud_event(id: &str, kind: &str, size: u64, at: Timestamp) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/studio", "type": kind, "time": at.to_string(),
        "customer": "acme", "data": { "size": size, "format": "jpeg" },
    })
}

/// Posts CloudEvents as a batch, into the token's namespace; the status.
pub(crate) async fn post(ca: &std::path::Path, url: &str, token: &str, batch: &Value) -> String {
    post_to(ca, &format!("{url}/v1/events"), token, batch).await
}

/// Posts CloudEvents as a batch to an address; the status.
pub(crate) async fn post_to(ca: &std::path::Path, address: &str, token: &str, batch: &Value) -> String {
    let mut command = tokio::process::Command::new("curl");
    command.args(["--silent", "--show-error", "--output", "/dev/null", "--write-out", "%{http_code}"]);
    command.args(["--header", &format!("Authorization: Bearer {token}"), "--cacert"]).arg(ca);
    command.args(["--header", "Content-Type: application/cloudevents-batch+json", "--data-binary", "@-"]);
    command.arg(address);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(batch.to_string().as_bytes()).await.unwrap();
    String::from_utf8(child.wait_with_output().await.unwrap().stdout).unwrap()
}

pub(crate) async fn draw_up(operator: &OperatorClient, namespace: &str) -> DrawUpInvoicesResponse {
    let request = DrawUpInvoicesRequest { namespace: namespace.into(), ..DrawUpInvoicesRequest::default() };
    operator.billing().draw_up_invoices(request).await.unwrap().into_inner()
}

pub(crate) async fn finalize(
    operator: &OperatorClient,
    namespace: &str,
    invoice: &str,
    key: &str,
) -> Result<InvoiceSummary, tonic::Status> {
    let request =
        FinalizeInvoiceRequest { namespace: namespace.into(), invoice: invoice.into(), key: key.into() };
    let answer = operator.billing().finalize_invoice(request).await?;
    Ok(answer.into_inner().invoice.unwrap())
}

pub(crate) async fn get(
    operator: &OperatorClient,
    namespace: &str,
    invoice: &str,
    format: &str,
) -> Result<GetInvoiceResponse, tonic::Status> {
    let request =
        GetInvoiceRequest { namespace: namespace.into(), invoice: invoice.into(), format: format.into() };
    Ok(operator.billing().get_invoice(request).await?.into_inner())
}

pub(crate) async fn invoices(operator: &OperatorClient, namespace: &str, state: &str) -> Vec<InvoiceSummary> {
    let request = ListInvoicesRequest {
        namespace: namespace.into(),
        state: state.into(),
        ..ListInvoicesRequest::default()
    };
    operator.billing().list_invoices(request).await.unwrap().into_inner().invoices
}

pub(crate) async fn triggers(operator: &OperatorClient, namespace: &str) -> Vec<RaisedTrigger> {
    let request = ListTriggersRequest { namespace: namespace.into(), only_open: false };
    operator.billing().list_triggers(request).await.unwrap().into_inner().triggers
}
