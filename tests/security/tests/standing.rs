//! Who the agent is and what was delegated to it come before any policy.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod wire;

use creto_proto::v1::AgentState;
use creto_test_support::{Detached, Upstream};
use wire::{exchange, status};

fn policy(port: u16, mode: &str) -> String {
    format!(
        "version = 1\nname = \"p\"\nmode = \"{mode}\"\n[[allow]]\nname = \"up\"\nhost = \"127.0.0.1\"\nport = {port}\n\
         [[route]]\nname = \"up\"\nprefix = \"/up\"\nto = \"http://127.0.0.1:{port}\"\n"
    )
}

async fn answered(detached: Detached, header: &str) -> String {
    let sidecar = detached.start().await;
    let request = format!("GET /up/echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{header}\r\n");
    exchange(sidecar.proxy(), request.as_bytes()).await
}

#[tokio::test]
async fn what_identity_refuses_no_policy_lets_through_not_even_one_that_observes() {
    let upstream = Upstream::start_plain().await;
    for mode in ["enforce", "observe"] {
        let with = || Detached::policy(policy(upstream.port(), mode));
        for (detached, code) in [
            (with().agent_state(AgentState::Suspended), "agent_suspended"),
            (with().agent_state(AgentState::Revoked), "agent_revoked"),
            (with().agent_state(AgentState::Unspecified), "agent_revoked"),
            (with().without_delegation(), "no_delegation"),
            (with().delegation_ends_in(-5), "delegation_expired"),
            (with().permissions(&["post:127.0.0.1"]), "permission_missing"),
            (with().permissions(&["get:127.0.0.1/other/**"]), "permission_missing"),
        ] {
            let answer = answered(detached, "").await;
            assert_eq!(status(&answer), 403, "{code}: {answer}");
            assert!(answer.contains(code), "{mode} {code}: {answer}");
        }
    }
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn chains_in_the_header_that_do_not_hold_are_refused() {
    let upstream = Upstream::start_plain().await;
    for (name, value) in [
        ("not base64", "%%%".to_owned()),
        ("truncated", "AQEB".to_owned()),
        ("forged", "A".repeat(128)),
        ("over-deep", "A".repeat(700)),
        ("empty", String::new()),
    ] {
        let detached = Detached::policy(policy(upstream.port(), "enforce"));
        let answer = answered(detached, &format!("creto-delegation: {value}\r\n")).await;
        assert!(answer.contains("delegation_invalid"), "{name}: {answer}");
    }
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn a_sidecar_without_any_policy_refuses() {
    let upstream = Upstream::start_plain().await;
    let others = "version = 1\nname = \"p\"\n[agents]\nnames = [\"somebody-else\"]\n[[allow]]\nname = \"all\"\nhost = \"*\"\n";
    let sidecar = Detached::policy(others).start().await;
    let to = upstream.address();
    let request = format!("GET http://{to}/echo HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n\r\n");
    let answer = exchange(sidecar.proxy(), request.as_bytes()).await;
    assert_eq!(status(&answer), 503, "{answer}");
    assert!(answer.contains("no_policy"), "{answer}");
}

#[tokio::test]
async fn a_policy_changed_on_disk_is_not_enforced() {
    let upstream = Upstream::start_plain().await;
    let mut sidecar = Detached::policy(policy(upstream.port(), "enforce")).start().await;
    sidecar.kill9();
    let path = sidecar.state().join("generation.bin");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(9).position(|window| window == b"127.0.0.1").unwrap();
    bytes[at] = b'9';
    std::fs::write(&path, bytes).unwrap();
    // Nothing verifies, so there is no policy, and the sidecar says that it is not ready.
    let came_up = tokio::time::timeout(std::time::Duration::from_secs(3), sidecar.start_again()).await;
    assert!(came_up.is_err(), "a sidecar without a policy is not ready");
}
