//! What every implementation of the store must do, as functions a backend's tests call on an empty store.
//!
//! They panic on the first thing that does not hold, as tests do.
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test suite, kept here so that backends share it"
)]

mod secrets;

use std::collections::BTreeMap;

pub use secrets::*;

use crate::{
    Begun, CallPosition, CallSelection, Ended, KeptAgent, KeptDelegation, KeptEnrollmentToken, KeptLink,
    KeptOperatorToken, KeptPolicy, KeptSidecarEvent, KeptState, Meaning, NewSidecar, ReportEntry,
    ReportOutcome, Reported, SidecarNote, Store, StoreError, TokenUsage,
};

const MANY: u64 = 1000;

fn agent(namespace: &str, name: &str, id: u8) -> KeptAgent {
    KeptAgent {
        namespace: namespace.into(),
        name: name.into(),
        agent_id: [id; 32],
        public_key: [id; 32],
        tier: 2,
        trust_level: 1,
        state: KeptState::Active,
        labels: BTreeMap::from([("team".into(), "search".into())]),
        root: false,
        created_at_ms: 1,
        updated_at_ms: 1,
    }
}

fn delegation(namespace: &str, ids: &[u8], participants: &[u8], holder: &str) -> KeptDelegation {
    let links = ids
        .iter()
        .zip(participants.windows(2))
        .map(|(id, pair)| KeptLink {
            link_id: [*id; 32],
            delegator_id: [pair[0]; 32],
            agent_id: [pair[1]; 32],
        })
        .collect::<Vec<_>>();
    KeptDelegation {
        namespace: namespace.into(),
        delegation_id: links.last().unwrap().link_id,
        holder_id: links.last().unwrap().agent_id,
        holder_name: holder.into(),
        expires_at_s: 1000,
        revoked: false,
        created_at_ms: i64::from(ids[0]),
        encoded_links: vec![1, 2, 3],
        links,
    }
}

/// Agents come back as they were put, from their own namespace only.
pub async fn agents_are_kept_by_namespace(store: &impl Store) {
    let kept = agent("a", "one", 1);
    store.create_agent(&kept, MANY).await.unwrap();
    store.create_agent(&agent("b", "one", 1), MANY).await.unwrap();
    assert_eq!(store.agent("a", "one").await.unwrap(), kept);
    assert!(matches!(store.agent("c", "one").await, Err(StoreError::NotFound)));
    assert!(store.agent_by_id("c", &[1; 32]).await.unwrap().is_none());
    assert_eq!(store.agents("a", "", 10).await.unwrap().len(), 1);
    assert!(store.agents("a", "one", 10).await.unwrap().is_empty());
    let full = store.create_agent(&agent("a", "two", 2), 1).await;
    assert!(matches!(full, Err(StoreError::Full { limit: 1, .. })));
}

/// Names and keys are unique in a namespace, for good.
pub async fn a_name_or_key_is_never_taken_twice(store: &impl Store) {
    store.create_agent(&agent("a", "one", 1), MANY).await.unwrap();
    assert!(matches!(store.create_agent(&agent("a", "one", 2), MANY).await, Err(StoreError::NameTaken)));
    assert!(matches!(store.create_agent(&agent("a", "two", 1), MANY).await, Err(StoreError::KeyTaken)));
    store.rotate_agent_key("a", "one", &[1; 32], (&[3; 32], &[3; 32]), 2).await.unwrap();
    assert!(matches!(store.create_agent(&agent("a", "two", 1), MANY).await, Err(StoreError::KeyTaken)));
    let stale = store.rotate_agent_key("a", "one", &[1; 32], (&[4; 32], &[4; 32]), 2).await;
    assert!(matches!(stale, Err(StoreError::Changed)));
}

/// Rotation ends what the old key has a part in and bumps the epoch.
pub async fn a_rotated_key_ends_its_delegations(store: &impl Store) {
    store.create_agent(&agent("a", "one", 1), MANY).await.unwrap();
    store.add_delegation(&delegation("a", &[11], &[9, 1], "one"), MANY).await.unwrap();
    store.add_delegation(&delegation("a", &[11, 12], &[9, 1, 2], "two"), MANY).await.unwrap();
    store.add_delegation(&delegation("b", &[11], &[9, 1], "one"), MANY).await.unwrap();
    let before = store.revocation_epoch("a").await.unwrap();
    let rotated = store.rotate_agent_key("a", "one", &[1; 32], (&[3; 32], &[4; 32]), 2).await.unwrap();
    assert_eq!((rotated.agent_id, rotated.public_key), ([3; 32], [4; 32]));
    assert!(store.agent_by_id("a", &[1; 32]).await.unwrap().is_none());
    assert_eq!(store.agent_by_id("a", &[3; 32]).await.unwrap().unwrap().name, "one");
    assert_eq!(store.revocation_epoch("a").await.unwrap(), before + 1);
    assert_eq!(store.revocation_epoch("b").await.unwrap(), before);
    assert!(store.delegations("a", None, &[], 10).await.unwrap().iter().all(|kept| kept.revoked));
    assert!(!store.delegation("b", &[11; 32]).await.unwrap().revoked);
}

/// Revocation is for good; suspension is not.
pub async fn a_revoked_agent_does_not_come_back(store: &impl Store) {
    store.create_agent(&agent("a", "one", 1), MANY).await.unwrap();
    store.set_agent_state("a", "one", KeptState::Suspended, 2).await.unwrap();
    let resumed = store.set_agent_state("a", "one", KeptState::Active, 3).await.unwrap();
    assert_eq!(resumed.agent.state, KeptState::Active);
    store.set_agent_state("a", "one", KeptState::Revoked, 4).await.unwrap();
    let again = store.set_agent_state("a", "one", KeptState::Active, 5).await;
    assert!(matches!(again, Err(StoreError::AgentRevoked)));
    assert!(matches!(store.create_agent(&agent("a", "one", 7), MANY).await, Err(StoreError::NameTaken)));
    assert_eq!(store.revocation_epoch("a").await.unwrap(), 1, "nothing stood on its links");
}

/// Key ids count up in each namespace, and void what was minted before only when asked to.
pub async fn chain_keys_rotate(store: &impl Store) {
    assert_eq!(store.chain_key_id("a").await.unwrap(), 1);
    let epoch = store.revocation_epoch("a").await.unwrap();
    assert_eq!(store.rotate_chain_keys("a", false).await.unwrap(), 2);
    assert_eq!(store.revocation_epoch("a").await.unwrap(), epoch);
    assert_eq!(store.rotate_chain_keys("a", true).await.unwrap(), 3);
    assert_eq!(store.revocation_epoch("a").await.unwrap(), epoch + 1);
    assert_eq!((store.chain_key_id("a").await.unwrap(), store.chain_key_id("b").await.unwrap()), (3, 1));
}

/// What happens to an agent voids what others were minted only if their chains may stand on its links.
pub async fn only_those_who_delegate_concern_others(store: &impl Store) {
    for (name, id) in [("one", 1), ("two", 2), ("three", 3)] {
        store.create_agent(&agent("a", name, id), MANY).await.unwrap();
    }
    store.add_delegation(&delegation("a", &[11], &[1, 2], "two"), MANY).await.unwrap();
    store.note_delegators("a", &[[3; 32]]).await.unwrap();
    store.note_delegators("a", &[[3; 32], [3; 32]]).await.unwrap();
    store.note_delegators("b", &[[2; 32]]).await.unwrap();
    let mut epoch = store.revocation_epoch("a").await.unwrap();
    for (name, concerns) in [("one", true), ("two", false), ("three", true)] {
        let set = store.set_agent_state("a", name, KeptState::Suspended, 2).await.unwrap();
        assert_eq!((set.agent.state, set.concerns_others), (KeptState::Suspended, concerns), "{name}");
        epoch += u32::from(concerns);
        assert_eq!(store.revocation_epoch("a").await.unwrap(), epoch, "{name}");
        let again = store.set_agent_state("a", name, KeptState::Suspended, 2).await.unwrap();
        assert!(!again.concerns_others, "{name}: nothing changed");
        let resumed = store.set_agent_state("a", name, KeptState::Active, 2).await.unwrap();
        assert_eq!(resumed.concerns_others, concerns, "{name}");
    }
    assert_eq!(store.revocation_epoch("a").await.unwrap(), epoch);
}

/// A revoked link takes its descendants along and is never accepted again.
pub async fn a_revoked_link_ends_all_that_stands_on_it(store: &impl Store) {
    store.add_delegation(&delegation("a", &[11], &[9, 1], "one"), MANY).await.unwrap();
    store.add_delegation(&delegation("a", &[11, 12], &[9, 1, 2], "two"), MANY).await.unwrap();
    store.add_delegation(&delegation("a", &[13], &[9, 2], "two"), MANY).await.unwrap();
    let ended = store.revoke_delegation("a", &[11; 32]).await.unwrap();
    assert!(ended.delegation.revoked);
    assert_eq!(
        ended.holders.iter().collect::<std::collections::BTreeSet<_>>().len(),
        2,
        "{:?}",
        ended.holders
    );
    assert!(store.delegation("a", &[12; 32]).await.unwrap().revoked);
    assert!(store.any_link_revoked("a", &[[12; 32], [11; 32]]).await.unwrap());
    assert!(!store.any_link_revoked("b", &[[11; 32]]).await.unwrap());
    let live = store.live_delegations("a", "two", 5, 10).await.unwrap();
    assert_eq!(live.iter().map(|kept| kept.delegation_id).collect::<Vec<_>>(), [[13; 32]]);
    assert!(store.live_delegations("a", "two", 1000, 10).await.unwrap().is_empty());
    let back = store.add_delegation(&delegation("a", &[11, 14], &[9, 1, 3], "x"), MANY).await;
    assert!(matches!(back, Err(StoreError::Changed)));
    assert!(matches!(store.revoke_delegation("b", &[11; 32]).await, Err(StoreError::NotFound)));
}

/// One token, one sidecar.
pub async fn an_enrolment_token_works_once(store: &impl Store) {
    store.create_agent(&agent("a", "one", 1), MANY).await.unwrap();
    let token = KeptEnrollmentToken {
        namespace: "a".into(),
        digest: [5; 32],
        agent_name: "one".into(),
        expires_at_ms: 100,
    };
    store.add_enrollment_token(&token, 1, MANY).await.unwrap();
    let nobody = KeptEnrollmentToken { agent_name: "none".into(), digest: [6; 32], ..token.clone() };
    assert!(matches!(store.add_enrollment_token(&nobody, 1, MANY).await, Err(StoreError::NotFound)));
    assert!(matches!(store.enrollment_token(&[5; 32], 100).await, Err(StoreError::TokenSpent)));
    let found = store.enrollment_token(&[5; 32], 99).await.unwrap();
    let sidecar = NewSidecar { sidecar_id: "s".into(), public_key: [7; 32], fingerprint: [8; 32] };
    store.redeem_enrollment_token(&found, &sidecar, 99).await.unwrap();
    let second = NewSidecar { sidecar_id: "t".into(), fingerprint: [9; 32], ..sidecar };
    assert!(matches!(store.redeem_enrollment_token(&found, &second, 99).await, Err(StoreError::TokenSpent)));
    assert!(store.sidecar_by_fingerprint(&[9; 32]).await.unwrap().is_none());
    let known = store.sidecar_by_fingerprint(&[8; 32]).await.unwrap().unwrap();
    assert_eq!((known.namespace.as_str(), known.agent_name.as_str()), ("a", "one"));
}

/// Every epoch is higher than all before it, in each namespace for itself.
pub async fn a_policy_epoch_only_grows(store: &impl Store) {
    for wanted in 1..=3 {
        assert_eq!(store.next_policy_epoch("a").await.unwrap(), wanted);
    }
    assert_eq!(store.next_policy_epoch("b").await.unwrap(), 1);
    assert_eq!(store.next_policy_epoch("a").await.unwrap(), 4);
}

/// What a sidecar runs is kept, of known sidecars of the namespace only.
pub async fn what_sidecars_run_is_noted(store: &impl Store) {
    an_enrolment_token_works_once(store).await;
    let note = SidecarNote {
        namespace: "a".into(),
        sidecar_id: "s".into(),
        offered_epoch: 5,
        applied_epoch: 4,
        rejection: "no".into(),
        last_seen_ms: 9,
    };
    let elsewhere = SidecarNote { namespace: "b".into(), offered_epoch: 99, ..note.clone() };
    let unknown = SidecarNote { sidecar_id: "t".into(), ..note.clone() };
    store.note_sidecars(&[elsewhere, note, unknown]).await.unwrap();
    let kept = store.sidecars("a", "", 10).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].offered_epoch, kept[0].applied_epoch, kept[0].last_seen_ms), (5, 4, 9));
    assert_eq!(kept[0].rejection, "no");
    assert!(store.sidecars("b", "", 10).await.unwrap().is_empty());
}

/// Events are paged newest first, by namespace and sidecar, and the oldest of a sidecar go.
pub async fn sidecar_events_are_kept_newest_first_and_bounded(store: &impl Store) {
    let event = |namespace: &str, sidecar: &str, epoch| KeptSidecarEvent {
        namespace: namespace.into(),
        number: 0,
        sidecar_id: sidecar.into(),
        agent_name: "one".into(),
        at_ms: 1,
        kept_at_ms: 2,
        kind: 3,
        epoch,
        detail: "why".into(),
    };
    let mixed: Vec<_> = (0..10)
        .map(|n| event("a", if n % 2 == 0 { "s" } else { "t" }, n))
        .chain([event("b", "s", 77)])
        .collect();
    store.add_sidecar_events(&mixed, 3).await.unwrap();
    let epochs = |events: Vec<KeptSidecarEvent>| events.iter().map(|one| one.epoch).collect::<Vec<_>>();
    let all = store.sidecar_events("a", None, u64::MAX, 100).await.unwrap();
    assert_eq!(epochs(all.clone()), [9, 8, 7, 6, 5, 4]);
    assert_eq!((all[0].sidecar_id.as_str(), all[0].detail.as_str(), all[0].kind), ("t", "why", 3));
    let after_first = store.sidecar_events("a", None, all[0].number, 2).await.unwrap();
    assert_eq!(epochs(after_first), [8, 7]);
    assert_eq!(epochs(store.sidecar_events("a", Some("s"), u64::MAX, 100).await.unwrap()), [8, 6, 4]);
    assert_eq!(epochs(store.sidecar_events("b", None, u64::MAX, 100).await.unwrap()), [77]);
}

/// Revisions count, and bounds hold.
pub async fn policies_count_their_applications(store: &impl Store) {
    let policy = KeptPolicy {
        namespace: "a".into(),
        name: "p".into(),
        document: "0123456789".into(),
        version: "v".into(),
        revision: 0,
        updated_at_ms: 1,
    };
    assert_eq!(store.put_policy(&policy, 1, 10).await.unwrap().revision, 1);
    assert_eq!(store.put_policy(&policy, 1, 10).await.unwrap().revision, 2);
    let other = KeptPolicy { name: "q".into(), ..policy.clone() };
    assert!(matches!(store.put_policy(&other, 1, 100).await, Err(StoreError::Full { .. })));
    assert!(matches!(store.put_policy(&other, 9, 19).await, Err(StoreError::Full { .. })));
    assert!(matches!(store.policy("b", "p").await, Err(StoreError::NotFound)));
    assert!(matches!(store.delete_policy("b", "p").await, Err(StoreError::NotFound)));
    assert_eq!(store.policies("a", "", 10).await.unwrap().len(), 1);
    store.delete_policy("a", "p").await.unwrap();
    assert!(store.policies("a", "", 10).await.unwrap().is_empty());
}

fn begun(at_us: i64, host: &str) -> ReportEntry {
    ReportEntry::Begun(Begun { at_us, host: host.into(), verdict: 1, ..Begun::default() })
}

fn ended(begun_sequence: u64, status: u32) -> ReportEntry {
    ReportEntry::Ended(Ended { begun_sequence, at_us: 50, outcome: 2, status, ..Ended::default() })
}

/// Every entry counts once, in order, whatever is sent again.
pub async fn reported_calls_are_kept_once(store: &impl Store) {
    let spool = ("a", "s", u64::MAX - 3);
    let batch = [(1, begun(10, "x")), (2, begun(11, "y")), (3, ended(1, 200))];
    let first = store.report_calls(spool, "one", &batch).await.unwrap();
    let ReportOutcome::Committed { mark: 3, changed } = first else { panic!("{first:?}") };
    assert_eq!(changed.len(), 2);
    let again = store.report_calls(spool, "one", &batch).await.unwrap();
    assert_eq!(again, ReportOutcome::Committed { mark: 3, changed: vec![] });
    let overlap = [(3, ended(1, 500)), (4, ended(2, 201))];
    store.report_calls(spool, "one", &overlap).await.unwrap();
    let gap = store.report_calls(spool, "one", &[(6, begun(12, "z"))]).await.unwrap();
    assert_eq!(gap, ReportOutcome::Gap { mark: 4 });
    let hole = store.report_calls(spool, "one", &[(5, begun(12, "z")), (7, begun(13, "z"))]).await.unwrap();
    assert_eq!(hole, ReportOutcome::Gap { mark: 4 });
    assert_eq!(store.reported(spool).await.unwrap(), Reported { mark: 4, ended: 2, event_base: 0 });
    store.set_event_base(spool, 2).await.unwrap();
    store.report_calls(spool, "one", &[(5, begun(12, "z")), (6, ended(5, 200))]).await.unwrap();
    assert_eq!(store.reported(spool).await.unwrap(), Reported { mark: 6, ended: 3, event_base: 2 });
    assert_eq!(store.reported(("b", "s", u64::MAX - 3)).await.unwrap(), Reported::default());
    assert_eq!(store.call_begun_by(spool, 2).await.unwrap().unwrap().begun.host, "y");
    assert!(store.call_begun_by(spool, 3).await.unwrap().is_none());
    assert!(store.call_begun_by(("b", "s", u64::MAX - 3), 2).await.unwrap().is_none());
    let calls = store.calls("a", &CallSelection::default(), None, 10).await.unwrap();
    let seen: Vec<_> =
        calls.iter().map(|kept| (kept.begun.host.as_str(), kept.ended.as_ref().unwrap().status)).collect();
    assert_eq!(seen, [("z", 200), ("y", 201), ("x", 200)]);
    assert_eq!(calls[0].key.spool_epoch, u64::MAX - 3);
    assert!(store.calls("b", &CallSelection::default(), None, 10).await.unwrap().is_empty());
}

/// Meaning, credential and usage come back as they were reported, and calls are found by them.
pub async fn what_calls_meant_and_used_is_kept(store: &impl Store) {
    let meaning = Meaning {
        protocol: "mcp".into(),
        service: "tickets".into(),
        operation: "tools/call".into(),
        subjects: vec!["search".into(), "search_all".into()],
    };
    let begun = Begun { at_us: 1, verdict: 1, meaning, credential: "p/c".into(), ..Begun::default() };
    let usage = TokenUsage {
        input: 1,
        cached_input: 2,
        cache_write: 3,
        cache_write_1h: 4,
        output: 5,
        reasoning: 6,
        audio_input: 7,
        audio_output: 8,
        image_input: 9,
        images: 10,
        server_tool_calls: 11,
        estimated: true,
    };
    let end = Ended {
        begun_sequence: 1,
        usage: Some(usage),
        response_model: "m-1".into(),
        service_tier: "priority".into(),
        code: "over_quota".into(),
        outcome: 2,
        ..Ended::default()
    };
    let plain = Begun { at_us: 2, verdict: 1, ..Begun::default() };
    let batch = [
        (1, ReportEntry::Begun(begun.clone())),
        (2, ReportEntry::Ended(end.clone())),
        (3, ReportEntry::Begun(plain)),
        (4, ReportEntry::Ended(Ended { begun_sequence: 3, outcome: 2, ..Ended::default() })),
    ];
    store.report_calls(("meant", "s", 1), "one", &batch).await.unwrap();
    let all = store.calls("meant", &CallSelection::default(), None, 10).await.unwrap();
    assert_eq!((&all[1].begun, all[1].ended.as_ref()), (&begun, Some(&end)));
    assert_eq!((&all[0].begun.meaning, all[0].ended.as_ref().unwrap().usage), (&Meaning::default(), None));
    for (subject, found) in [("search", 1), ("search_all", 1), ("sear", 0), ("all", 0)] {
        let chosen = CallSelection { subject: Some(subject.into()), ..CallSelection::default() };
        assert_eq!(store.calls("meant", &chosen, None, 10).await.unwrap().len(), found, "{subject}");
    }
    let chosen = CallSelection {
        protocol: Some("mcp".into()),
        service: Some("tickets".into()),
        ..CallSelection::default()
    };
    assert_eq!(store.calls("meant", &chosen, None, 10).await.unwrap().len(), 1);
}

/// Pages join without overlap, also where times are equal.
pub async fn calls_are_paged_newest_first(store: &impl Store) {
    let batch: Vec<_> = (1..=25).map(|n| (n, begun(i64::try_from(n / 3).unwrap(), "x"))).collect();
    store.report_calls(("a", "s", 1), "one", &batch).await.unwrap();
    store.report_calls(("a", "t", 1), "two", &batch).await.unwrap();
    let mut before: Option<CallPosition> = None;
    let mut seen = Vec::new();
    loop {
        let page = store.calls("a", &CallSelection::default(), before.as_ref(), 7).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(CallPosition {
            at_us: last.begun.at_us,
            sidecar_id: last.key.sidecar_id.clone(),
            spool_epoch: last.key.spool_epoch,
            sequence: last.key.sequence,
        });
        seen.extend(page.into_iter().map(|kept| (kept.begun.at_us, kept.key.sidecar_id, kept.key.sequence)));
    }
    assert_eq!(seen.len(), 50);
    assert!(seen.windows(2).all(|pair| pair[0] > pair[1]));
    let chosen =
        CallSelection { agent_name: Some("two".into()), since_us: Some(8), ..CallSelection::default() };
    assert_eq!(store.calls("a", &chosen, None, 100).await.unwrap().len(), 2);
}

/// Tokens are known by digest and gone at once.
pub async fn operator_tokens_are_found_by_digest(store: &impl Store) {
    let token = KeptOperatorToken {
        namespace: "a".into(),
        name: "ops".into(),
        digest: [1; 32],
        admin: false,
        producer: true,
        created_at_ms: 1,
    };
    store.add_operator_token(&token, MANY).await.unwrap();
    assert!(matches!(store.add_operator_token(&token, MANY).await, Err(StoreError::NameTaken)));
    assert_eq!(store.operator_token(&[1; 32]).await.unwrap(), Some(token));
    assert!(matches!(store.delete_operator_token("b", "ops").await, Err(StoreError::NotFound)));
    store.delete_operator_token("a", "ops").await.unwrap();
    assert!(store.operator_token(&[1; 32]).await.unwrap().is_none());
}
