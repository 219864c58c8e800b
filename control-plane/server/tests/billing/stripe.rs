//! Export to a stand-in of Stripe.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use creto_control_plane::StripeOptions;
use creto_proto::v1::*;
use jiff::Timestamp;
use serde_json::json;

use crate::fixture::{PATIENCE, plane_with};
use crate::shop::*;
use crate::stripe_server::{Fault, KEY, StripeServer};

#[tokio::test]
async fn hours_and_invoices_reach_stripe_once() {
    let server = StripeServer::start().await;
    server.ledger.lock().now = Timestamp::now().as_microsecond();
    // The first is counted and not answered, the next fails: both are sent again.
    server.ledger.lock().faults.extend([Fault::CutAfter, Fault::ErrorBefore]);
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("stripe.key");
    std::fs::write(&key_file, KEY).unwrap();
    std::fs::set_permissions(&key_file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let url = Some(server.address.clone());
    let plane = plane_with(|options| options.stripe = Some(StripeOptions { key_file, url })).await;
    let operator = plane.operator("a").await;
    open(&operator, "a").await;
    let token = plane.running.operator_token();
    let hour = |back: i64| {
        let now = Timestamp::now().as_microsecond();
        Timestamp::from_microsecond(now - now.rem_euclid(3_600_000_000) - back * 3_600_000_000).unwrap()
    };
    render(&plane.endpoint(), token, "a", 1..=10, hour(2)).await;
    let ca = plane.folder.path().join("ca.pem");
    // Before what is exported, and in the hour that is not over.
    let url = plane.running.url();
    let outside = json!([
        cloud_event("before", "image.rendered", 500, hour(5)),
        cloud_event("now", "image.rendered", 900, hour(0)),
        cloud_event("last", "image.rendered", 7, hour(3)),
    ]);
    // An admin's token is of another namespace.
    let address = format!("{url}/v1/events?namespace=a");
    assert_eq!(post_to(&ca, &address, token, &outside).await, "200");
    let mut settings = settings();
    settings["export_invoices"] = true.into();
    settings["export_usage"] = json!([{ "event_name": "pages", "meter": "image.rendered", "field": "size" }]);
    settings["export_usage_from"] = hour(3).to_string().into();
    put(&operator, "a", "settings", &settings).await;
    let draft = draw_up(&operator, "a").await.drafts[0].id.clone();
    let issued = finalize(&operator, "a", &draft, "k").await.unwrap();

    let until = tokio::time::Instant::now() + 2 * PATIENCE;
    loop {
        let (events, invoices) = {
            let ledger = server.ledger.lock();
            let finalized = ledger.invoices.values().filter(|invoice| invoice.finalized).count();
            (ledger.events.len(), finalized)
        };
        let request = GetExportRequest { namespace: "a".into() };
        let export = operator.billing().get_export(request).await.unwrap().into_inner();
        if (events, invoices, export.waiting) == (2, 1, 0) {
            assert!(export.exports && export.dead.is_empty(), "{export:?}");
            break;
        }
        assert!(tokio::time::Instant::now() < until, "{events} events, {invoices} invoices, {export:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // A while later nothing more has come.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let ledger = server.ledger.lock();
    let mut told: Vec<_> = ledger
        .events
        .iter()
        .map(|event| {
            (event.customer.as_str(), event.name.as_str(), event.value.to_string(), event.hour.micros())
        })
        .collect();
    told.sort_by_key(|(_, _, _, hour)| *hour);
    let wanted = [
        ("cus_acme", "pages", "7".to_owned(), hour(3).as_microsecond()),
        ("cus_acme", "pages", "55".to_owned(), hour(2).as_microsecond()),
    ];
    assert_eq!(told, wanted);
    let invoice = ledger.invoices.values().next().unwrap();
    let sum: i64 = invoice.items.iter().map(|(_, minor)| minor).sum();
    assert_eq!(sum, issued.due_minor);
}
