//! What a call asks must be clear before a rule about it can allow it: bodies that two readers could read in two ways
//! do not leave.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use bytes::Bytes;
use creto_test_support::{Answer, HttpAgent, Plane, Sidecar, Trip, Upstream, Way};
use http::Response;
use sha2::{Digest as _, Sha256};

/// Models and tools behind a policy that allows `gpt-5*` and the tool `search`.
struct Scene {
    upstream: Upstream,
    agent: HttpAgent,
    _sidecar: Sidecar,
    _plane: Plane,
}

impl Scene {
    async fn set(flags: &[&str]) -> Self {
        let upstream = Upstream::builder()
            .handle("/v1/", |request| async move {
                let answer =
                    br#"{"model":"gpt-5","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
                Response::builder()
                    .header("content-type", "application/json")
                    .header("x-body", hex::encode(Sha256::digest(request.body())))
                    .body(Bytes::from_static(answer))
                    .unwrap()
            })
            .handle("/mcp", |_| async {
                let answer = br#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#;
                Response::builder()
                    .header("content-type", "application/json")
                    .body(Bytes::from_static(answer))
                    .unwrap()
            })
            .start()
            .await;
        let plane = Plane::start().await;
        let agent = plane.agent("caller").await;
        plane.delegate(&agent, &["*:*"]).await;
        let port = upstream.port();
        let policy = format!(
            r#"
version = 1
name = "p"
[[provider]]
name = "models"
host = "localhost"
port = {port}
api = "openai"
base = "/v1"
[[mcp_server]]
name = "tickets"
host = "localhost"
port = {port}
path = "/mcp"
[[allow]]
name = "gpt-5"
host = "localhost"
port = {port}
private = true
provider = "models"
model = "gpt-5*"
[[allow]]
name = "search"
host = "localhost"
port = {port}
private = true
mcp_server = "tickets"
tool = "search"
arguments = {{ repo = "acme/*" }}
"#
        );
        plane.apply_policy(&policy).await;
        let sidecar = plane.sidecar(&agent).trusts(&upstream).args(flags).start().await;
        let agent = sidecar.http_agent();
        Self { upstream, agent, _sidecar: sidecar, _plane: plane }
    }

    async fn post(&self, path: &str, body: impl Into<Bytes>, headers: &[(&str, &str)]) -> Answer {
        let mut trip = Trip::get(Way::Connect, &self.upstream.url(path)).method("POST").body(body);
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            trip = trip.header("content-type", "application/json");
        }
        for (name, value) in headers {
            trip = trip.header(name, value);
        }
        self.agent.go(trip).await
    }

    async fn ask(&self, body: impl Into<Bytes>) -> Answer {
        self.post("/v1/chat/completions", body, &[]).await
    }

    async fn call_tools(&self, body: impl Into<Bytes>, headers: &[(&str, &str)]) -> Answer {
        let accept = ("accept", "application/json, text/event-stream");
        self.post("/mcp", body, &[&[accept], headers].concat()).await
    }

    fn reached(&self) -> usize {
        self.upstream.requests().len()
    }
}

#[tokio::test]
async fn a_body_with_two_readings_does_not_leave() {
    let scene = Scene::set(&[]).await;
    assert_eq!(scene.ask(r#"{"model":"gpt-5","messages":[]}"#).await.status, 200);
    assert_eq!(scene.reached(), 1);
    let nested = format!(r#"{{"model":"gpt-5","messages":{}1{}}}"#, "[".repeat(5000), "]".repeat(5000));
    let cases: [(&str, Vec<u8>); 13] = [
        ("a key twice", br#"{"model":"gpt-5","model":"gpt-4"}"#.to_vec()),
        ("a key twice, once escaped", br#"{"model":"gpt-5","\u006dodel":"gpt-4"}"#.to_vec()),
        ("a key twice, deep inside", br#"{"model":"gpt-5","messages":[{"role":"a","role":"b"}]}"#.to_vec()),
        ("invalid UTF-8", b"{\"model\":\"gpt-5\",\"x\":\"\xff\"}".to_vec()),
        ("half a surrogate", br#"{"model":"gpt-5","x":"\ud800"}"#.to_vec()),
        ("a byte order mark", b"\xef\xbb\xbf{\"model\":\"gpt-5\"}".to_vec()),
        ("NaN", br#"{"model":"gpt-5","temperature":NaN}"#.to_vec()),
        ("two documents", br#"{"model":"gpt-5"}{"model":"gpt-4"}"#.to_vec()),
        ("half a document", br#"{"model":"gpt-5","#.to_vec()),
        ("a list", br#"[{"model":"gpt-5"}]"#.to_vec()),
        ("nested without end", nested.into_bytes()),
        ("a comment", br#"{"model":"gpt-5"/**/}"#.to_vec()),
        ("nothing", b" ".to_vec()),
    ];
    for (what, body) in cases {
        let answer = scene.ask(body).await;
        assert_eq!((answer.status, answer.header("creto-refused").as_str()), (400, "body_unclear"), "{what}");
        assert_eq!(answer.json()["error"]["code"], "body_unclear", "{what}: in OpenAI's own form");
    }
    assert_eq!(scene.reached(), 1);
}

#[tokio::test]
async fn a_name_that_looks_like_an_allowed_model_is_refused() {
    let scene = Scene::set(&[]).await;
    for name in
        ["gpt-5 ", " gpt-5", "gpt\u{2010}5", "\u{0261}pt-5", "gpt-5\u{200b}", "gpt-5\\n", "gpt-\\u0665"]
    {
        let answer = scene.ask(format!(r#"{{"model":"{name}"}}"#)).await;
        assert_eq!(
            (answer.status, answer.header("creto-refused").as_str()),
            (400, "model_unclear"),
            "{name:?}"
        );
    }
    let answer = scene.ask(r#"{"model":5}"#).await;
    assert_eq!((answer.status, answer.header("creto-refused").as_str()), (400, "model_unclear"));
    for (name, code) in
        [("gpt-4", "no_rule_allows"), ("GPT-5", "no_rule_allows"), ("xgpt-5", "no_rule_allows")]
    {
        let answer = scene.ask(format!(r#"{{"model":"{name}"}}"#)).await;
        assert_eq!((answer.status, answer.header("creto-refused").as_str()), (403, code), "{name:?}");
    }
    assert_eq!(scene.reached(), 0);
}

#[tokio::test]
async fn an_encoded_body_is_not_decided_on() {
    let scene = Scene::set(&[]).await;
    for coding in ["gzip", "br", "identity, gzip", "x-unknown"] {
        let headers = [("content-encoding", coding)];
        let answer = scene.post("/v1/chat/completions", r#"{"model":"gpt-5"}"#, &headers).await;
        assert_eq!(
            (answer.status, answer.header("creto-refused").as_str()),
            (415, "body_encoded"),
            "{coding}"
        );
    }
    assert_eq!(scene.reached(), 0);
}

#[tokio::test]
async fn a_body_over_the_limit_is_answered_413_and_one_under_it_arrives_byte_for_byte() {
    let scene = Scene::set(&["--body-limit=1"]).await;
    let body = |bytes: usize| format!(r#"{{"model":"gpt-5","user":"{}"}}"#, "x".repeat(bytes));
    let answer = scene.ask(body(1 << 20)).await;
    assert_eq!((answer.status, answer.header("creto-refused").as_str()), (413, "body_too_large"));
    assert_eq!(scene.reached(), 0);
    let under = body((1 << 20) - 100);
    let answer = scene.ask(under.clone()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-body"), hex::encode(Sha256::digest(under)));
}

#[tokio::test]
async fn a_forbidden_tool_hidden_in_a_batch_refuses_the_batch() {
    let scene = Scene::set(&[]).await;
    let call = |id: u32, tool: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{{"repo":"acme/x"}}}}}}"#
        )
    };
    let allowed = scene.call_tools(call(1, "search"), &[]).await;
    assert_eq!((allowed.status, allowed.header("creto-refused").as_str()), (200, ""), "{}", allowed.text());
    assert_eq!(scene.reached(), 1);
    let batch = format!("[{},{},{}]", call(1, "search"), call(2, "delete"), call(3, "search"));
    let answer = scene.call_tools(batch, &[]).await;
    // A JSON-RPC error for each request, as MCP clients read it.
    assert_eq!((answer.status, answer.header("creto-refused").as_str()), (200, "no_rule_allows"));
    let errors = answer.json();
    assert_eq!(errors.as_array().map(Vec::len), Some(3), "{errors}");
    for error in errors.as_array().unwrap() {
        assert_eq!(error["error"]["data"]["code"], "no_rule_allows", "{error}");
    }
    assert_eq!(scene.reached(), 1);
}

#[tokio::test]
async fn arguments_outside_the_rule_and_headers_that_say_something_else_are_refused() {
    let scene = Scene::set(&[]).await;
    let call = |arguments: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"search","arguments":{arguments}}}}}"#
        )
    };
    for arguments in [r#"{"repo":"other/x"}"#, r#"{"repo":["acme/x"]}"#, "{}", r#"{"Repo":"acme/x"}"#] {
        let answer = scene.call_tools(call(arguments), &[]).await;
        assert_eq!(answer.header("creto-refused"), "no_rule_allows", "{arguments}: {}", answer.text());
    }
    let twice = scene.call_tools(call(r#"{"repo":"acme/x","repo":"other/x"}"#), &[]).await;
    assert_eq!(twice.header("creto-refused"), "body_unclear");
    assert_eq!((twice.status, &twice.json()["error"]["code"]), (400, &(-32700).into()));
    let long = scene.call_tools(call(&format!(r#"{{"repo":"acme/{}"}}"#, "x".repeat(2 << 20))), &[]).await;
    assert_eq!(long.header("creto-refused"), "body_too_large", "{}", long.text());
    // Clients read no body of a 413: the id is known, so the error goes where they look.
    assert_eq!(
        (long.status, &long.json()["id"], &long.json()["error"]["code"]),
        (200, &1.into(), &413.into())
    );
    for headers in [("mcp-method", "tools/list"), ("mcp-name", "delete")] {
        let answer = scene.call_tools(call(r#"{"repo":"acme/x"}"#), &[headers]).await;
        assert_eq!((answer.status, answer.header("creto-refused").as_str()), (400, "header_mismatch"));
        assert_eq!((&answer.json()["id"], &answer.json()["error"]["code"]), (&1.into(), &(-32020).into()));
    }
    assert_eq!(scene.reached(), 0);
}
