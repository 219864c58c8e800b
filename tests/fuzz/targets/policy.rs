//! Policy documents: any text is read or refused with reasons that can be shown, and what was read decides and explains
//! alike.
#![no_main]
#![forbid(unsafe_code)]

use creto_call::{
    Call, Capture, Decision, Details, Kind, McpCall, Meaning, ModelApi, ModelCall, ModelOperation, Scheme,
};
use creto_fuzz::Head;
use creto_policy::{Document, PolicySet};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|input: &[u8]| {
    let Some((_, body)) = Head::split(input) else { return };
    let Ok(text) = std::str::from_utf8(body) else { return };
    let document = match Document::parse("policy.toml", text) {
        Ok(document) => document,
        Err(problems) => {
            assert!(!problems.to_string().is_empty());
            return;
        }
    };
    assert_eq!(Document::parse("policy.toml", text).ok().as_ref(), Some(&document));
    let set = PolicySet::compile([&document]);
    let model = ModelCall {
        provider: "openai".to_owned(),
        api: ModelApi::OpenAi,
        operation: ModelOperation::Chat,
        model: Some("gpt-5-mini".to_owned()),
        streaming: true,
        max_output_tokens: Some(100),
        tools: vec!["search".to_owned()],
        demand: creto_call::Demand::default(),
    };
    let message = McpCall {
        server: "tickets".to_owned(),
        method: "tools/call".to_owned(),
        tool: Some("search_issues".to_owned()),
        arguments: Some(json!({ "repo": "acme/x", "limit": 100, "filter": { "state": "open" } })),
        ..McpCall::default()
    };
    for meaning in [Meaning::Plain, Meaning::Model(&model), Meaning::Mcp(&message)] {
        for (host, path) in
            [("api.openai.com", "/v1/chat/completions"), ("10.1.2.3", "/a/..%2fb//c"), ("a.b.example", "/")]
        {
            for body_read in [false, true] {
                agree(
                    &set,
                    &Call {
                        capture: Capture::Connect,
                        kind: Kind::Http,
                        scheme: Scheme::Https,
                        method: "POST",
                        host,
                        port: 443,
                        path,
                        details: Details { body_read, meaning, size: Some(2), ..Details::default() },
                    },
                );
            }
        }
    }
    let _ = set.route("/openai/v1/x");
});

fn agree(set: &PolicySet, call: &Call<'_>) {
    let decision = set.decide(call);
    let explained = set.explain(call);
    assert_eq!(
        explained.verdict == "allowed",
        matches!(decision, Decision::Allow { .. }),
        "{decision:?} {explained:?}"
    );
    assert!(!explained.to_string().is_empty());
    if matches!(decision, Decision::Allow { .. }) {
        assert!(set.could_allow(call));
        assert!(set.destination(call.host, call.port).may_allow);
    }
    let _ = set.needs_body(call);
    let _ = set.credential(call.host, call.port, call.path);
    let _ = (set.provider(call.host, call.port, call.path), set.mcp_server(call.host, call.port, call.path));
}
