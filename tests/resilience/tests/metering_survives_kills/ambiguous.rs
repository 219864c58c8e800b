//! One call under way, and its sidecar killed.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use creto_event_store::{EmbeddedEventStore, EmbeddedOptions, Event, EventStore as _};
use creto_proto::v1::{Outcome, Usage};
use creto_test_support::{FakeProvider, NAMESPACE, Plane, Trip, Upstream, Way, eventually};
use serde_json::json;

const MOST_OUTPUT: u64 = 700;
/// What providers add to a call, and what the sidecar may: see the price list's `TEMPLATE_TOKENS`, and `MOST_ADDED` in the
/// sidecar's `path/edit.rs`.
const ADDED: u64 = 1_024 + 64;

#[tokio::test(flavor = "multi_thread")]
async fn a_call_cut_by_kill_9_counts_once_as_the_most_it_can_have_come_to() {
    let provider = FakeProvider::new();
    let upstream = provider.on(Upstream::builder()).plain().start().await;
    let plane = Plane::builder().start().await;
    plane.apply_policy(&policy(upstream.port())).await;
    let agent = plane.trusted_agent("writer").await;
    let sidecar = plane.sidecar(&agent).start().await;

    let body = json!({
        "model": "gpt-4o", "max_tokens": MOST_OUTPUT, "stream": true,
        "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": "say something long"}],
    })
    .to_string();
    let path = "/v1/chat/completions";
    let trip = Trip::get(Way::BaseUrl("/up"), &format!("http://upstream{path}"))
        .method("POST")
        .header("content-type", "application/json")
        .header("authorization", "Bearer sk-test")
        .header("x-fake-pace", "60000")
        .body(body.clone());
    let client = sidecar.http_agent();
    let cut =
        tokio::spawn(async move { client.try_go(trip).await.is_ok_and(|answer| answer.broke.is_none()) });
    eventually("the provider has the call", || std::future::ready((upstream.in_flight() == 1).then_some(())))
        .await;
    plane.wait_for_call("under way", |call| call.ended.is_none()).await;
    sidecar.restart().await;
    assert!(!cut.await.unwrap(), "it was answered whole");

    let call = plane.wait_for_ended(path).await;
    let ended = call.ended.unwrap();
    assert_eq!(ended.outcome(), Outcome::Ambiguous);
    let input = body.len() as u64 + ADDED;
    let most = Usage { input, output: MOST_OUTPUT, estimated: true, ..Usage::default() };
    assert_eq!(ended.usage, Some(most));
    // Once more: nothing is told twice.
    sidecar.restart().await;
    plane.kill9();
    let events =
        EmbeddedEventStore::open(&plane.data().join("events"), EmbeddedOptions::default()).await.unwrap();
    let mut found: Vec<BTreeMap<String, String>> = Vec::new();
    let mut each = |event: &Event, _order: u64| {
        let said = event.properties.iter();
        found.push(said.map(|(name, value)| (name.to_string(), value.text().into_owned())).collect());
        ControlFlow::Continue(())
    };
    events.scan(NAMESPACE, 0, i64::MAX, &mut each).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    let said = |name: &str| found[0].get(name).map_or("", String::as_str);
    assert_eq!((said("outcome"), said("estimated"), said("unpriced")), ("ambiguous", "true", "false"));
    assert_eq!(said("input_tokens"), input.to_string());
    assert_eq!(said("output_tokens"), MOST_OUTPUT.to_string());
    // What the budget had reserved: 2.50 dollars a million read, 10 written.
    let nanodollars = input * 2_500 + MOST_OUTPUT * 10_000;
    assert_eq!(said("cost"), format!("0.{nanodollars:09}").trim_end_matches('0'));
}

fn policy(port: u16) -> String {
    format!(
        r#"version = 1
name = "p"
[[provider]]
name = "openai"
host = "127.0.0.1"
port = {port}
api = "openai"
[[allow]]
name = "models"
host = "127.0.0.1"
port = {port}
[[route]]
name = "up"
prefix = "/up"
to = "http://127.0.0.1:{port}"
[[budget]]
name = "money"
limit = "10"
currency = "USD"
period = "daily"
"#
    )
}
