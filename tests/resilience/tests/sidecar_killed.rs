//! The sidecar is killed in the middle of calls: what a client or an upstream saw of a call is on record.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use creto_proto::v1::Outcome;
use creto_test_resilience::{Scene, call};
use creto_test_support::eventually;

const ROUNDS: usize = 4;
/// Calls that no answer has come to when the sidecar is killed, and such whose answer is under way.
const STALLED: usize = 20;
const STREAMING: usize = 10;
/// Quick calls at once.
const CALLERS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn every_call_seen_by_anybody_is_on_record_after_kill_9() {
    let scene = Scene::set().await;
    let client = scene.sidecar.http_agent();

    for round in 0..ROUNDS {
        let mut under_way = Vec::new();
        for n in 0..STALLED + STREAMING {
            let path = if n < STALLED {
                format!("/stall/{round}/{n}")
            } else {
                format!("/sse/{round}/{n}?n=100000&ms=10")
            };
            let (client, journal) = (client.clone(), Arc::clone(&scene.journal));
            under_way.push(tokio::spawn(async move { call(&client, &journal, &path).await.is_ok() }));
        }
        eventually("the upstream has them all", || {
            std::future::ready((scene.upstream.in_flight() >= STALLED + STREAMING).then_some(()))
        })
        .await;
        let traffic = scene.traffic(&format!("r{round}"), CALLERS);
        traffic.more(100).await;
        scene.sidecar.kill9();
        traffic.end().await;
        for call in under_way {
            call.await.unwrap();
        }
        eventually("the upstream's connections are gone", || {
            std::future::ready((scene.upstream.in_flight() == 0).then_some(()))
        })
        .await;
        scene.sidecar.restart().await;
    }

    let records = scene.assert_on_record().await;
    for (path, made) in scene.journal.made() {
        let outcome = records.get(&path).and_then(|call| call.ended.as_ref()).map(|ended| ended.outcome());
        let was_under_way = path.starts_with("/stall/") || path.starts_with("/sse/");
        if was_under_way {
            assert_eq!(outcome, Some(Outcome::Ambiguous), "{path}: {made:?}");
        } else if !records.contains_key(&path) {
            assert_eq!(made.status.filter(|_| !path.ends_with("last-of-all")), None, "{path}: {made:?}");
        } else if made.status == Some(200) {
            // The end is noted as the last byte goes out, so the kill may come just between.
            assert!(
                matches!(outcome, Some(Outcome::Completed | Outcome::Ambiguous)),
                "{path}: {made:?} {outcome:?}"
            );
        } else if made.status == Some(403) {
            assert!(
                matches!(outcome, Some(Outcome::Refused | Outcome::Ambiguous)),
                "{path}: {made:?} {outcome:?}"
            );
        }
    }
    let streamed = scene.journal.made().into_iter().filter(|(path, _)| path.starts_with("/sse/"));
    assert_eq!(streamed.filter(|(_, made)| made.status == Some(200)).count(), ROUNDS * STREAMING);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_killed_as_it_comes_up_loses_nothing() {
    let scene = Scene::set().await;
    let client = scene.sidecar.http_agent();

    for round in 0..8u32 {
        let (stalled, kept) = (client.clone(), Arc::clone(&scene.journal));
        let stalled = tokio::spawn(async move {
            call(&stalled, &kept, &format!("/stall/{round}")).await.unwrap_err();
        });
        eventually("the upstream has it", || {
            std::future::ready((scene.upstream.count(&format!("/stall/{round}")) == 1).then_some(()))
        })
        .await;
        // Killed with the call under way; then again, at another moment after the start each time.
        scene.sidecar.restart().await;
        stalled.await.unwrap();
        tokio::time::sleep(Duration::from_millis(13) * round).await;
        scene.sidecar.restart().await;
    }

    let records = scene.assert_on_record().await;
    assert_eq!(records.len(), 8);
    for call in records.values() {
        assert_eq!(call.ended.as_ref().unwrap().outcome(), Outcome::Ambiguous, "{call:?}");
    }
}
