//! MCP requests as no client sends them, each byte chosen by the test, and what the control plane has on record.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::time::Duration;

use creto_proto::v1::{CallBegun, CallMeaning, Verdict};
use creto_test_support::{
    Answer, FakeMcp, FakeMcpBuilder, HttpAgent, McpKind, Plane, Sidecar, Trip, UPSTREAM_NAME, Way,
};
use serde_json::{Value, json};

struct World {
    server: FakeMcp,
    plane: Plane,
    _sidecar: Sidecar,
    agent: HttpAgent,
}

impl World {
    /// `search` and `add` are allowed on the server, and nothing else.
    async fn start(server: FakeMcpBuilder) -> Self {
        let server = server.start().await;
        let plane = Plane::start().await;
        let agent = plane.trusted_agent("client").await;
        let port = server.port();
        let policy = format!(
            r#"
version = 1
name = "agents"

[[mcp_server]]
name = "tickets"
host = "{UPSTREAM_NAME}"
port = {port}

[[allow]]
name = "tools"
host = "{UPSTREAM_NAME}"
port = {port}
private = true
mcp_server = "tickets"
tool = ["search", "add"]
"#
        );
        plane.apply_policy(&policy).await;
        let sidecar = plane.sidecar(&agent).trusts(server.upstream()).start().await;
        let agent = sidecar.http_agent();
        Self { server, plane, _sidecar: sidecar, agent }
    }

    async fn post(&self, body: impl Into<String>, headers: &[(&str, &str)]) -> Answer {
        let trip = Trip::get(Way::Connect, &self.server.url())
            .method("POST")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(body.into());
        let trip = headers.iter().fold(trip, |trip, (name, value)| trip.header(name, value));
        self.agent.go(trip).await
    }

    /// A session's id.
    async fn session(&self) -> String {
        let params = json!({"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        let answer = self.post(body.to_string(), &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.header("mcp-session-id")
    }

    /// The beginning of the one call on record with these subjects.
    async fn on_record(&self, subjects: &[&str]) -> CallBegun {
        let of =
            |begun: &CallBegun| begun.meaning.as_ref().is_some_and(|meaning| meaning.subjects == subjects);
        let what = format!("a call of {subjects:?}");
        let call = self.plane.wait_for_call(&what, |call| call.begun.as_ref().is_some_and(of)).await;
        call.begun.unwrap()
    }
}

fn call(id: &Value, tool: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": {"query": "q", "a": 1, "b": 2}}})
}

/// As the revision of 2026 wants it.
fn enveloped(mut message: Value) -> Value {
    message["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    message
}

fn mcp(operation: &str, subjects: &[&str]) -> CallMeaning {
    CallMeaning {
        protocol: "mcp".to_owned(),
        service: "tickets".to_owned(),
        operation: operation.to_owned(),
        subjects: subjects.iter().map(|&subject| subject.to_owned()).collect(),
    }
}

#[tokio::test]
async fn a_batch_that_hides_a_forbidden_tool_is_refused_whole() {
    let world = World::start(FakeMcp::builder()).await;
    let session = world.session().await;
    let headers = [("mcp-session-id", session.as_str())];
    world.server.forget();

    let hiding = json!([
        call(&json!(1), "search"),
        {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": 1}},
        call(&json!("two"), "delete_ticket"),
        call(&json!(3), "add"),
    ]);
    let answer = world.post(hiding.to_string(), &headers).await;
    assert_eq!((answer.status, answer.refusal().as_str()), (200, "no_rule_allows"), "{}", answer.text());
    let errors = answer.json();
    let ids: Vec<_> = errors.as_array().unwrap().iter().map(|error| error["id"].clone()).collect();
    assert_eq!(ids, [json!(1), json!("two"), json!(3)], "{errors}");
    assert!(errors.as_array().unwrap().iter().all(|error| error["error"]["code"] == 403), "{errors}");
    assert!(world.server.requests().is_empty(), "something reached the server");

    let begun = world.on_record(&["search", "delete_ticket", "add"]).await;
    assert_eq!((begun.verdict(), begun.code.as_str()), (Verdict::Denied, "no_rule_allows"), "{begun:?}");
    let operations = "tools/call,notifications/progress";
    assert_eq!(begun.meaning, Some(mcp(operations, &["search", "delete_ticket", "add"])));

    let allowed = json!([call(&json!(1), "search"), call(&json!(2), "add")]);
    let answer = world.post(allowed.to_string(), &headers).await;
    assert_eq!(answer.json().as_array().map(Vec::len), Some(2), "{}", answer.text());
    assert_eq!(world.server.calls_of("add"), 1);
    let begun = world.on_record(&["search", "add"]).await;
    assert_eq!(begun.verdict(), Verdict::Allowed, "{begun:?}");
    assert_eq!((begun.policy.as_str(), begun.rule.as_str()), ("agents", "tools"), "{begun:?}");
}

#[tokio::test]
async fn headers_that_say_something_else_than_the_body_are_refused() {
    let world = World::start(FakeMcp::builder().kind(McpKind::Stateless)).await;
    let version = ("mcp-protocol-version", "2026-07-28");
    let method = ("mcp-method", "tools/call");
    for (tool, headers) in [
        ("search", vec![version, method, ("mcp-name", "delete_ticket")]),
        ("delete_ticket", vec![version, method, ("mcp-name", "search")]),
        ("search", vec![version, ("mcp-method", "tools/list"), ("mcp-name", "search")]),
        ("search", vec![("mcp-protocol-version", "2025-11-25"), method, ("mcp-name", "search")]),
        ("search", vec![version, method, ("mcp-name", "search"), ("mcp-name", "delete_ticket")]),
        ("search", vec![version, method, ("mcp-name", "search"), ("mcp-param-repo", "elsewhere")]),
    ] {
        let answer = world.post(enveloped(call(&json!(7), tool)).to_string(), &headers).await;
        assert_eq!((answer.status, answer.refusal().as_str()), (400, "header_mismatch"), "{headers:?}");
        assert_eq!(answer.json()["error"]["code"], -32020, "{headers:?}: {}", answer.text());
    }
    assert!(world.server.requests().is_empty(), "something reached the server");

    let agreeing = [version, method, ("mcp-name", "search")];
    let answer = world.post(enveloped(call(&json!(7), "search")).to_string(), &agreeing).await;
    assert_eq!(answer.json()["result"]["resultType"], "complete", "{}", answer.text());
    let begun = world.on_record(&["search"]).await;
    assert_eq!(begun.meaning, Some(mcp("tools/call", &["search"])));
}

#[tokio::test]
async fn a_header_must_repeat_the_argument_that_the_tools_schema_says() {
    let world = World::start(FakeMcp::builder().kind(McpKind::Stateless)).await;
    let version = ("mcp-protocol-version", "2026-07-28");
    let list = enveloped(json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}));
    let listed = world.post(list.to_string(), &[version, ("mcp-method", "tools/list")]).await;
    assert_eq!(listed.json()["result"]["tools"].as_array().map(Vec::len), Some(2), "{}", listed.text());

    let mut search = enveloped(call(&json!(2), "search"));
    search["params"]["arguments"] = json!({"query": "acme/open", "repo": "acme/secret"});
    let with =
        |repo| [version, ("mcp-method", "tools/call"), ("mcp-name", "search"), ("mcp-param-repo", repo)];
    // It repeats an argument, but not the one it stands for.
    let answer = world.post(search.to_string(), &with("acme/open")).await;
    assert_eq!((answer.status, answer.refusal().as_str()), (400, "header_mismatch"), "{}", answer.text());
    assert_eq!(answer.json()["error"]["code"], -32020, "{}", answer.text());
    assert_eq!(world.server.calls_of("search"), 0, "it reached the server");
    let answer = world.post(search.to_string(), &with("acme/secret")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn a_body_that_can_be_read_in_two_ways_is_refused() {
    let world = World::start(FakeMcp::builder()).await;
    let session = world.session().await;
    world.server.forget();
    let call =
        |params: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
    for body in [
        call(r#"{"name":"search","name":"delete_ticket"}"#),
        call(r#"{"name":"search","Name":"delete_ticket"}"#),
        call(r#"{"name":"search","n\u0061me":"delete_ticket"}"#),
        format!("{}{}", call(r#"{"name":"search"}"#), call(r#"{"name":"delete_ticket"}"#)),
        "[]".to_owned(),
    ] {
        let answer = world.post(body.clone(), &[("mcp-session-id", &session)]).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        assert!(answer.json()["error"]["code"].as_i64().unwrap() < 0, "{body}: {}", answer.text());
    }
    assert!(world.server.requests().is_empty(), "something reached the server");
}

#[tokio::test]
async fn a_challenge_of_the_server_arrives_unchanged() {
    let value = r#"Bearer resource_metadata="https://tickets.example/.well-known/oauth-protected-resource", scope="mcp:tools""#;
    let world = World::start(FakeMcp::builder().challenge(value)).await;
    let asked = call(&json!(1), "search").to_string();
    let answer = world.post(asked.clone(), &[]).await;
    assert_eq!((answer.status, answer.header("www-authenticate").as_str()), (401, value));
    assert_eq!((answer.text().as_str(), answer.refusal().as_str()), ("a token is wanted", ""));
    let answer = world.post(asked, &[("authorization", "Bearer mine")]).await;
    assert_eq!(answer.status, 400, "the server itself asks for a session: {}", answer.text());
    assert_eq!(world.server.requests().last().unwrap().header("authorization"), "Bearer mine");
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_not_shown() {
    let list = json!({"jsonrpc": "2.0", "id": 5, "method": "tools/list"});
    let list = enveloped(list).to_string();
    let headers = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/list"),
        ("accept-encoding", "gzip, br"),
    ];

    let world = World::start(FakeMcp::builder()).await;
    assert_eq!(world.post(list.clone(), &headers).await.status, 200);
    assert_eq!(world.server.requests()[0].header("accept-encoding"), "identity");

    for builder in [FakeMcp::builder(), FakeMcp::builder().events()] {
        let world = World::start(builder.coding("br")).await;
        let answer = world.post(list.clone(), &headers).await;
        assert_eq!((answer.status, answer.refusal().as_str()), (200, "answer_unclear"), "{}", answer.text());
        assert_eq!(answer.json()["id"], 5, "{}", answer.text());
        assert_eq!(answer.json()["error"]["code"], 502, "{}", answer.text());
        assert!(!answer.text().contains("delete_ticket"), "{}", answer.text());
    }
}

#[tokio::test]
async fn what_is_no_tool_is_not_allowed_by_a_rule_about_tools() {
    let world = World::start(FakeMcp::builder()).await;
    let session = world.session().await;
    world.server.forget();
    for (method, params, subjects) in [
        ("resources/read", json!({"uri": "notes://secret"}), &["notes://secret"]),
        ("prompts/get", json!({"name": "greet"}), &["greet"]),
    ] {
        let body = json!({"jsonrpc": "2.0", "id": "r", "method": method, "params": params});
        let answer = world.post(body.to_string(), &[("mcp-session-id", &session)]).await;
        assert_eq!((answer.status, answer.refusal().as_str()), (200, "no_rule_allows"), "{}", answer.text());
        assert_eq!((&answer.json()["id"], &answer.json()["error"]["code"]), (&json!("r"), &json!(403)));
        assert_eq!(world.on_record(subjects).await.meaning, Some(mcp(method, subjects)));
    }
    assert!(world.server.requests().is_empty(), "something reached the server");
}

#[tokio::test]
async fn the_servers_own_messages_come_as_they_are_sent_until_the_session_ends() {
    let world = World::start(FakeMcp::builder()).await;
    let session = world.session().await;
    let target = format!("{UPSTREAM_NAME}:{}", world.server.port());
    let head = format!(
        "GET /mcp HTTP/1.1\r\nhost: {target}\r\naccept: text/event-stream\r\nmcp-session-id: {session}\r\n\r\n"
    );
    let agent = world.agent.clone();
    let listening =
        tokio::spawn(async move { agent.send_raw_in_tunnel(&target, true, head.as_bytes()).await });
    tokio::time::sleep(Duration::from_millis(700)).await;
    world.server.change_tool("add");
    let (came, closed) = listening.await.unwrap();
    let came = String::from_utf8_lossy(&came).into_owned();
    assert!(came.starts_with("HTTP/1.1 200") && came.contains("notifications/tools/list_changed"), "{came}");
    assert!(!closed, "the stream ended: {came}");

    let end =
        Trip::get(Way::Connect, &world.server.url()).method("DELETE").header("mcp-session-id", &session);
    assert_eq!(world.agent.go(end).await.status, 200);
    assert_eq!(world.server.sessions(), 0);
}
