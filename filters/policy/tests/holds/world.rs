//! What these tests are written in.

use std::collections::BTreeMap;

use creto_call::{
    A2aCall, Call, Capture, Decision, Demand, Details, Kind, McpCall, Meaning, ModelApi, ModelCall,
    ModelOperation, Scheme,
};
use creto_policy::{Document, PolicySet};
use serde_json::Value;

pub(crate) const ALLOW: &str = "[[allow]]\nname = \"everything\"\nhost = \"*\"\nport = \"any\"\n";
pub(crate) const PEOPLE: &str = "approvers = [\"alice@example.com\"]\nwait = \"1h\"\n";

pub(crate) fn named(name: &str, text: &str) -> Document {
    let text = format!("version = 1\nname = \"{name}\"\n{text}");
    Document::parse("p.toml", &text).unwrap_or_else(|problems| panic!("{problems}"))
}

pub(crate) fn document(text: &str) -> Document {
    named("p", text)
}

/// A hold about every host that asks this too.
pub(crate) fn hold(name: &str, lines: &str) -> String {
    format!("[[hold]]\nname = \"{name}\"\nhost = \"*\"\n{PEOPLE}{lines}\n")
}

/// A policy that allows everything and has these tables too.
pub(crate) fn set(text: &str) -> PolicySet {
    PolicySet::compile([&document(&format!("{ALLOW}{text}"))])
}

/// `policy/rule` of those that the call waits for; it has to be let through.
pub(crate) fn held(set: &PolicySet, call: &Call<'_>, cost: Option<u64>) -> Vec<String> {
    assert!(matches!(set.decide(call), Decision::Allow { .. }), "{call:?}");
    let holds = set.holds(call, cost);
    assert!(!holds.too_many());
    names(holds.held())
}

pub(crate) fn names<'s>(held: impl Iterator<Item = creto_policy::Held<'s>>) -> Vec<String> {
    held.map(|held| format!("{}/{}", held.by.policy, held.by.rule)).collect()
}

pub(crate) fn call<'a>(method: &'a str, host: &'a str, path: &'a str) -> Call<'a> {
    Call {
        capture: Capture::Connect,
        kind: Kind::Http,
        scheme: Scheme::Https,
        method,
        host,
        port: 443,
        path,
        details: Details { size: Some(0), ..Details::default() },
    }
}

/// A POST with a body, read or not.
pub(crate) fn post<'a>(host: &'a str, meaning: Meaning<'a>, body_read: bool) -> Call<'a> {
    Call {
        details: Details { size: Some(100), body_read, meaning, ..Details::default() },
        ..call("POST", host, "/v1/x")
    }
}

pub(crate) fn model(provider: &str, name: Option<&str>) -> ModelCall {
    ModelCall {
        provider: provider.into(),
        api: ModelApi::OpenAi,
        operation: ModelOperation::Chat,
        model: name.map(Into::into),
        streaming: false,
        max_output_tokens: None,
        tools: Vec::new(),
        demand: Demand::default(),
    }
}

pub(crate) fn tool(server: &str, tool: &str, arguments: Value) -> McpCall {
    McpCall {
        server: server.into(),
        method: "tools/call".into(),
        tool: Some(tool.into()),
        arguments: Some(arguments),
        ..McpCall::default()
    }
}

pub(crate) fn mcp(server: &str, method: &str) -> McpCall {
    McpCall { server: server.into(), method: method.into(), ..McpCall::default() }
}

pub(crate) fn message(agent: &str, method: &str, skill: Option<&str>) -> A2aCall {
    A2aCall { agent: agent.into(), method: method.into(), skill: skill.map(Into::into) }
}

pub(crate) fn agent(name: &str) -> creto_policy::AgentFacts {
    creto_policy::AgentFacts {
        name: name.into(),
        tier: creto_policy::Tier::Standard,
        trust: creto_policy::Trust::Trusted,
        labels: BTreeMap::new(),
    }
}
