//! How old policy may be, and what a call risks meanwhile.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::time::Duration;

use creto_call::{
    A2aCall, Call, Capture, Details, Kind, McpCall, Meaning, ModelApi, ModelCall, ModelOperation, Scheme,
};
use creto_policy::{Document, PolicySet, RiskClass, Staleness};

fn document(name: &str, staleness: &str) -> Document {
    let text = format!("version = 1\nname = \"{name}\"\n{staleness}\n");
    Document::parse(name, &text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn problem(staleness: &str) -> String {
    let text = format!("version = 1\nname = \"p\"\n{staleness}\n");
    Document::parse("p.toml", &text).expect_err(staleness).render(false)
}

fn call<'c>(kind: Kind, method: &'c str, meaning: Meaning<'c>) -> Call<'c> {
    Call {
        capture: Capture::Connect,
        kind,
        scheme: Scheme::Https,
        method,
        host: "a.example.com",
        port: 443,
        path: "/",
        details: Details { meaning, ..Details::default() },
    }
}

fn seconds(count: u64) -> Option<Duration> {
    Some(Duration::from_secs(count))
}

#[test]
fn without_a_word_about_it_reading_lasts_a_day_writing_eight_hours_and_spending_four() {
    let expected = Staleness { read: seconds(24 * 3600), write: seconds(8 * 3600), spend: seconds(4 * 3600) };
    assert_eq!(PolicySet::compile(&[document("a", "")]).staleness(), expected);
    assert_eq!(PolicySet::default().staleness(), expected);
}

#[test]
fn of_several_documents_the_smallest_limit_that_is_named_holds() {
    let one = document("a", "[staleness]\nread = \"7d\"\nwrite = \"15m\"");
    let other = document("b", "[staleness]\nread = \"never\"\nwrite = \"90s\"\nspend = \"never\"");
    let silent = document("c", "");
    let both = PolicySet::compile([&one, &other, &silent]).staleness();
    assert_eq!(both, Staleness { read: seconds(7 * 86_400), write: seconds(90), spend: None });
    let alone = PolicySet::compile([&one]).staleness();
    assert_eq!(alone.limit(RiskClass::Read), seconds(7 * 86_400), "longer than the default is a word too");
    assert_eq!(alone.limit(RiskClass::Write), seconds(900));
    assert_eq!(alone.limit(RiskClass::Spend), seconds(4 * 3600));
}

#[test]
fn a_limit_is_a_length_of_time_from_a_second_to_a_year() {
    for written in ["1s", "90s", "15m", "24h", "7d", "365d", "31536000s", "never"] {
        document("a", &format!("[staleness]\nread = \"{written}\""));
    }
    for written in ["0s", "366d", "31536001s", "99999999999999999999d"] {
        let shown = problem(&format!("[staleness]\nread = \"{written}\""));
        assert!(shown.contains("is not from 1 second to 365 days"), "{shown}");
    }
    for written in ["", "s", "90", "1w", "-1s", "+1s", "1.5h", " 1h", "1h ", "1h30m", "é", "Never"] {
        let shown = problem(&format!("[staleness]\nread = \"{written}\""));
        assert!(shown.contains("is no length of time"), "{shown}");
    }
    assert!(problem("[staleness]\nread = 90").contains("is a text"));
    assert!(problem("staleness = \"1h\"").contains("`staleness` is a table"));
}

#[test]
fn a_misspelt_class_is_shown_with_the_one_that_was_meant() {
    let shown = problem("[staleness]\nwrites = \"1h\"");
    assert!(shown.contains("`writes` is no key of [staleness]"), "{shown}");
    assert!(shown.contains("did you mean `write`?"), "{shown}");
    assert!(problem("[stalenes]\nread = \"1h\"").contains("did you mean `staleness`?"));
}

#[test]
fn a_plain_get_reads_and_other_methods_write() {
    for (method, class) in [
        ("GET", RiskClass::Read),
        ("HEAD", RiskClass::Read),
        ("OPTIONS", RiskClass::Read),
        ("get", RiskClass::Write),
        ("POST", RiskClass::Write),
        ("DELETE", RiskClass::Write),
        ("PROPFIND", RiskClass::Write),
    ] {
        assert_eq!(RiskClass::of(&call(Kind::Http, method, Meaning::Plain), false), class, "{method}");
    }
}

#[test]
fn what_is_not_looked_into_writes() {
    assert_eq!(RiskClass::of(&call(Kind::Opaque, "", Meaning::Plain), false), RiskClass::Write);
    assert_eq!(RiskClass::of(&call(Kind::WebSocket, "GET", Meaning::Plain), false), RiskClass::Write);
}

#[test]
fn a_question_to_a_model_spends_and_so_does_what_goes_out_with_a_secret() {
    let model = ModelCall {
        provider: "openai".into(),
        api: ModelApi::OpenAi,
        operation: ModelOperation::Chat,
        model: None,
        streaming: false,
        max_output_tokens: None,
        tools: Vec::new(),
        demand: creto_call::Demand::default(),
    };
    assert_eq!(RiskClass::of(&call(Kind::Http, "POST", Meaning::Model(&model)), false), RiskClass::Spend);
    assert_eq!(RiskClass::of(&call(Kind::WebSocket, "GET", Meaning::Model(&model)), false), RiskClass::Spend);
    assert_eq!(RiskClass::of(&call(Kind::Http, "GET", Meaning::Plain), true), RiskClass::Spend);
    assert_eq!(RiskClass::of(&call(Kind::Opaque, "", Meaning::Plain), true), RiskClass::Spend);
}

#[test]
fn a_message_of_mcp_reads_when_it_lists_opens_or_pings() {
    for (http, method, class) in [
        ("POST", "initialize", RiskClass::Read),
        ("POST", "ping", RiskClass::Read),
        ("POST", "server/discover", RiskClass::Read),
        ("POST", "tools/list", RiskClass::Read),
        ("POST", "resources/templates/list", RiskClass::Read),
        ("POST", "notifications/initialized", RiskClass::Read),
        ("POST", "tools/call", RiskClass::Write),
        ("GET", "tools/call", RiskClass::Write),
        ("POST", "resources/read", RiskClass::Write),
        ("POST", "", RiskClass::Write),
        ("GET", "", RiskClass::Read),
        ("DELETE", "", RiskClass::Write),
    ] {
        let message = McpCall { method: method.into(), ..McpCall::default() };
        let found = RiskClass::of(&call(Kind::Http, http, Meaning::Mcp(&message)), false);
        assert_eq!(found, class, "{http} {method}");
    }
}

#[test]
fn a_message_to_another_agent_is_a_matter_of_its_method() {
    let message = A2aCall { method: "agent-card".into(), ..A2aCall::default() };
    assert_eq!(RiskClass::of(&call(Kind::Http, "GET", Meaning::A2a(&message)), false), RiskClass::Read);
    assert_eq!(RiskClass::of(&call(Kind::Http, "POST", Meaning::A2a(&message)), false), RiskClass::Write);
    assert!(RiskClass::Read < RiskClass::Write && RiskClass::Write < RiskClass::Spend);
}
