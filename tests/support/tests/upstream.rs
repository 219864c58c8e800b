//! The upstream does what its table of paths says.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::Command;
use std::time::Duration;

use creto_test_support::echo::EchoRequest;
use creto_test_support::echo::echo_client::EchoClient;
use creto_test_support::{RawUpstream, Upstream, pattern_sha256};
use futures::{SinkExt, StreamExt};
use sha2::{Digest, Sha256};

async fn curl(upstream: &Upstream, arguments: &[&str]) -> (Option<i32>, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, upstream.ca_pem()).unwrap();
    let mut command = Command::new("curl");
    command.args(["-sS", "--noproxy", "*", "--max-time", "5", "--cacert"]).arg(&ca).args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (output.status.code(), output.stdout)
}

fn json(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(bytes)))
}

#[tokio::test]
async fn it_echoes_over_http1_and_http2_and_remembers() {
    let upstream = Upstream::start().await;
    for (flag, protocol) in [("--http1.1", "http/1.1"), ("--http2", "h2")] {
        let url = upstream.url("/echo?a=1");
        let (code, body) = curl(&upstream, &[flag, "-d", "hello", "-H", "x-id: one", &url]).await;
        assert_eq!(code, Some(0));
        let body = json(&body);
        assert_eq!(body["method"], "POST");
        assert_eq!(body["path"], "/echo");
        assert_eq!(body["query"], "a=1");
        assert_eq!(body["protocol"], protocol);
        assert_eq!(body["sni"], "localhost");
        assert_eq!(body["body_length"], 5);
        assert_eq!(body["body_sha256"], hex::encode(Sha256::digest(b"hello")));
    }
    assert_eq!(upstream.count("one"), 2);
    assert_eq!(upstream.connections(), 2);
    assert_eq!(upstream.requests()[1].header("x-id"), Some("one"));
    assert_eq!(curl(&upstream, &[&upstream.url("/count?id=one")]).await.1, b"2");
}

#[tokio::test]
async fn it_speaks_plain_http2_with_prior_knowledge() {
    let upstream = Upstream::start_plain().await;
    let (code, body) = curl(&upstream, &["--http2-prior-knowledge", &upstream.url("/echo")]).await;
    assert_eq!(code, Some(0));
    assert_eq!(json(&body)["protocol"], "h2");
}

#[tokio::test]
async fn it_can_be_held_to_one_protocol() {
    let upstream = Upstream::builder().http1_only().start().await;
    assert_eq!(json(&curl(&upstream, &["--http2", &upstream.url("/echo")]).await.1)["protocol"], "http/1.1");
    let upstream = Upstream::builder().http2_only().start().await;
    assert_eq!(json(&curl(&upstream, &["--http2", &upstream.url("/echo")]).await.1)["protocol"], "h2");
    assert_ne!(curl(&upstream, &["--http1.1", &upstream.url("/echo")]).await.0, Some(0));
}

#[tokio::test]
async fn it_streams_bodies_of_any_length() {
    let upstream = Upstream::start().await;
    for length in [0, 1, 100_000, 3_000_000] {
        let (code, body) = curl(&upstream, &[&upstream.url(&format!("/bytes/{length}"))]).await;
        assert_eq!(code, Some(0));
        assert_eq!(hex::encode(Sha256::digest(&body)), pattern_sha256(length));
    }
    let (_, body) = curl(&upstream, &["--data-binary", "abc", &upstream.url("/echo-body")]).await;
    assert_eq!(body, b"abc");
    let (_, body) = curl(&upstream, &["--http1.1", &upstream.url("/chunked?n=3&size=4")]).await;
    assert_eq!(body, b"cccccccccccc");
    let (_, body) = curl(&upstream, &["--compressed", &upstream.url("/gzip")]).await;
    assert_eq!(body, b"creto");
    let (_, body) = curl(&upstream, &["-N", &upstream.url("/sse?n=2&ms=50")]).await;
    assert_eq!(body, b"id: 0\ndata: event 0\n\nid: 1\ndata: event 1\n\n");
}

#[tokio::test]
async fn it_sends_trailers_interim_answers_and_statuses() {
    let upstream = Upstream::start().await;
    // Without `TE: trailers` hyper keeps trailers back on HTTP/1.1.
    let (_, answer) =
        curl(&upstream, &["--http1.1", "--raw", "-H", "te: trailers", &upstream.url("/trailers")]).await;
    assert!(String::from_utf8_lossy(&answer).contains("x-trailer: at the end"), "{answer:?}");
    let (_, answer) = curl(&upstream, &["--http1.1", "-i", &upstream.url("/early-hints")]).await;
    assert!(answer.starts_with(b"HTTP/1.1 103 Early Hints"));
    assert!(answer.ends_with(b"hello"));
    let wait = ["--http1.1", "-i", "-H", "expect: 100-continue", "--expect100-timeout", "4", "-d", "x"];
    let url = upstream.url("/continue");
    let (_, answer) = curl(&upstream, &[&wait[..], &[&url]].concat()).await;
    assert!(answer.starts_with(b"HTTP/1.1 100 Continue"));
    let url = upstream.url("/continue?reject=1");
    let (_, answer) = curl(&upstream, &[&wait[..], &[&url]].concat()).await;
    assert!(answer.starts_with(b"HTTP/1.1 417"), "{}", String::from_utf8_lossy(&answer));
    let (_, answer) = curl(&upstream, &["--http1.1", "-i", &upstream.url("/status/503")]).await;
    assert!(answer.starts_with(b"HTTP/1.1 503"));
    let (_, answer) = curl(&upstream, &["--http1.1", "-i", &upstream.url("/slow-headers?ms=2")]).await;
    assert!(answer.ends_with(b"slow"));
}

#[tokio::test]
async fn it_fails_as_asked() {
    for upstream in [Upstream::start().await, Upstream::start_plain().await] {
        for (path, code) in [
            ("/stall", 28),
            ("/stall-body", 28),
            ("/reset", 56),
            ("/reset-body", 56),
            ("/garbage", 1),
            ("/close", 52),
            ("/cut-body", 18),
        ] {
            let (got, _) = curl(&upstream, &["--http1.1", "--max-time", "1", &upstream.url(path)]).await;
            assert_eq!(got, Some(code), "{path}");
        }
        let (got, _) = curl(&upstream, &["--http2", "--max-time", "1", &upstream.url("/reset")]).await;
        assert!(matches!(got, Some(16 | 35 | 52 | 55 | 56 | 92)), "{got:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(upstream.in_flight(), 0);
        assert_eq!(upstream.open_connections(), 0);
    }
}

#[tokio::test]
async fn it_echoes_websocket_messages() {
    let upstream = Upstream::start_plain().await;
    let tcp = tokio::net::TcpStream::connect(upstream.address()).await.unwrap();
    let url = format!("ws://{}/ws", upstream.address());
    let (mut socket, _) = tokio_tungstenite::client_async(url, tcp).await.unwrap();
    socket.send("hello".into()).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), "hello".into());
    socket.close(None).await.unwrap();
}

#[tokio::test]
async fn it_serves_grpc_in_all_shapes() {
    let upstream = Upstream::start().await;
    let tls = tonic::transport::ClientTlsConfig::new()
        .ca_certificate(tonic::transport::Certificate::from_pem(upstream.ca_pem()));
    let channel = tonic::transport::Endpoint::from_shared(upstream.url(""))
        .unwrap()
        .tls_config(tls)
        .unwrap()
        .connect()
        .await
        .unwrap();
    let mut client = EchoClient::new(channel);
    let ask = |text: &str, count| EchoRequest { text: text.to_owned(), count, ..EchoRequest::default() };
    let answer = client.unary(ask("hi", 0)).await.unwrap();
    assert_eq!(answer.metadata().get("x-upstream").unwrap(), "creto-test");
    assert_eq!(answer.into_inner().text, "hi");
    let refused = client.unary(EchoRequest { fail_with: 9, ..ask("hi", 0) }).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
    assert_eq!(refused.metadata().get("x-failure").unwrap(), "as asked");
    let answers: Vec<_> = client.server_stream(ask("hi", 3)).await.unwrap().into_inner().collect().await;
    assert_eq!(answers.len(), 3);
    let asks = futures::stream::iter(["a", "b"].map(|text| ask(text, 0)));
    let mut both = client.both_ways(asks).await.unwrap().into_inner();
    assert_eq!(both.message().await.unwrap().unwrap().text, "a");
    assert_eq!(both.message().await.unwrap().unwrap().index, 1);
    assert!(both.message().await.unwrap().is_none());
}

#[tokio::test]
async fn a_raw_upstream_sends_what_its_script_says() {
    let upstream = RawUpstream::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let url = format!("http://{}/", upstream.address());
    let mut command = Command::new("curl");
    command.args(["-s", "--noproxy", "*", &url]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert_eq!(output.stdout, b"ok");
    assert!(upstream.received().starts_with(b"GET / HTTP/1.1\r\n"));
    assert_eq!(upstream.connections(), 1);
}
