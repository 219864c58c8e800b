//! Events in PostgreSQL: counted there, by several control planes, also by one that had them in its folder before.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod fixture;

use creto_client::OperatorClient;
use creto_client::metering::{EventDraft, MeteringClient, MeteringOptions};
use creto_control_plane::{ControlPlane, Options};
use creto_proto::v1::*;
use creto_test_services::PostgresServer;
use fixture::{PATIENCE, Plane, create_agent, key, now_s, plane, plane_with, sidecar};

async fn total(operator: &OperatorClient, meter: &str) -> String {
    let minute = i64::try_from(now_s()).unwrap() / 60 * 60_000;
    let request = QueryMeterRequest {
        namespace: "a".into(),
        meter: meter.into(),
        from_ms: minute - 3_600_000,
        to_ms: minute + 3_600_000,
        ..QueryMeterRequest::default()
    };
    let values = operator.meters().query_meter(request).await.unwrap().into_inner().values;
    values.first().map_or_else(|| "0".into(), |value| value.value.clone())
}

#[tokio::test]
async fn two_control_planes_over_one_database_count_a_producers_events_once() {
    let postgres = PostgresServer::start().await;
    let one = plane_with(|options| options.database_url = Some(postgres.url())).await;
    let other = plane_with(|options| options.database_url = Some(postgres.url())).await;
    let (admin, other_admin) = (one.admin().await, other.admin().await);
    let meter = Meter {
        name: "images.size".into(),
        event_type: "image.rendered".into(),
        aggregation: "sum".into(),
        field: "size".into(),
        ..Meter::default()
    };
    let request = PutMeterRequest { namespace: "a".into(), meter: Some(meter) };
    admin.meters().put_meter(request).await.unwrap();
    let mut clients = Vec::new();
    for plane in [&one, &other] {
        let token = plane.running.operator_token();
        let options = MeteringOptions::new("a", "painter").frame_events(100);
        clients.push(MeteringClient::connect(&plane.endpoint(), token, options).unwrap());
    }
    for size in 1..=1_000_u32 {
        for client in &clients {
            client.record_async(EventDraft::new("image.rendered").number("size", size)).await.unwrap();
        }
    }
    for client in clients {
        tokio::time::timeout(PATIENCE, client.flush()).await.unwrap().unwrap();
        client.close().await.unwrap();
    }
    for admin in [&admin, &other_admin] {
        assert_eq!(total(admin, "images.size").await, "1001000");
    }
}

fn call(first: u64) -> Vec<CallEntry> {
    let at_us = i64::try_from(now_s()).unwrap() * 1_000_000;
    let begun =
        CallBegun { at_us, verdict: Verdict::Allowed.into(), host: "x.test".into(), ..CallBegun::default() };
    let ended = CallEnded {
        begun_sequence: first,
        at_us,
        outcome: Outcome::Completed.into(),
        ..CallEnded::default()
    };
    vec![
        CallEntry { sequence: first, entry: Some(call_entry::Entry::Begun(begun)) },
        CallEntry { sequence: first + 1, entry: Some(call_entry::Entry::Ended(ended)) },
    ]
}

#[tokio::test]
async fn calls_go_on_when_events_move_to_a_database() {
    let postgres = PostgresServer::start().await;
    let before = plane().await;
    let operator = before.operator("a").await;
    create_agent(&operator, "a", "one", &key(1), false).await;
    let known = sidecar(&before.endpoint(), &operator, "a", "one").await;
    let report = |first| ReportCallsRequest { spool_epoch: 3, entries: call(first) };
    known.client.calls().report_calls(report(1)).await.unwrap();
    assert_eq!(total(&operator, "calls").await, "1");
    let Plane { running, folder } = before;
    running.shutdown().await;
    let mut options = Options::new(folder.path());
    options.database_url = Some(postgres.url());
    let after = Plane { running: ControlPlane::start(options).await.unwrap(), folder };
    let endpoint = after.endpoint();
    let certificate = &known.enrolled.certificate;
    let client = creto_client::SidecarClient::connect(&endpoint, certificate, &known.seed).await.unwrap();
    for first in [3, 3, 5] {
        client.calls().report_calls(report(first)).await.unwrap();
    }
    assert_eq!(total(&after.admin().await, "calls").await, "2", "those that ended since");
}
