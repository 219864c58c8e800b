//! Generations reach the sidecars they are for.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod fixture;

use std::time::Duration;

use creto_authz::{AgentId, ChainKey, ChainVerifier};
use creto_client::{OperatorClient, SidecarClient};
use creto_proto::v1::sync_request::Message as Said;
use creto_proto::v1::sync_response::Message as Answer;
use creto_proto::v1::{
    AgentState, ApplyPolicyRequest, DeletePolicyRequest, ListSidecarEventsRequest, ListSidecarsRequest,
    MintChainRequest, Report, ResumeAgentRequest, RevokeAgentRequest, RevokeDelegationRequest,
    RotateAgentKeyRequest, RotateChainKeysRequest, SidecarEvent, SidecarEventKind, SidecarStatus,
    SuspendAgentRequest, SyncRequest,
};
use ed25519_dalek::Signer as _;
use fixture::{
    POLICY, Plane, Pushed, Sidecar, apply, create_agent, id_of, key, link, now_s, plane, plane_with, sidecar,
    submit,
};
use tonic::Code;

/// A plane with a root, an agent `one` of namespace `a`, and its sidecar.
async fn ready() -> (Plane, OperatorClient, Sidecar) {
    let plane = plane().await;
    let admin = plane.admin().await;
    create_agent(&admin, "a", "boss", &key(1), true).await;
    create_agent(&admin, "a", "one", &key(2), false).await;
    let sidecar = sidecar(&plane.endpoint(), &admin, "a", "one").await;
    (plane, admin, sidecar)
}

async fn status(admin: &OperatorClient) -> SidecarStatus {
    let request = ListSidecarsRequest { namespace: "a".into(), ..ListSidecarsRequest::default() };
    admin.policies().list_sidecars(request).await.unwrap().into_inner().sidecars.remove(0)
}

async fn eventually(admin: &OperatorClient, holds: impl Fn(&SidecarStatus) -> bool) -> SidecarStatus {
    let until = tokio::time::Instant::now() + fixture::PATIENCE;
    loop {
        let found = status(admin).await;
        if holds(&found) {
            return found;
        }
        assert!(tokio::time::Instant::now() < until, "{found:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn state(bundle: &Pushed) -> AgentState {
    bundle.agent.as_ref().unwrap().state()
}

/// Whether the chain in the bundle is one its sidecar accepts.
fn chain_holds(sidecar: &Sidecar, bundle: &Pushed) -> bool {
    let (enrolled, current) = (&sidecar.enrolled.chain_key, &bundle.chain_keys[0]);
    assert_eq!(*enrolled == current.key, sidecar.enrolled.chain_key_id == current.id);
    let verifier =
        ChainVerifier::new(ChainKey::from_bytes(current.key.as_slice().try_into().unwrap(), current.id));
    let holder: [u8; 32] = bundle.agent.as_ref().unwrap().agent_id.clone().try_into().unwrap();
    let Some(chain) = &bundle.chain else { return false };
    verifier.verify(&chain.chain, &AgentId(holder), now_s(), bundle.revocation_epoch).is_ok()
}

#[tokio::test]
async fn a_policy_reaches_the_stream_and_its_acknowledgement_is_shown() {
    let (_plane, admin, sidecar) = ready().await;
    let mut push = sidecar.sync(0, "").await;
    let first = push.applied().await;
    assert!(first.policies.is_empty());
    apply(&admin, "a", POLICY).await;
    let second = push.applied().await;
    assert_eq!(second.policies[0].document, POLICY);
    assert!(second.epoch > first.epoch);
    let shown = eventually(&admin, |status| status.applied_epoch == second.epoch).await;
    assert!(shown.connected && shown.rejection.is_empty());
    let delete = DeletePolicyRequest { namespace: "a".into(), name: "web".into() };
    admin.policies().delete_policy(delete).await.unwrap();
    assert!(push.applied().await.policies.is_empty());
    drop(push);
    eventually(&admin, |status| !status.connected).await;
}

#[tokio::test]
async fn a_refused_bundle_is_shown_with_its_reason_and_not_sent_again() {
    let (_plane, admin, sidecar) = ready().await;
    let mut push = sidecar.sync(0, "").await;
    push.refuse("cannot do that").await;
    let shown = eventually(&admin, |status| !status.rejection.is_empty()).await;
    assert_eq!((shown.rejection.as_str(), shown.applied_epoch), ("cannot do that", 0));
    assert!(push.stays_silent(Duration::from_millis(200)).await);
    apply(&admin, "a", POLICY).await;
    push.applied().await;
    eventually(&admin, |status| status.rejection.is_empty() && status.applied_epoch == status.offered_epoch)
        .await;
}

#[tokio::test]
async fn a_document_that_does_not_compile_changes_nothing() {
    let (_plane, admin, sidecar) = ready().await;
    apply(&admin, "a", POLICY).await;
    let mut push = sidecar.sync(0, "").await;
    push.applied().await;
    let broken = ApplyPolicyRequest { namespace: "a".into(), document: POLICY.replace("host", "hots") };
    let refused = admin.policies().apply_policy(broken).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("hots"), "{}", refused.message());
    assert!(push.stays_silent(Duration::from_millis(200)).await);
}

#[tokio::test]
async fn an_unchanged_generation_is_not_sent_again_and_the_epoch_outlives_a_restart() {
    let (plane, admin, sidecar) = ready().await;
    apply(&admin, "a", POLICY).await;
    let mut first = sidecar.sync(0, "").await;
    let kept = first.applied().await;
    let generation = first.generation.unwrap();
    let mut again = sidecar.sync_with(generation.clone()).await;
    assert!(matches!(again.next().await, Ok(Some(Answer::Heartbeat(beat))) if beat.epoch == kept.epoch));
    apply(&admin, "a", POLICY).await;
    assert!(again.stays_silent(Duration::from_millis(200)).await, "the same document is no change");

    let plane = plane.restart().await;
    let certificate = &sidecar.enrolled.certificate;
    let client = SidecarClient::connect(&plane.endpoint(), certificate, &sidecar.seed).await.unwrap();
    let sidecar = Sidecar { client, ..sidecar };
    let mut after = sidecar.sync_with(generation).await;
    assert!(matches!(after.next().await, Ok(Some(Answer::Heartbeat(beat))) if beat.epoch == kept.epoch));
    apply(&plane.admin().await, "a", &POLICY.replace("github", "gitlab")).await;
    assert!(after.applied().await.epoch > kept.epoch);
    // A sidecar that is ahead, as after restoring a backup here, gets a higher epoch.
    assert!(sidecar.sync(500, "other").await.applied().await.epoch > 500);
}

#[tokio::test]
async fn only_the_agents_a_document_is_for_get_it() {
    let (_plane, admin, sidecar) = ready().await;
    let mut push = sidecar.sync(0, "").await;
    push.applied().await;
    let selective =
        |names: &str| POLICY.replace("[[allow]]", &format!("[agents]\nnames = [\"{names}\"]\n[[allow]]"));
    apply(&admin, "a", &selective("two-*")).await;
    assert!(push.stays_silent(Duration::from_millis(200)).await);
    apply(&admin, "a", &selective("on*")).await;
    assert_eq!(push.applied().await.policies.len(), 1);
    apply(&admin, "b", POLICY).await;
    assert!(
        push.stays_silent(Duration::from_millis(200)).await,
        "another namespace's documents are not sent"
    );
}

#[tokio::test]
async fn a_delegation_brings_a_chain_and_its_revocation_takes_it() {
    let (_plane, admin, sidecar) = ready().await;
    let mut push = sidecar.sync(0, "").await;
    assert!(push.applied().await.chain.is_none());
    let wide = submit(&admin, "a", vec![link("a", &key(1), &key(2), &["get:*"], 600)]).await;
    let with = push.applied().await;
    assert!(chain_holds(&sidecar, &with));
    assert_eq!(with.chain.as_ref().unwrap().delegation_id, wide);
    let revoke = RevokeDelegationRequest { namespace: "a".into(), delegation_id: wide };
    admin.delegations().revoke_delegation(revoke).await.unwrap();
    let without = push.applied().await;
    assert!(without.chain.is_none());
    assert!(without.revocation_epoch > with.revocation_epoch);
    // The old chain is void under the new epoch.
    assert!(!chain_holds(&sidecar, &Pushed { chain: with.chain, ..without }));
}

#[tokio::test]
async fn revoking_a_link_ends_what_was_delegated_from_it_and_nothing_else() {
    let (plane, admin, _one) = ready().await;
    create_agent(&admin, "a", "two", &key(3), false).await;
    let two = sidecar(&plane.endpoint(), &admin, "a", "two").await;
    let first = link("a", &key(1), &key(2), &["get:*"], 600);
    let second = link("a", &key(2), &key(3), &["get:api.github.com"], 300);
    let parent = submit(&admin, "a", vec![first.clone()]).await;
    let own = submit(&admin, "a", vec![link("a", &key(1), &key(3), &["get:*"], 600)]).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let child = submit(&admin, "a", vec![first.clone(), second.clone()]).await;
    let mut push = two.sync(0, "").await;
    assert_eq!(push.applied().await.chain.unwrap().delegation_id, child);
    let revoke = RevokeDelegationRequest { namespace: "a".into(), delegation_id: parent };
    admin.delegations().revoke_delegation(revoke).await.unwrap();
    let after = push.applied().await;
    assert_eq!(after.chain.as_ref().unwrap().delegation_id, own);
    assert!(chain_holds(&two, &after), "a chain that stands is minted again under the new epoch");
    let mint = two.client.delegations().mint_chain(MintChainRequest { links: vec![first, second] }).await;
    assert_eq!(mint.unwrap_err().code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn a_chain_is_minted_for_the_sidecars_own_agent_only() {
    let (_plane, admin, sidecar) = ready().await;
    create_agent(&admin, "a", "two", &key(3), false).await;
    let own = link("a", &key(1), &key(2), &["get:*"], 600);
    let minted = sidecar.client.delegations().mint_chain(MintChainRequest { links: vec![own.clone()] }).await;
    assert_eq!(minted.unwrap().into_inner().permissions, ["get:*"]);
    let mut forged = own.clone();
    forged.expires_at_s += 1;
    let others = link("a", &key(1), &key(3), &["get:*"], 600);
    let elsewhere = link("b", &key(1), &key(2), &["get:*"], 600);
    for links in [vec![others], vec![forged], vec![elsewhere], vec![], vec![own; 9]] {
        let refused = sidecar.client.delegations().mint_chain(MintChainRequest { links }).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{}", refused.message());
    }
}

#[tokio::test]
async fn an_expired_chain_is_taken_back() {
    let (_plane, admin, sidecar) = ready().await;
    submit(&admin, "a", vec![link("a", &key(1), &key(2), &["get:*"], 3)]).await;
    let mut push = sidecar.sync(0, "").await;
    assert!(push.applied().await.chain.is_some());
    assert!(push.applied().await.chain.is_none());
}

#[tokio::test]
async fn a_suspended_agent_is_cut_off_at_once_and_comes_back() {
    let (_plane, admin, sidecar) = ready().await;
    submit(&admin, "a", vec![link("a", &key(1), &key(2), &["get:*"], 600)]).await;
    let mut push = sidecar.sync(0, "").await;
    assert!(push.applied().await.chain.is_some());
    let suspend = SuspendAgentRequest { namespace: "a".into(), name: "one".into() };
    admin.agents().suspend_agent(suspend).await.unwrap();
    let suspended = push.applied().await;
    assert_eq!(state(&suspended), AgentState::Suspended);
    assert!(suspended.chain.is_none());
    let mint = MintChainRequest { links: vec![link("a", &key(1), &key(2), &["get:*"], 600)] };
    let refused = sidecar.client.delegations().mint_chain(mint).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let resume = ResumeAgentRequest { namespace: "a".into(), name: "one".into() };
    admin.agents().resume_agent(resume).await.unwrap();
    let resumed = push.applied().await;
    assert_eq!(state(&resumed), AgentState::Active);
    assert!(chain_holds(&sidecar, &resumed));
}

#[tokio::test]
async fn a_suspended_delegator_takes_the_chain_along_until_it_is_resumed() {
    let (_plane, admin, sidecar) = ready().await;
    submit(&admin, "a", vec![link("a", &key(1), &key(2), &["get:*"], 600)]).await;
    let mut push = sidecar.sync(0, "").await;
    assert!(push.applied().await.chain.is_some());
    let suspend = SuspendAgentRequest { namespace: "a".into(), name: "boss".into() };
    admin.agents().suspend_agent(suspend).await.unwrap();
    assert!(push.applied().await.chain.is_none());
    let resume = ResumeAgentRequest { namespace: "a".into(), name: "boss".into() };
    admin.agents().resume_agent(resume).await.unwrap();
    assert!(chain_holds(&sidecar, &push.applied().await));
}

#[tokio::test]
async fn a_revoked_agent_is_told_and_its_stream_ends_for_good() {
    let (_plane, admin, sidecar) = ready().await;
    submit(&admin, "a", vec![link("a", &key(1), &key(2), &["get:*"], 600)]).await;
    let mut push = sidecar.sync(0, "").await;
    push.applied().await;
    let revoke = RevokeAgentRequest { namespace: "a".into(), name: "one".into() };
    admin.agents().revoke_agent(revoke).await.unwrap();
    let last = push.applied().await;
    assert_eq!(state(&last), AgentState::Revoked);
    assert!(last.chain.is_none());
    assert_eq!(push.end().await.code(), Code::PermissionDenied);
    // One that was away hears it too, and then nothing more.
    let mut later = sidecar.sync(0, "").await;
    assert_eq!(state(&later.applied().await), AgentState::Revoked);
    assert_eq!(later.end().await.code(), Code::PermissionDenied);
    let resume = ResumeAgentRequest { namespace: "a".into(), name: "one".into() };
    assert_eq!(admin.agents().resume_agent(resume).await.unwrap_err().code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn a_rotated_key_is_proven_by_the_old_one_and_ends_its_delegations() {
    let (_plane, admin, sidecar) = ready().await;
    submit(&admin, "a", vec![link("a", &key(1), &key(2), &["get:*"], 600)]).await;
    let mut push = sidecar.sync(0, "").await;
    assert!(push.applied().await.chain.is_some());
    let new_key = key(7).verifying_key().to_bytes();
    let message = [b"creto-rotate-v1".as_slice(), &id_of(&key(2)).0, &new_key].concat();
    let request = |signature: Vec<u8>| RotateAgentKeyRequest {
        namespace: "a".into(),
        name: "one".into(),
        new_public_key: new_key.to_vec(),
        signature,
    };
    for unproven in [vec![], vec![0; 64], key(7).sign(&message).to_bytes().to_vec()] {
        let refused = admin.agents().rotate_agent_key(request(unproven)).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
    let proven = key(2).sign(&message).to_bytes().to_vec();
    let rotated = admin.agents().rotate_agent_key(request(proven)).await.unwrap().into_inner();
    assert_eq!(rotated.agent_id, id_of(&key(7)).0);
    let after = push.applied().await;
    assert!(after.chain.is_none());
    assert_eq!(after.agent.unwrap().agent_id, id_of(&key(7)).0);
    submit(&admin, "a", vec![link("a", &key(1), &key(7), &["get:*"], 600)]).await;
    assert!(chain_holds(&sidecar, &push.applied().await));
}

#[tokio::test]
async fn many_changes_at_once_come_as_few_bundles() {
    let (_plane, admin, sidecar) = ready().await;
    let mut push = sidecar.sync(0, "").await;
    let first = push.applied().await;
    for number in 0..20 {
        apply(&admin, "a", &POLICY.replace("\"web\"", &format!("\"web-{number}\""))).await;
    }
    let mut last = push.pushed().await;
    // While one is out, no other comes.
    assert!(push.stays_silent(Duration::from_millis(300)).await);
    push.acknowledge(last.0.clone(), last.1.epoch).await;
    if last.1.policies.len() < 20 {
        last.1 = push.applied().await;
    }
    assert_eq!(last.1.policies.len(), 20);
    let kept = eventually(&admin, |status| status.applied_epoch == last.1.epoch).await;
    assert!(kept.applied_epoch > first.epoch);
}

#[tokio::test]
async fn a_sidecar_has_one_stream_and_the_newer_one_stays() {
    let (_plane, _admin, sidecar) = ready().await;
    let mut first = sidecar.sync(0, "").await;
    first.applied().await;
    let mut second = sidecar.sync(0, "").await;
    second.applied().await;
    assert_eq!(first.end().await.code(), Code::Aborted);
    assert!(second.stays_silent(Duration::from_millis(100)).await);
}

#[tokio::test]
async fn a_stream_over_the_bound_is_refused() {
    let plane = plane_with(|options| options.sync.streams = 1).await;
    let admin = plane.admin().await;
    create_agent(&admin, "a", "one", &key(2), false).await;
    let (first, second) = (
        sidecar(&plane.endpoint(), &admin, "a", "one").await,
        sidecar(&plane.endpoint(), &admin, "a", "one").await,
    );
    let mut held = first.sync(0, "").await;
    held.applied().await;
    let (say, said) = tokio::sync::mpsc::channel(1);
    let refused = second.client.policy_sync().sync(tokio_stream::wrappers::ReceiverStream::new(said)).await;
    drop(say);
    assert_eq!(refused.unwrap_err().code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn stopping_ends_the_streams_with_a_reason() {
    let (plane, _admin, sidecar) = ready().await;
    let mut push = sidecar.sync(0, "").await;
    push.applied().await;
    let begun = std::time::Instant::now();
    plane.running.shutdown().await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(push.end().await.code(), Code::Unavailable);
}

#[tokio::test]
async fn only_what_changed_is_sent_also_to_a_sidecar_that_comes_back() {
    let (plane, admin, sidecar) = ready().await;
    let named = |name: &str| POLICY.replace("\"web\"", &format!("\"{name}\""));
    for name in ["one", "two", "three"] {
        apply(&admin, "a", &named(name)).await;
    }
    let mut push = sidecar.sync(0, "").await;
    assert_eq!(
        push.applied().await.sent,
        ["agent", "approval-key", "chain-keys", "policy/one", "policy/three", "policy/two"]
    );
    apply(&admin, "a", &named("two").replace("github", "gitlab")).await;
    let changed = push.applied().await;
    assert_eq!((changed.sent.as_slice(), changed.policies.len()), (&["policy/two".to_owned()][..], 3));
    let delete = DeletePolicyRequest { namespace: "a".into(), name: "one".into() };
    admin.policies().delete_policy(delete).await.unwrap();
    let removed = push.applied().await;
    assert!(removed.sent.is_empty() && removed.policies.len() == 2);
    submit(&admin, "a", vec![link("a", &key(1), &key(2), &["get:*"], 600)]).await;
    assert_eq!(push.applied().await.sent, ["chain"]);

    let generation = push.generation.take().unwrap();
    drop(push);
    apply(&admin, "a", &named("three").replace("github", "gitea")).await;
    let plane = plane.restart().await;
    let certificate = &sidecar.enrolled.certificate;
    let client = SidecarClient::connect(&plane.endpoint(), certificate, &sidecar.seed).await.unwrap();
    let sidecar = Sidecar { client, ..sidecar };
    assert_eq!(sidecar.sync_with(generation).await.applied().await.sent, ["policy/three"]);
}

#[tokio::test]
async fn a_refused_generation_is_not_taken_as_known() {
    let (_plane, admin, sidecar) = ready().await;
    apply(&admin, "a", POLICY).await;
    let mut push = sidecar.sync(0, "").await;
    push.applied().await;
    apply(&admin, "a", &POLICY.replace("github", "gitlab")).await;
    push.refuse("no").await;
    apply(&admin, "a", &POLICY.replace("\"web\"", "\"other\"")).await;
    // The refused body comes again: the sidecar did not keep it.
    assert_eq!(push.applied().await.sent, ["policy/other", "policy/web"]);
    // Back to what was in force before the refusal: a generation of its own, without bodies.
    apply(&admin, "a", &POLICY.replace("github", "refused")).await;
    push.refuse("no").await;
    apply(&admin, "a", &POLICY.replace("github", "gitlab")).await;
    assert!(push.applied().await.sent.is_empty());
}

#[tokio::test]
async fn a_suspension_overtakes_a_generation_that_is_not_answered() {
    let (_plane, admin, sidecar) = ready().await;
    submit(&admin, "a", vec![link("a", &key(1), &key(2), &["get:*"], 600)]).await;
    let mut push = sidecar.sync(0, "").await;
    push.applied().await;
    apply(&admin, "a", POLICY).await;
    let (nonce, slow) = push.pushed().await;
    let begun = std::time::Instant::now();
    let suspend = SuspendAgentRequest { namespace: "a".into(), name: "one".into() };
    admin.agents().suspend_agent(suspend).await.unwrap();
    let notice = push.notice().await;
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert_eq!((notice.agent_state, notice.chain_revoked), (AgentState::Suspended, true));
    assert!(notice.epoch >= slow.epoch);
    // Resumed before the sidecar ever answered: what ends the notice comes although nothing else changed.
    let resume = ResumeAgentRequest { namespace: "a".into(), name: "one".into() };
    admin.agents().resume_agent(resume).await.unwrap();
    push.acknowledge(nonce, slow.epoch).await;
    let after = push.applied().await;
    assert!(after.epoch > notice.epoch && chain_holds(&sidecar, &after), "{after:?}");
    assert_eq!(state(&after), AgentState::Active);
}

#[tokio::test]
async fn a_revoked_link_is_told_ahead_to_those_whose_chain_stood_on_it_and_to_no_other() {
    let (plane, admin, one) = ready().await;
    create_agent(&admin, "a", "two", &key(3), false).await;
    let two = sidecar(&plane.endpoint(), &admin, "a", "two").await;
    let ended = submit(&admin, "a", vec![link("a", &key(1), &key(2), &["get:*"], 600)]).await;
    submit(&admin, "a", vec![link("a", &key(1), &key(3), &["get:*"], 600)]).await;
    let (mut first, mut second) = (one.sync(0, "").await, two.sync(0, "").await);
    first.applied().await;
    second.applied().await;
    let revoke = RevokeDelegationRequest { namespace: "a".into(), delegation_id: ended };
    admin.delegations().revoke_delegation(revoke).await.unwrap();
    let notice = first.notice().await;
    assert_eq!((notice.agent_state, notice.chain_revoked), (AgentState::Active, true));
    assert!(first.applied().await.chain.is_none());
    // The other's next message is its own new chain.
    assert!(matches!(second.next().await, Ok(Some(Answer::Delta(_)))));
}

#[tokio::test]
async fn a_sidecar_that_comes_back_is_told_first_what_its_agent_may_not_do_any_more() {
    let (_plane, admin, sidecar) = ready().await;
    let ended = submit(&admin, "a", vec![link("a", &key(1), &key(2), &["get:*"], 600)]).await;
    let mut push = sidecar.sync(0, "").await;
    push.applied().await;
    let generation = push.generation.take().unwrap();
    drop(push);
    // What takes nothing away comes without a notice: the same delegation, another policy.
    apply(&admin, "a", POLICY).await;
    let mut push = sidecar.sync_with(generation.clone()).await;
    assert!(matches!(push.next().await, Ok(Some(Answer::Delta(_)))));
    drop(push);

    let revoke = RevokeDelegationRequest { namespace: "a".into(), delegation_id: ended };
    admin.delegations().revoke_delegation(revoke).await.unwrap();
    submit(&admin, "a", vec![link("a", &key(1), &key(2), &["post:*"], 600)]).await;
    let mut push = sidecar.sync_with(generation.clone()).await;
    let notice = push.notice().await;
    assert_eq!((notice.agent_state, notice.chain_revoked), (AgentState::Active, true));
    assert_eq!(notice.epoch, generation.epoch());
    let after = push.applied().await;
    assert!(after.epoch > notice.epoch && chain_holds(&sidecar, &after), "{after:?}");
    let generation = push.generation.take().unwrap();
    drop(push);

    let suspend = SuspendAgentRequest { namespace: "a".into(), name: "one".into() };
    admin.agents().suspend_agent(suspend).await.unwrap();
    let mut push = sidecar.sync_with(generation).await;
    let notice = push.notice().await;
    assert_eq!((notice.agent_state, notice.chain_revoked), (AgentState::Suspended, true));
    assert_eq!(state(&push.applied().await), AgentState::Suspended);
}

#[tokio::test]
async fn a_revoked_delegation_is_told_whether_it_is_in_force_or_on_its_way() {
    for (in_force_ends, answered) in [(true, false), (true, true), (false, false)] {
        let (_plane, admin, sidecar) = ready().await;
        let delegated =
            async |action: &str| submit(&admin, "a", vec![link("a", &key(1), &key(2), &[action], 600)]).await;
        let in_force = delegated("get:*").await;
        let mut push = sidecar.sync(0, "").await;
        push.applied().await;
        let sent = delegated("post:*").await;
        // A newer chain is sent: refused by the sidecar, or never answered.
        match answered {
            true => push.refuse("no").await,
            false => drop(push.pushed().await),
        }
        if answered {
            eventually(&admin, |status| !status.rejection.is_empty()).await;
        }
        let delegation_id = if in_force_ends { in_force } else { sent };
        let revoke = RevokeDelegationRequest { namespace: "a".into(), delegation_id };
        admin.delegations().revoke_delegation(revoke).await.unwrap();
        let notice = push.notice().await;
        assert_eq!((notice.agent_state, notice.chain_revoked), (AgentState::Active, true));
    }
}

#[tokio::test]
async fn a_sidecar_that_opens_streams_over_and_over_is_sent_away_and_others_are_not() {
    let (plane, admin, one) = ready().await;
    create_agent(&admin, "a", "two", &key(3), false).await;
    let two = sidecar(&plane.endpoint(), &admin, "a", "two").await;
    let open = async |sidecar: &Sidecar| {
        let (say, said) = tokio::sync::mpsc::channel(1);
        let opened =
            sidecar.client.policy_sync().sync(tokio_stream::wrappers::ReceiverStream::new(said)).await;
        drop(say);
        opened.map(drop)
    };
    let mut refused = 0;
    for _ in 0..50 {
        refused += u32::from(open(&one).await.is_err_and(|status| status.code() == Code::ResourceExhausted));
    }
    assert!(refused >= 40, "{refused} of 50");
    open(&two).await.unwrap();
}

#[tokio::test]
async fn what_sidecars_report_is_kept_for_auditors() {
    let (_plane, admin, sidecar) = ready().await;
    let mut push = sidecar.sync(0, "").await;
    push.applied().await;
    let event = |epoch| SidecarEvent {
        at_ms: 5,
        kind: SidecarEventKind::GenerationRefused.into(),
        epoch,
        detail: "d".repeat(3_000),
    };
    let report = Report { events: (0..70).map(event).collect() };
    push.say.send(SyncRequest { message: Some(Said::Report(report)) }).await.unwrap();
    let until = tokio::time::Instant::now() + fixture::PATIENCE;
    let list = |token: String| {
        let request = ListSidecarEventsRequest {
            namespace: "a".into(),
            page_size: 40,
            page_token: token,
            ..ListSidecarEventsRequest::default()
        };
        let policies = admin.policies();
        async move {
            let mut policies = policies;
            policies.list_sidecar_events(request).await.unwrap().into_inner()
        }
    };
    let first = loop {
        let first = list(String::new()).await;
        if !first.events.is_empty() {
            break first;
        }
        assert!(tokio::time::Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let second = list(first.next_page_token.clone()).await;
    assert_eq!((first.events.len(), second.events.len()), (40, 24), "64 at most of one stream in 10 seconds");
    let newest = first.events[0].event.as_ref().unwrap();
    assert_eq!((newest.epoch, newest.detail.len(), first.events[0].agent_name.as_str()), (63, 2_000, "one"));
}

#[tokio::test]
async fn streams_that_come_too_fast_are_told_when_to_come_again() {
    let plane = plane_with(|options| options.sync.stream_rate = 2).await;
    let admin = plane.admin().await;
    create_agent(&admin, "a", "one", &key(2), false).await;
    let one = sidecar(&plane.endpoint(), &admin, "a", "one").await;
    let mut held = Vec::new();
    let refused = loop {
        let (say, said) = tokio::sync::mpsc::channel(1);
        match one.client.policy_sync().sync(tokio_stream::wrappers::ReceiverStream::new(said)).await {
            Ok(stream) => held.push((say, stream)),
            Err(status) => break status,
        }
        assert!(held.len() <= 3, "{}", held.len());
    };
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let wait: u64 =
        refused.metadata().get("grpc-retry-pushback-ms").unwrap().to_str().unwrap().parse().unwrap();
    assert!((1..=1_000).contains(&wait), "{wait}");
    tokio::time::sleep(Duration::from_millis(wait)).await;
    one.sync(0, "").await.applied().await;
}

#[tokio::test]
async fn rotated_keys_overlap_and_can_void_what_was_before() {
    let (_plane, admin, sidecar) = ready().await;
    let own = link("a", &key(1), &key(2), &["get:*"], 600);
    submit(&admin, "a", vec![own.clone()]).await;
    let mut push = sidecar.sync(0, "").await;
    let first = push.applied().await;
    assert_eq!(first.chain_keys.iter().map(|key| key.id).collect::<Vec<_>>(), [1]);
    let rotate = |void_earlier| {
        let mut delegations = admin.delegations();
        async move {
            let request = RotateChainKeysRequest { namespace: "a".into(), void_earlier };
            delegations.rotate_chain_keys(request).await.unwrap().into_inner().key_id
        }
    };
    assert_eq!(rotate(false).await, 2);
    let second = push.applied().await;
    assert_eq!(second.chain_keys.iter().map(|key| key.id).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(second.chain_keys[1], first.chain_keys[0], "what was minted before is still checked");
    assert!(chain_holds(&sidecar, &second) && second.chain != first.chain);
    assert_eq!(second.revocation_epoch, first.revocation_epoch);
    let minted =
        sidecar.client.delegations().mint_chain(MintChainRequest { links: vec![own] }).await.unwrap();
    assert!(chain_holds(&sidecar, &Pushed { chain: Some(minted.into_inner()), ..second.clone() }));
    assert_eq!(rotate(true).await, 3);
    let third = push.applied().await;
    assert_eq!(third.chain_keys.iter().map(|key| key.id).collect::<Vec<_>>(), [3, 2]);
    assert!(third.revocation_epoch > second.revocation_epoch && chain_holds(&sidecar, &third));
}
