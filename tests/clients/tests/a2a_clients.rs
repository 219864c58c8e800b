//! The A2A SDK on both sides of a real sidecar: its client, and an agent served with it.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use creto_proto::v1::{CallBegun, Verdict};
use creto_test_clients::{Beside, ProgramServer, python_program};
use creto_test_support::{Detached, UPSTREAM_NAME};
use serde_json::{Value, json};

/// Allows one of the agent's two skills.
fn policy(port: u16) -> String {
    format!(
        r#"
version = 1
name = "agents"

[[a2a_agent]]
name = "translator"
host = "{UPSTREAM_NAME}"
port = {port}

[[allow]]
name = "skills"
host = "{UPSTREAM_NAME}"
port = {port}
private = true
a2a_agent = "translator"
skill = "translate*"
"#
    )
}

struct Conversation {
    server: ProgramServer,
    beside: Beside,
    binding: &'static str,
}

impl Conversation {
    async fn start(binding: &'static str) -> Self {
        let server = ProgramServer::a2a().await;
        let beside = Beside::start(Detached::policy(policy(server.port()))).await;
        Self { server, beside, binding }
    }

    async fn run(&self, arguments: &[&str]) -> Value {
        let program = python_program("with_a2a").env("URL", self.server.url("")).env("BINDING", self.binding);
        program.args(arguments).run(self.beside.environment()).await.json()
    }
}

async fn allowed_by_skill(binding: &'static str) {
    let conversation = Conversation::start(binding).await;
    let card = conversation.run(&["card"]).await;
    assert_eq!(card, json!({"skills": ["translate-text", "delete-everything"]}));

    let sent = conversation.run(&["send", "translate-text"]).await;
    assert_eq!(sent["texts"], json!(["HELLO\n!"]), "{sent}");

    let streamed = conversation.run(&["stream", "translate-text"]).await;
    assert_eq!(streamed["texts"], json!(["HELLO", "!"]), "{streamed}");
    // The agent pauses between the two: what is held back arrives at once.
    assert!(streamed["spread_ms"].as_u64().unwrap() > 150, "{streamed}");

    let task = conversation.run(&["task", "translate-text"]).await;
    assert_eq!(task["task"], "HELLO!", "{task}");

    let calls = conversation.beside.into_calls();
    for call in &calls {
        assert_eq!(call.verdict(), Verdict::Allowed, "{call:?}");
        assert_eq!((call.policy.as_str(), call.rule.as_str()), ("agents", "skills"), "{call:?}");
    }
    let asked: Vec<_> = operations(&calls).into_iter().filter(|(name, _)| name != "agent-card").collect();
    let skill = vec!["translate-text".to_owned()];
    let expected = [
        ("SendMessage".to_owned(), skill.clone()),
        ("SendStreamingMessage".to_owned(), skill.clone()),
        ("SendMessage".to_owned(), skill),
        ("GetTask".to_owned(), Vec::new()),
    ];
    assert_eq!(asked, expected);
}

/// `words` finds what the sidecar says in the error that the SDK raises.
async fn refused_by_skill(binding: &'static str, words: fn(&Value) -> &Value) {
    let conversation = Conversation::start(binding).await;
    for (command, skill) in [("send", "delete-everything"), ("stream", "delete-everything"), ("send", "")] {
        let refused = conversation.run(&[command, skill]).await;
        assert_eq!(refused["error"]["type"], "A2AClientError", "{refused}");
        assert!(refused["error"]["message"].as_str().unwrap().contains("403"), "{refused}");
        let said = words(&refused["error"]).as_str().unwrap_or_default();
        assert!(said.contains("[creto: no_rule_allows"), "{refused}");
        assert!(refused.get("texts").is_none(), "{refused}");
    }
    let calls = conversation.beside.into_calls();
    let denied: Vec<_> = calls.into_iter().filter(|call| call.verdict() == Verdict::Denied).collect();
    assert!(denied.iter().all(|call| call.code == "no_rule_allows"), "{denied:?}");
    let skill = vec!["delete-everything".to_owned()];
    let expected = [
        ("SendMessage".to_owned(), skill.clone()),
        ("SendStreamingMessage".to_owned(), skill),
        ("SendMessage".to_owned(), Vec::new()),
    ];
    assert_eq!(operations(&denied), expected);
}

/// What each call asked of the agent, as its record has it.
fn operations(calls: &[CallBegun]) -> Vec<(String, Vec<String>)> {
    let meaning = |call: &CallBegun| {
        let meaning = call.meaning.clone().unwrap_or_else(|| panic!("without a meaning: {call:?}"));
        assert_eq!((meaning.protocol.as_str(), meaning.service.as_str()), ("a2a", "translator"), "{call:?}");
        (meaning.operation, meaning.subjects)
    };
    calls.iter().map(meaning).collect()
}

#[tokio::test]
async fn messages_for_an_allowed_skill_over_json_rpc() {
    allowed_by_skill("JSONRPC").await;
}

#[tokio::test]
async fn messages_for_an_allowed_skill_over_http_and_json() {
    allowed_by_skill("HTTP+JSON").await;
}

#[tokio::test]
async fn messages_for_another_skill_or_none_over_json_rpc() {
    refused_by_skill("JSONRPC", |error| &error["message"]).await;
}

#[tokio::test]
async fn messages_for_another_skill_or_none_over_http_and_json() {
    refused_by_skill("HTTP+JSON", |error| &error["body"]["error"]["message"]).await;
}
