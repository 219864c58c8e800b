//! Triggers over the wire.

use std::time::Duration;

use creto_client::OperatorClient;
use creto_proto::v1::lease_answer::Answer;
use creto_proto::v1::*;
use serde_json::{Value, json};
use tonic::Code;

use crate::fixture::{PATIENCE, apply, asked, create_agent, key, plane, sidecar};
use crate::shop::*;

/// Waits for so many triggers.
async fn raised(operator: &OperatorClient, namespace: &str, count: usize) -> Vec<RaisedTrigger> {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let found = triggers(operator, namespace).await;
        if found.len() >= count || tokio::time::Instant::now() > until {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_quota_at_its_warning_raises_one_trigger_that_stays_one_over_a_restart() {
    let plane = plane().await;
    let operator = plane.operator("a").await;
    create_agent(&operator, "a", "one", &key(2), false).await;
    let policy = "version = 1\nname = \"p\"\n[[allow]]\nname = \"all\"\nhost = \"*\"\n[[quota]]\nname = \"tokens\"\n\
                  meter = \"llm.tokens\"\nlimit = 10000\nperiod = \"monthly\"\nwarn = 80\n";
    apply(&operator, "a", policy).await;
    let sidecar = sidecar(&plane.endpoint(), &operator, "a", "one").await;
    let exchange = async |item: LeaseExchange| {
        let request = ExchangeLeasesRequest { process: 7, exchanges: vec![item] };
        sidecar.client.leases().exchange_leases(request).await.unwrap().into_inner().answers.remove(0)
    };
    let Some(Answer::Lease(lease)) = exchange(asked("p", "tokens", 1, 8_000)).await.answer else { panic!() };
    let line = LeaseLine {
        id: lease.id,
        epoch: lease.epoch,
        spent: 7_999,
        given_back: lease.amount - 7_999,
        overrun: 0,
        last: true,
    };
    let report = |sequence, line| LeaseExchange {
        policy: "p".into(),
        quota: "tokens".into(),
        ask: None,
        account: Some(LeaseAccount { sequence, lines: vec![line], overage: 0 }),
    };
    exchange(report(1, line)).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(triggers(&operator, "a").await.is_empty(), "79.99 percent warn nobody");
    let Some(Answer::Lease(lease)) = exchange(asked("p", "tokens", 2, 1_000)).await.answer else { panic!() };
    let line = LeaseLine {
        id: lease.id,
        epoch: lease.epoch,
        spent: lease.amount,
        given_back: 0,
        overrun: 0,
        last: true,
    };
    exchange(report(2, line)).await;
    let found = raised(&operator, "a", 1).await;
    assert_eq!(found.len(), 1);
    let detail: Value = serde_json::from_str(&found[0].detail).unwrap();
    assert_eq!(
        (found[0].kind.as_str(), found[0].key.as_str()),
        ("budget_nearly_spent", "p/tokens/agent/one")
    );
    assert_eq!((&detail["limit"], &detail["percent"]), (&json!(10_000), &json!(80)));
    assert!(detail["used"].as_u64().unwrap() >= 8_000, "{detail}");

    let plane = plane.restart().await;
    let admin = plane.admin().await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(triggers(&admin, "a").await, found);
    let note = AcknowledgeTriggerRequest {
        namespace: "a".into(),
        kind: found[0].kind.clone(),
        key: found[0].key.clone(),
        window_us: found[0].window_us,
    };
    admin.billing().acknowledge_trigger(note.clone()).await.unwrap();
    let again = admin.billing().acknowledge_trigger(note).await.unwrap_err();
    assert_eq!(again.code(), Code::NotFound);
    assert_eq!(triggers(&admin, "a").await[0].acknowledged_by, "first");
}

#[tokio::test]
async fn a_type_of_events_that_no_meter_counts_is_told_of_once_by_name() {
    let plane = plane().await;
    let operator = plane.operator("default").await;
    let token = plane.running.operator_token();
    let (ca, url) = (plane.folder.path().join("ca.pem"), plane.running.url());
    for id in ["one", "two"] {
        let batch = json!([cloud_event(id, "gpu.second", 1, last_hour())]);
        assert_eq!(post(&ca, &url, token, &batch).await, "207");
    }
    // The same by a frame, and another type.
    render(&plane.endpoint(), token, "default", 1..=2, last_hour()).await;
    let found = raised(&operator, "default", 2).await;
    let mut keys: Vec<_> = found.iter().map(|one| (one.kind.as_str(), one.key.as_str())).collect();
    keys.sort_unstable();
    let kind = "unknown_resource_type";
    assert_eq!(keys, [(kind, "gpu.second"), (kind, "image.rendered")]);
    assert!(found.iter().any(|one| one.detail.contains("/studio one")), "{found:?}");
}
