//! The fake model provider, in what no SDK of the client tests calls.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::process::Output;

use creto_test_support::{Api, Conduct, FakeProvider, Tokens, Upstream};
use serde_json::{Value, json};

/// A provider without TLS, and calls of it by curl.
struct Called {
    provider: FakeProvider,
    upstream: Upstream,
}

impl Called {
    async fn start() -> Self {
        let provider = FakeProvider::new().with_key("sk-real");
        let upstream = provider.on(Upstream::builder().plain()).start().await;
        Self { provider, upstream }
    }

    async fn curl(&self, path: &str, headers: &[&str], body: Option<Value>) -> Output {
        let mut command = std::process::Command::new("curl");
        command.args(["-sS", "--noproxy", "*", "--max-time", "20", "-i", "--raw"]);
        for header in headers {
            command.args(["-H", header]);
        }
        if let Some(body) = body {
            command.args(["-H", "content-type: application/json", "-d", &body.to_string()]);
        }
        command.arg(self.upstream.url(path));
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// Status and body of a call with the right key.
    async fn post(&self, path: &str, headers: &[&str], body: Value) -> (String, Value) {
        let headers = [headers, &["authorization: Bearer sk-real"]].concat();
        let output = self.curl(path, &headers, Some(body)).await;
        let text = String::from_utf8(output.stdout).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), serde_json::from_str(body).unwrap_or_else(|_| body.into()))
    }
}

fn gemini(text: &str) -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": text}]}]})
}

#[tokio::test]
async fn a_gemini_stream_without_events_is_one_array() {
    let called = Called::start().await;
    let (_, raw) = called
        .post("/v1beta/models/gemini-2.5-flash:streamGenerateContent", &[], gemini("one two three"))
        .await;
    // Chunked: the sizes stand on lines of their own.
    let body: String = raw
        .as_str()
        .unwrap()
        .split("\r\n")
        .filter(|line| line.is_empty() || u32::from_str_radix(line, 16).is_err())
        .collect();
    let chunks: Vec<Value> = serde_json::from_str(&body).unwrap_or_else(|e| panic!("{e}: {body}"));
    assert_eq!(chunks.len(), 5);
    assert_eq!(chunks[4]["usageMetadata"]["candidatesTokenCount"], 5);
    assert_eq!(chunks[4]["usageMetadata"]["thoughtsTokenCount"], 7);
    assert_eq!(chunks[4]["usageMetadata"]["totalTokenCount"], 18);
    let wanted = Tokens { input: 6, output: 12, reasoning: 7, ..Tokens::default() };
    assert_eq!(called.provider.last_call().tokens, Some(wanted));
}

#[tokio::test]
async fn the_paths_of_vertex_are_of_gemini_too() {
    let called = Called::start().await;
    let path = "/v1/projects/p/locations/us-central1/publishers/google/models/gemini-2.5-pro:generateContent";
    let (status, body) = called.post(path, &[], gemini("hello")).await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert_eq!(body["candidates"][0]["content"]["parts"][0]["text"], "You said: hello");
    let seen = called.provider.last_call();
    assert_eq!(
        (seen.api, seen.model.as_str(), seen.key.as_deref()),
        (Api::Gemini, "gemini-2.5-pro", Some("sk-real"))
    );
    assert_eq!(seen.json(), gemini("hello"));
}

#[tokio::test]
async fn an_answer_that_is_cut_says_so() {
    let called = Called::start().await;
    let messages = json!([{"role": "user", "content": "one two three four"}]);
    let body = json!({"model": "gpt-4o", "messages": messages, "max_tokens": 3});
    let (_, answer) = called.post("/v1/chat/completions", &[], body).await;
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert_eq!(answer["usage"]["completion_tokens"], 3);
    let body = json!({"model": "claude-opus-4-1", "messages": messages, "max_tokens": 3});
    let (_, answer) = called.post("/v1/messages", &["anthropic-version: 2023-06-01"], body).await;
    assert_eq!(
        (&answer["stop_reason"], &answer["usage"]["output_tokens"]),
        (&json!("max_tokens"), &json!(3))
    );
}

#[tokio::test]
async fn a_request_without_a_key_or_a_version_is_refused() {
    let called = Called::start().await;
    let body = json!({"model": "gpt-4o", "messages": []});
    let output = called.curl("/v1/chat/completions", &[], Some(body)).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("HTTP/1.1 401") && text.contains("You didn't provide an API key"), "{text}");
    let (status, body) = called.post("/v1/messages", &[], json!({"model": "claude-opus-4-1"})).await;
    assert_eq!(
        (status.as_str(), &body["error"]["type"]),
        ("HTTP/1.1 400 Bad Request", &json!("invalid_request_error"))
    );
    assert_eq!(called.provider.calls().len(), 2);
}

#[tokio::test]
async fn a_stream_breaks_off_where_it_is_asked_to() {
    let called = Called::start().await;
    called.provider.behave(Conduct { break_after: Some(2), ..Conduct::default() });
    let messages = json!([{"role": "user", "content": "hello"}]);
    let body = json!({"model": "gpt-4o", "messages": messages, "stream": true});
    let output = called.curl("/v1/chat/completions", &["authorization: Bearer sk-real"], Some(body)).await;
    assert!(!output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap().matches("data: ").count(), 2);
}

#[tokio::test]
async fn headers_are_echoed_in_pieces() {
    let called = Called::start().await;
    let output = called.curl("/fake/headers?pieces=7", &["authorization: Bearer sk-real"], None).await;
    let text = String::from_utf8(output.stdout).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    assert_eq!(body.lines().filter(|line| u32::from_str_radix(line, 16).is_ok()).count(), 8, "{body}");
    assert!(!body.contains("Bearer sk-real"), "cut in two: {body}");
    assert!(called.provider.calls().is_empty());
}
