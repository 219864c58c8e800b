//! The programs against the upstream itself: what fails here is no fault of a proxy.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use creto_test_clients::{Installation, Program, node_program, python_program};
use creto_test_support::{Upstream, write_bundle};

fn authorities(upstream: &Upstream, folder: &Path) -> Vec<(String, String)> {
    let (ca, bundle) = (folder.join("ca.pem"), folder.join("bundle.pem"));
    std::fs::write(&ca, upstream.ca_pem()).unwrap();
    write_bundle(&ca, &bundle);
    let bundled = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"];
    let mut variables: Vec<_> = bundled.map(|name| (name.to_owned(), bundle.display().to_string())).to_vec();
    variables.push(("NODE_EXTRA_CA_CERTS".to_owned(), ca.display().to_string()));
    variables
}

#[tokio::test]
async fn every_http_program_reaches_a_server_it_trusts() {
    let upstream = Upstream::start().await;
    let folder = tempfile::tempdir().unwrap();
    let variables = authorities(&upstream, folder.path());
    let node24 = Installation::get().node24();
    let programs: Vec<Program> = ["with_requests", "with_httpx", "with_aiohttp", "with_pip_urllib3"]
        .map(python_program)
        .into_iter()
        .chain([node_program(&node24, "with_fetch")])
        .chain(
            ["with_undici", "with_axios", "with_axios_agent"]
                .map(|name| node_program(Path::new("node"), name)),
        )
        .collect();
    for program in programs {
        let program = program.env("URL", upstream.url("/echo")).env("BODY", "hello");
        let answer = program.run(&variables).await.json();
        assert_eq!(answer["status"], 200, "{answer}");
        let echoed: serde_json::Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(echoed["body_length"], 5);
    }
}

#[tokio::test]
async fn the_websocket_and_grpc_programs_reach_a_server_they_trust() {
    let upstream = Upstream::start().await;
    let folder = tempfile::tempdir().unwrap();
    let variables = authorities(&upstream, folder.path());
    let url = upstream.url("/ws").replacen("https", "wss", 1);
    let answer =
        python_program("with_websockets").env("URL", url).env("BODY", "hello").run(&variables).await.json();
    assert_eq!(answer["body"], "hello");
    let grpc = python_program("with_grpcio")
        .env("TARGET", upstream.authority_text())
        .env("TLS", "1")
        .env("BODY", "a");
    for (shape, code) in
        [("unary", "OK"), ("both-ways", "OK"), ("client-stream", "OK"), ("failing", "FAILED_PRECONDITION")]
    {
        let answer = grpc.clone().env("SHAPE", shape).run(&variables).await.json();
        assert_eq!(answer["code"], code, "{shape}: {answer}");
    }
}
