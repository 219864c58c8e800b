//! One connection, one destination: what the names of a call disagree on is refused.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod wire;

use creto_test_support::{Detached, DetachedSidecar, RawUpstream, Upstream};
use tokio::io::AsyncWriteExt as _;
use wire::{connect, exchange, https, read_answer, status, tls};

async fn with_tls_upstream(extra: &str) -> (Upstream, DetachedSidecar) {
    let upstream = Upstream::start().await;
    let policy = format!(
        "version = 1\nname = \"p\"\n[[allow]]\nname = \"up\"\nhost = \"localhost\"\nport = {}\nprivate = true\n{extra}",
        upstream.port()
    );
    let sidecar = Detached::policy(policy).trusting(upstream.ca_pem()).start().await;
    (upstream, sidecar)
}

#[tokio::test]
async fn a_call_through_connect_is_opened_and_forwarded() {
    let (upstream, sidecar) = with_tls_upstream("").await;
    let port = upstream.port();
    let request = format!("GET /echo HTTP/1.1\r\nhost: localhost:{port}\r\nconnection: close\r\n\r\n");
    let answer = https(sidecar.proxy(), &sidecar.ca_pem(), "localhost", port, &request).await;
    assert_eq!(status(&answer), 200, "{answer}");
    assert_eq!(upstream.requests()[0].sni.as_deref(), Some("localhost"));
}

#[tokio::test]
async fn a_host_in_the_tunnel_other_than_the_connect_target_is_refused() {
    let (upstream, sidecar) = with_tls_upstream("").await;
    let request = "GET /echo HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    let answer = https(sidecar.proxy(), &sidecar.ca_pem(), "localhost", upstream.port(), request).await;
    assert_eq!(status(&answer), 421, "{answer}");
    assert!(answer.contains("destination_mismatch") && answer.contains("evil.example"), "{answer}");
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn a_server_name_other_than_the_connect_target_is_refused_in_words() {
    let (upstream, sidecar) = with_tls_upstream("").await;
    let (answer, stream) = connect(sidecar.proxy(), &format!("localhost:{}", upstream.port())).await;
    assert_eq!(status(&answer), 200);
    let mut stream = tls(stream, &sidecar.ca_pem(), "evil.example").await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n").await.unwrap();
    let answer = read_answer(&mut stream).await;
    assert_eq!(status(&answer), 421, "{answer}");
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn a_forbidden_port_is_refused_at_connect() {
    let (_upstream, sidecar) = with_tls_upstream("").await;
    let (answer, _) = connect(sidecar.proxy(), "localhost:25").await;
    assert_eq!(status(&answer), 403, "{answer}");
    assert!(answer.contains("creto-refused: port_forbidden"), "{answer}");
}

#[tokio::test]
async fn a_forbidden_host_is_refused_in_the_tunnel_where_the_agent_can_read_why() {
    let (upstream, sidecar) = with_tls_upstream("").await;
    let port = upstream.port();
    let request = format!("GET / HTTP/1.1\r\nhost: evil.example:{port}\r\nconnection: close\r\n\r\n");
    let answer = https(sidecar.proxy(), &sidecar.ca_pem(), "evil.example", port, &request).await;
    assert_eq!(status(&answer), 403, "{answer}");
    assert!(answer.contains("no_rule_allows") && answer.contains("next_step"), "{answer}");
}

#[tokio::test]
async fn names_that_resolve_to_private_addresses_are_refused_unless_a_rule_says_private() {
    let upstream = Upstream::start_plain().await;
    let policy = format!(
        "version = 1\nname = \"p\"\n[[allow]]\nname = \"up\"\nhost = [\"localhost\", \"ip6-localhost\"]\nport = {}\n",
        upstream.port()
    );
    let sidecar = Detached::policy(policy).start().await;
    let port = upstream.port();
    let request = format!(
        "GET http://localhost:{port}/echo HTTP/1.1\r\nhost: localhost:{port}\r\nconnection: close\r\n\r\n"
    );
    let answer = exchange(sidecar.proxy(), request.as_bytes()).await;
    assert_eq!(status(&answer), 403, "{answer}");
    assert!(answer.contains("address_forbidden"), "{answer}");
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn the_sidecar_is_no_destination() {
    let policy = "version = 1\nname = \"p\"\n[[allow]]\nname = \"all\"\nhost = [\"*\", \"127.0.0.0/8\"]\nport = \"any\"\nprivate = true\n";
    let sidecar = Detached::policy(policy).start().await;
    for (own, code) in [(sidecar.proxy(), "no_route"), (sidecar.admin(), "address_forbidden")] {
        let request = format!("GET http://{own}/config HTTP/1.1\r\nhost: {own}\r\nconnection: close\r\n\r\n");
        let answer = exchange(sidecar.proxy(), request.as_bytes()).await;
        assert!(answer.contains(code), "{own}: {answer}");
    }
}

#[tokio::test]
async fn a_passed_tunnel_reaches_the_upstream_with_its_own_certificate() {
    let upstream = Upstream::start().await;
    let policy = format!(
        "version = 1\nname = \"p\"\n[[allow]]\nname = \"pinned\"\nhost = \"localhost\"\nport = {}\nprivate = true\ntls = \"pass\"\n",
        upstream.port()
    );
    let sidecar = Detached::policy(policy).start().await;
    let port = upstream.port();
    let request = format!("GET /echo HTTP/1.1\r\nhost: localhost:{port}\r\nconnection: close\r\n\r\n");
    // The agent trusts the upstream's authority, not the sidecar's: only an unopened tunnel can work.
    let answer = https(sidecar.proxy(), upstream.ca_pem(), "localhost", port, &request).await;
    assert_eq!(status(&answer), 200, "{answer}");
    let entries = sidecar.into_entries();
    let begun = entries.iter().find_map(|entry| match &entry.entry {
        Some(creto_proto::v1::call_entry::Entry::Begun(begun)) => Some(begun),
        _ => None,
    });
    assert_eq!(begun.map(|begun| (begun.kind.as_str(), begun.rule.as_str())), Some(("opaque", "pinned")));
}

#[tokio::test]
async fn an_upstream_with_a_certificate_for_another_name_is_not_spoken_to() {
    let upstream = Upstream::builder().only_names(&["other.example"]).start().await;
    let policy = format!(
        "version = 1\nname = \"p\"\n[[allow]]\nname = \"up\"\nhost = \"localhost\"\nport = {}\nprivate = true\n",
        upstream.port()
    );
    let sidecar = Detached::policy(policy).trusting(upstream.ca_pem()).start().await;
    let port = upstream.port();
    let request = format!("GET /echo HTTP/1.1\r\nhost: localhost:{port}\r\nconnection: close\r\n\r\n");
    let answer = https(sidecar.proxy(), &sidecar.ca_pem(), "localhost", port, &request).await;
    assert_eq!(status(&answer), 502, "{answer}");
    assert!(answer.contains("upstream_tls"), "{answer}");
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn an_upstream_cannot_speak_for_the_sidecar_nor_through_headers_of_the_connection() {
    let raw = RawUpstream::answering(
        "HTTP/1.1 200 OK\r\ncreto-refused: rule_denies\r\nconnection: x-hop\r\nx-hop: 1\r\nx-kept: 1\r\ncontent-length: 2\r\n\r\nok",
    )
    .await;
    let policy = format!(
        "version = 1\nname = \"p\"\n[[allow]]\nname = \"up\"\nhost = \"127.0.0.1\"\nport = {}\n",
        raw.port()
    );
    let sidecar = Detached::policy(policy).start().await;
    let to = raw.address();
    let request = format!(
        "GET http://{to}/ HTTP/1.1\r\nhost: {to}\r\nproxy-authorization: Basic eDp5\r\nconnection: close, x-mine\r\nx-mine: 1\r\n\r\n"
    );
    let answer = exchange(sidecar.proxy(), request.as_bytes()).await;
    assert!(
        answer.contains("x-kept") && !answer.contains("x-hop") && !answer.contains("creto-refused"),
        "{answer}"
    );
    let received = String::from_utf8_lossy(&raw.received()).to_lowercase();
    assert!(!received.contains("proxy-authorization") && !received.contains("x-mine"), "{received}");
    assert!(received.starts_with("get / http/1.1"), "origin-form leaves: {received}");
}
