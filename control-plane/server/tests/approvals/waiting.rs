//! Waiting for people.

use std::time::{Duration, Instant};

use creto_test_services::PostgresServer;

use crate::fixture::*;
use crate::world::*;

#[tokio::test]
async fn whoever_waits_hears_of_a_vote_at_once() {
    let scene = Scene::new().await;
    let (bob, id) = (scene.person("bob").await, scene.payer.ask(1).await.unwrap().id);
    assert!(scene.payer.wait(&id, 1, 50).await.is_empty(), "nothing moved");
    let vote = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let cast = Instant::now();
        decided(&bob, &id, 1, "approve").await.unwrap();
        cast
    };
    let (moved, cast) = tokio::join!(scene.payer.wait(&id, 1, 20_000), vote);
    let took = cast.elapsed();
    assert_eq!((moved[0].state.as_str(), moved[0].version), ("approved", 2));
    eprintln!("a wait ended {took:?} after the vote was sent");
    assert!(took < Duration::from_millis(200), "{took:?}");
    // What moved before is told at once.
    assert_eq!(scene.payer.wait(&id, 1, 20_000).await[0].version, 2);
}

#[tokio::test]
async fn a_vote_at_another_control_plane_over_the_same_database_is_heard() {
    let postgres = PostgresServer::start().await;
    let shared = || plane_with(|options| options.database_url = Some(postgres.url()));
    let scene = Scene::over(shared().await).await;
    let elsewhere = shared().await;
    let there = elsewhere.admin().await;
    let bob = person(&elsewhere.endpoint(), &there, "bob").await;
    let id = scene.payer.ask(1).await.unwrap().id;
    let vote = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let cast = Instant::now();
        decided(&bob, &id, 1, "approve").await.unwrap();
        cast
    };
    let (moved, cast) = tokio::join!(scene.payer.wait(&id, 1, 20_000), vote);
    let took = cast.elapsed();
    eprintln!("a wait ended {took:?} after the vote was sent to another control plane");
    assert_eq!(moved[0].state, "approved");
    assert!(took < Duration::from_secs(2), "{took:?}");
    scene.payer.take(&id, 1).await.unwrap();
    assert_eq!(get(&there, &id).await.state, "executing");
}

#[tokio::test]
async fn waiting_ends_when_the_control_plane_stops_and_is_bounded() {
    let scene = Scene::new().await;
    let id = scene.payer.ask(1).await.unwrap().id;
    let mut client = scene.payer.sidecar.client.approvals();
    let wait = |ids: usize, wait_ms| {
        let one = creto_proto::v1::AwaitedApproval { id: id.clone(), version: 1 };
        creto_proto::v1::AwaitApprovalsRequest { approvals: vec![one; ids], wait_ms }
    };
    for wrong in [wait(0, 10), wait(65, 10), wait(1, 20_001)] {
        let status = client.await_approvals(wrong).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
    }
    // One sidecar waits a few times at once, and no more: one wait is for all that its agent asks.
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let (mut client, request) = (client.clone(), wait(1, 3_000));
        waiting.spawn(async move { client.await_approvals(request).await });
    }
    let first = waiting.join_next().await.unwrap().unwrap().unwrap_err();
    assert_eq!(first.code(), tonic::Code::ResourceExhausted, "{first}");
    let begun = Instant::now();
    scene.plane.running.shutdown().await;
    for ended in waiting.join_all().await {
        assert_eq!(ended.unwrap_err().code(), tonic::Code::Unavailable);
    }
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}
