//! Ten thousand calls of one agent wait for people at once.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use creto_test_support::{Plane, Upstream};
use futures::future::join_all;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};

/// Connections, and calls on each.
const CONNECTIONS: usize = 100;
const CALLS: usize = 100;
/// Requests that people are asked; the calls are shared out among them.
const REQUESTS: usize = 50;
/// What all of them together may take of the sidecar's memory.
const MOST_MIB: u64 = 100;

async fn connection(sidecar: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = tokio::net::TcpStream::connect(sidecar).await.unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn call(sidecar: SocketAddr, number: usize) -> Request<Full<Bytes>> {
    let body = format!("{{\"transfer\": {}, \"note\": \"{}\"}}", number % REQUESTS, "x".repeat(256));
    Request::builder()
        .method(Method::POST)
        .uri(format!("http://{sidecar}/up/echo/transfers"))
        .header("content-type", "application/json")
        .header("prefer", "wait=300")
        .body(Full::from(body))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_calls_wait_within_a_hundred_mebibytes() {
    let upstream = Upstream::start().await;
    let plane = Plane::start().await;
    let alice = plane.approver("alice").await;
    let port = upstream.port();
    let policy = format!(
        "version = 1\nname = \"p\"\n[[allow]]\nname = \"all\"\nhost = \"localhost\"\nport = {port}\nprivate = true\n\
         [[route]]\nname = \"up\"\nprefix = \"/up\"\nto = \"https://localhost:{port}\"\n\
         [[hold]]\nname = \"held\"\nhost = \"localhost\"\nport = {port}\npath = \"/echo/**\"\nwait = \"1h\"\n\
         approvers = [\"alice\"]\n"
    );
    plane.apply_policy(&policy).await;
    let agent = plane.trusted_agent("caller").await;
    let sidecar = plane.sidecar(&agent).trusts(&upstream).start().await;
    let address = sidecar.address();
    let mut connections = join_all((0..CONNECTIONS).map(|_| connection(address))).await;

    let before = sidecar.resident_kib();
    let began = Instant::now();
    let answers: Vec<_> = (0..CONNECTIONS * CALLS)
        .map(|number| {
            let answer = connections[number % CONNECTIONS].send_request(call(address, number));
            tokio::spawn(answer)
        })
        .collect();
    let open = alice.waits_for(REQUESTS).await;
    // All bodies are read, and nothing moves any more.
    let mut held = sidecar.resident_kib();
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let last = std::mem::replace(&mut held, sidecar.resident_kib());
        if held == last {
            break;
        }
    }
    let mib = (held - before) / 1024;
    println!("{} calls held after {:?}: {mib} MiB more", CONNECTIONS * CALLS, began.elapsed());
    assert!(answers.iter().all(|answer| !answer.is_finished()), "none is answered while people decide");
    assert!(mib <= MOST_MIB, "{mib} MiB");

    // A thousand decided calls come back at once, the others go on waiting.
    for asked in &open {
        alice.denies(asked, "not now").await;
    }
    let answers: Vec<Response<Incoming>> =
        join_all(answers).await.into_iter().map(|answer| answer.unwrap().unwrap()).collect();
    assert!(answers.iter().all(|answer| answer.headers()["creto-refused"] == "approval_denied"));
}
