//! The control plane dies, hangs or comes and goes: calls go on by the last good policy, and each is on record once.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use creto_test_resilience::{Journal, Traffic, call, policy};
use creto_test_support::{Plane, Upstream, eventually};

/// How long the plane is away, or hangs, or is up again for.
const A_WHILE: Duration = Duration::from_millis(1200);
/// Calls at once.
const CALLERS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on_and_are_all_on_record_when_the_plane_dies_and_returns() {
    let upstream = Upstream::start_plain().await;
    let plane = Plane::start().await;
    let agent = plane.trusted_agent("researcher").await;
    plane.apply_policy(&policy(upstream.port())).await;
    let sidecar = plane.sidecar(&agent).start().await;
    let journal = Arc::new(Journal::default());

    let traffic = Traffic::begin(&sidecar.http_agent(), &journal, "t", CALLERS);
    traffic.more(100).await;
    plane.kill9();
    traffic.more(100).await;
    tokio::time::sleep(A_WHILE).await;
    plane.restart().await;
    traffic.more(100).await;
    traffic.end().await;

    journal.assert_the_policy_held();
    let records = journal.assert_on_record(&plane, &sidecar, &upstream).await;
    assert_eq!(records.len() + 1, journal.made().len());

    // The returned plane is heard again.
    eventually("the sidecar is connected again", || async {
        plane.sidecars().await.iter().all(|sidecar| sidecar.connected).then_some(())
    })
    .await;
    plane.apply_policy(&policy(upstream.port()).replace("/echo/secret/**", "/echo/**")).await;
    let answer = call(&sidecar.http_agent(), &journal, "/echo/open/after").await.unwrap();
    assert_eq!(answer.refusal(), "rule_denies", "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plane_killed_again_and_again_loses_and_doubles_nothing() {
    let upstream = Upstream::start_plain().await;
    let plane = Plane::start().await;
    let agent = plane.trusted_agent("researcher").await;
    plane.apply_policy(&policy(upstream.port())).await;
    let sidecar = plane.sidecar(&agent).start().await;
    let journal = Arc::new(Journal::default());

    let traffic = Traffic::begin(&sidecar.http_agent(), &journal, "t", CALLERS);
    for round in 0..6u32 {
        plane.kill9();
        traffic.more(20).await;
        plane.restart().await;
        // Long enough that reports are under way, and never at the same point of one.
        tokio::time::sleep(A_WHILE + Duration::from_millis(37) * round).await;
    }
    traffic.end().await;

    journal.assert_the_policy_held();
    let records = journal.assert_on_record(&plane, &sidecar, &upstream).await;
    assert_eq!(records.len() + 1, journal.made().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plane_that_hangs_holds_no_call_up() {
    let upstream = Upstream::start_plain().await;
    let plane = Plane::start().await;
    let agent = plane.trusted_agent("researcher").await;
    plane.apply_policy(&policy(upstream.port())).await;
    let sidecar = plane.sidecar(&agent).start().await;
    let journal = Arc::new(Journal::default());

    let traffic = Traffic::begin(&sidecar.http_agent(), &journal, "t", CALLERS);
    traffic.more(20).await;
    for _ in 0..3 {
        plane.freeze();
        tokio::time::timeout(A_WHILE, traffic.more(20)).await.expect("calls wait for a frozen plane");
        tokio::time::sleep(A_WHILE).await;
        plane.thaw();
        traffic.more(20).await;
    }
    // Killed as it hangs, and back.
    plane.freeze();
    traffic.more(20).await;
    plane.restart().await;
    traffic.more(20).await;
    traffic.end().await;

    journal.assert_the_policy_held();
    let records = journal.assert_on_record(&plane, &sidecar, &upstream).await;
    assert_eq!(records.len() + 1, journal.made().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_restarted_while_the_plane_is_away_enforces_from_disk() {
    let upstream = Upstream::start_plain().await;
    let plane = Plane::start().await;
    let agent = plane.trusted_agent("researcher").await;
    plane.apply_policy(&policy(upstream.port())).await;
    let sidecar = plane.sidecar(&agent).start().await;
    let journal = Arc::new(Journal::default());

    plane.kill9();
    for stage in ["before", "killed", "terminated"] {
        match stage {
            "killed" => sidecar.restart().await,
            "terminated" => {
                assert!(sidecar.terminate().await.success(), "{}", sidecar.log());
                sidecar.restart().await;
            }
            _ => {}
        }
        let traffic = Traffic::begin(&sidecar.http_agent(), &journal, stage, CALLERS);
        traffic.more(40).await;
        traffic.end().await;
    }
    plane.restart().await;

    journal.assert_the_policy_held();
    let records = journal.assert_on_record(&plane, &sidecar, &upstream).await;
    assert_eq!(records.len() + 1, journal.made().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn plane_and_sidecar_killed_at_once_lose_nothing_of_the_record() {
    let upstream = Upstream::start_plain().await;
    let plane = Plane::start().await;
    let agent = plane.trusted_agent("researcher").await;
    plane.apply_policy(&policy(upstream.port())).await;
    let sidecar = plane.sidecar(&agent).start().await;
    let journal = Arc::new(Journal::default());

    for round in 0..3 {
        let traffic = Traffic::begin(&sidecar.http_agent(), &journal, &format!("r{round}"), CALLERS);
        traffic.more(100).await;
        plane.kill9();
        sidecar.kill9();
        traffic.end().await;
        if round % 2 == 0 {
            sidecar.restart().await;
            plane.restart().await;
        } else {
            plane.restart().await;
            sidecar.restart().await;
        }
    }
    journal.assert_on_record(&plane, &sidecar, &upstream).await;
}
