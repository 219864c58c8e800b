//! Bodies of requests to models, MCP servers and agents: what is read is what every other JSON reader reads.
#![no_main]
#![forbid(unsafe_code)]

use creto_call::{ModelApi, ModelCall};
use creto_classify::{Endpoint, Known, Meanings, add_include_usage};
use creto_fuzz::Head;
use creto_mcp::strict_json::{Bounds, MAX_DEPTH, StrictJsonProblem, parse};
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

/// Host, path and what policy says of them.
type Place = (&'static str, &'static str, Known<'static>);

const NOTHING: Known<'static> = Known { provider: None, mcp_server: None, a2a_agent: None };
const PLACES: [Place; 20] = [
    ("api.openai.com", "/v1/chat/completions", NOTHING),
    ("api.openai.com", "/v1/responses", NOTHING),
    ("api.openai.com", "/v1/completions", NOTHING),
    ("api.openai.com", "/v1/embeddings", NOTHING),
    ("api.openai.com", "/v1/images/edits", NOTHING),
    ("api.anthropic.com", "/v1/messages", NOTHING),
    ("api.anthropic.com", "/v1/messages/count_tokens", NOTHING),
    ("generativelanguage.googleapis.com", "/v1beta/models/gemini-2.5-pro:generateContent", NOTHING),
    ("generativelanguage.googleapis.com", "/v1beta/openai/chat/completions", NOTHING),
    (
        "us-central1-aiplatform.googleapis.com",
        "/v1/projects/p/locations/l/publishers/anthropic/models/c:rawPredict",
        NOTHING,
    ),
    ("bedrock-runtime.us-east-1.amazonaws.com", "/model/amazon.nova-pro-v1:0/converse", NOTHING),
    ("bedrock-runtime.us-east-1.amazonaws.com", "/model/amazon.nova-pro-v1:0/invoke", NOTHING),
    ("x.openai.azure.com", "/openai/deployments/d/chat/completions", NOTHING),
    ("x.openai.azure.com", "/openai/v1/chat/completions", NOTHING),
    ("llm.internal", "/v1/chat/completions", NOTHING),
    (
        "llm.internal",
        "/v1/chat/completions",
        Known { provider: Some(("local", ModelApi::OpenAi, None)), ..NOTHING },
    ),
    ("mcp.internal", "/mcp", Known { mcp_server: Some("tickets"), ..NOTHING }),
    ("agent.internal", "/a2a", Known { a2a_agent: Some("translator"), ..NOTHING }),
    ("agent.internal", "/v1/message:send", Known { a2a_agent: Some("translator"), ..NOTHING }),
    ("plain.internal", "/anything", NOTHING),
];
const TYPES: [&str; 4] =
    ["application/json", "", "multipart/form-data; boundary=x", "application/json; charset=utf-8"];

fuzz_target!(|input: &[u8]| {
    let Some((head, body)) = Head::split(input) else { return };
    let (host, path, known) = *head.pick(&PLACES);
    let said = TYPES[usize::from(head.second) % TYPES.len()];
    let mut headers = HeaderMap::new();
    if !said.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(said));
    }
    let endpoint = Endpoint::of("POST", host, path, "", &headers, known);
    assert!(!matches!(endpoint, Endpoint::Plain) || host == "plain.internal", "{host}{path}");
    let read = endpoint.read(&headers, body);
    assert_eq!(endpoint.read(&headers, body), read);
    match &read {
        Ok(Meanings::Model(call)) if !said.starts_with("multipart") || !path.ends_with("edits") => {
            if endpoint.reads_body() {
                model(&endpoint, call, &headers, body);
            }
        }
        Ok(Meanings::A2a { calls, ids, .. }) => {
            assert!(!calls.is_empty());
            let _ = strict(body);
            for id in ids {
                // It is repeated as it was sent: no float need hold it.
                let read = serde_json::from_str::<Value>(id);
                assert!(
                    read.is_ok()
                        || read.is_err_and(|error| error.to_string().contains("number out of range"))
                );
            }
        }
        Ok(Meanings::Mcp { calls, request }) => {
            assert!(!calls.is_empty());
            assert!(calls.len() >= request.messages.len());
        }
        Ok(Meanings::Plain) if matches!(said, "" | "application/json") => {
            assert!(!calls_a_tool(body), "it went unseen")
        }
        Ok(_) => {}
        Err(problem) => assert!(!problem.to_string().is_empty()),
    }
});

/// Whether a reader that minds nothing, of two equal keys the last, finds a call of a tool.
fn calls_a_tool(body: &[u8]) -> bool {
    let is_call = |message: &Value| message.get("jsonrpc").is_some() && message["method"] == "tools/call";
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Array(messages)) => messages.iter().any(is_call),
        Ok(message) => is_call(&message),
        Err(_) => false,
    }
}

/// The body by another reader; nothing for what only that one finds too large.
fn strict(body: &[u8]) -> Option<Map<String, Value>> {
    match parse(body, Bounds { depth: MAX_DEPTH, ..Bounds::default() }) {
        Ok(Value::Object(object)) => Some(object),
        // A number that no float holds is fine for who does not look at it.
        Err(StrictJsonProblem::Syntax { detail }) if detail.contains("number out of range") => None,
        Err(StrictJsonProblem::Syntax { detail }) if detail.contains("recursion limit") => None,
        Err(StrictJsonProblem::TooDeep { .. }) => None,
        // A batch.
        Ok(Value::Array(_)) => None,
        other => panic!("accepted, and by others read as {other:?}"),
    }
}

fn model(endpoint: &Endpoint, call: &ModelCall, headers: &HeaderMap, body: &[u8]) {
    let Some(object) = strict(body) else { return };
    let Endpoint::Model(found) = endpoint else { panic!("{endpoint:?} means a model") };
    let bedrock = call.api == ModelApi::Bedrock;
    if found.call.model.is_none() && !bedrock {
        assert_eq!(call.model.as_deref(), object.get("model").and_then(Value::as_str));
        let streaming = object.get("stream").and_then(Value::as_bool) == Some(true);
        assert_eq!(call.streaming, streaming || found.call.streaming);
    }
    if let (Some(limit), Some(said)) =
        (call.max_output_tokens, object.get("max_tokens").and_then(Value::as_u64))
    {
        assert!(limit >= said || endpoint_ignores_max_tokens(call), "{limit} {said}");
    }
    let Some(edited) = add_include_usage(body, call) else { return };
    assert!(call.streaming);
    let mut wanted = object;
    let options = wanted.entry("stream_options").or_insert(Value::Null);
    match options {
        Value::Object(options) => {
            assert_ne!(options.get("include_usage"), Some(&json!(true)), "it asks already");
            options.insert("include_usage".to_owned(), json!(true));
        }
        _ => *options = json!({ "include_usage": true }),
    }
    let written: Value = serde_json::from_slice(&edited).expect("an edited body is JSON");
    assert_eq!(written, Value::Object(wanted));
    let again = endpoint.read(headers, &edited).expect("an edited body is read");
    assert_eq!(again, Meanings::Model(call.clone()));
    assert_eq!(add_include_usage(&edited, call), None);
}

/// Responses, Gemini and Bedrock call it otherwise.
fn endpoint_ignores_max_tokens(call: &ModelCall) -> bool {
    use creto_call::ModelOperation::{Converse, GenerateContent, Responses};
    matches!(call.operation, Responses | GenerateContent | Converse)
}
