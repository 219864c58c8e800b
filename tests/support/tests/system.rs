//! The DSL starts, breaks and restarts a whole system.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use creto_test_support::{Plane, TestNetwork, Trip, UPSTREAM_NAME, Upstream, Way, ensure_upstream_name};

fn policy(port: u16) -> String {
    format!(
        "version = 1\nname = \"p\"\n\
         [[allow]]\nname = \"up\"\nhost = [\"localhost\", \"{UPSTREAM_NAME}\"]\nport = {port}\nprivate = true\n\
         [[deny]]\nname = \"no\"\nhost = \"*\"\nport = \"any\"\npath = \"/denied/**\"\n\
         [[route]]\nname = \"r\"\nprefix = \"/up\"\nto = \"https://localhost:{port}\"\n"
    )
}

#[tokio::test]
async fn an_agent_outside_a_namespace_calls_in_three_ways() {
    ensure_upstream_name();
    let upstream = Upstream::builder().name(UPSTREAM_NAME).start().await;
    let plane = Plane::start().await;
    let agent = plane.trusted_agent("a").await;
    plane.apply_policy(&policy(upstream.port())).await;
    let sidecar = plane.sidecar(&agent).trusts(&upstream).start().await;
    let http = sidecar.http_agent();
    let plain = Upstream::start_plain().await;
    plane.apply_policy(&policy(plain.port()).replacen("\"p\"", "\"q\"", 1).replace("/up", "/plain")).await;
    for (way, upstream) in
        [(Way::Connect, &upstream), (Way::AbsoluteForm, &plain), (Way::BaseUrl("/up"), &upstream)]
    {
        let answer = http.get(way, &upstream.url("/echo")).await;
        assert_eq!((answer.status, answer.refusal().as_str()), (200, ""), "{way:?}: {}", answer.text());
        let answer = http.get(way, &upstream.url("/denied/x")).await;
        assert_eq!((answer.status, answer.refusal().as_str()), (403, "rule_denies"), "{way:?}");
    }
    let answer = http.go(Trip::get(Way::Connect, &upstream.url("/trailers")).http2()).await;
    assert_eq!(answer.trailers.unwrap()["x-trailer"], "at the end");
    assert_eq!(sidecar.admin_get("/ready").await.0, 200);
    assert!(sidecar.resident_kib() > 0);
    let refused = http.send_raw(b"GET / HTTP/1.1\r\n\r\n").await;
    assert!(refused.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&refused));
}

#[tokio::test]
async fn an_agent_inside_a_namespace_is_captured() {
    let network = TestNetwork::new();
    let upstream = Upstream::builder().address(network.host_side()).name(UPSTREAM_NAME).start().await;
    let plane = Plane::start().await;
    let agent = plane.trusted_agent("a").await;
    plane.apply_policy(&policy(upstream.port())).await;
    let sidecar = plane.sidecar(&agent).trusts(&upstream).inside(&network).start().await;
    let http = sidecar.http_agent();
    let url = |path: &str| format!("https://{UPSTREAM_NAME}:{}{path}", upstream.port());
    for way in [Way::Transparent, Way::Connect] {
        let answer = http.get(way, &url("/echo")).await;
        assert_eq!((answer.status, answer.refusal().as_str()), (200, ""), "{way:?}: {}", answer.text());
        let answer = http.get(way, &url("/denied/x")).await;
        assert_eq!((answer.status, answer.refusal().as_str()), (403, "rule_denies"), "{way:?}");
    }
}

#[tokio::test]
async fn either_side_can_be_killed_and_comes_back_at_its_place() {
    let upstream = Upstream::start().await;
    let plane = Plane::start().await;
    let agent = plane.trusted_agent("a").await;
    plane.apply_policy(&policy(upstream.port())).await;
    let sidecar = plane.sidecar(&agent).trusts(&upstream).start().await;
    let http = sidecar.http_agent();
    plane.kill9();
    assert_eq!(http.get(Way::Connect, &upstream.url("/echo")).await.status, 200);
    plane.restart().await;
    plane.wait_for_ended("/echo").await;
    let before = sidecar.address();
    sidecar.restart().await;
    assert_eq!(sidecar.address(), before);
    assert_eq!(http.get(Way::Connect, &upstream.url("/status/204")).await.status, 204);
    assert!(sidecar.terminate().await.success());
}
