//! How a sidecar becomes known, and how it does not.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod fixture;

use std::time::Duration;

use creto_client::{EnrollError, OperatorClient, SidecarClient, enroll};
use creto_proto::v1::{ListSidecarsRequest, ReportCallsRequest, RevokeAgentRequest};
use fixture::{create_agent, enrollment_token, key, plane, sidecar};
use tonic::Code;

fn code(error: EnrollError) -> Code {
    match error {
        EnrollError::Refused(status) => status.code(),
        EnrollError::Connect(error) => panic!("{error}"),
    }
}

async fn sidecars(operator: &OperatorClient) -> usize {
    let request = ListSidecarsRequest { namespace: "a".into(), ..ListSidecarsRequest::default() };
    operator.policies().list_sidecars(request).await.unwrap().into_inner().sidecars.len()
}

#[tokio::test]
async fn a_token_enrols_one_sidecar_also_when_many_try_at_once() {
    let plane = plane().await;
    let admin = plane.admin().await;
    create_agent(&admin, "a", "one", &key(1), false).await;
    let token = enrollment_token(&admin, "a", "one", 0).await;
    let public_key = key(9).verifying_key().to_bytes();
    let endpoint = plane.endpoint();
    let tries = (0..8).map(|_| enroll(&endpoint, &token, public_key));
    let done = futures::future::join_all(tries).await;
    assert_eq!(done.iter().filter(|one| one.is_ok()).count(), 1);
    for refused in done.into_iter().filter_map(Result::err) {
        assert_eq!(code(refused), Code::Unauthenticated);
    }
    assert_eq!(sidecars(&admin).await, 1);
}

#[tokio::test]
async fn expired_garbage_and_revoked_agents_tokens_are_refused_alike() {
    let plane = plane().await;
    let (admin, endpoint) = (plane.admin().await, plane.endpoint());
    let public_key = key(9).verifying_key().to_bytes();
    create_agent(&admin, "a", "one", &key(1), false).await;
    let expired = enrollment_token(&admin, "a", "one", 1).await;
    let of_revoked = enrollment_token(&admin, "a", "one", 0).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let mut messages = Vec::new();
    let revoke = RevokeAgentRequest { namespace: "a".into(), name: "one".into() };
    for token in [expired.as_str(), "garbage", "", of_revoked.as_str()] {
        if token == of_revoked {
            admin.agents().revoke_agent(revoke.clone()).await.unwrap();
        }
        match enroll(&endpoint, token, public_key).await {
            Err(EnrollError::Refused(status)) => messages.push((status.code(), status.message().to_owned())),
            other => panic!("{other:?}"),
        }
    }
    messages.dedup();
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert_eq!(messages[0].0, Code::Unauthenticated);
    assert_eq!(sidecars(&admin).await, 0);
}

#[tokio::test]
async fn a_bad_key_does_not_use_the_token_up() {
    let plane = plane().await;
    let (admin, endpoint) = (plane.admin().await, plane.endpoint());
    create_agent(&admin, "a", "one", &key(1), false).await;
    let token = enrollment_token(&admin, "a", "one", 0).await;
    // The point of order one.
    let mut weak = [0; 32];
    weak[0] = 1;
    assert_eq!(code(enroll(&endpoint, &token, weak).await.unwrap_err()), Code::InvalidArgument);
    assert!(enroll(&endpoint, &token, key(9).verifying_key().to_bytes()).await.is_ok());
}

#[tokio::test]
async fn a_certificate_of_another_control_plane_is_not_accepted() {
    let (plane, other) = (plane().await, plane().await);
    let admin = other.admin().await;
    create_agent(&admin, "a", "one", &key(1), false).await;
    let foreign = sidecar(&other.endpoint(), &admin, "a", "one").await;
    let connected =
        SidecarClient::connect(&plane.endpoint(), &foreign.enrolled.certificate, &foreign.seed).await;
    // TLS 1.3 tells a client of its refused certificate with the first answer.
    if let Ok(client) = connected {
        assert!(client.calls().report_calls(ReportCallsRequest::default()).await.is_err());
    }
}

#[tokio::test]
async fn a_certificate_outlives_a_restart() {
    let plane = plane().await;
    let admin = plane.admin().await;
    create_agent(&admin, "a", "one", &key(1), false).await;
    let known = sidecar(&plane.endpoint(), &admin, "a", "one").await;
    let plane = plane.restart().await;
    let client =
        SidecarClient::connect(&plane.endpoint(), &known.enrolled.certificate, &known.seed).await.unwrap();
    assert!(client.calls().report_calls(ReportCallsRequest::default()).await.is_ok());
}
