//! What can be read in two ways is refused, and nothing ambiguous reaches an upstream.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod wire;

use creto_test_support::{Detached, DetachedSidecar, Upstream};
use wire::{exchange, status};

async fn with_plain_upstream() -> (Upstream, DetachedSidecar) {
    let upstream = Upstream::start_plain().await;
    let policy = format!(
        "version = 1\nname = \"p\"\n[[allow]]\nname = \"up\"\nhost = [\"localhost\", \"127.0.0.1\"]\nport = {}\nprivate = true\n\
         [[route]]\nname = \"up\"\nprefix = \"/up\"\nto = \"http://localhost:{0}\"\n",
        upstream.port()
    );
    let sidecar = Detached::policy(policy).start().await;
    (upstream, sidecar)
}

#[tokio::test]
async fn a_plain_request_passes_as_absolute_form_and_by_base_url() {
    let (upstream, sidecar) = with_plain_upstream().await;
    let port = upstream.port();
    let absolute = format!(
        "GET http://localhost:{port}/echo?a=b HTTP/1.1\r\nhost: localhost:{port}\r\nconnection: close\r\n\r\n"
    );
    let answer = exchange(sidecar.proxy(), absolute.as_bytes()).await;
    assert_eq!(status(&answer), 200, "{answer}");
    let base = "GET /up/echo?a=b HTTP/1.1\r\nhost: anything\r\nconnection: close\r\n\r\n";
    let answer = exchange(sidecar.proxy(), base.as_bytes()).await;
    assert_eq!(status(&answer), 200, "{answer}");
    let seen = upstream.requests();
    assert_eq!(seen.len(), 2);
    for request in seen {
        assert_eq!(request.header("host"), Some(format!("localhost:{port}").as_str()));
    }
}

#[tokio::test]
async fn ambiguous_requests_are_refused_and_never_forwarded() {
    let (upstream, sidecar) = with_plain_upstream().await;
    let target = format!("http://localhost:{}/echo", upstream.port());
    let host = format!("localhost:{}", upstream.port());
    let cases: Vec<(&str, String)> = vec![
        (
            "two lengths that differ",
            format!(
                "POST {target} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcde"
            ),
        ),
        (
            "a list of lengths",
            format!("POST {target} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 4, 4\r\n\r\nabcd"),
        ),
        (
            "a signed length",
            format!("POST {target} HTTP/1.1\r\nhost: {host}\r\ncontent-length: +4\r\n\r\nabcd"),
        ),
        (
            "a coding that hides chunked",
            format!("POST {target} HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n"),
        ),
        (
            "chunked not last",
            format!(
                "POST {target} HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n"
            ),
        ),
        (
            "two transfer codings",
            format!(
                "POST {target} HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n"
            ),
        ),
        ("a folded header", format!("GET {target} HTTP/1.1\r\nhost: {host}\r\nx-a: b\r\n c\r\n\r\n")),
        ("space before the colon", format!("GET {target} HTTP/1.1\r\nhost : {host}\r\n\r\n")),
        ("a bare CR in a value", format!("GET {target} HTTP/1.1\r\nhost: {host}\r\nx-a: b\rc\r\n\r\n")),
        ("a NUL in a value", format!("GET {target} HTTP/1.1\r\nhost: {host}\r\nx-a: b\0c\r\n\r\n")),
        ("a NUL in a name", format!("GET {target} HTTP/1.1\r\nhost: {host}\r\nx\0a: b\r\n\r\n")),
        ("no host", format!("GET {target} HTTP/1.1\r\n\r\n")),
        ("two hosts", format!("GET {target} HTTP/1.1\r\nhost: {host}\r\nhost: other\r\n\r\n")),
        ("a host other than the target's", format!("GET {target} HTTP/1.1\r\nhost: evil.example\r\n\r\n")),
        (
            "user information in the target",
            format!("GET http://u:p@{host}/echo HTTP/1.1\r\nhost: {host}\r\n\r\n"),
        ),
        (
            "an address with two readings",
            format!("GET http://127.1:{}/echo HTTP/1.1\r\nhost: 127.1:{0}\r\n\r\n", upstream.port()),
        ),
        ("another scheme", format!("GET ftp://{host}/echo HTTP/1.1\r\nhost: {host}\r\n\r\n")),
        ("not HTTP", "EHLO mail.example\r\n\r\n".to_owned()),
        ("an unknown version", format!("GET {target} HTTP/3.7\r\nhost: {host}\r\n\r\n")),
        ("a route that is climbed out of", "GET /up/../echo HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
        (
            "a route that is climbed out of in disguise",
            "GET /up/%2e%2E/echo HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(),
        ),
        (
            "a chunk size that overflows",
            format!(
                "POST {target} HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: chunked\r\nx-id: overflow\r\n\r\nfffffffffffffffff\r\n"
            ),
        ),
    ];
    for (name, bytes) in cases {
        let before = upstream.requests().iter().filter(|request| request.header("x-id").is_none()).count();
        let answer = exchange(sidecar.proxy(), bytes.as_bytes()).await;
        let clean = answer.is_empty() || (400..600).contains(&status(&answer));
        assert!(clean, "{name}: {answer}");
        let after = upstream.requests().iter().filter(|request| request.header("x-id").is_none()).count();
        assert_eq!(before, after, "{name} reached the upstream");
    }
    let still =
        exchange(sidecar.proxy(), b"GET /up/echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert_eq!(status(&still), 200, "the sidecar goes on: {still}");
}

#[tokio::test]
async fn of_two_lengths_only_the_chunked_one_leaves_whichever_came_first() {
    // RFC 9112 section 6.3 allows a server to go by the chunks and drop the length; hyper does so before we see the
    // head. What matters is that one reading leaves, and that the bytes behind it are not a second request.
    let (upstream, sidecar) = with_plain_upstream().await;
    for (name, lengths) in [
        ("CL.TE", "content-length: 40\r\ntransfer-encoding: chunked"),
        ("TE.CL", "transfer-encoding: chunked\r\ncontent-length: 3"),
    ] {
        upstream.forget();
        let bytes = format!(
            "POST /up/echo HTTP/1.1\r\nhost: a\r\n{lengths}\r\nconnection: close\r\n\r\n2\r\nhi\r\n0\r\n\r\nGET /up/second HTTP/1.1\r\nhost: a\r\n\r\n"
        );
        let answer = exchange(sidecar.proxy(), bytes.as_bytes()).await;
        assert!([200, 400].contains(&status(&answer)), "{name}: {answer}");
        let seen = upstream.requests();
        assert!(seen.len() <= 1, "{name}: {} requests left", seen.len());
        for request in seen {
            assert!(request.header("content-length").is_none(), "{name}");
            assert_eq!(request.header("transfer-encoding"), Some("chunked"), "{name}");
            assert!(answer.contains("\"body_length\":2"), "{name}: {answer}");
        }
    }
}

#[tokio::test]
async fn bare_line_feeds_are_refused_or_leave_as_one_request_only() {
    let (upstream, sidecar) = with_plain_upstream().await;
    let bytes = "GET /up/echo HTTP/1.1\nhost: a\nx-a: b\nconnection: close\n\n";
    let answer = exchange(sidecar.proxy(), bytes.as_bytes()).await;
    assert!([200, 400].contains(&status(&answer)), "{answer}");
    assert!(upstream.requests().len() <= 1);
}

#[tokio::test]
async fn heads_over_the_bound_are_answered_and_closed() {
    let (_upstream, sidecar) = with_plain_upstream().await;
    let long = format!("GET /up/echo HTTP/1.1\r\nhost: a\r\nx-long: {}\r\n\r\n", "a".repeat(80 * 1024));
    assert_eq!(status(&exchange(sidecar.proxy(), long.as_bytes()).await), 431);
    let many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
    let many = format!("GET /up/echo HTTP/1.1\r\nhost: a\r\n{many}\r\n");
    assert_eq!(status(&exchange(sidecar.proxy(), many.as_bytes()).await), 431);
}

#[tokio::test]
async fn a_second_request_smuggled_behind_the_first_is_judged_on_its_own() {
    let (upstream, sidecar) = with_plain_upstream().await;
    let bytes = "GET /up/echo HTTP/1.1\r\nhost: a\r\n\r\nGET http://evil.example/ HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    let answer = exchange(sidecar.proxy(), bytes.as_bytes()).await;
    assert!(answer.contains("port_forbidden"), "{answer}");
    assert_eq!(upstream.requests().len(), 1);
}
