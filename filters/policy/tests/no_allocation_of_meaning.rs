//! Deciding over what a call means allocates nothing, with a thousand rules of one host.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::{alloc::System, fmt::Write as _, hint::black_box};

use creto_call::{
    Call, Capture, Decision, Details, Kind, McpCall, Meaning, ModelApi, ModelCall, ModelOperation, Scheme,
};
use creto_policy::{AgentFacts, Document, PolicySet, Tier, Trust};
use http::HeaderMap;
use serde_json::json;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn thousand_conditions() -> PolicySet {
    let mut text = String::from("version = 1\nname = \"many\"\n");
    for n in 0..1000 {
        let lines = match n % 5 {
            0 => format!("tool = \"tool-{n}\"\narguments = {{ repo = \"acme/*\", limit = {{ max = 100 }} }}"),
            1 => format!("mcp_server = \"tickets\"\ntool = [\"tool-{n}-*\", \"*-tool-{n}\"]"),
            2 => format!("model = \"model-{n}-*\""),
            3 => format!("provider = \"openai\"\nmodel = [\"model-{n}\"]"),
            _ => format!("path = \"/p{n}/**\""),
        };
        let kind = if n % 10 < 2 { "deny" } else { "allow" };
        write!(text, "[[{kind}]]\nname = \"r{n}\"\nhost = \"h.example\"\n{lines}\n").unwrap();
    }
    text.push_str(
        r#"
[[allow]]
name = "expression"
host = "e.example"
when = 'llm.request_model.startsWith("gpt-5") && llm.provider in ["openai", "local"] && !("x-debug" in request.headers) && request.headers["x-team"] == "search" && agent.labels["team"] == "search" && request.path.endsWith("/completions")'
[[allow]]
name = "tool"
host = "e.example"
when = 'mcp.tool.name == "search" && mcp.tool.arguments.limit <= 10 && agent.tier == "basic" && request.method == "POST"'
[[mcp_server]]
name = "tickets"
host = "h.example"
[[provider]]
name = "local"
host = "*.example"
api = "openai"
base = "/v1"
[[credential]]
name = "key"
host = "h.example"
path = "/v1/**"
type = "bearer"
from = { secret = "key" }
"#,
    );
    let agent = AgentFacts {
        name: "a".into(),
        tier: Tier::Basic,
        trust: Trust::Trusted,
        labels: [("team".to_owned(), "search".to_owned())].into(),
    };
    PolicySet::for_agent(&[Document::parse("many.toml", &text).unwrap()], &agent)
}

#[test]
fn deciding_over_what_a_call_means_allocates_nothing() {
    let set = thousand_conditions();
    let mut headers = HeaderMap::new();
    headers.insert("x-team", "search".parse().unwrap());
    let model = |name: &str| ModelCall {
        provider: "openai".into(),
        api: ModelApi::OpenAi,
        operation: ModelOperation::Chat,
        model: Some(name.into()),
        streaming: false,
        max_output_tokens: None,
        tools: Vec::new(),
        demand: creto_call::Demand::default(),
    };
    let tool = |name: &str, limit: u64| McpCall {
        server: "tickets".into(),
        method: "tools/call".into(),
        tool: Some(name.into()),
        arguments: Some(json!({"repo": "acme/x", "limit": limit})),
        ..McpCall::default()
    };
    let models = [model("model-992-x"), model("model-3"), model("gpt-5.1"), model("Other")];
    let tools = [
        tool("tool-5", 5),
        tool("tool-991-x", 5),
        tool("search", 5),
        tool("x-tool-996", 5),
        tool("none", 500),
    ];
    let post = |host, meaning, body_read| {
        let details =
            Details { headers: Some(&headers), size: Some(100), body_read, meaning, ..Details::default() };
        Call {
            capture: Capture::Connect,
            kind: Kind::Http,
            scheme: Scheme::Https,
            method: "POST",
            host,
            port: 443,
            path: "/v1/chat/completions",
            details,
        }
    };
    let mut calls = Vec::new();
    for host in ["h.example", "e.example"] {
        for body_read in [true, false] {
            calls.push(post(host, Meaning::Plain, body_read));
            calls.extend(models.iter().map(|facts| post(host, Meaning::Model(facts), body_read)));
            calls.extend(tools.iter().map(|facts| post(host, Meaning::Mcp(facts), body_read)));
        }
    }
    let allowed = calls.iter().filter(|call| matches!(set.decide(call), Decision::Allow { .. })).count();
    assert!(allowed >= 6, "only {allowed} calls are allowed");
    let region = Region::new(ALLOCATOR);
    for _ in 0..20 {
        for call in &calls {
            black_box(set.decide(black_box(call)));
            black_box(set.needs_body(call));
            black_box(set.could_allow(call));
            black_box(set.destination(call.host, call.port));
            black_box(set.provider(call.host, call.port, call.path));
            black_box(set.mcp_server(call.host, call.port, call.path));
            black_box(set.credential(call.host, call.port, call.path));
        }
    }
    let change = region.change();
    assert_eq!(change.allocations + change.reallocations, 0);
}
