//! What was allowed is taken once, by whom it was allowed, and proven.

use creto_bundle::APPROVAL_KEY;
use creto_oversight::{ActionDigest, ApprovalKey, GrantError, SignedGrant};
use creto_proto::v1::end_approval_request::End;
use creto_proto::v1::*;
use tonic::Code;

use crate::fixture::*;
use crate::world::*;

#[tokio::test]
async fn a_call_that_a_second_person_approved_is_taken_once_proven_and_executed() {
    let scene = Scene::new().await;
    // The key comes with the signed generation, the same for both sidecars.
    let mut keys = Vec::new();
    for asker in [&scene.payer, &scene.other] {
        let mut push = asker.sidecar.sync(0, "").await;
        push.applied().await;
        keys.push(push.generation.unwrap().body(APPROVAL_KEY).unwrap().clone());
    }
    assert_eq!(keys[0], keys[1]);
    let key = ApprovalKey::from_bytes(keys[0].as_ref().try_into().unwrap()).unwrap();

    let (bob, id) = (scene.person("bob").await, scene.payer.ask(1).await.unwrap().id);
    let early = scene.payer.take(&id, 1).await.unwrap_err();
    assert_eq!(early.code(), Code::FailedPrecondition, "{early}");
    assert_eq!(decided(&bob, &id, 1, "approve").await, Ok("approved".into()));
    assert_eq!(scene.payer.take(&id, 2).await.unwrap_err().code(), Code::FailedPrecondition, "other bytes");
    let taken = take(&scene.payer.sidecar.client, &id, 1, "call-1").await.unwrap();
    assert_eq!(taken.number, 1);
    // The same call that lost the answer gets its use again, and nobody another.
    assert_eq!(take(&scene.payer.sidecar.client, &id, 1, "call-1").await.unwrap().number, 1);
    let signed = SignedGrant { content: taken.grant, signature: taken.signature };
    let grant = signed.open(&key).unwrap();
    let sidecar_id = scene.payer.sidecar.enrolled.sidecar_id.as_str();
    let now_ms = now_s() * 1_000;
    assert_eq!(grant.allows((sidecar_id, "call-1"), ActionDigest([1; 32]), now_ms), Ok(()));
    assert_eq!((grant.policy.as_str(), grant.by[0].as_str()), ("payments", "bob"));
    let forged = SignedGrant { content: [signed.content.as_slice(), b"x"].concat(), ..signed };
    assert_eq!(forged.open(&key), Err(GrantError::Signature));

    let again = scene.payer.take(&id, 1).await.unwrap_err();
    assert!(again.message().contains("all 1 uses"), "{again}");
    assert_eq!(get(&bob, &id).await.state, "executing");
    scene.payer.end(&id, 1, End::Answered(201)).await.unwrap();
    let shown = get(&bob, &id).await;
    assert_eq!((shown.state.as_str(), shown.uses[0].end.as_str()), ("executed", "answered 201"));
    // Told again, also otherwise, it changes nothing.
    scene.payer.end(&id, 1, End::NeverLeft("no".into())).await.unwrap();
    assert_eq!(get(&bob, &id).await.version, shown.version);
    let by: Vec<_> = shown.steps.iter().map(|step| (step.what.as_str(), step.by.as_str())).collect();
    assert_eq!(by, [("asked", "payer"), ("approve", "bob"), ("taken", sidecar_id), ("ended", sidecar_id)]);
}

#[tokio::test]
async fn one_sidecar_neither_sees_nor_takes_nor_ends_what_another_agent_asked() {
    let scene = Scene::new().await;
    let (bob, id) = (scene.person("bob").await, scene.payer.ask(1).await.unwrap().id);
    decided(&bob, &id, 1, "approve").await.unwrap();
    let seen = scene.other.wait(&id, 0, 1_000).await;
    assert_eq!((seen[0].state.as_str(), seen[0].version), ("cancelled", 0), "as one that never was");
    assert_eq!(scene.other.take(&id, 1).await.unwrap_err().code(), Code::NotFound);
    scene.payer.take(&id, 1).await.unwrap();
    assert_eq!(scene.other.end(&id, 1, End::Answered(200)).await.unwrap_err().code(), Code::NotFound);
    // Nor does a second sidecar of the same agent end what the first took.
    let second = sidecar(&scene.plane.endpoint(), &scene.admin, SPACE, "payer").await;
    let second = Asker { sidecar: second, delegation: scene.payer.delegation.clone() };
    let status = second.end(&id, 1, End::NeverLeft("mine".into())).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    assert_eq!(get(&bob, &id).await.state, "executing");
}

#[tokio::test]
async fn what_never_left_may_be_taken_again_and_what_is_ambiguous_not() {
    let scene = Scene::new().await;
    let (bob, id) = (scene.person("bob").await, scene.payer.ask(1).await.unwrap().id);
    decided(&bob, &id, 1, "approve").await.unwrap();
    scene.payer.take(&id, 1).await.unwrap();
    scene.payer.end(&id, 1, End::NeverLeft("refused by its own policy".into())).await.unwrap();
    assert_eq!(scene.payer.take(&id, 1).await.unwrap().number, 2);
    scene.payer.end(&id, 2, End::Ambiguous("é".repeat(2_000))).await.unwrap();
    let shown = get(&bob, &id).await;
    assert_eq!(shown.state, "ambiguous");
    assert!(shown.uses[1].end.len() < 1_100, "a long cause is shortened, not refused");
    assert!(scene.payer.take(&id, 1).await.unwrap_err().message().contains("a person must look"));
    let wrong = scene.payer.end(&id, 3, End::Answered(200)).await.unwrap_err();
    assert_eq!(wrong.code(), Code::FailedPrecondition);
    assert_eq!(scene.payer.end(&id, 2, End::Answered(20)).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn an_approver_gives_more_uses_only_as_far_as_policy_lets() {
    let scene = Scene::new().await;
    let (bob, id) = (scene.person("bob").await, scene.payer.ask(1).await.unwrap().id);
    let approve = |uses, for_ms| ApprovalDecision { uses, for_ms, ..decision(&id, 1, "approve") };
    for (uses, for_ms) in [(4, 0), (1, 3_600_001), (u32::MAX, 0)] {
        let answer = decide(&bob, vec![approve(uses, for_ms)]).await.unwrap().remove(0);
        assert!(answer.refused.contains("at most 3 uses"), "{}", answer.refused);
    }
    assert_eq!(decide(&bob, vec![approve(2, 60_000)]).await.unwrap()[0].state, "approved");
    scene.payer.take(&id, 1).await.unwrap();
    scene.payer.take(&id, 1).await.unwrap();
    assert!(scene.payer.take(&id, 1).await.is_err());
}

#[tokio::test]
async fn an_approval_is_taken_only_while_the_agent_acts_and_its_delegation_stands() {
    let scene = Scene::new().await;
    let bob = scene.person("bob").await;
    let (first, second) = (scene.payer.ask(1).await.unwrap().id, scene.other.ask(1).await.unwrap().id);
    for id in [&first, &second] {
        decided(&bob, id, 1, "approve").await.unwrap();
    }
    let suspend = SuspendAgentRequest { namespace: SPACE.into(), name: "payer".into() };
    scene.admin.agents().suspend_agent(suspend).await.unwrap();
    assert_eq!(scene.payer.take(&first, 1).await.unwrap_err().code(), Code::FailedPrecondition);
    let resume = ResumeAgentRequest { namespace: SPACE.into(), name: "payer".into() };
    scene.admin.agents().resume_agent(resume).await.unwrap();
    scene.payer.take(&first, 1).await.unwrap();
    let revoke =
        RevokeDelegationRequest { namespace: SPACE.into(), delegation_id: scene.other.delegation.clone() };
    scene.admin.delegations().revoke_delegation(revoke).await.unwrap();
    let status = scene.other.take(&second, 1).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
}

#[tokio::test]
async fn what_a_revoked_agent_asked_is_cancelled() {
    let scene = Scene::new().await;
    let ids = [scene.payer.ask(1).await.unwrap().id, scene.payer.ask(2).await.unwrap().id];
    let kept = scene.other.ask(1).await.unwrap().id;
    let revoke = RevokeAgentRequest { namespace: SPACE.into(), name: "payer".into() };
    scene.admin.agents().revoke_agent(revoke).await.unwrap();
    for id in &ids {
        let shown = get(&scene.admin, id).await;
        assert_eq!((shown.state.as_str(), shown.reason.as_str()), ("cancelled", "agent gone"));
    }
    assert_eq!(get(&scene.admin, &kept).await.state, "pending");
}
