//! The control plane dies, hangs or comes and goes: calls go on by the last good policy, and each is on record once.
#![forbid(unsafe_code)]

use std::time::Duration;

use creto_test_resilience::{Scene, call, policy};
use creto_test_support::eventually;

/// How long the plane is away, or hangs, or is up again for.
const A_WHILE: Duration = Duration::from_millis(1200);
/// Calls at once.
const CALLERS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on_and_are_all_on_record_when_the_plane_dies_and_returns() {
    let scene = Scene::set().await;

    let traffic = scene.traffic("t", CALLERS);
    traffic.more(100).await;
    scene.plane.kill9();
    traffic.more(100).await;
    tokio::time::sleep(A_WHILE).await;
    scene.plane.restart().await;
    traffic.more(100).await;
    traffic.end().await;

    scene.assert_nothing_was_lost().await;

    // The returned plane is heard again.
    eventually("the sidecar is connected again", || async {
        scene.plane.sidecars().await.iter().all(|sidecar| sidecar.connected).then_some(())
    })
    .await;
    scene.plane.apply_policy(&policy(scene.upstream.port()).replace("/echo/secret/**", "/echo/**")).await;
    let answer = call(&scene.sidecar.http_agent(), &scene.journal, "/echo/open/after").await.unwrap();
    assert_eq!(answer.refusal(), "rule_denies", "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plane_killed_again_and_again_loses_and_doubles_nothing() {
    let scene = Scene::set().await;

    let traffic = scene.traffic("t", CALLERS);
    for round in 0..6u32 {
        scene.plane.kill9();
        traffic.more(20).await;
        scene.plane.restart().await;
        // Long enough that reports are under way, and never at the same point of one.
        tokio::time::sleep(A_WHILE + Duration::from_millis(37) * round).await;
    }
    traffic.end().await;

    scene.assert_nothing_was_lost().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plane_that_hangs_holds_no_call_up() {
    let scene = Scene::set().await;

    let traffic = scene.traffic("t", CALLERS);
    traffic.more(20).await;
    for _ in 0..3 {
        scene.plane.freeze();
        tokio::time::timeout(A_WHILE, traffic.more(20)).await.expect("calls wait for a frozen plane");
        tokio::time::sleep(A_WHILE).await;
        scene.plane.thaw();
        traffic.more(20).await;
    }
    // Killed as it hangs, and back.
    scene.plane.freeze();
    traffic.more(20).await;
    scene.plane.restart().await;
    traffic.more(20).await;
    traffic.end().await;

    scene.assert_nothing_was_lost().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_restarted_while_the_plane_is_away_enforces_from_disk() {
    let scene = Scene::set().await;

    scene.plane.kill9();
    for stage in ["before", "killed", "terminated"] {
        match stage {
            "killed" => scene.sidecar.restart().await,
            "terminated" => {
                assert!(scene.sidecar.terminate().await.success(), "{}", scene.sidecar.log());
                scene.sidecar.restart().await;
            }
            _ => {}
        }
        let traffic = scene.traffic(stage, CALLERS);
        traffic.more(40).await;
        traffic.end().await;
    }
    scene.plane.restart().await;

    scene.assert_nothing_was_lost().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plane_and_sidecar_killed_at_once_lose_nothing_of_the_record() {
    let scene = Scene::set().await;

    for round in 0..3 {
        let traffic = scene.traffic(&format!("r{round}"), CALLERS);
        traffic.more(100).await;
        scene.plane.kill9();
        scene.sidecar.kill9();
        traffic.end().await;
        if round % 2 == 0 {
            scene.sidecar.restart().await;
            scene.plane.restart().await;
        } else {
            scene.plane.restart().await;
            scene.sidecar.restart().await;
        }
    }
    scene.assert_on_record().await;
}
