//! The spool cannot grow: calls are refused rather than made without a record, and go on when there is room again.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use creto_test_resilience::{Journal, Scene, SmallDisk, call};
use creto_test_support::{Answer, HttpAgent, eventually};

/// Most calls until the spool must be full: each takes over 3 KiB of its few MiB.
const MOST_CALLS: usize = 3000;
/// Calls at once.
const CALLERS: usize = 4;
/// Calls made when it is full.
const WHEN_FULL: usize = 40;

/// A path that makes a record large.
fn long_path(tag: &str, n: usize) -> String {
    format!("/echo/open/{tag}/{n}/{}", "x".repeat(3500))
}

/// Calls until the first is refused; gives that answer.
async fn fill(client: &HttpAgent, journal: &Arc<Journal>) -> Answer {
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (client, journal) = (client.clone(), Arc::clone(journal));
            tokio::spawn(async move {
                for n in 0..MOST_CALLS / CALLERS {
                    let path = long_path(&format!("fill/{caller}"), n);
                    let answer = call(&client, &journal, &path).await.unwrap();
                    if answer.status != 200 {
                        return answer;
                    }
                }
                panic!("{MOST_CALLS} calls did not fill the spool");
            })
        })
        .collect();
    let mut first = None;
    for caller in callers {
        first = Some(caller.await.unwrap());
    }
    first.unwrap()
}

/// Fills the spool with the plane away, and holds the sidecar to its word.
async fn refuses_when_full(scene: &Scene, says: &str) {
    let Scene { journal, sidecar, plane, upstream } = scene;
    let client = sidecar.http_agent();
    call(&client, journal, "/echo/open/before").await.unwrap();
    plane.kill9();
    let refused = fill(&client, journal).await;
    assert_refused_for_the_disk(&refused, says);
    for n in 0..WHEN_FULL {
        let path = long_path("full", n);
        let answer = call(&client, journal, &path).await.unwrap();
        assert_refused_for_the_disk(&answer, says);
        assert_eq!(upstream.count(&path), 0, "forwarded without a record");
    }
    for (path, made) in journal.made() {
        assert_eq!(upstream.count(&path), usize::from(made.status == Some(200)), "{made:?}");
    }
    // A refusal by policy would leave no record either.
    let path = format!("/echo/secret/{}", "x".repeat(3500));
    let answer = call(&client, journal, &path).await.unwrap();
    assert_refused_for_the_disk(&answer, says);
    sidecar.assert_running();
}

fn assert_refused_for_the_disk(answer: &Answer, says: &str) {
    let told = format!("{} {}", answer.status, answer.text());
    assert_eq!((answer.status, answer.refusal().as_str()), (503, "record_unavailable"), "{told}");
    assert!(answer.text().contains(says), "the problem is not named ({says}): {told}");
}

/// Waits until calls are let through again.
async fn works_again(scene: &Scene) {
    let (client, journal) = (&scene.sidecar.http_agent(), &scene.journal);
    let n = std::cell::Cell::new(0);
    eventually("calls work again", || async {
        n.set(n.get() + 1);
        let answer = call(client, journal, &long_path("again", n.get())).await.unwrap();
        (answer.status == 200).then_some(())
    })
    .await;
    for n in 0..20 {
        assert_eq!(call(client, journal, &long_path("after", n)).await.unwrap().status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_calls_until_there_is_space_again() {
    let disk = SmallDisk::mount(6);
    let scene = Scene::set_with(|sidecar| sidecar.state(disk.path())).await;

    refuses_when_full(&scene, "No space left on device").await;
    scene.plane.restart().await;
    works_again(&scene).await;
    scene.assert_on_record().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_at_its_limit_refuses_calls_until_the_plane_has_taken_it() {
    let scene = Scene::set_with(|sidecar| sidecar.args(&["--spool-limit", "4"])).await;

    refuses_when_full(&scene, "the control plane has not taken").await;
    scene.plane.restart().await;
    works_again(&scene).await;
    scene.assert_on_record().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_killed_on_a_full_disk_comes_up_and_hands_its_records_over() {
    let disk = SmallDisk::mount(6);
    let scene = Scene::set_with(|sidecar| sidecar.state(disk.path())).await;

    refuses_when_full(&scene, "No space left on device").await;
    scene.sidecar.restart().await;
    scene.plane.restart().await;
    works_again(&scene).await;
    scene.assert_on_record().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_without_the_plane_stay_within_the_spool_limit() {
    let scene = Scene::set_with(|sidecar| sidecar.args(&["--spool-limit", "4"])).await;
    scene.plane.kill9();
    for n in 0..8 {
        call(&scene.sidecar.http_agent(), &scene.journal, &format!("/echo/open/{n}")).await.unwrap();
        scene.sidecar.restart().await;
    }
    scene.journal.assert_the_policy_held();
    let files = std::fs::read_dir(scene.sidecar.state().join("spool")).unwrap();
    let bytes: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    scene.plane.restart().await;
    scene.assert_on_record().await;
    assert!(bytes <= 5 << 20, "8 calls take {bytes} bytes: over 4 MiB and the spare segment of 1 MiB");
}
