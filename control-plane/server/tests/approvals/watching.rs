//! Following what happens.

use creto_client::OperatorClient;
use creto_proto::v1::*;
use creto_test_services::PostgresServer;
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};

use crate::fixture::*;
use crate::world::*;

async fn watch(person: &OperatorClient) -> Result<Streaming<ApprovalStep>, Status> {
    let request = WatchApprovalsRequest { namespace: SPACE.into() };
    person.approvals().watch_approvals(request).await.map(tonic::Response::into_inner)
}

async fn next(steps: &mut Streaming<ApprovalStep>) -> ApprovalStep {
    timeout(PATIENCE, steps.message()).await.unwrap().unwrap().unwrap()
}

#[tokio::test]
async fn every_step_from_now_on_is_told_once() {
    let scene = Scene::new().await;
    let bob = scene.person("bob").await;
    let before = scene.payer.ask(9).await.unwrap().id;
    let mut steps = watch(&bob).await.unwrap();
    let id = scene.payer.ask(1).await.unwrap().id;
    let told = next(&mut steps).await;
    assert_eq!((told.id.as_str(), told.what.as_str(), told.version), (id.as_str(), "asked", 1));
    assert_eq!(
        (told.agent_name.as_str(), told.action.as_str()),
        ("payer", "POST https://bank.example/transfers")
    );
    decided(&bob, &id, 1, "approve").await.unwrap();
    decided(&bob, &before, 9, "deny").await.unwrap();
    scene.payer.take(&id, 1).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let step = next(&mut steps).await;
        seen.push((step.id == id, step.version, step.what, step.state));
    }
    seen.sort();
    let expected =
        [(false, 2, "deny", "denied"), (true, 2, "approve", "approved"), (true, 3, "taken", "executing")];
    assert_eq!(
        seen,
        expected.map(|(of, version, what, state)| (of, version, what.to_owned(), state.to_owned()))
    );
    let quiet = timeout(std::time::Duration::from_millis(700), steps.message()).await;
    assert!(quiet.is_err(), "nothing is told twice: {quiet:?}");
}

#[tokio::test]
async fn steps_at_another_control_plane_over_the_same_database_are_told() {
    let postgres = PostgresServer::start().await;
    let shared = || plane_with(|options| options.database_url = Some(postgres.url()));
    let scene = Scene::over(shared().await).await;
    let elsewhere = shared().await;
    let mut steps = watch(&elsewhere.admin().await).await.unwrap();
    let id = scene.payer.ask(1).await.unwrap().id;
    assert_eq!(next(&mut steps).await.id, id);
}

#[tokio::test]
async fn a_watch_ends_with_its_token_and_the_control_plane_and_there_are_not_too_many() {
    let scene = Scene::new().await;
    let bob = scene.person("bob").await;
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(watch(&bob).await.unwrap());
    }
    assert_eq!(watch(&bob).await.unwrap_err().code(), Code::ResourceExhausted);
    let gone = RevokeOperatorTokenRequest { namespace: SPACE.into(), name: "bob".into() };
    scene.admin.operator_tokens().revoke_operator_token(gone).await.unwrap();
    let ended = timeout(PATIENCE, open[0].message()).await.unwrap().unwrap_err();
    assert_eq!(ended.code(), Code::Unauthenticated, "{ended}");
    let mut last = watch(&scene.admin).await.unwrap();
    scene.plane.running.shutdown().await;
    let ended = timeout(PATIENCE, last.message()).await.unwrap().unwrap_err();
    assert_eq!(ended.code(), Code::Unavailable, "{ended}");
}
