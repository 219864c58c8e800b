//! Metering over the wire: producers' frames, CloudEvents over HTTP, meters, accounts.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod fixture;

use std::process::Stdio;
use std::time::Duration;

use creto_client::OperatorClient;
use creto_client::metering::{EventDraft, FlushError, MeteringClient, MeteringOptions};
use creto_proto::v1::*;
use fixture::{PATIENCE, Plane, create_agent, key, now_s, plane, sidecar};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tonic::Code;

async fn token(plane: &Plane, namespace: &str, name: &str, role: OperatorRole) -> String {
    let request =
        CreateOperatorTokenRequest { namespace: namespace.into(), name: name.into(), role: role.into() };
    plane.admin().await.operator_tokens().create_operator_token(request).await.unwrap().into_inner().token
}

async fn put_meter(operator: &OperatorClient, namespace: &str, name: &str, field: &str) {
    let meter = Meter {
        name: name.into(),
        event_type: "image.rendered".into(),
        aggregation: if field.is_empty() { "count" } else { "sum" }.into(),
        field: field.into(),
        dimensions: vec!["format".into()],
        ..Meter::default()
    };
    let request = PutMeterRequest { namespace: namespace.into(), meter: Some(meter) };
    operator.meters().put_meter(request).await.unwrap();
}

async fn total(operator: &OperatorClient, namespace: &str, meter: &str) -> String {
    let minute = i64::try_from(now_s()).unwrap() / 60 * 60_000;
    let request = QueryMeterRequest {
        namespace: namespace.into(),
        meter: meter.into(),
        from_ms: minute - 3_600_000,
        to_ms: minute + 3_600_000,
        ..QueryMeterRequest::default()
    };
    let values = operator.meters().query_meter(request).await.unwrap().into_inner().values;
    values.first().map_or_else(|| "0".into(), |value| value.value.clone())
}

async fn accounts(operator: &OperatorClient, namespace: &str) -> Vec<ProducerAccount> {
    let request = VerifyProducersRequest { namespace: namespace.into(), producer: String::new() };
    operator.meters().verify_producers(request).await.unwrap().into_inner().producers
}

fn event(size: u64) -> EventDraft {
    EventDraft::new("image.rendered")
        .agent("painter")
        .customer("acme")
        .text("format", "png")
        .number("size", size)
}

#[tokio::test]
async fn events_of_the_rust_sdk_are_counted_once_and_stay_over_a_restart() {
    let plane = plane().await;
    let operator = plane.operator("a").await;
    put_meter(&operator, "a", "images.size", "size").await;
    let token = token(&plane, "a", "painter", OperatorRole::Producer).await;
    let options = MeteringOptions::new("a", "painter").linger(Duration::from_millis(1)).frame_events(100);
    let client = MeteringClient::connect(&plane.endpoint(), &token, options).unwrap();
    for size in 1..=10_000 {
        client.record_async(event(size)).await.unwrap();
    }
    client.record(EventDraft::new("no.such.type")).unwrap();
    tokio::time::timeout(PATIENCE, client.flush()).await.unwrap().unwrap();
    let counters = client.close().await.unwrap();
    assert_eq!((counters.sent, counters.accepted, counters.rejected), (10_001, 10_000, 1));
    assert_eq!(total(&operator, "a", "images.size").await, "50005000");
    let plane = plane.restart().await;
    let operator = plane.admin().await;
    assert_eq!(total(&operator, "a", "images.size").await, "50005000");
    let accounts = accounts(&operator, "a").await;
    assert_eq!(accounts.len(), 1);
    let account = &accounts[0];
    assert_eq!((account.producer.as_str(), account.accepted, account.rejected), ("painter", 10_000, 1));
    assert_eq!(account.sent, account.accepted + account.duplicate + account.rejected);
    assert_eq!(account.rejected_by_code, [("unknown_event_type".to_owned(), 1)].into());
}

#[tokio::test]
async fn a_producers_token_sends_events_into_its_namespace_and_may_do_nothing_else() {
    let plane = plane().await;
    let operator = plane.operator("a").await;
    put_meter(&operator, "a", "images", "").await;
    let token = token(&plane, "a", "painter", OperatorRole::Producer).await;
    let as_operator = OperatorClient::connect(&plane.endpoint(), &token).await.unwrap();
    let list = ListAgentsRequest { namespace: "a".into(), ..ListAgentsRequest::default() };
    let refused = as_operator.agents().list_agents(list).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let meters = ListMetersRequest { namespace: "a".into() };
    assert_eq!(as_operator.meters().list_meters(meters).await.unwrap_err().code(), Code::PermissionDenied);
    for (namespace, producer) in [("b", "painter"), ("a", "sidecar/somebody"), ("a", "calls/somebody")] {
        let options = MeteringOptions::new(namespace, producer);
        let client = MeteringClient::connect(&plane.endpoint(), &token, options).unwrap();
        client.record(event(1)).unwrap();
        let refused = tokio::time::timeout(PATIENCE, client.flush()).await.unwrap().unwrap_err();
        assert!(
            matches!(&refused, FlushError::Refused { code, .. } if code == "PermissionDenied"),
            "{refused}"
        );
    }
    assert!(accounts(&operator, "a").await.is_empty(), "nothing came in");
}

#[tokio::test]
async fn a_revoked_token_ends_the_stream_that_it_opened() {
    let plane = plane().await;
    let operator = plane.operator("a").await;
    put_meter(&operator, "a", "images", "").await;
    let token = token(&plane, "a", "painter", OperatorRole::Producer).await;
    let client =
        MeteringClient::connect(&plane.endpoint(), &token, MeteringOptions::new("a", "painter")).unwrap();
    client.record(event(1)).unwrap();
    tokio::time::timeout(PATIENCE, client.flush()).await.unwrap().unwrap();
    let revoke = RevokeOperatorTokenRequest { namespace: "a".into(), name: "painter".into() };
    plane.admin().await.operator_tokens().revoke_operator_token(revoke).await.unwrap();
    // A stream looks every five seconds.
    tokio::time::sleep(Duration::from_millis(5_500)).await;
    client.record(event(1)).unwrap();
    let refused = tokio::time::timeout(PATIENCE, client.flush()).await.unwrap().unwrap_err();
    assert!(matches!(&refused, FlushError::Refused { code, .. } if code == "Unauthenticated"), "{refused}");
    assert_eq!(total(&operator, "a", "images").await, "1");
}

#[tokio::test]
async fn a_sidecar_sends_events_as_itself_only() {
    let plane = plane().await;
    let operator = plane.operator("a").await;
    put_meter(&operator, "a", "images", "").await;
    create_agent(&operator, "a", "one", &key(1), false).await;
    let sidecar = sidecar(&plane.endpoint(), &operator, "a", "one").await;
    let frame = |namespace: &str, producer: &str| IngestFrame {
        namespace: namespace.into(),
        producer: producer.into(),
        epoch: 9,
        first_sequence: 1,
        count: 1,
        strings: vec!["image.rendered".into()],
        event_type: vec![1],
        at_us: vec![i64::try_from(now_s()).unwrap() * 1_000_000],
        ..IngestFrame::default()
    };
    let mut rpc = metering_client::MeteringClient::new(sidecar.client.channel());
    let calls = format!("calls/{}", sidecar.enrolled.sidecar_id);
    for (namespace, producer) in [("b", ""), ("", "painter"), ("", calls.as_str())] {
        let refused = rpc.ingest_frames(tokio_stream::iter([frame(namespace, producer)])).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
    let mut answers =
        rpc.ingest_frames(tokio_stream::iter([frame("", ""), frame("", "")])).await.unwrap().into_inner();
    let first = answers.message().await.unwrap().unwrap();
    assert_eq!((first.epoch, first.sequence, first.accepted, first.duplicate), (9, 1, 1, 0));
    let again = answers.message().await.unwrap().unwrap();
    assert_eq!((again.sequence, again.accepted, again.duplicate), (1, 0, 1));
    assert!(answers.message().await.unwrap().is_none(), "the stream ends with its frames");
    let accounts = accounts(&operator, "a").await;
    assert_eq!(accounts[0].producer, format!("sidecar/{}", sidecar.enrolled.sidecar_id));
    let mut gap = frame("", "");
    gap.first_sequence = 5;
    let mut answers = rpc.ingest_frames(tokio_stream::iter([gap])).await.unwrap().into_inner();
    let refused = answers.message().await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let told = |name: &str| refused.metadata().get(name).unwrap().to_str().unwrap().to_owned();
    assert_eq!((told("creto-gap-epoch"), told("creto-gap-mark")), ("9".into(), "1".into()));
}

#[tokio::test]
async fn ended_calls_are_counted_by_the_built_in_meters() {
    let plane = plane().await;
    let operator = plane.operator("a").await;
    create_agent(&operator, "a", "one", &key(1), false).await;
    let sidecar = sidecar(&plane.endpoint(), &operator, "a", "one").await;
    let at_us = i64::try_from(now_s()).unwrap() * 1_000_000;
    let meaning = CallMeaning {
        protocol: "model".into(),
        service: "anthropic".into(),
        operation: "chat".into(),
        subjects: vec!["claude-haiku-4-5".into()],
    };
    let begun = CallBegun {
        at_us,
        verdict: Verdict::Allowed.into(),
        host: "api.anthropic.com".into(),
        meaning: Some(meaning),
        ..CallBegun::default()
    };
    let ended = CallEnded {
        begun_sequence: 1,
        at_us,
        outcome: Outcome::Completed.into(),
        usage: Some(Usage { input: 200, cached_input: 9_000, output: 350, ..Usage::default() }),
        ..CallEnded::default()
    };
    let entries = vec![
        CallEntry { sequence: 1, entry: Some(call_entry::Entry::Begun(begun)) },
        CallEntry { sequence: 2, entry: Some(call_entry::Entry::Ended(ended)) },
    ];
    for _ in 0..3 {
        let report = ReportCallsRequest { spool_epoch: 3, entries: entries.clone() };
        sidecar.client.calls().report_calls(report).await.unwrap();
    }
    assert_eq!(total(&operator, "a", "calls").await, "1");
    assert_eq!(total(&operator, "a", "llm.tokens").await, "9550");
    assert_eq!(total(&operator, "a", "llm.cost").await, "0.00285");
}

/// What came back: status, content type, body.
struct Answer {
    status: u16,
    content_type: String,
    body: Value,
    http: String,
}

/// Posts with curl, as the documents show it.
async fn post(plane: &Plane, token: Option<&str>, arguments: &[&str], body: &[u8]) -> Answer {
    let ca = plane.folder.path().join("ca.pem");
    let mut command = tokio::process::Command::new("curl");
    command.args(["--silent", "--show-error", "--cacert"]).arg(ca);
    command.args(["--write-out", "\n%{http_version} %{http_code} %{content_type}", "--data-binary", "@-"]);
    if let Some(token) = token {
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    command.args(arguments);
    if !arguments.iter().any(|argument| argument.starts_with("https://")) {
        command.arg(format!("{}/v1/events", plane.running.url()));
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // A server that refuses by the length does not read it.
    let _ = child.stdin.take().unwrap().write_all(body).await;
    let output = child.wait_with_output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, told) = text.rsplit_once('\n').unwrap();
    let told: Vec<&str> = told.splitn(3, ' ').collect();
    Answer {
        http: told[0].into(),
        status: told[1].parse().unwrap(),
        content_type: told[2].into(),
        body: serde_json::from_str(body).unwrap_or(Value::Null),
    }
}

fn cloud_event(id: &str, size: u64) -> Value {
    let time = time_now();
    json!({
        "specversion": "1.0", "id": id, "source": "/painter", "type": "image.rendered", "time": time,
        "customer": "acme", "data": { "size": size, "format": "png" },
    })
}

/// This very minute, the same all through a test.
fn time_now() -> String {
    let output = std::process::Command::new("date").args(["-u", "+%Y-%m-%dT%H:00:00Z"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

const ONE: &str = "Content-Type: application/cloudevents+json";
const BATCH: &str = "Content-Type: application/cloudevents-batch+json";

#[tokio::test]
async fn cloud_events_over_http_are_counted_once_by_source_and_id() {
    let plane = plane().await;
    let operator = plane.operator("a").await;
    put_meter(&operator, "a", "images.size", "size").await;
    let token = token(&plane, "a", "painter", OperatorRole::Producer).await;
    let send = async |arguments: &[&str], body: &Value| {
        post(&plane, Some(&token), arguments, body.to_string().as_bytes()).await
    };
    for (version, flag, status) in [("1.1", "--http1.1", "accepted"), ("2", "--http2", "duplicate")] {
        let answer = send(&["-H", ONE, flag], &cloud_event("one", 5)).await;
        assert_eq!((answer.status, answer.http.as_str()), (200, version), "{}", answer.body);
        assert_eq!(answer.body["items"][0]["status"], status);
        assert_eq!(answer.content_type, "application/json");
    }
    let conflict = send(&["-H", ONE], &cloud_event("one", 6)).await;
    assert_eq!((conflict.status, conflict.body["code"].as_str()), (400, Some("conflict")));
    assert_eq!(conflict.content_type, "application/problem+json");

    let mut untyped = cloud_event("three", 1);
    untyped["type"] = "no.such.type".into();
    let mut nested = cloud_event("four", 1);
    nested["data"]["size"] = json!({ "not": "flat" });
    let batch = json!([cloud_event("one", 5), cloud_event("two", 7), untyped, nested, "no event"]);
    let answer = send(&["-H", BATCH], &batch).await;
    assert_eq!(answer.status, 207, "{}", answer.body);
    let statuses: Vec<_> =
        answer.body["items"].as_array().unwrap().iter().map(|one| &one["status"]).collect();
    assert_eq!(statuses, ["duplicate", "accepted", "rejected", "rejected", "rejected"]);
    assert_eq!(answer.body["items"][2]["code"], "unknown_event_type");
    assert_eq!(answer.body["items"][2]["id"], "three");
    let counts = ["accepted", "duplicate", "rejected"].map(|name| answer.body[name].as_u64().unwrap());
    assert_eq!(counts, [1, 1, 3]);

    let time = format!("ce-time: {}", time_now());
    let binary = [
        "-H",
        "ce-specversion: 1.0",
        "-H",
        "ce-id: five",
        "-H",
        "ce-source: /painter",
        "-H",
        "ce-type: image.rendered",
        "-H",
        &time,
        "-H",
        "Content-Type: application/json",
    ];
    let answer = send(&binary, &json!({ "size": 30 })).await;
    assert_eq!((answer.status, &answer.body["accepted"]), (200, &json!(1)), "{}", answer.body);
    assert_eq!(total(&operator, "a", "images.size").await, "42");
    let accounts = accounts(&operator, "a").await;
    assert!(
        accounts.iter().all(|one| one.sent == one.accepted + one.duplicate + one.rejected),
        "{accounts:?}"
    );
}

/// What is sent, with which token, options of curl and body; the status and code that come back.
type Case<'a> = (&'a str, Option<&'a str>, &'a [&'a str], &'a [u8], u16, &'a str);

#[tokio::test]
async fn what_cannot_be_taken_in_is_told_as_a_problem() {
    let plane = plane().await;
    let operator = plane.operator("a").await;
    put_meter(&operator, "a", "images", "").await;
    let token = token(&plane, "a", "painter", OperatorRole::Producer).await;
    let token = Some(token.as_str());
    let url = |rest: &str| format!("{}{rest}", plane.running.url());
    let one = cloud_event("one", 1).to_string();
    let large = vec![b' '; 2 << 20];
    let (other, parameter, elsewhere) =
        (url("/v1/events?namespace=b"), url("/v1/events?x=1"), url("/v1/other"));
    let cases: &[Case<'_>] = &[
        ("no token", None, &["-H", ONE], one.as_bytes(), 401, "unauthenticated"),
        ("a wrong token", Some("wrong"), &["-H", ONE], one.as_bytes(), 401, "unauthenticated"),
        ("another namespace", token, &["-H", ONE, &other], one.as_bytes(), 403, "other_namespace"),
        ("an unknown parameter", token, &["-H", ONE, &parameter], one.as_bytes(), 400, "bad_query"),
        ("no POST", token, &["-X", "PUT", "-H", ONE], one.as_bytes(), 405, "method_not_allowed"),
        ("too large", token, &["-H", ONE], &large, 413, "body_too_large"),
        (
            "too large in chunks",
            token,
            &["--http1.1", "-H", ONE, "-H", "Transfer-Encoding: chunked"],
            &large,
            413,
            "body_too_large",
        ),
        ("no content type", token, &["-H", "Content-Type:"], one.as_bytes(), 415, "unsupported_content_type"),
        (
            "another content type",
            token,
            &["-H", "Content-Type: text/csv"],
            b"a,b",
            415,
            "unsupported_content_type",
        ),
        (
            "compressed",
            token,
            &["-H", ONE, "-H", "Content-Encoding: gzip"],
            b"x",
            415,
            "unsupported_content_type",
        ),
        ("no JSON", token, &["-H", ONE], b"{", 400, "bad_json"),
        ("another path", token, &["--http1.1", "-H", ONE, &elsewhere], one.as_bytes(), 404, "not_found"),
    ];
    for (what, token, arguments, body, status, code) in cases {
        let answer = post(&plane, *token, arguments, body).await;
        assert_eq!(answer.status, *status, "{what}: {}", answer.body);
        assert_eq!(answer.content_type, "application/problem+json", "{what}");
        assert_eq!(answer.body["code"], *code, "{what}: {}", answer.body);
        assert_eq!(answer.body["status"], *status, "{what}");
        assert!(!answer.body["detail"].as_str().unwrap().is_empty(), "{what}");
    }
    assert_eq!(total(&operator, "a", "images").await, "0");
    let admin = plane.running.operator_token();
    let named = url("/v1/events?namespace=a");
    let answer = post(&plane, Some(admin), &["-H", ONE, &named], one.as_bytes()).await;
    assert_eq!(answer.status, 200, "an admin names the namespace: {}", answer.body);
    assert_eq!(total(&operator, "a", "images").await, "1");
}

#[tokio::test]
async fn a_meter_is_put_once_and_never_changes() {
    let plane = plane().await;
    let operator = plane.operator("a").await;
    put_meter(&operator, "a", "images", "").await;
    put_meter(&operator, "a", "images", "").await;
    let other = Meter {
        name: "images".into(),
        event_type: "other".into(),
        aggregation: "count".into(),
        ..Meter::default()
    };
    let request = PutMeterRequest { namespace: "a".into(), meter: Some(other.clone()) };
    assert_eq!(operator.meters().put_meter(request).await.unwrap_err().code(), Code::AlreadyExists);
    let wrong = Meter { name: "wrong".into(), aggregation: "mean".into(), ..other };
    let request = PutMeterRequest { namespace: "a".into(), meter: Some(wrong) };
    assert_eq!(operator.meters().put_meter(request).await.unwrap_err().code(), Code::InvalidArgument);
    let listed = operator.meters().list_meters(ListMetersRequest { namespace: "a".into() }).await.unwrap();
    let names: Vec<_> = listed.into_inner().meters.into_iter().map(|meter| meter.name).collect();
    assert_eq!(
        names,
        [
            "calls",
            "egress.bytes",
            "images",
            "llm.cost",
            "llm.input_tokens",
            "llm.output_tokens",
            "llm.tokens"
        ]
    );
    let unknown = QueryMeterRequest {
        namespace: "a".into(),
        meter: "nothing".into(),
        to_ms: 60_000,
        ..QueryMeterRequest::default()
    };
    assert_eq!(operator.meters().query_meter(unknown).await.unwrap_err().code(), Code::NotFound);
}
