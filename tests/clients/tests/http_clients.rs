//! Programs that make plain HTTP calls: one allowed, one refused, both on record.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use creto_test_clients::{Entry, Installation, Program, World, http_calls, node_program, python_program};

/// curl as its users call it; prints what [`http_calls`] reads.
async fn curl_calls(version: &str, entry: Entry) {
    let world = World::start().await;
    let variables = world.environment(entry);
    let curl = |path: &str| {
        let url = world.url(entry, "http", path);
        Program::new("curl").args(&[
            version,
            "-sS",
            "-w",
            "\n%{http_code} %{http_version}",
            "-d",
            "hello",
            &url,
        ])
    };
    let ran = curl("/echo").run(&variables).await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let (body, status) = ran.out.rsplit_once('\n').unwrap();
    let echoed: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(echoed["body_length"], 5);
    assert_eq!(echoed["method"], "POST");
    // Base URLs are plain text, where curl's `--http2` asks for an upgrade that RFC 9113 did away with.
    let wanted = if version == "--http2" && entry == Entry::Connect { "200 2" } else { "200 1.1" };
    assert_eq!(status, wanted);
    world.expect_allowed(entry, "/echo", 200).await;

    let ran = curl("/denied/thing").run(&variables).await;
    let (body, status) = ran.out.rsplit_once('\n').unwrap();
    assert!(status.starts_with("403 "), "{status}");
    let problem: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(problem["code"], "rule_denies");
    world.expect_denied(entry, "/denied/thing", "denied").await;
}

#[tokio::test]
async fn curl_over_http1_through_connect() {
    curl_calls("--http1.1", Entry::Connect).await;
}

#[tokio::test]
async fn curl_over_http1_through_base_url() {
    curl_calls("--http1.1", Entry::BaseUrl).await;
}

#[tokio::test]
async fn curl_over_http2_through_connect() {
    curl_calls("--http2", Entry::Connect).await;
}

#[tokio::test]
async fn curl_over_http2_through_base_url() {
    curl_calls("--http2", Entry::BaseUrl).await;
}

#[tokio::test]
async fn curl_over_http2_with_prior_knowledge_through_base_url() {
    let world = World::start().await;
    let url = world.url(Entry::BaseUrl, "http", "/echo");
    let curl =
        Program::new("curl").args(&["--http2-prior-knowledge", "-sS", "-w", "\n%{http_version}", &url]);
    let ran = curl.run(&world.environment(Entry::BaseUrl)).await;
    assert!(ran.out.ends_with("\n2"), "{} {}", ran.out, ran.err);
    world.expect_allowed(Entry::BaseUrl, "/echo", 200).await;
}

#[tokio::test]
async fn curl_does_not_trust_the_sidecar_without_its_authority() {
    let world = World::start().await;
    let variables: Vec<_> = world
        .environment(Entry::Connect)
        .into_iter()
        .filter(|(name, _)| name.to_lowercase().ends_with("proxy"))
        .collect();
    let url = world.url(Entry::Connect, "http", "/echo");
    let ran = Program::new("curl").args(&["-sS", &url]).run(&variables).await;
    assert_eq!(ran.code, Some(60), "{}", ran.err);
    assert_eq!(world.upstream.requests().len(), 0);
}

#[tokio::test]
async fn requests_through_connect() {
    http_calls(python_program("with_requests"), Entry::Connect).await;
}

#[tokio::test]
async fn requests_through_base_url() {
    http_calls(python_program("with_requests"), Entry::BaseUrl).await;
}

#[tokio::test]
async fn httpx_over_http2_through_connect() {
    let echoed = http_calls(python_program("with_httpx"), Entry::Connect).await;
    assert_eq!(echoed["protocol"], "h2");
}

#[tokio::test]
async fn httpx_through_base_url() {
    http_calls(python_program("with_httpx"), Entry::BaseUrl).await;
}

#[tokio::test]
async fn aiohttp_through_connect() {
    http_calls(python_program("with_aiohttp"), Entry::Connect).await;
}

#[tokio::test]
async fn aiohttp_through_base_url() {
    http_calls(python_program("with_aiohttp"), Entry::BaseUrl).await;
}

#[tokio::test]
async fn pips_own_urllib3_through_connect() {
    http_calls(python_program("with_pip_urllib3"), Entry::Connect).await;
}

#[tokio::test]
async fn pips_own_urllib3_through_base_url() {
    http_calls(python_program("with_pip_urllib3"), Entry::BaseUrl).await;
}

#[tokio::test]
async fn node_fetch_through_connect() {
    http_calls(node_program(&Installation::get().node24(), "with_fetch"), Entry::Connect).await;
}

#[tokio::test]
async fn node_fetch_through_base_url() {
    http_calls(node_program(&Installation::get().node24(), "with_fetch"), Entry::BaseUrl).await;
}

#[tokio::test]
async fn undici_with_its_environment_agent_through_connect() {
    http_calls(node_program(Path::new("node"), "with_undici"), Entry::Connect).await;
}

#[tokio::test]
async fn undici_with_its_environment_agent_through_base_url() {
    http_calls(node_program(Path::new("node"), "with_undici"), Entry::BaseUrl).await;
}

#[tokio::test]
async fn axios_through_connect() {
    http_calls(node_program(Path::new("node"), "with_axios"), Entry::Connect).await;
}

#[tokio::test]
async fn axios_on_a_newer_node_through_connect() {
    http_calls(node_program(&Installation::get().node24(), "with_axios"), Entry::Connect).await;
}

#[tokio::test]
async fn axios_through_base_url() {
    http_calls(node_program(Path::new("node"), "with_axios"), Entry::BaseUrl).await;
}

#[tokio::test]
async fn axios_over_a_proxy_agent_through_connect() {
    http_calls(node_program(Path::new("node"), "with_axios_agent"), Entry::Connect).await;
}
