//! gRPC and WebSocket programs.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use creto_proto::v1::CallRecord;
use creto_test_clients::{Entry, World, python_program};
use creto_test_support::UPSTREAM_NAME;

const SERVICE: &str = "/creto.test.Echo";

async fn grpc_calls(entry: Entry) {
    let world = World::start().await;
    let variables = world.environment(entry);
    let (target, tls) = match entry {
        Entry::Connect => (format!("{UPSTREAM_NAME}:{}", world.upstream.port()), "1"),
        Entry::BaseUrl => (world.sidecar.address().to_string(), "0"),
    };
    let program = python_program("with_grpcio").env("TARGET", target).env("TLS", tls).env("BODY", "hello");

    let unary = program.clone().env("SHAPE", "unary").run(&variables).await.json();
    assert_eq!(unary["code"], "OK", "{unary}");
    assert_eq!(unary["texts"], serde_json::json!(["hello"]));
    assert_eq!(unary["sent_back"], "metadata");
    assert_kind(&world.expect_allowed(entry, &format!("{SERVICE}/Unary"), 200).await, "grpc");

    let both = program.clone().env("SHAPE", "both-ways").run(&variables).await.json();
    assert_eq!(both["texts"], serde_json::json!(["hello 0", "hello 1", "hello 2"]), "{both}");
    world.expect_allowed(entry, &format!("{SERVICE}/BothWays"), 200).await;

    let failing = program.clone().env("SHAPE", "failing").run(&variables).await.json();
    assert_eq!(failing["code"], "FAILED_PRECONDITION", "{failing}");
    assert_eq!(failing["failure"], "as asked");

    let refused = program.env("SHAPE", "client-stream").run(&variables).await.json();
    assert_eq!(refused["code"], "PERMISSION_DENIED", "{refused}");
    assert_eq!(refused["refused"], "rule_denies", "{refused}");
    world.expect_denied(entry, &format!("{SERVICE}/ClientStream"), "no-client-stream").await;
}

async fn websocket_calls(entry: Entry) {
    let world = World::start().await;
    let variables = world.environment(entry);
    let program = python_program("with_websockets").env("BODY", "hello");

    let open = program.clone().env("URL", world.url(entry, "ws", "/ws")).run(&variables).await.json();
    assert_eq!((open["status"].as_u64(), open["body"].as_str()), (Some(101), Some("hello")), "{open}");
    assert_kind(&world.expect_allowed(entry, "/ws", 101).await, "websocket");

    let refused = program.env("URL", world.url(entry, "ws", "/denied/ws")).run(&variables).await.json();
    assert_eq!(refused["status"], 403, "{refused}");
    assert!(refused["body"].as_str().unwrap().contains("rule_denies"), "{refused}");
    world.expect_denied(entry, "/denied/ws", "denied").await;
}

fn assert_kind(call: &CallRecord, kind: &str) {
    assert_eq!(call.begun.as_ref().map(|begun| begun.kind.as_str()), Some(kind), "{call:?}");
}

#[tokio::test]
async fn grpcio_through_connect() {
    grpc_calls(Entry::Connect).await;
}

#[tokio::test]
async fn grpcio_through_base_url() {
    grpc_calls(Entry::BaseUrl).await;
}

#[tokio::test]
async fn websockets_through_connect() {
    websocket_calls(Entry::Connect).await;
}

#[tokio::test]
async fn websockets_through_base_url() {
    websocket_calls(Entry::BaseUrl).await;
}
