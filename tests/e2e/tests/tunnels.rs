//! Tunnels and WebSockets that are open when an operator changes something.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::sync::Arc;
use std::time::Duration;

use creto_proto::v1::{Outcome, Verdict};
use creto_test_support::{Plane, Sidecar, Upstream, client_tls, eventually};
use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;

/// From the operator's word to the end of what is open.
const SOON: Duration = Duration::from_secs(3);

type Socket = WebSocketStream<TcpStream>;

/// TLS with the upstream itself, through a tunnel that is passed.
async fn tunnel(sidecar: &Sidecar, upstream: &Upstream) -> TlsStream<TcpStream> {
    let target = format!("localhost:{}", upstream.port());
    let mut stream = TcpStream::connect(sidecar.address()).await.unwrap();
    stream
        .write_all(format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
    let tls = client_tls(upstream.ca_pem(), &["http/1.1"]);
    let connector = tokio_rustls::TlsConnector::from(Arc::new(tls));
    connector.connect("localhost".try_into().unwrap(), stream).await.unwrap()
}

async fn use_tunnel(stream: &mut TlsStream<TcpStream>) {
    stream.write_all(b"GET /status/204 HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 204"), "{}", String::from_utf8_lossy(&head));
}

async fn websocket(sidecar: &Sidecar) -> Socket {
    let stream = TcpStream::connect(sidecar.address()).await.unwrap();
    let url = format!("ws://{}/up/ws", sidecar.address());
    tokio_tungstenite::client_async(url, stream).await.unwrap().0
}

async fn use_websocket(socket: &mut Socket) {
    socket.send("hello".into()).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap().into_text().unwrap().as_str(), "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_ends_what_is_open_and_another_change_of_policy_does_not() {
    let (passed, plain) = (Upstream::start().await, Upstream::start_plain().await);
    let plane = Plane::start().await;
    let agent = plane.trusted_agent("researcher").await;
    let (pass, port) = (passed.port(), plain.port());
    let policy = |more: &str| {
        format!(
            "version = 1\nname = \"open\"\n[[allow]]\nname = \"passed\"\nhost = \"localhost\"\nport = {pass}\n\
             private = true\ntls = \"pass\"\n[[allow]]\nname = \"plain\"\nhost = \"127.0.0.1\"\nport = {port}\n\
             [[route]]\nname = \"up\"\nprefix = \"/up\"\nto = \"http://127.0.0.1:{port}\"\n{more}"
        )
    };
    plane.apply_policy(&policy("")).await;
    let sidecar = plane.sidecar(&agent).start().await;
    let (mut tunnel, mut socket) = (tunnel(&sidecar, &passed).await, websocket(&sidecar).await);
    use_tunnel(&mut tunnel).await;
    use_websocket(&mut socket).await;

    plane.apply_policy(&policy("[[deny]]\nname = \"other\"\nhost = \"other.example\"\n")).await;
    eventually("the edit is in force", || async {
        let sidecars = plane.sidecars().await;
        sidecars.iter().all(|sidecar| sidecar.applied_epoch == sidecar.offered_epoch).then_some(())
    })
    .await;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        use_tunnel(&mut tunnel).await;
        use_websocket(&mut socket).await;
    }

    let ends = async {
        // However it ends: in order, or broken off.
        let mut rest = Vec::new();
        let _ = tunnel.read_to_end(&mut rest).await;
        while let Some(Ok(_)) = socket.next().await {}
    };
    let ended = tokio::time::timeout(SOON, async { tokio::join!(plane.suspend(&agent), ends) }).await;
    assert!(ended.is_ok(), "open {SOON:?} after the suspension");
    let calls = eventually("both ends are on record", || async {
        let calls = plane.calls().await;
        (calls.len() == 2 && calls.iter().all(|call| call.ended.is_some())).then_some(calls)
    })
    .await;
    for call in calls {
        assert_eq!(call.begun.unwrap().verdict(), Verdict::Allowed);
        let ended = call.ended.unwrap();
        assert_eq!((ended.outcome(), ended.status), (Outcome::Refused, 403));
    }
}
