//! Policy that nobody confirms, or that is damaged on disk: what may still be called, and for how long.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::time::Duration;

use creto_proto::v1::SidecarEventKind;
use creto_test_support::{Detached, DetachedSidecar, FakePlane, Trip, Upstream, Way, eventually};

fn policy(port: u16, mode: &str, limits: &str) -> String {
    format!(
        "version = 1\nname = \"test\"\nmode = \"{mode}\"\n[staleness]\n{limits}\n[[allow]]\nname = \"up\"\n\
         host = \"127.0.0.1\"\nport = {port}\n"
    )
}

/// Codes of the refusals of a call that reads and one that writes; empty for one that gets through.
async fn ask(sidecar: &DetachedSidecar, upstream: &Upstream) -> (String, String) {
    let agent = sidecar.http_agent();
    let url = format!("http://{}/echo", upstream.address());
    let read = agent.go(Trip::get(Way::AbsoluteForm, &url)).await;
    let write = agent.go(Trip::get(Way::AbsoluteForm, &url).method("POST").body("x")).await;
    for answer in [&read, &write] {
        let status = if answer.refusal().is_empty() { 200 } else { 503 };
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    (read.refusal(), write.refusal())
}

fn codes(read: &str, write: &str) -> (String, String) {
    (read.to_owned(), write.to_owned())
}

async fn becomes(sidecar: &DetachedSidecar, upstream: &Upstream, wanted: (String, String)) {
    eventually(&format!("calls that read and write are answered {wanted:?}"), || async {
        (ask(sidecar, upstream).await == wanted).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policy_expires_class_by_class_while_the_plane_is_away_and_a_heartbeat_brings_it_back() {
    let upstream = Upstream::start_plain().await;
    let plane = FakePlane::start().await;
    for mode in ["enforce", "observe"] {
        let limits = "read = \"6s\"\nwrite = \"1s\"";
        let sidecar = Detached::policy(policy(upstream.port(), mode, limits)).under(&plane).start().await;
        becomes(&sidecar, &upstream, codes("", "policy_expired")).await;
        becomes(&sidecar, &upstream, codes("policy_expired", "policy_expired")).await;
        let metrics = sidecar.admin_get("/metrics").await;
        assert!(metrics.contains("creto_policy_state{state=\"expired\"} 1"), "{metrics}");
        plane.event(SidecarEventKind::StalenessChanged, "expired for calls of class read, write").await;
        plane.heartbeat(2).await;
        assert_eq!(
            ask(&sidecar, &upstream).await,
            codes("policy_expired", "policy_expired"),
            "of another epoch"
        );
        plane.heartbeat(1).await;
        becomes(&sidecar, &upstream, codes("", "")).await;
        drop(sidecar);
        plane.refuse_streams(None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn age_goes_on_over_kill_9_and_a_stop() {
    let upstream = Upstream::start_plain().await;
    let limits = "read = \"never\"\nwrite = \"3s\"";
    let mut sidecar = Detached::policy(policy(upstream.port(), "enforce", limits)).start().await;
    becomes(&sidecar, &upstream, codes("", "policy_expired")).await;
    for stop in [DetachedSidecar::terminate, DetachedSidecar::kill9] {
        stop(&mut sidecar);
        sidecar.start_again().await;
        assert_eq!(ask(&sidecar, &upstream).await, codes("", "policy_expired"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_newest_policy_gives_way_to_the_one_before_for_reading_only_until_the_plane_is_heard() {
    let upstream = Upstream::start_plain().await;
    let plane = FakePlane::start().await;
    let named = |limits: &str| Detached::policy(policy(upstream.port(), "enforce", limits)).under(&plane);
    let (old, new) = (named(""), named("read = \"never\""));
    let (before, content) = (old.content(), new.content());
    let mut sidecar = old.start().await;
    plane.hello(1).await;
    plane.push("new", 2, &content, Some(&before)).await;
    assert_eq!(ask(&sidecar, &upstream).await, codes("", ""));
    plane.refuse_streams(Some(tonic::Status::unavailable("away")));
    sidecar.kill9();
    let newest = sidecar.state().join("generation.bin");
    let mut bytes = std::fs::read(&newest).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&newest, bytes).unwrap();
    sidecar.start_again().await;
    assert_eq!(ask(&sidecar, &upstream).await, codes("", "policy_expired"));

    plane.refuse_streams(None);
    let hello = plane.hello(2).await;
    assert_eq!((hello.epoch, hello.version.as_str()), (2, ""), "what was seen, and no claim to enforce it");
    assert_eq!(hello.resources.len(), before.resources().len(), "the one before");
    let told = plane.event(SidecarEventKind::StoredGenerationRefused, "generation.bin").await;
    assert_eq!(told.epoch, 0, "nothing was in force when it was read");
    plane.push("new again", 2, &content, Some(&before)).await;
    assert_eq!(ask(&sidecar, &upstream).await, codes("", ""));
    // What was put in its place is whole.
    sidecar.kill9();
    sidecar.start_again().await;
    assert_eq!(plane.hello(3).await.epoch, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn policy_put_back_from_an_older_day_is_not_enforced() {
    let upstream = Upstream::start_plain().await;
    let plane = FakePlane::start().await;
    let named = |limits: &str| Detached::policy(policy(upstream.port(), "enforce", limits)).under(&plane);
    let first = named("");
    let mut content = first.content();
    let mut sidecar = first.start().await;
    plane.hello(1).await;
    let newest = sidecar.state().join("generation.bin");
    let oldest = std::fs::read(&newest).unwrap();
    for epoch in 2..=3 {
        let next = named(&format!("read = \"{epoch}h\"")).content();
        plane.push(&epoch.to_string(), epoch, &next, Some(&content)).await;
        content = next;
    }
    sidecar.kill9();
    for file in ["generation.bin", "generation.previous.bin"] {
        std::fs::write(sidecar.state().join(file), &oldest).unwrap();
    }
    plane.refuse_streams(Some(tonic::Status::unavailable("away")));
    let came_up = tokio::time::timeout(Duration::from_secs(3), sidecar.start_again()).await;
    assert!(came_up.is_err(), "a sidecar without a policy is not ready");
    assert!(sidecar.log().contains("older than the 3"), "{}", sidecar.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plane_that_is_full_is_left_alone_for_as_long_as_it_asks() {
    let plane = FakePlane::start().await;
    let mut full = tonic::Status::resource_exhausted("full");
    full.metadata_mut().insert("grpc-retry-pushback-ms", "1200".parse().unwrap());
    plane.refuse_streams(Some(full));
    let _sidecar = Detached::policy(policy(1, "enforce", "")).under(&plane).start().await;
    let tries = eventually("three tries", || {
        let tries = plane.refused_at();
        std::future::ready((tries.len() >= 3).then_some(tries))
    })
    .await;
    for pair in tries.windows(2) {
        let waited = pair[1] - pair[0];
        assert!(waited >= Duration::from_millis(1150), "came back after {waited:?}");
    }
    plane.refuse_streams(None);
    plane.hello(1).await;
}
