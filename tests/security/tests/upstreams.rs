//! Upstreams that stall, break off or answer garbage: the agent gets a clear answer or a clean close, in bounded time.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod wire;

use std::time::{Duration, Instant};

use creto_proto::v1::{Outcome, call_entry::Entry};
use creto_test_support::{Detached, DetachedSidecar, RawUpstream, Upstream};
use wire::{exchange, status};

async fn sidecar_for(port: u16) -> DetachedSidecar {
    let policy = format!(
        "version = 1\nname = \"p\"\n[[allow]]\nname = \"up\"\nhost = \"127.0.0.1\"\nport = {port}\n\
         [[route]]\nname = \"up\"\nprefix = \"/up\"\nto = \"http://127.0.0.1:{port}\"\n"
    );
    Detached::policy(policy)
        .flag("--response-timeout")
        .flag("2")
        .flag("--idle-timeout")
        .flag("2")
        .start()
        .await
}

fn outcomes(sidecar: DetachedSidecar) -> Vec<Outcome> {
    sidecar
        .into_entries()
        .iter()
        .filter_map(|entry| match &entry.entry {
            Some(Entry::Ended(ended)) => Some(ended.outcome()),
            _ => None,
        })
        .collect()
}

const GET: &[u8] = b"GET /up/x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn one_that_never_answers_is_given_up_and_recorded() {
    let upstream = Upstream::start_plain().await;
    let sidecar = sidecar_for(upstream.port()).await;
    let start = Instant::now();
    let answer =
        exchange(sidecar.proxy(), b"GET /up/stall HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert_eq!(status(&answer), 504, "{answer}");
    assert!(answer.contains("upstream_timeout") && answer.contains("may have acted"), "{answer}");
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(outcomes(sidecar), [Outcome::UpstreamFailed]);
}

#[tokio::test]
async fn one_that_falls_silent_in_a_body_is_cut() {
    let upstream = Upstream::start_plain().await;
    let sidecar = sidecar_for(upstream.port()).await;
    let start = Instant::now();
    let mut stream = tokio::net::TcpStream::connect(sidecar.proxy()).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, b"GET /up/stall-body HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let mut all = Vec::new();
    let ended = tokio::time::timeout(
        Duration::from_secs(8),
        tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut all),
    )
    .await;
    assert!(ended.is_ok(), "the connection ends by itself");
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(outcomes(sidecar), [Outcome::UpstreamFailed]);
}

#[tokio::test]
async fn garbage_resets_and_broken_bodies_are_told_apart_from_answers() {
    let cases: [(&str, &[u8]); 7] = [
        ("not HTTP", b"SSH-2.0-OpenSSH_9\r\n"),
        ("nothing", b""),
        ("half a head", b"HTTP/1.1 200 OK\r\nx: "),
        ("an impossible status", b"HTTP/1.1 9999 OK\r\n\r\n"),
        ("two lengths", b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
        ("a head without end", &[b'a'; 100_000]),
        (
            "an unasked switch",
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        ),
    ];
    for (name, bytes) in cases {
        let raw = RawUpstream::answering(bytes).await;
        let sidecar = sidecar_for(raw.port()).await;
        let answer = exchange(sidecar.proxy(), GET).await;
        assert_eq!(status(&answer), 502, "{name}: {answer}");
        assert!(answer.contains("upstream_broken"), "{name}: {answer}");
        assert_eq!(raw.connections(), 1, "{name}: a call that may have been acted on is not repeated");
        assert_eq!(outcomes(sidecar), [Outcome::UpstreamFailed], "{name}");
    }
}

#[tokio::test]
async fn a_body_that_ends_early_ends_the_agents_connection_too() {
    let raw = RawUpstream::answering("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this").await;
    let sidecar = sidecar_for(raw.port()).await;
    let answer = exchange(sidecar.proxy(), GET).await;
    assert!(answer.contains("only this"), "{answer}");
    assert_eq!(outcomes(sidecar), [Outcome::UpstreamFailed]);
}

#[tokio::test]
async fn a_reset_is_a_clear_answer() {
    let raw = RawUpstream::start(|mut connection| async move {
        connection.read_head().await;
        connection.reset();
    })
    .await;
    let sidecar = sidecar_for(raw.port()).await;
    let answer = exchange(sidecar.proxy(), GET).await;
    assert_eq!(status(&answer), 502, "{answer}");
    assert_eq!(raw.connections(), 1);
}

#[tokio::test]
async fn nobody_there_is_said_so() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let sidecar = sidecar_for(free).await;
    let answer = exchange(sidecar.proxy(), GET).await;
    assert_eq!(status(&answer), 502, "{answer}");
    assert!(answer.contains("upstream_unreachable") && answer.contains("not sent"), "{answer}");
}

#[tokio::test]
async fn an_agent_that_leaves_ends_the_call_upstream() {
    let upstream = Upstream::start_plain().await;
    let sidecar = sidecar_for(upstream.port()).await;
    {
        let mut stream = tokio::net::TcpStream::connect(sidecar.proxy()).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"GET /up/stall HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        let start = Instant::now();
        while upstream.in_flight() == 0 {
            assert!(start.elapsed() < Duration::from_secs(5));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    let start = Instant::now();
    while upstream.in_flight() > 0 {
        assert!(
            start.elapsed() < Duration::from_millis(1500),
            "the upstream still works for an agent that left"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(outcomes(sidecar), [Outcome::ClientGone]);
}
