//! MCP clients as they come from their registries, through a real sidecar: to a fake server that speaks both kinds of
//! the protocol, and to a real one.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use creto_proto::v1::{CallBegun, Verdict};
use creto_test_clients::{Beside, Installation, Program, ProgramServer, node_program, python_program};
use creto_test_support::{Detached, FakeMcp, McpKind, UPSTREAM_NAME};
use serde_json::{Value, json};

/// Allows the tools, and says what the server is called.
fn policy(port: u16, tools: &[&str]) -> String {
    format!(
        r#"
version = 1
name = "agents"

[[mcp_server]]
name = "tickets"
host = "{UPSTREAM_NAME}"
port = {port}
path = "/mcp"

[[allow]]
name = "tools"
host = "{UPSTREAM_NAME}"
port = {port}
private = true
mcp_server = "tickets"
tool = {tools:?}
"#
    )
}

fn python() -> Program {
    python_program("with_mcp")
}

fn fastmcp() -> Program {
    python_program("with_fastmcp_mcp")
}

fn node() -> Program {
    node_program(&Installation::get().node24(), "with_mcp")
}

/// A server, and a sidecar that lets `search`, `add` and `echo_arguments` through.
async fn world(server: FakeMcp) -> (FakeMcp, Beside) {
    let policy = policy(server.port(), &["search", "add", "echo_*"]);
    let detached = Detached::policy(policy).trusting(server.upstream().ca_pem());
    (server, Beside::start(detached).await)
}

async fn run(program: &Program, url: &str, beside: &Beside, arguments: &[&str]) -> Value {
    program.clone().env("URL", url).args(arguments).run(beside.environment()).await.json()
}

/// What a client does that sees its tools, calls one, and then one that it may not.
async fn allowed_and_refused(program: Program, server: FakeMcp, error: &str) {
    let (server, beside) = world(server).await;
    let url = server.url();

    let session = run(&program, &url, &beside, &["session", "search", r#"{"query": "a b"}"#]).await;
    let visible = json!(["search", "add", "echo_arguments"]);
    assert_eq!(session["tools"], visible, "{session}");
    assert_eq!(session["call"]["text"], "2 tickets match a b", "{session}");
    assert_eq!(session["call"]["failed"], false, "{session}");
    assert_eq!(session["again"], visible, "{session}");

    let sum = run(&program, &url, &beside, &["call", "add", r#"{"a": 1, "b": 2.5}"#]).await;
    assert_eq!(sum["call"]["text"], "3.5", "{sum}");

    let refused = run(&program, &url, &beside, &["call", "delete_ticket", r#"{"id": 7}"#]).await;
    assert_refused(&refused, error, "no_rule_allows");
    assert_eq!(server.calls_of("delete_ticket"), 0, "it reached the server");
    assert_eq!(server.calls_of("add"), 1);

    assert_on_record(&beside.into_calls());
}

fn assert_refused(answer: &Value, error: &str, code: &str) {
    let found = &answer["call"]["error"];
    assert_eq!(found["type"], error, "{answer}");
    assert_eq!(found["code"], 403, "{answer}");
    let message = found["message"].as_str().unwrap_or_default();
    assert!(message.contains(&format!("[creto: {code}")), "{answer}");
    assert_eq!(found["data"]["code"], code, "{answer}");
    assert!(found["data"]["call_id"].is_string(), "{answer}");
}

fn assert_on_record(calls: &[CallBegun]) {
    let of = |operation: &str, tool: &str| -> Vec<&CallBegun> {
        calls
            .iter()
            .filter(|call| {
                call.meaning.as_ref().is_some_and(|meaning| {
                    assert_eq!((meaning.protocol.as_str(), meaning.service.as_str()), ("mcp", "tickets"));
                    let tools = if tool.is_empty() { vec![] } else { vec![tool.to_owned()] };
                    meaning.operation == operation && meaning.subjects == tools
                })
            })
            .collect()
    };
    for call in of("tools/call", "search").into_iter().chain(of("tools/list", "")) {
        assert_eq!(call.verdict(), Verdict::Allowed, "{call:?}");
        assert_eq!((call.policy.as_str(), call.rule.as_str()), ("agents", "tools"), "{call:?}");
    }
    assert_eq!(of("tools/call", "search").len(), 1);
    assert_eq!(of("tools/call", "add").len(), 1);
    assert!(of("tools/list", "").len() >= 2);
    let refused = of("tools/call", "delete_ticket");
    assert_eq!(refused.len(), 1);
    assert_eq!((refused[0].verdict(), refused[0].code.as_str()), (Verdict::Denied, "no_rule_allows"));
    assert!(calls.iter().all(|call| call.meaning.is_some()), "{calls:?}");
}

/// Without a sidecar all four tools are there: what is missing elsewhere, the sidecar took out.
#[tokio::test]
async fn the_programs_reach_a_server_that_they_trust() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["session", "delete_ticket", r#"{"id": 1}"#];
    for (kind, programs) in [
        (McpKind::Sessions, vec![python(), fastmcp(), node()]),
        (McpKind::Stateless, vec![python(), fastmcp()]),
    ] {
        let server = FakeMcp::builder().kind(kind).events().page(3).start().await;
        let authority = folder.path().join("authority.pem");
        std::fs::write(&authority, server.upstream().ca_pem()).unwrap();
        let variables = ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"]
            .map(|name| (name.to_owned(), authority.display().to_string()));
        for program in programs {
            let answer = program.env("URL", server.url()).args(&arguments).run(&variables).await.json();
            let all = json!(["search", "add", "delete_ticket", "echo_arguments"]);
            assert_eq!((&answer["tools"], &answer["again"]), (&all, &all), "{answer}");
            assert_eq!(answer["call"]["text"], "the ticket is gone", "{answer}");
        }
        let sessions = server.methods().iter().filter(|method| *method == "initialize").count();
        assert_eq!(sessions > 0, kind == McpKind::Sessions, "{:?}", server.methods());
    }
}

#[tokio::test]
async fn the_python_client_without_sessions() {
    allowed_and_refused(python(), FakeMcp::builder().kind(McpKind::Stateless).start().await, "MCPError")
        .await;
}

#[tokio::test]
async fn the_python_client_without_sessions_over_events_and_pages() {
    let server = FakeMcp::builder().kind(McpKind::Stateless).events().page(1).start().await;
    allowed_and_refused(python(), server, "MCPError").await;
}

#[tokio::test]
async fn the_python_client_in_a_session() {
    let server = FakeMcp::builder().kind(McpKind::Sessions).start().await;
    allowed_and_refused(python(), server, "MCPError").await;
}

#[tokio::test]
async fn the_python_client_in_a_session_from_the_start_over_events() {
    let server = FakeMcp::builder().events().page(3).start().await;
    allowed_and_refused(python().env("MODE", "legacy"), server, "MCPError").await;
}

#[tokio::test]
async fn fastmcp_without_sessions() {
    allowed_and_refused(fastmcp(), FakeMcp::builder().kind(McpKind::Stateless).start().await, "MCPError")
        .await;
}

#[tokio::test]
async fn fastmcp_in_a_session_over_events() {
    let server = FakeMcp::builder().kind(McpKind::Sessions).events().page(2).start().await;
    allowed_and_refused(fastmcp(), server, "MCPError").await;
}

#[tokio::test]
async fn the_typescript_client_in_a_session() {
    allowed_and_refused(node(), FakeMcp::builder().page(2).start().await, "McpError").await;
}

#[tokio::test]
async fn the_typescript_client_in_a_session_over_events() {
    allowed_and_refused(node(), FakeMcp::builder().events().start().await, "McpError").await;
}

#[tokio::test]
async fn what_a_tool_is_given_and_answers_stays_as_it_is() {
    let (server, beside) = world(FakeMcp::builder().events().start().await).await;
    let arguments =
        json!({"text": "\u{e9}\u{4e16} \"quoted\" \n", "n": 1.25, "deep": {"list": [1, [2, null]]}});
    for program in [python(), fastmcp(), node()] {
        let text = arguments.to_string();
        let answer = run(&program, &server.url(), &beside, &["call", "echo_arguments", &text]).await;
        let echoed: Value = serde_json::from_str(answer["call"]["text"].as_str().unwrap()).unwrap();
        assert_eq!(echoed, arguments, "{answer}");
        let progress: Vec<_> =
            answer["call"]["progress"].as_array().unwrap().iter().map(Value::as_f64).collect();
        assert_eq!(progress, [Some(1.0), Some(2.0)], "{answer}");
    }
}

#[tokio::test]
async fn arguments_that_the_client_repeats_in_headers_arrive_in_both() {
    let (server, beside) = world(FakeMcp::builder().kind(McpKind::Stateless).start().await).await;
    for (repo, header) in [("acme/tickets", "acme/tickets"), ("acme/\u{e9}", "=?base64?YWNtZS/DqQ==?=")] {
        server.forget();
        let arguments = json!({"query": "x", "repo": repo}).to_string();
        let answer = run(&python(), &server.url(), &beside, &["session", "search", &arguments]).await;
        assert_eq!(answer["call"]["text"], "2 tickets match x", "{answer}");
        let requests = server.requests();
        let call = requests.iter().find(|request| !request.tools_called().is_empty()).unwrap();
        assert_eq!(call.header("mcp-param-repo"), header);
        assert_eq!(call.header("mcp-name"), "search");
        assert_eq!(call.messages()[0]["params"]["arguments"]["repo"], repo);
    }
}

/// Programs that are given the sidecar's own address need no proxy and no authority.
#[tokio::test]
async fn clients_that_are_given_a_route_of_the_sidecar_instead_of_the_server() {
    let server = FakeMcp::builder().events().start().await;
    let route = format!(
        "\n[[route]]\nname = \"tickets\"\nprefix = \"/tickets\"\nto = \"https://{UPSTREAM_NAME}:{}\"\n",
        server.port()
    );
    let policy = policy(server.port(), &["search"]) + &route;
    let beside = Beside::start(Detached::policy(policy).trusting(server.upstream().ca_pem())).await;
    let url = format!("http://{}/tickets/mcp", beside.sidecar().proxy());
    for (program, error) in [(python(), "MCPError"), (fastmcp(), "MCPError"), (node(), "McpError")] {
        let program = program.env("URL", &url);
        let allowed = program.clone().args(&["session", "search", r#"{"query": "x"}"#]).run(&[]).await.json();
        assert_eq!(allowed["tools"], json!(["search"]), "{allowed}");
        assert_eq!(allowed["call"]["text"], "2 tickets match x", "{allowed}");
        let refused = program.args(&["call", "add", r#"{"a": 1, "b": 1}"#]).run(&[]).await.json();
        assert_refused(&refused, error, "no_rule_allows");
    }
    assert_eq!((server.calls_of("search"), server.calls_of("add")), (3, 0));
}

#[tokio::test]
async fn a_tool_that_turns_is_hidden_and_refused_until_it_turns_back() {
    for (program, error) in [(python(), "MCPError"), (node(), "McpError")] {
        let (server, beside) = world(FakeMcp::start().await).await;
        let url = server.url();
        let search = ["session", "search", r#"{"query": "x"}"#];
        let before = run(&program, &url, &beside, &search).await;
        assert_eq!(before["tools"], json!(["search", "add", "echo_arguments"]), "{before}");
        assert_eq!(before["call"]["text"], "2 tickets match x", "{before}");

        server.change_tool("search");
        let calls = server.calls_of("search");
        let changed = run(&program, &url, &beside, &search).await;
        assert_eq!(changed["tools"], json!(["add", "echo_arguments"]), "{changed}");
        assert_refused(&changed, error, "tool_changed");
        assert_eq!(server.calls_of("search"), calls, "it reached the server");

        server.restore_tool("search");
        let after = run(&program, &url, &beside, &search).await;
        assert_eq!(after, before);
        let denied: Vec<_> =
            beside.into_calls().into_iter().filter(|call| call.verdict() == Verdict::Denied).collect();
        assert_eq!(denied.len(), 1, "{denied:?}");
        assert_eq!(denied[0].code, "tool_changed");
    }
}

#[tokio::test]
async fn a_tool_that_turns_within_a_session_is_gone_from_its_next_list() {
    let (server, beside) = world(FakeMcp::builder().events().turning("add").start().await).await;
    let turned = run(&node(), &server.url(), &beside, &["session", "search", r#"{"query": "x"}"#]).await;
    assert_eq!(turned["tools"], json!(["search", "add", "echo_arguments"]), "{turned}");
    assert_eq!(turned["again"], json!(["search", "echo_arguments"]), "{turned}");
}

#[tokio::test]
async fn a_tool_whose_hash_the_operator_has_not_pinned_is_never_seen() {
    let server = FakeMcp::start().await;
    let pins = format!("path = \"/mcp\"\npins = {{ search = \"sha256:{}\" }}", "0".repeat(64));
    let policy = policy(server.port(), &["*"]).replacen("path = \"/mcp\"", &pins, 1);
    let beside = Beside::start(Detached::policy(policy).trusting(server.upstream().ca_pem())).await;
    let seen = run(&python(), &server.url(), &beside, &["session", "search", r#"{"query": "x"}"#]).await;
    assert_eq!(seen["tools"], json!(["add", "delete_ticket", "echo_arguments"]), "{seen}");
    assert_refused(&seen, "MCPError", "tool_changed");
}

#[tokio::test]
async fn of_two_hundred_tools_those_are_seen_that_policy_allows() {
    let server = FakeMcp::builder().tools(200).page(50).start().await;
    let policy = policy(server.port(), &["tool_01*"]);
    let beside = Beside::start(Detached::policy(policy).trusting(server.upstream().ca_pem())).await;
    let expected: Vec<_> = (100..200).map(|number| format!("tool_{number:04}")).collect();
    for program in [python(), fastmcp(), node()] {
        let seen = run(&program, &server.url(), &beside, &["list"]).await;
        assert_eq!(seen["tools"], json!(expected), "{seen}");
    }
}

#[tokio::test]
async fn tools_are_denied_on_a_server_that_policy_does_not_name() {
    let server = FakeMcp::start().await;
    let port = server.port();
    let policy = format!(
        r#"
version = 1
name = "agents"

[[allow]]
name = "everywhere"
host = "{UPSTREAM_NAME}"
port = {port}
private = true

[[deny]]
name = "no-deletes"
host = "*"
port = "any"
tool = "delete_*"
"#
    );
    let beside = Beside::start(Detached::policy(policy).trusting(server.upstream().ca_pem())).await;
    for (program, error) in [(python(), "MCPError"), (node(), "McpError")] {
        let refused = run(&program, &server.url(), &beside, &["session", "delete_ticket", "{}"]).await;
        assert_eq!(refused["tools"], json!(["search", "add", "echo_arguments"]), "{refused}");
        assert_refused(&refused, error, "rule_denies");
        assert_eq!(refused["call"]["error"]["data"]["rule"], "no-deletes", "{refused}");
    }
    assert_eq!(server.calls_of("delete_ticket"), 0);
}

/// The server that MCP clients are tried against, from its own package.
async fn everything(program: Program, error: &str) {
    let server = ProgramServer::everything().await;
    let tools = ["echo", "get-sum", "trigger-long-running-operation"];
    let beside = Beside::start(Detached::policy(policy(server.port(), &tools))).await;
    let url = server.url("/mcp");

    let session = run(&program, &url, &beside, &["session", "get-sum", r#"{"a": 20, "b": 22}"#]).await;
    assert_eq!(session["tools"], json!(tools), "{session}");
    assert_eq!(session["call"]["text"], "The sum of 20 and 22 is 42.", "{session}");
    assert_eq!(session["again"], json!(tools), "{session}");

    let echo = run(&program, &url, &beside, &["call", "echo", r#"{"message": "hello"}"#]).await;
    assert_eq!(echo["call"]["text"], "Echo: hello", "{echo}");

    let refused = run(&program, &url, &beside, &["call", "get-env", "{}"]).await;
    assert_refused(&refused, error, "no_rule_allows");

    let long = r#"{"duration": 1.2, "steps": 4}"#;
    let long = run(&program, &url, &beside, &["call", "trigger-long-running-operation", long]).await;
    let progress: Vec<_> = long["call"]["progress"].as_array().unwrap().iter().map(Value::as_f64).collect();
    assert_eq!(progress, [Some(1.0), Some(2.0), Some(3.0), Some(4.0)], "{long}");
    // Four steps of 300 ms: what is held back arrives at once.
    assert!(long["call"]["spread_ms"].as_u64().unwrap() > 500, "{long}");

    let calls = beside.into_calls();
    let denied: Vec<_> = calls.iter().filter(|call| call.verdict() == Verdict::Denied).collect();
    assert_eq!(denied.len(), 1, "{denied:?}");
    assert_eq!(denied[0].meaning.as_ref().unwrap().subjects, ["get-env"]);
}

#[tokio::test]
async fn the_python_client_and_the_everything_server() {
    everything(python(), "MCPError").await;
}

#[tokio::test]
async fn fastmcp_and_the_everything_server() {
    everything(fastmcp(), "MCPError").await;
}

#[tokio::test]
async fn the_typescript_client_and_the_everything_server() {
    everything(node(), "McpError").await;
}

/// The transport of 2024-11-05: the answer to a POST comes on the stream of a GET. Gives what the client makes of a
/// refused call.
async fn everything_over_sse(program: Program) -> Value {
    let server = ProgramServer::everything_over_sse().await;
    let policy = policy(server.port(), &["echo", "get-sum"]).replacen("path = \"/mcp\"", "", 1);
    let beside = Beside::start(Detached::policy(policy)).await;
    let url = server.url("/sse");
    let program = program.env("TRANSPORT", "sse").env("MODE", "legacy");

    let session = run(&program, &url, &beside, &["session", "get-sum", r#"{"a": 20, "b": 22}"#]).await;
    assert_eq!(session["tools"], json!(["echo", "get-sum"]), "{session}");
    assert_eq!(session["call"]["text"], "The sum of 20 and 22 is 42.", "{session}");

    let refused = run(&program, &url, &beside, &["call", "get-env", "{}"]).await;
    let calls = beside.into_calls();
    let denied: Vec<_> = calls.iter().filter(|call| call.verdict() == Verdict::Denied).collect();
    assert_eq!(denied.len(), 1, "{denied:?}");
    assert_eq!(denied[0].meaning.as_ref().unwrap().subjects, ["get-env"]);
    refused["call"]["error"].clone()
}

#[tokio::test]
async fn the_typescript_client_over_the_transport_of_2024() {
    let error = everything_over_sse(node()).await;
    assert!(error["message"].as_str().unwrap().contains("[creto: no_rule_allows"), "{error}");
}

/// This client looks at no answer to a POST: its caller waits for the stream, in vain.
#[tokio::test]
async fn the_python_client_over_the_transport_of_2024() {
    let error = everything_over_sse(python()).await;
    assert_eq!(error["type"], "MCPError", "{error}");
}
