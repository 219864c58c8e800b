//! Agents that want what they may not have: a forbidden model or tool, a call that nobody counts, the secret itself, or
//! all of the sidecar's memory.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod wire;

use std::time::{Duration, Instant};

use bytes::Bytes;
use creto_proto::v1::call_entry::Entry;
use creto_test_support::{Detached, DetachedSidecar, Plane, RawUpstream, Trip, Upstream, Way, eventually};
use http::Request;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wire::{exchange, read_answer, status};

const SECRET: &str = "sk-live-0123456789abcdef";
const FAIR: &str = r#"{"model":"gpt-5","messages":[]}"#;
const FORBIDDEN: &str = r#"{"model":"gpt-4","messages":[]}"#;
const DELETE: &str =
    r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"delete","arguments":{}}}"#;
const OK: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";

/// All is allowed but models `gpt-4*`, the tool `delete` and the method DELETE: the hardest policy to keep.
fn policy(host: &str, port: u16, scheme: &str) -> String {
    let at = format!("host = \"{host}\"\nport = {port}");
    format!(
        "version = 1\nname = \"p\"\n[[provider]]\nname = \"models\"\n{at}\napi = \"openai\"\nbase = \"/v1\"\n\
         [[mcp_server]]\nname = \"tickets\"\n{at}\npath = \"/mcp\"\n\
         [[allow]]\nname = \"all\"\n{at}\nprivate = true\n[[deny]]\nname = \"no-delete\"\n{at}\ntool = \"delete\"\n\
         [[deny]]\nname = \"no-gpt-4\"\n{at}\nmodel = \"gpt-4*\"\n\
         [[deny]]\nname = \"no-deletes\"\n{at}\nmethod = \"DELETE\"\n\
         [[route]]\nname = \"up\"\nprefix = \"/up\"\nto = \"{scheme}://{host}:{port}\"\n"
    )
}

struct Scene {
    upstream: RawUpstream,
    sidecar: DetachedSidecar,
    _secret: TempDir,
}

impl Scene {
    /// Before an upstream that answers everything; a secret is bound to its paths under `/api/`.
    async fn set(flags: &[&str]) -> Self {
        Self::before(RawUpstream::answering(OK).await, flags).await
    }

    async fn before(upstream: RawUpstream, flags: &[&str]) -> Self {
        let secret = TempDir::new().unwrap();
        let file = secret.path().join("key");
        std::fs::write(&file, SECRET).unwrap();
        let credential = format!(
            "[[credential]]\nname = \"api\"\nhost = \"127.0.0.1\"\nport = {}\npath = \"/api/**\"\ntype = \"bearer\"\n\
             plain_http = true\nfrom = {{ file = \"{}\" }}\n",
            upstream.port(),
            file.display()
        );
        let document = policy("127.0.0.1", upstream.port(), "http") + &credential;
        let detached = flags.iter().fold(Detached::policy(document), |detached, flag| detached.flag(*flag));
        Self { upstream, sidecar: detached.start().await, _secret: secret }
    }

    /// The code of the refusal, and whether anything left.
    async fn try_to(&self, request: &str) -> (String, bool) {
        let before = self.upstream.received().len();
        let got = exchange(self.sidecar.proxy(), request.as_bytes()).await;
        let code =
            got.split("creto-refused: ").nth(1).and_then(|rest| rest.lines().next()).unwrap_or_default();
        (code.to_owned(), self.upstream.received().len() > before)
    }
}

/// The request with its body in either form.
fn both_forms(head: &str, body: &str) -> [String; 2] {
    let length = body.len();
    [
        format!("{head}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"),
        format!(
            "{head}connection: close\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\nx-trailer: 1\r\n\r\n"
        ),
    ]
}

const SOCKET: &str = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                      sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[tokio::test]
async fn a_forbidden_tool_is_refused_whatever_the_request_looks_like() {
    let scene = Scene::set(&[]).await;
    for head in [
        "POST /up/mcp HTTP/1.1\r\nhost: a\r\n".to_owned(),
        "post /up/mcp HTTP/1.1\r\nhost: a\r\n".to_owned(),
        "GET /up/mcp HTTP/1.1\r\nhost: a\r\n".to_owned(),
        "PUT /up/mcp HTTP/1.1\r\nhost: a\r\n".to_owned(),
        "GET /up/mcp HTTP/1.1\r\nhost: a\r\nx-http-method-override: POST\r\n".to_owned(),
        format!("GET /up/mcp HTTP/1.1\r\nhost: a\r\n{SOCKET}"),
        "POST /up/mcp HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\n".to_owned(),
        "POST /up/mcp HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\nconnection: content-type\r\n"
            .to_owned(),
        "POST /up/mcp HTTP/1.1\r\nhost: a\r\ncontent-type: image/png\r\n".to_owned(),
        "POST /up/mcp HTTP/1.1\r\nhost: a\r\ncontent-type: text/plain\r\ncontent-type: application/json\r\n"
            .to_owned(),
        "POST /up/mcp/ HTTP/1.1\r\nhost: a\r\n".to_owned(),
        "POST /up//mcp HTTP/1.1\r\nhost: a\r\n".to_owned(),
        "POST /up/%6dcp HTTP/1.1\r\nhost: a\r\n".to_owned(),
        "POST /up/MCP;x HTTP/1.1\r\nhost: a\r\n".to_owned(),
        "POST /up/elsewhere HTTP/1.1\r\nhost: a\r\n".to_owned(),
    ] {
        for request in both_forms(&head, DELETE) {
            assert_eq!(scene.try_to(&request).await, ("rule_denies".to_owned(), false), "{request}");
        }
    }
}

#[tokio::test]
async fn a_forbidden_model_is_refused_whatever_the_request_looks_like() {
    let scene = Scene::set(&[]).await;
    for head in [
        "POST /up/v1/chat/completions HTTP/1.1\r\nhost: a\r\n".to_owned(),
        "GET /up/v1/chat/completions HTTP/1.1\r\nhost: a\r\n".to_owned(),
        "PATCH /up/v1/chat/completions?_method=POST HTTP/1.1\r\nhost: a\r\n".to_owned(),
        "GET /up/v1/chat/completions HTTP/1.1\r\nhost: a\r\nx-http-method-override: POST\r\n".to_owned(),
        format!(
            "GET /up/v1/chat/completions HTTP/1.1\r\nhost: a\r\nx-http-method-override: POST\r\n{SOCKET}"
        ),
        format!("GET /up/v1/responses HTTP/1.1\r\nhost: a\r\n{SOCKET}"),
        "POST /up/v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\n".to_owned(),
        "POST /up/v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: Application/gRPC\r\n".to_owned(),
        "POST /up/v1/chat/completions/ HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n".to_owned(),
        "POST /up//v1//ch%61t/completions HTTP/1.1\r\nhost: a\r\n".to_owned(),
        "POST /up/V1/Chat;x/Completions?model=gpt-5 HTTP/1.1\r\nhost: a\r\n".to_owned(),
        "POST /up/another/base/v1/embeddings HTTP/1.1\r\nhost: a\r\n".to_owned(),
    ] {
        for request in both_forms(&head, FORBIDDEN) {
            let (code, left) = scene.try_to(&request).await;
            assert!(matches!(code.as_str(), "rule_denies" | "body_unclear") && !left, "{code}: {request}");
        }
    }
    let slash = both_forms("POST /up/v1/chat%2Fcompletions HTTP/1.1\r\nhost: a\r\n", FORBIDDEN);
    assert_eq!(scene.try_to(&slash[0]).await, ("body_unclear".to_owned(), false));
}

#[tokio::test]
async fn a_forbidden_tool_is_refused_by_every_way_in() {
    let upstream = Upstream::start().await;
    let plane = Plane::start().await;
    let agent = plane.agent("caller").await;
    plane.delegate(&agent, &["*:*"]).await;
    plane.apply_policy(&policy("localhost", upstream.port(), "https")).await;
    let sidecar = plane.sidecar(&agent).trusts(&upstream).start().await;
    let post =
        |way| Trip::get(way, &upstream.url("/mcp")).method("POST").header("content-type", "application/json");
    for (what, trip) in [
        ("CONNECT", post(Way::Connect)),
        ("CONNECT, HTTP/2", post(Way::Connect).http2()),
        ("base URL", post(Way::BaseUrl("/up"))),
        ("base URL, HTTP/2", post(Way::BaseUrl("/up")).http2()),
    ] {
        let refused = sidecar.http_agent().go(trip.clone().body(DELETE)).await;
        assert_eq!(refused.header("creto-refused"), "rule_denies", "{what}: {}", refused.text());
        let allowed = sidecar.http_agent().go(trip.body(DELETE.replace("delete", "search"))).await;
        assert_eq!((allowed.status, allowed.header("creto-refused").as_str()), (200, ""), "{what}");
    }
    assert_eq!(upstream.requests().len(), 4);
}

#[tokio::test]
async fn a_method_that_a_header_puts_in_the_place_of_the_one_sent_must_be_allowed_too() {
    let scene = Scene::set(&[]).await;
    let head = "POST /up/x HTTP/1.1\r\nhost: a\r\n";
    for override_ in [
        "x-http-method-override: DELETE\r\n",
        "x-http-method: delete\r\n",
        "x-method-override: GET\r\nx-method-override: DELETE\r\n",
    ] {
        let request = format!("{head}{override_}connection: close\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(scene.try_to(&request).await, ("rule_denies".to_owned(), false), "{override_}");
    }
    let patch = format!("{head}x-http-method-override: PATCH\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(scene.try_to(&patch).await, (String::new(), true));
}

#[tokio::test]
async fn a_body_that_took_long_to_come_is_judged_by_what_holds_when_it_has_come() {
    let upstream = Upstream::start_plain().await;
    let plane = Plane::start().await;
    let agent = plane.agent("caller").await;
    plane.delegate(&agent, &["*:*"]).await;
    plane.apply_policy(&policy("127.0.0.1", upstream.port(), "http")).await;
    let sidecar = plane.sidecar(&agent).start().await;
    let head = "POST /up/v1/chat/completions HTTP/1.1\r\nhost: a\r\n";
    let [request, _] = both_forms(head, FAIR);
    let (first, last) = request.split_at(request.len() - 5);
    let mut slow = TcpStream::connect(sidecar.address()).await.unwrap();
    slow.write_all(first.as_bytes()).await.unwrap();
    plane.suspend(&agent).await;
    eventually("the agent is suspended", || async {
        exchange(sidecar.address(), request.as_bytes()).await.contains("agent_suspended").then_some(())
    })
    .await;
    let before = upstream.requests().len();
    slow.write_all(last.as_bytes()).await.unwrap();
    let got = read_answer(&mut slow).await;
    assert!(got.contains("creto-refused: agent_suspended"), "{got}");
    assert_eq!(upstream.requests().len(), before);
}

#[tokio::test]
async fn a_call_that_is_given_up_before_its_answer_is_counted() {
    let upstream = RawUpstream::start(|mut connection| async move {
        connection.read_head().await;
        tokio::time::sleep(Duration::from_secs(20)).await;
    })
    .await;
    let scene = Scene::before(upstream, &[]).await;
    let [request, _] = both_forms("POST /up/v1/chat/completions HTTP/1.1\r\nhost: a\r\n", FAIR);
    let mut stream = TcpStream::connect(scene.sidecar.proxy()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    eventually("it has left", || async { (!scene.upstream.received().is_empty()).then_some(()) }).await;
    drop(stream);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let usages: Vec<_> = scene
        .sidecar
        .into_entries()
        .into_iter()
        .filter_map(|entry| match entry.entry {
            Some(Entry::Ended(ended)) => Some(ended.usage.map(|usage| usage.estimated)),
            _ => None,
        })
        .collect();
    assert_eq!(usages, [Some(true)], "the upstream was asked, so it is settled by an estimate");
}

#[tokio::test]
async fn a_body_shorter_than_it_says_does_not_leave() {
    let scene = Scene::set(&[]).await;
    let head = "POST /up/v1/chat/completions HTTP/1.1\r\nhost: a\r\n";
    for request in [
        format!("{head}content-length: {}\r\n\r\n{FAIR}", FAIR.len() + 10),
        format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{FAIR}\r\n", FAIR.len()),
    ] {
        let mut stream = TcpStream::connect(scene.sidecar.proxy()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut got = Vec::new();
        let _ = stream.read_to_end(&mut got).await;
        assert!(!String::from_utf8_lossy(&got).starts_with("HTTP/1.1 200"), "{request}");
    }
    assert!(scene.upstream.received().is_empty());
}

#[tokio::test]
async fn room_for_bodies_comes_back_from_agents_that_leave() {
    let scene = Scene::set(&["--body-memory=1", "--body-limit=1"]).await;
    let head = "POST /up/v1/chat/completions HTTP/1.1\r\nhost: a\r\n";
    for _ in 0..3 {
        let mut open = Vec::new();
        for n in 0..8 {
            let mut stream = TcpStream::connect(scene.sidecar.proxy()).await.unwrap();
            let request = match n % 2 {
                0 => format!("{head}content-length: 1000000\r\n\r\n{{"),
                _ => format!("{head}transfer-encoding: chunked\r\n\r\n30000\r\n{}", "x".repeat(100_000)),
            };
            stream.write_all(request.as_bytes()).await.unwrap();
            open.push(stream);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(open);
        let start = Instant::now();
        let [request, _] = both_forms(head, FAIR);
        assert_eq!(status(&exchange(scene.sidecar.proxy(), request.as_bytes()).await), 200);
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn bodies_that_grow_at_once_do_not_wait_for_each_other() {
    let upstream = RawUpstream::start(|mut connection| async move {
        while !connection.read_some().await.ends_with(b"\"}") {}
        connection.send(OK.as_bytes()).await;
        connection.finish().await;
    })
    .await;
    let scene = Scene::before(upstream, &["--body-memory=1", "--body-limit=1"]).await;
    let text = format!(r#"{{"model":"gpt-5","user":"{}"}}"#, "x".repeat(900_000));
    let start = Instant::now();
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let (to, text) = (scene.sidecar.proxy(), text.clone());
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(to).await.unwrap();
                let head = "POST /up/v1/chat/completions HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
                            transfer-encoding: chunked\r\n\r\n";
                stream.write_all(head.as_bytes()).await.unwrap();
                for piece in text.as_bytes().chunks(50_000) {
                    let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
                    stream.write_all(&chunk).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                stream.write_all(b"0\r\n\r\n").await.unwrap();
                let mut got = Vec::new();
                stream.read_to_end(&mut got).await.unwrap();
                status(&String::from_utf8_lossy(&got))
            })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), 200);
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[tokio::test]
async fn bodies_on_one_http2_connection_do_not_keep_each_other_from_coming() {
    let upstream = Upstream::start_plain().await;
    let document = policy("127.0.0.1", upstream.port(), "http");
    let sidecar = Detached::policy(document).flag("--body-memory=2").flag("--body-limit=1").start().await;
    let stream = TcpStream::connect(sidecar.proxy()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let stream = TokioIo::new(stream);
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    let body = Bytes::from(format!(r#"{{"model":"gpt-5","user":"{}"}}"#, "x".repeat(900_000)));
    let start = Instant::now();
    let calls: Vec<_> = (0..16)
        .map(|_| {
            let (mut sender, body) = (sender.clone(), Full::new(body.clone()));
            let request = Request::post("http://a/up/v1/chat/completions").body(body).unwrap();
            tokio::spawn(async move { sender.send_request(request).await.unwrap().status() })
        })
        .collect();
    for call in calls {
        // Those that wait for room have sent a part of theirs, which takes from the connection's window.
        assert_eq!(call.await.unwrap(), 200);
    }
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
}

#[tokio::test]
async fn the_secret_goes_where_every_reading_of_the_path_is_bound_to_it() {
    let scene = Scene::set(&[]).await;
    for (target, headers, goes) in [
        ("/api/x", "", true),
        ("/api//x", "", true),
        (
            "/api/x",
            "connection: close, authorization\r\nauthorization: Bearer creto-placeholder-api\r\n",
            true,
        ),
        ("/api/x", "authorization: Bearer own\r\nauthorization: Bearer creto-placeholder-api\r\n", true),
        ("/api%2Fx", "", false),
        ("/api/..%5cx", "", false),
        ("/api/..;/x", "", false),
        ("/API/x", "", false),
        ("/x/api/x", "", false),
    ] {
        let before = scene.upstream.received().len();
        let request = format!("GET /up{target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n");
        let got = exchange(scene.sidecar.proxy(), request.as_bytes()).await;
        assert_eq!(status(&got), 200, "{target}: {got}");
        let left = String::from_utf8(scene.upstream.received().split_off(before)).unwrap();
        assert_eq!(left.matches(SECRET).count(), usize::from(goes), "{target}: {left}");
        assert!(!left.contains("Bearer own"), "{left}");
    }
    let (code, left) = scene.try_to("GET /up/api/%2e%2e/x HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!((code.as_str(), left), ("malformed_request", false));
    for page in ["/metrics", "/config", "/ready"] {
        let request = format!("GET {page} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        assert!(!exchange(scene.sidecar.admin(), request.as_bytes()).await.contains(SECRET), "{page}");
    }
}

#[tokio::test]
async fn a_placeholder_where_no_key_belongs_carries_no_secret_into_what_others_can_read() {
    let scene = Scene::set(&[]).await;
    let request = |target: &str, header: &str| {
        format!(
            "POST /up/api/notes{target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{header}content-length: 0\r\n\r\n"
        )
    };
    for (target, header) in [
        ("?text=creto-placeholder-api", ""),
        ("?key=a&text=x%20creto%2Dplaceholder-api", ""),
        ("?token=creto-placeholder-api&name=creto-placeholder-api", ""),
        ("", "x-amz-meta-note: creto-placeholder-api\r\n"),
        ("", "cookie: a=creto-placeholder-api\r\n"),
        ("", "x-note: Basic dXNlcjpjcmV0by1wbGFjZWhvbGRlci1hcGk=\r\n"),
    ] {
        let tried = scene.try_to(&request(target, header)).await;
        assert_eq!(tried, ("placeholder_misplaced".to_owned(), false), "{target} {header}");
    }
    for (target, header) in [
        ("?key=creto-placeholder-api", ""),
        ("", "x-goog-api-key: creto-placeholder-api\r\n"),
        ("", "authorization: Basic dXNlcjpjcmV0by1wbGFjZWhvbGRlci1hcGk=\r\n"),
    ] {
        assert_eq!(scene.try_to(&request(target, header)).await, (String::new(), true), "{target} {header}");
    }
}
