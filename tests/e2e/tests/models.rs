//! Calls of models: understood, metered to the token, and left as they are.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use creto_proto::v1;
use creto_test_support::{
    Answer, FakeProvider, HttpAgent, Plane, Sidecar, Tokens, Trip, Upstream, Way, eventually,
};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

/// All five APIs on one host, named in policy by their paths.
struct Scene {
    provider: FakeProvider,
    upstream: Upstream,
    agent: HttpAgent,
    plane: Plane,
    sidecar: Sidecar,
}

impl Scene {
    async fn set() -> Self {
        let provider = FakeProvider::new();
        let upstream = provider.start().await;
        let plane = Plane::start().await;
        let agent = plane.agent("caller").await;
        plane.delegate(&agent, &["*:*"]).await;
        let port = upstream.port();
        let policy = format!(
            "version = 1\nname = \"p\"\n[[provider]]\nname = \"fake\"\nhost = \"localhost\"\nport = {port}\napi = \"openai\"\n\
             [[allow]]\nname = \"models\"\nhost = \"localhost\"\nport = {port}\nprivate = true\n\
             model = [\"gpt-*\", \"o3*\", \"claude-*\", \"gemini-*\", \"text-*\", \"*anthropic.*\", \"amazon.*\", \"prod\"]\n\
             [[deny]]\nname = \"not-mini\"\nhost = \"*\"\nport = \"any\"\nmodel = \"*-mini\"\n\
             [[route]]\nname = \"fake\"\nprefix = \"/fake\"\nto = \"https://localhost:{port}\"\n"
        );
        plane.apply_policy(&policy).await;
        let sidecar = plane.sidecar(&agent).trusts(&upstream).start().await;
        let agent = sidecar.http_agent();
        Self { provider, upstream, agent, plane, sidecar }
    }

    fn trip(&self, path: &str, body: &serde_json::Value) -> Trip {
        let trip = Trip::get(Way::Connect, &self.upstream.url(path))
            .method("POST")
            .header("content-type", "application/json")
            .body(body.to_string());
        match path {
            "/v1/messages" => trip.header("x-api-key", "sk-test").header("anthropic-version", "2023-06-01"),
            _ => trip.header("authorization", "Bearer sk-test"),
        }
    }

    /// The newest record of a path with an end.
    async fn recorded(&self, path: &str, after: usize) -> v1::CallRecord {
        eventually(&format!("a record of {path}"), || async move {
            let calls = self.plane.calls().await;
            let mut ended = calls.into_iter().filter(|call| {
                call.ended.is_some() && call.begun.as_ref().is_some_and(|begun| begun.path == path)
            });
            ended.nth(after)
        })
        .await
    }
}

/// One endpoint: path, body, whether a stream, and what is recorded of it.
struct Endpoint {
    path: &'static str,
    body: serde_json::Value,
    service: &'static str,
    operation: &'static str,
    model: &'static str,
}

fn endpoints() -> Vec<Endpoint> {
    let said = |model: &str, stream: bool| {
        json!({"model": model, "stream": stream, "max_tokens": 100, "messages": [
            {"role": "system", "content": "Be kind and brief to everyone."},
            {"role": "user", "content": "Name three rivers of Europe."}]})
    };
    let input = |model: &str, stream: bool| json!({"model": model, "stream": stream, "instructions": "Be kind.", "input": "Name three rivers."});
    let anthropic = |stream: bool| {
        json!({"model": "claude-sonnet-4-5", "stream": stream, "max_tokens": 100,
            "system": [{"type": "text", "text": "Be kind and brief.", "cache_control": {"type": "ephemeral"}}],
            "messages": [{"role": "user", "content": "Name three rivers of Europe."}]})
    };
    let gemini = json!({"systemInstruction": {"parts": [{"text": "Be kind."}]},
        "contents": [{"role": "user", "parts": [{"text": "Name three rivers of Europe."}]}]});
    let converse = json!({"system": [{"text": "Be kind."}, {"cachePoint": {"type": "default"}}],
        "messages": [{"role": "user", "content": [{"text": "Name three rivers of Europe."}]}]});
    let invoke = json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100,
        "messages": [{"role": "user", "content": "Name three rivers of Europe."}]});
    let end = |path, body, service, operation, model| Endpoint { path, body, service, operation, model };
    vec![
        end("/v1/chat/completions", said("gpt-5", false), "fake", "chat", "gpt-5"),
        end("/v1/chat/completions", said("gpt-5", true), "fake", "chat", "gpt-5"),
        end("/v1/chat/completions", said("o3", true), "fake", "chat", "o3"),
        end("/v1/responses", input("gpt-5", false), "fake", "responses", "gpt-5"),
        end("/v1/responses", input("gpt-5", true), "fake", "responses", "gpt-5"),
        end(
            "/v1/embeddings",
            json!({"model": "text-embedding-3-small", "input": "some words to embed"}),
            "fake",
            "embeddings",
            "text-embedding-3-small",
        ),
        end("/openai/deployments/prod/chat/completions", said("gpt-5", true), "fake", "chat", "prod"),
        end("/v1/messages", anthropic(false), "fake", "messages", "claude-sonnet-4-5"),
        end("/v1/messages", anthropic(true), "fake", "messages", "claude-sonnet-4-5"),
        end(
            "/v1beta/models/gemini-2.5-pro:generateContent",
            gemini.clone(),
            "fake",
            "generate_content",
            "gemini-2.5-pro",
        ),
        end(
            "/v1beta/models/gemini-2.5-pro:streamGenerateContent",
            gemini,
            "fake",
            "generate_content",
            "gemini-2.5-pro",
        ),
        end(
            "/model/anthropic.claude-sonnet-4-5/converse",
            converse.clone(),
            "fake",
            "converse",
            "anthropic.claude-sonnet-4-5",
        ),
        end(
            "/model/anthropic.claude-sonnet-4-5/converse-stream",
            converse,
            "fake",
            "converse",
            "anthropic.claude-sonnet-4-5",
        ),
        end(
            "/model/anthropic.claude-sonnet-4-5/invoke",
            invoke.clone(),
            "fake",
            "invoke_model",
            "anthropic.claude-sonnet-4-5",
        ),
        end(
            "/model/anthropic.claude-sonnet-4-5/invoke-with-response-stream",
            invoke,
            "fake",
            "invoke_model",
            "anthropic.claude-sonnet-4-5",
        ),
    ]
}

/// What the provider counted and what is on record are the same.
fn assert_exact(usage: &v1::Usage, tokens: &Tokens, what: &str) {
    let recorded = (
        usage.input,
        usage.cached_input,
        usage.cache_write + usage.cache_write_1h,
        usage.output,
        usage.reasoning,
        usage.estimated,
    );
    let counted = (
        tokens.fresh(),
        tokens.cached,
        tokens.cache_written,
        tokens.output - tokens.reasoning,
        tokens.reasoning,
        false,
    );
    assert_eq!(recorded, counted, "{what}");
}

#[tokio::test]
async fn every_endpoint_is_metered_exactly_streamed_or_not_coded_or_not() {
    let scene = Scene::set().await;
    let mut seen = std::collections::HashMap::<&str, usize>::new();
    for endpoint in endpoints() {
        for coding in ["identity", "gzip", "br"] {
            let what = format!("{} {} {coding}", endpoint.path, endpoint.body);
            let trip = scene
                .trip(endpoint.path, &endpoint.body)
                .header("x-fake-encoding", coding)
                .header("accept-encoding", coding);
            let answer = scene.agent.go(trip).await;
            assert_eq!((answer.status, answer.refusal().as_str()), (200, ""), "{what}: {}", answer.text());
            assert!(answer.broke.is_none(), "{what}: {:?}", answer.broke);
            let after = seen.entry(endpoint.path).or_default();
            let record = scene.recorded(endpoint.path, *after).await;
            *after += 1;
            let (begun, ended) = (record.begun.unwrap(), record.ended.unwrap());
            let meaning = begun.meaning.unwrap();
            assert_eq!(
                (meaning.protocol.as_str(), meaning.service.as_str(), meaning.operation.as_str()),
                ("model", endpoint.service, endpoint.operation),
                "{what}"
            );
            assert_eq!(meaning.subjects, [endpoint.model], "{what}");
            let tokens = scene.provider.last_call().tokens.unwrap();
            assert_exact(&ended.usage.unwrap_or_default(), &tokens, &what);
        }
    }
}

#[tokio::test]
async fn a_stream_says_what_it_used_to_us_and_looks_to_the_agent_as_it_asked() {
    let scene = Scene::set().await;
    let body = |options: serde_json::Value| {
        let mut body = json!({"model": "gpt-5", "stream": true, "messages": [{"role": "user", "content": "Hello there."}]});
        if !options.is_null() {
            body["stream_options"] = options;
        }
        body
    };
    let last_chunk = |answer: &Answer| answer.text().contains("\"choices\":[]");
    let unasked = scene.agent.go(scene.trip("/v1/chat/completions", &body(json!(null)))).await;
    assert!(!last_chunk(&unasked), "{}", unasked.text());
    assert!(unasked.text().ends_with("data: [DONE]\n\n"), "{}", unasked.text());
    let sent = scene.provider.last_call();
    assert_eq!(sent.json()["stream_options"]["include_usage"], true, "the provider was asked");
    let asked =
        scene.agent.go(scene.trip("/v1/chat/completions", &body(json!({"include_usage": true})))).await;
    assert!(last_chunk(&asked), "{}", asked.text());
    assert_eq!(
        scene.provider.last_call().body,
        body(json!({"include_usage": true})).to_string(),
        "untouched"
    );
    for after in 0..2 {
        let record = scene.recorded("/v1/chat/completions", after).await;
        let usage = record.ended.unwrap().usage.unwrap();
        assert!(!usage.estimated && usage.input > 0 && usage.output > 0, "{usage:?}");
    }
}

#[tokio::test]
async fn a_model_that_policy_denies_is_refused_in_the_words_of_its_api() {
    let scene = Scene::set().await;
    for (path, body, member) in [
        ("/v1/chat/completions", json!({"model": "gpt-5-mini"}), "/error/message"),
        ("/v1/responses", json!({"model": "gpt-5-MINI"}), "/error/message"),
        ("/v1/messages", json!({"model": "claude-mini"}), "/error/message"),
        ("/v1beta/models/gemini-mini:generateContent", json!({}), "/error/status"),
        ("/model/amazon.nova-mini/converse", json!({}), "/message"),
    ] {
        let answer = scene.agent.go(scene.trip(path, &body)).await;
        assert_eq!((answer.status, answer.refusal().as_str()), (403, "rule_denies"), "{path}");
        assert!(answer.json().pointer(member).is_some(), "{path}: {}", answer.text());
        assert_eq!(answer.header("x-should-retry"), "false");
    }
    assert!(scene.provider.calls().is_empty());
}

#[tokio::test]
async fn a_stream_that_breaks_or_is_left_is_settled_as_estimated_never_as_nothing() {
    let scene = Scene::set().await;
    let question = json!({"model": "gpt-5", "stream": true,
        "messages": [{"role": "user", "content": "one two three four five six seven eight nine ten"}]});
    let broken = scene.trip("/v1/chat/completions", &question).header("x-fake-break-after", "4");
    let answer = scene.agent.go(broken).await;
    assert!(answer.broke.is_some(), "{}", answer.text());
    let record = scene.recorded("/v1/chat/completions", 0).await;
    let ended = record.ended.unwrap();
    assert_eq!(ended.outcome(), v1::Outcome::UpstreamFailed);
    let usage = ended.usage.unwrap();
    assert!(usage.estimated && usage.input > 0 && usage.output > 0, "{usage:?}");

    let slow = scene.trip("/v1/chat/completions", &question).header("x-fake-pace", "200");
    let left = tokio::time::timeout(std::time::Duration::from_millis(900), scene.agent.go(slow)).await;
    assert!(left.is_err(), "the agent left before the end");
    let record = scene.recorded("/v1/chat/completions", 1).await;
    let ended = record.ended.unwrap();
    assert_eq!(ended.outcome(), v1::Outcome::ClientGone);
    let usage = ended.usage.unwrap();
    assert!(usage.estimated && usage.input > 0 && usage.output > 0, "{usage:?}");
}

#[tokio::test]
async fn an_error_of_the_provider_arrives_as_it_is_and_uses_nothing() {
    let scene = Scene::set().await;
    let body = json!({"model": "gpt-rate-limited", "messages": [{"role": "user", "content": "x"}]});
    let answer = scene.agent.go(scene.trip("/v1/chat/completions", &body)).await;
    assert_eq!((answer.status, answer.refusal().as_str()), (429, ""), "{}", answer.text());
    assert_eq!(answer.json()["error"]["type"], "tokens", "{}", answer.text());
    let record = scene.recorded("/v1/chat/completions", 0).await;
    assert_eq!(record.ended.unwrap().usage, None);
}

#[tokio::test]
async fn a_realtime_session_is_metered_over_all_its_responses() {
    let scene = Scene::set().await;
    let connect = |model: &str| {
        let url = format!("ws://{}/fake/v1/realtime?model={model}", scene.sidecar.address());
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("authorization", "Bearer sk-test".parse().unwrap());
        request.headers_mut().insert("sec-websocket-extensions", "permessage-deflate".parse().unwrap());
        request
    };
    let stream = TcpStream::connect(scene.sidecar.address()).await.unwrap();
    let refused = tokio_tungstenite::client_async(connect("gpt-realtime-mini"), stream).await;
    assert!(refused.unwrap_err().to_string().contains("403"));
    let stream = TcpStream::connect(scene.sidecar.address()).await.unwrap();
    let (mut socket, answer) =
        tokio_tungstenite::client_async(connect("gpt-realtime"), stream).await.unwrap();
    assert!(
        !answer.headers().contains_key("sec-websocket-extensions"),
        "nobody could read compressed messages"
    );
    for text in ["one two", "three four five"] {
        let item = json!({"type": "conversation.item.create", "item": {"type": "message", "role": "user",
            "content": [{"type": "input_text", "text": text}]}});
        socket.send(item.to_string().into()).await.unwrap();
        socket.send(json!({"type": "response.create"}).to_string().into()).await.unwrap();
        loop {
            let message = socket.next().await.unwrap().unwrap().into_text().unwrap();
            if message.contains("\"response.done\"") {
                break;
            }
        }
    }
    socket.close(None).await.unwrap();
    while socket.next().await.is_some_and(|message| message.is_ok()) {}
    drop(socket);
    let record = scene.recorded("/v1/realtime", 1).await;
    let tokens = scene.provider.last_call().tokens.unwrap();
    assert_eq!(record.begun.unwrap().meaning.unwrap().subjects, ["gpt-realtime"]);
    assert_exact(&record.ended.unwrap().usage.unwrap(), &tokens, "two responses");
}
