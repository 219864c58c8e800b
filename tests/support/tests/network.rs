//! The test network redirects what it should and nothing else.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;

use creto_test_support::{TestNetwork, Upstream};

#[tokio::test]
async fn an_agent_inside_is_redirected_and_the_sidecars_user_is_not() {
    let network = TestNetwork::new();
    let upstream = Upstream::builder().plain().address(network.host_side()).start().await;
    // Nothing listens at the transparent port yet.
    assert!(network.connect(upstream.address()).await.is_err());
    let mut command = std::process::Command::new("ip");
    command.args([
        "netns",
        "exec",
        network.name(),
        "setpriv",
        "--reuid",
        "1500",
        "--clear-groups",
        "curl",
        "-s",
    ]);
    command
        .arg(format!("http://upstream.creto.test:{}/status/204", upstream.port()))
        .args(["-w", "%{http_code}"]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert_eq!(output.stdout, b"204");
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn two_networks_stand_side_by_side_and_leave_nothing() {
    let (one, two) = (TestNetwork::new(), TestNetwork::new());
    assert_ne!(one.host_side(), two.host_side());
    let name = one.name().to_owned();
    drop(one);
    assert!(!std::path::Path::new("/run/netns").join(name).is_file());
    let listener = tokio::net::TcpListener::bind(SocketAddr::new(two.host_side(), 0)).await.unwrap();
    drop(listener);
}
