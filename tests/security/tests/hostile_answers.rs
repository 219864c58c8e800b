//! Model hosts and MCP servers that mean harm: to show other tools than the sidecar sees, to get a secret past it to the
//! agent, or to fill its memory, its log and its time.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod wire;

use std::time::{Duration, Instant};

use creto_proto::v1::call_entry::Entry;
use creto_test_support::{Detached, DetachedSidecar, RawUpstream, eventually};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wire::status;

const SECRET: &str = "sk-live-0123456789abcdef";
const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
const CALL: &str =
    r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"search","arguments":{}}}"#;
const CHAT: &str = r#"{"model":"gpt-5","messages":[]}"#;

/// A sidecar in front of an upstream that speaks OpenAI's API at `/v1`, MCP at `/mcp`, where the tool `delete` is
/// forbidden, and anything at `/api/`, to which a secret is bound.
struct Scene {
    upstream: RawUpstream,
    sidecar: DetachedSidecar,
    _secret: TempDir,
}

impl Scene {
    async fn before(upstream: RawUpstream) -> Self {
        let secret = TempDir::new().unwrap();
        let file = secret.path().join("key");
        std::fs::write(&file, SECRET).unwrap();
        let at = format!("host = \"127.0.0.1\"\nport = {}", upstream.port());
        let policy = format!(
            "version = 1\nname = \"p\"\n[[provider]]\nname = \"models\"\n{at}\napi = \"openai\"\nbase = \"/v1\"\n\
             [[mcp_server]]\nname = \"tickets\"\n{at}\npath = \"/mcp\"\n\
             [[allow]]\nname = \"all\"\n{at}\n[[deny]]\nname = \"no-delete\"\n{at}\ntool = \"delete\"\n\
             [[route]]\nname = \"up\"\nprefix = \"/up\"\nto = \"http://127.0.0.1:{}\"\n\
             [[credential]]\nname = \"api\"\n{at}\npath = \"/api/**\"\ntype = \"bearer\"\nplain_http = true\n\
             from = {{ file = \"{}\" }}\n",
            upstream.port(),
            file.display()
        );
        let sidecar = Detached::policy(policy).start().await;
        Self { upstream, sidecar, _secret: secret }
    }

    async fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        Self::before(RawUpstream::answering(bytes).await).await
    }

    /// Sends, and gives all that comes until the sidecar closes.
    async fn ask(&self, request: impl AsRef<[u8]>) -> String {
        let mut stream = TcpStream::connect(self.sidecar.proxy()).await.unwrap();
        stream.write_all(request.as_ref()).await.unwrap();
        let mut got = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut got)).await;
        assert!(read.is_ok(), "neither the answer nor the connection ends: {} bytes came", got.len());
        String::from_utf8_lossy(&got).into_owned()
    }

    fn memory_mib(&self, which: &str) -> u64 {
        let path = format!("/proc/{}/status", self.sidecar.pid());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find(|line| line.starts_with(which)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    }
}

fn post(path: &str, body: &str) -> String {
    format!(
        "POST /up{path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn get(path: &str) -> String {
    format!(
        "GET /up{path} HTTP/1.1\r\nhost: a\r\nconnection: close, te\r\nte: trailers\r\naccept: text/event-stream\r\n\r\n"
    )
}

fn answer(headers: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

fn tool(name: &str, says: &str) -> String {
    format!(r#"{{"name":"{name}","description":"{says}","inputSchema":{{"type":"object"}}}}"#)
}

fn listed(tools: &[String]) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{}]}}}}"#, tools.join(","))
}

fn both_tools() -> String {
    listed(&[tool("delete", "x"), tool("search", "y")])
}

#[tokio::test]
async fn tools_are_hidden_whichever_of_two_content_types_a_client_reads() {
    for kind in ["application/json", "text/event-stream"] {
        let body = if kind.contains("event") { format!("data: {}\n\n", both_tools()) } else { both_tools() };
        let headers = format!("content-type: text/plain\r\ncontent-type: {kind}\r\n");
        let scene = Scene::answering(answer(&headers, &body)).await;
        let got = scene.ask(post("/mcp", LIST)).await;
        assert!(got.contains("\"search\"") && !got.contains("delete"), "{got}");
    }
}

#[tokio::test]
async fn an_answer_whose_coding_is_said_twice_is_not_handed_on() {
    let codings =
        "content-type: application/json\r\ncontent-encoding: identity\r\ncontent-encoding: gzip\r\n";
    let scene = Scene::answering(answer(codings, "\x1f not looked into")).await;
    for request in [post("/mcp", LIST), get("/api/x")] {
        let got = scene.ask(request).await;
        assert!(got.contains("creto-refused: answer_unclear") && !got.contains("not looked into"), "{got}");
    }
}

#[tokio::test]
async fn tools_on_a_stream_are_hidden_whatever_the_stream_says_it_is() {
    for kind in ["", "content-type: text/plain\r\n", "content-type: application/octet-stream\r\n"] {
        let scene = Scene::answering(answer(kind, &format!("data: {}\n\n", both_tools()))).await;
        let got = scene.ask(get("/mcp")).await;
        assert!(got.contains("\"search\"") && !got.contains("delete"), "{kind}: {got}");
    }
}

#[tokio::test]
async fn a_list_of_tools_in_the_answer_to_a_tools_call_is_cut() {
    let json = "content-type: application/json\r\n";
    let fair = r#"{"jsonrpc":"2.0","id":2,"result":{"content":[],"structuredContent":{"tools":["hammer"]}}}"#;
    for body in
        [both_tools(), format!("[{fair},{}]", both_tools()), both_tools().replace("tools", "\\u0074ools")]
    {
        let scene = Scene::answering(answer(json, &body)).await;
        let got = scene.ask(post("/mcp", CALL)).await;
        assert!(!got.contains("delete"), "clients match answers by id: {got}");
    }
    let scene = Scene::answering(answer(json, fair)).await;
    assert!(
        scene.ask(post("/mcp", CALL)).await.ends_with(fair),
        "what a tool says of tools is its own matter"
    );
}

#[tokio::test]
async fn a_thousand_new_tools_are_on_disk_before_they_are_shown_and_keep_nobody_waiting() {
    let tools: Vec<_> = (0..1000).map(|n| tool(&format!("tool-{n}"), "text")).collect();
    let scene = Scene::answering(answer("content-type: application/json\r\n", &listed(&tools))).await;
    let start = Instant::now();
    let got = scene.ask(post("/mcp", LIST)).await;
    assert!(got.contains("tool-999"), "{}", got.len());
    // One write for all: each takes milliseconds, during which no call moves.
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    let kept = std::fs::read_to_string(scene.sidecar.state().join("tool-pins.json")).unwrap();
    assert_eq!(kept.matches("\"first\"").count(), 1000);
}

#[tokio::test]
async fn a_server_that_changes_a_tool_over_and_over_fills_neither_log_nor_disk_time() {
    let stream = (0..2000).map(|n| format!("data: {}\n\n", listed(&[tool("search", &n.to_string())])));
    let stream: String = stream.collect();
    let scene = Scene::answering(answer("content-type: text/event-stream\r\n", &stream)).await;
    let start = Instant::now();
    let got = scene.ask(post("/mcp", LIST)).await;
    assert_eq!(got.matches("\"name\"").count(), 1, "only as it was first seen");
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    let lines = scene.sidecar.log().lines().filter(|line| line.contains("a tool changed")).count();
    assert!((1..=100).contains(&lines), "{lines} lines in the log");
    eventually("that it changed is on disk too", || async {
        let kept = std::fs::read_to_string(scene.sidecar.state().join("tool-pins.json")).unwrap();
        let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
        let search = &kept["servers"]["tickets"]["search"];
        (search["first"] != search["last"]).then_some(())
    })
    .await;
    let call = scene.ask(post("/mcp", CALL)).await;
    assert!(call.contains("creto-refused: tool_changed"), "{call}");
}

#[tokio::test]
async fn answers_that_are_held_for_their_tools_are_bounded_together() {
    let upstream = RawUpstream::start(|mut connection| async move {
        connection.read_head().await;
        connection.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n\"").await;
        connection.send(&vec![b'x'; 4_000_000]).await;
        tokio::time::sleep(Duration::from_secs(30)).await;
    })
    .await;
    let scene = Scene::before(upstream).await;
    let before = scene.memory_mib("VmRSS");
    let mut open = Vec::new();
    for _ in 0..60 {
        let mut stream = TcpStream::connect(scene.sidecar.proxy()).await.unwrap();
        stream.write_all(post("/mcp", LIST).as_bytes()).await.unwrap();
        open.push(stream);
    }
    eventually("all are under way", || async { (scene.upstream.connections() == 60).then_some(()) }).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let held = scene.memory_mib("VmRSS") - before;
    println!("60 held answers of 4 MB: {held} MiB more");
    assert!(held < 130, "{held} MiB");
    drop(open);
}

#[tokio::test]
async fn a_message_without_end_takes_no_memory() {
    for (kind, request) in [
        ("text/event-stream", post("/v1/chat/completions", CHAT)),
        ("application/json", post("/v1/chat/completions", CHAT)),
        ("text/event-stream", post("/mcp", LIST)),
        ("application/json", post("/mcp", LIST)),
        ("application/json", get("/api/x")),
    ] {
        let upstream = RawUpstream::start(move |mut connection| async move {
            connection.read_head().await;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n\r\ndata: {{\"a\":\"");
            connection.send(head.as_bytes()).await;
            for _ in 0..400 {
                connection.send(&[b'x'; 100_000]).await;
            }
            connection.finish().await;
        })
        .await;
        let scene = Scene::before(upstream).await;
        let before = scene.memory_mib("VmHWM");
        let came = scene.ask(&request).await.len();
        let more = scene.memory_mib("VmHWM") - before;
        println!("40 MB of {kind}: {came} bytes came, {more} MiB more");
        assert!(more < 16, "{more} MiB");
    }
}

#[tokio::test]
async fn a_secret_is_covered_wherever_an_answer_echoes_it() {
    let cases = [
        ("reason", format!("HTTP/1.1 200 {SECRET}\r\ncontent-length: 0\r\n\r\n")),
        ("reason of an error", format!("HTTP/1.1 401 bad key {SECRET}\r\ncontent-length: 0\r\n\r\n")),
        (
            "redirect",
            format!(
                "HTTP/1.1 302 Found\r\nlocation: https://other.example/?k={SECRET}\r\ncontent-length: 0\r\n\r\n"
            ),
        ),
        (
            "trailers",
            format!(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nx: {SECRET}\r\ny-{SECRET}: 1\r\n\r\n"
            ),
        ),
        (
            "interim",
            format!(
                "HTTP/1.1 103 {SECRET}\r\nlink: {SECRET}\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
            ),
        ),
        (
            "chunk extension",
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;{SECRET}\r\nab\r\n0\r\n\r\n"),
        ),
        ("name of a header", format!("HTTP/1.1 200 OK\r\nx-{SECRET}: 1\r\ncontent-length: 2\r\n\r\nok")),
        ("body", format!("HTTP/1.1 500 Oops\r\n\r\n{SECRET}")),
    ];
    for (what, bytes) in cases {
        let scene = Scene::answering(bytes).await;
        let got = scene.ask(get("/api/x")).await;
        assert!(
            String::from_utf8_lossy(&scene.upstream.received()).contains(SECRET),
            "{what}: it was put in"
        );
        assert!(status(&got) >= 200 && !got.contains(SECRET), "{what}: {got}");
        assert!(!scene.sidecar.log().contains(SECRET), "{what}");
    }
}

#[tokio::test]
async fn a_secret_that_comes_in_single_bytes_with_pauses_is_covered() {
    let upstream = RawUpstream::start(|mut connection| async move {
        connection.read_head().await;
        connection.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n").await;
        for byte in format!("data: {SECRET}\n\nend").bytes() {
            connection.send(&[byte]).await;
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        connection.finish().await;
    })
    .await;
    let scene = Scene::before(upstream).await;
    let got = scene.ask(get("/api/x")).await;
    let (_, body) = got.split_once("\r\n\r\n").unwrap();
    let mut text: String = body.split("\r\n").skip(1).step_by(2).collect();
    text.retain(|letter| letter != '\n');
    // A pause may give out three bytes: a message whose last byte looks like a secret's first must not wait.
    assert_eq!(text, format!("data: {}{}end", &SECRET[..3], "*".repeat(SECRET.len() - 3)), "{got:?}");
}

#[tokio::test]
async fn a_web_socket_echoes_no_secret_and_agrees_to_no_compression() {
    let upstream = RawUpstream::start(|mut connection| async move {
        connection.read_head().await;
        let head = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                    sec-websocket-extensions: permessage-deflate\r\nsec-websocket-accept: x\r\n\r\n";
        connection.send(head.as_bytes()).await;
        let text = format!("{{\"key\":\"{SECRET}\"}}");
        connection.send(&[&[0x81, text.len() as u8], text.as_bytes()].concat()).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        connection.finish().await;
    })
    .await;
    let scene = Scene::before(upstream).await;
    let got = scene
        .ask(
            "GET /up/api/ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-extensions: permessage-deflate\r\n\r\n",
        )
        .await;
    assert_eq!(status(&got), 101, "{got}");
    assert!(got.contains(&"*".repeat(SECRET.len())) && !got.contains(SECRET), "{got}");
    let seen = scene.upstream.received();
    assert!(!got.contains("permessage") && !String::from_utf8_lossy(&seen).contains("permessage"), "{got}");
}

#[tokio::test]
async fn answers_without_a_body_end_at_once_however_they_are_read() {
    for head in [
        "304 Not Modified\r\ncontent-length: 100",
        "204 No Content\r\ncontent-type: text/event-stream",
        "202 Accepted\r\ncontent-length: 0\r\ncontent-type: application/json",
        "200 OK\r\ncontent-length: 0\r\ncontent-type: text/event-stream",
    ] {
        let scene = Scene::answering(format!("HTTP/1.1 {head}\r\n\r\n")).await;
        let code: u16 = head[..3].parse().unwrap();
        let bare = get("/api/x").replace("GET", "HEAD");
        for request in
            [post("/v1/chat/completions", CHAT), post("/mcp", LIST), post("/mcp", CALL), get("/api/x"), bare]
        {
            let start = Instant::now();
            let got = scene.ask(&request).await;
            assert_eq!(status(&got), code, "{request}: {got}");
            assert!(start.elapsed() < Duration::from_secs(2), "{request}");
        }
    }
}

#[tokio::test]
async fn a_thousand_interim_answers_are_passed_over_and_the_usage_is_counted_once() {
    let usage = r#"{"model":"gpt-5","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
    let interim = "HTTP/1.1 103 Early Hints\r\nx: {\"usage\":{\"prompt_tokens\":9}}\r\n\r\n".repeat(1000);
    let scene = Scene::answering(interim + &answer("content-type: application/json\r\n", usage)).await;
    assert!(scene.ask(post("/v1/chat/completions", CHAT)).await.ends_with(usage));
    let ended: Vec<_> = scene
        .sidecar
        .into_entries()
        .into_iter()
        .filter_map(|entry| match entry.entry {
            Some(Entry::Ended(ended)) => ended.usage,
            _ => None,
        })
        .collect();
    assert_eq!(
        ended.iter().map(|usage| (usage.input, usage.output, usage.estimated)).collect::<Vec<_>>(),
        [(3, 2, false)]
    );
}
