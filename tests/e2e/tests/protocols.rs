//! What passes, passes whole: streams, trailers, upgrades, large bodies, both HTTP versions.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use creto_test_support::{
    Detached, DetachedSidecar, Protocols, Upstream, client_tls, echo::EchoRequest,
    echo::echo_client::EchoClient, pattern_sha256,
};
use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn started(upstream: &Upstream) -> DetachedSidecar {
    let port = upstream.port();
    let policy = format!(
        "version = 1\nname = \"p\"\n[[allow]]\nname = \"up\"\nhost = \"localhost\"\nport = {port}\nprivate = true\n\
         [[route]]\nname = \"up\"\nprefix = \"/up\"\nto = \"https://localhost:{port}\"\n\
         [[route]]\nname = \"grpc\"\nprefix = \"/creto.test.Echo\"\nto = \"https://localhost:{port}/creto.test.Echo\"\n"
    );
    Detached::policy(policy).trusting(upstream.ca_pem()).start().await
}

async fn tunnel(
    sidecar: &DetachedSidecar,
    port: u16,
    alpn: &[&str],
) -> tokio_rustls::client::TlsStream<TcpStream> {
    let mut stream = TcpStream::connect(sidecar.proxy()).await.unwrap();
    stream
        .write_all(format!("CONNECT localhost:{port} HTTP/1.1\r\nhost: localhost:{port}\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client_tls(&sidecar.ca_pem(), alpn)));
    connector.connect("localhost".try_into().unwrap(), stream).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn alpn_is_mirrored_from_the_upstream() {
    for (protocols, expected) in
        [(Protocols::Http1, &b"http/1.1"[..]), (Protocols::Http2, b"h2"), (Protocols::Both, b"h2")]
    {
        let upstream = Upstream::builder().protocols(protocols).start().await;
        let sidecar = started(&upstream).await;
        for _ in 0..2 {
            let stream = tunnel(&sidecar, upstream.port(), &["h2", "http/1.1"]).await;
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(expected), "{protocols:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_works_unary_and_both_ways_at_once_with_trailers() {
    let upstream = Upstream::start().await;
    let sidecar = started(&upstream).await;
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", sidecar.proxy()))
        .unwrap()
        .connect()
        .await
        .unwrap();
    let mut client = EchoClient::new(channel);
    let answer = client.unary(EchoRequest { text: "hello".into(), ..EchoRequest::default() }).await.unwrap();
    assert_eq!(answer.into_inner().text, "hello");

    let (send, receive) = tokio::sync::mpsc::channel(1);
    let mut answers =
        client.both_ways(tokio_stream::wrappers::ReceiverStream::new(receive)).await.unwrap().into_inner();
    for n in 0..20 {
        // The next is sent only when the last was answered: neither direction waits for the other's end.
        send.send(EchoRequest { text: n.to_string(), ..EchoRequest::default() }).await.unwrap();
        let answer =
            tokio::time::timeout(Duration::from_secs(5), answers.message()).await.unwrap().unwrap().unwrap();
        assert_eq!(answer.text, n.to_string());
    }
    drop(send);
    assert!(answers.message().await.unwrap().is_none());
    assert!(answers.trailers().await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_grpc_call_is_permission_denied_with_the_reason() {
    let upstream = Upstream::start().await;
    let port = upstream.port();
    let policy = format!(
        "version = 1\nname = \"p\"\n[[allow]]\nname = \"up\"\nhost = \"localhost\"\nport = {port}\nprivate = true\npath = \"/nothing\"\n\
         [[route]]\nname = \"grpc\"\nprefix = \"/creto.test.Echo\"\nto = \"https://localhost:{port}/creto.test.Echo\"\n"
    );
    let sidecar = Detached::policy(policy).trusting(upstream.ca_pem()).start().await;
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", sidecar.proxy()))
        .unwrap()
        .connect()
        .await
        .unwrap();
    let status = EchoClient::new(channel).unary(EchoRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::PermissionDenied);
    assert!(status.message().contains("no_rule_allows"), "{}", status.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn websockets_pass_through_connect_and_base_url() {
    let upstream = Upstream::start().await;
    let sidecar = started(&upstream).await;
    let port = upstream.port();
    let through_tls = tunnel(&sidecar, port, &["http/1.1"]).await;
    let (mut socket, _) =
        tokio_tungstenite::client_async(format!("wss://localhost:{port}/ws"), through_tls).await.unwrap();
    socket.send("ping through TLS".into()).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap().into_text().unwrap().as_str(), "ping through TLS");

    let plain = TcpStream::connect(sidecar.proxy()).await.unwrap();
    let (mut socket, _) =
        tokio_tungstenite::client_async(format!("ws://{}/up/ws", sidecar.proxy()), plain).await.unwrap();
    for n in 0..50 {
        let text = format!("{n} {}", "x".repeat(n * 500));
        socket.send(text.clone().into()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap().into_text().unwrap().as_str(), text);
    }
    socket.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn server_sent_events_arrive_as_they_are_sent() {
    let upstream = Upstream::start().await;
    let sidecar = started(&upstream).await;
    let mut stream = TcpStream::connect(sidecar.proxy()).await.unwrap();
    stream
        .write_all(b"GET /up/sse?n=5&ms=200 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let start = Instant::now();
    let mut seen = Vec::new();
    let mut arrivals = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let got = stream.read(&mut chunk).await.unwrap();
        if got == 0 {
            break;
        }
        seen.extend_from_slice(&chunk[..got]);
        let events = String::from_utf8_lossy(&seen).matches("data: event").count();
        while arrivals.len() < events {
            arrivals.push(start.elapsed());
        }
    }
    assert_eq!(arrivals.len(), 5);
    assert!(arrivals[4] - arrivals[0] > Duration::from_millis(500), "not held back to the end: {arrivals:?}");
    assert!(arrivals[0] < Duration::from_millis(600), "{arrivals:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gibibyte_passes_both_ways_without_growing_memory() {
    const GIB: u64 = 1 << 30;
    let upstream = Upstream::builder().http1_only().start().await;
    let sidecar = started(&upstream).await;
    let resident = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", sidecar.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let ask = |length: u64| {
        let proxy = sidecar.proxy();
        async move {
            let mut stream = TcpStream::connect(proxy).await.unwrap();
            stream
                .write_all(
                    format!("GET /up/bytes/{length} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
                        .as_bytes(),
                )
                .await
                .unwrap();
            let mut total = 0u64;
            let mut chunk = vec![0; 256 * 1024];
            loop {
                let got = stream.read(&mut chunk).await.unwrap();
                if got == 0 {
                    break total;
                }
                total += got as u64;
            }
        }
    };
    ask(1 << 20).await;
    let before = resident();
    let got = ask(GIB).await;
    assert!(got > GIB, "{got}");
    let added = resident() - before;
    assert!(added < 8 * 1024, "a body of 1 GiB added {added} KiB");

    let mut stream = TcpStream::connect(sidecar.proxy()).await.unwrap();
    let head =
        format!("POST /up/echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {GIB}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = vec![7; 1 << 20];
    for _ in 0..1024 {
        stream.write_all(&chunk).await.unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains(&format!("\"body_length\":{GIB}")), "{answer}");
    let added = resident() - before;
    assert!(added < 8 * 1024, "a request of 1 GiB added {added} KiB");
}

/// SHA-256 of what curl gets.
async fn fetched_digest(sidecar: &DetachedSidecar, version: &str, path: &str) -> String {
    let url = format!("http://{}{path}", sidecar.proxy());
    let flag = if version == "2" { "--http2-prior-knowledge" } else { "--http1.1" };
    let command = format!("set -o pipefail; curl -sSf {flag} '{url}' | sha256sum");
    let output = tokio::task::spawn_blocking(move || {
        std::process::Command::new("bash").args(["-c", &command]).env_remove("http_proxy").output()
    });
    let output = output.await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout)[..64].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_every_size_arrive_byte_for_byte_in_both_versions() {
    let upstream = Upstream::start().await;
    let sidecar = started(&upstream).await;
    for (version, length) in
        [("1", 0), ("1", 1), ("1", 65_537), ("1", 3_000_000), ("2", 0), ("2", 65_537), ("2", 3_000_000)]
    {
        let output = fetched_digest(&sidecar, version, &format!("/up/bytes/{length}")).await;
        assert_eq!(output, pattern_sha256(length), "HTTP/{version}, {length} bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_and_100_continue_pass() {
    let upstream = Upstream::start().await;
    let sidecar = started(&upstream).await;
    let mut stream = TcpStream::connect(sidecar.proxy()).await.unwrap();
    stream
        .write_all(b"GET /up/trailers HTTP/1.1\r\nhost: a\r\nte: trailers\r\nconnection: close, te\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("x-trailer: at the end"), "{answer}");

    let mut stream = TcpStream::connect(sidecar.proxy()).await.unwrap();
    stream.write_all(b"POST /up/echo HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut first = [0; 25];
    tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut first)).await.unwrap().unwrap();
    assert!(first.starts_with(b"HTTP/1.1 100 Continue"), "{}", String::from_utf8_lossy(&first));
    stream.write_all(b"hello").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("\"body_length\":5"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_upload_is_answered_before_its_body_is_asked_for() {
    let upstream = Upstream::start().await;
    let port = upstream.port();
    let policy = format!(
        "version = 1\nname = \"p\"\n[[allow]]\nname = \"up\"\nhost = \"localhost\"\nport = {port}\nmethod = \"GET\"\nprivate = true\n[[route]]\nname = \"up\"\nprefix = \"/up\"\nto = \"https://localhost:{port}\"\n"
    );
    let sidecar = Detached::policy(policy).start().await;
    let mut stream = TcpStream::connect(sidecar.proxy()).await.unwrap();
    stream.write_all(b"POST /up/echo HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 1000000000\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 4096];
    let got = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut answer)).await.unwrap().unwrap();
    assert!(answer[..got].starts_with(b"HTTP/1.1 403"), "{}", String::from_utf8_lossy(&answer[..got]));
}
