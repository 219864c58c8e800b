//! How people decide.

use creto_oversight::{
    ActionDigest, AfterTick, AfterVote, Decision, DeniedBy, Open, Quorum, Status, VoteError,
};
use proptest::prelude::*;

use crate::world::{MINUTE, START, ballot, ballot_on, open, panel, person, request, tier, vote, waits};

fn three(quorum: Quorum) -> Open {
    open(&panel(vec![tier(&["bob", "carol", "dave"], quorum)]))
}

#[test]
fn any_needs_one_all_needs_everybody_and_a_threshold_so_many() {
    for (quorum, needed) in [(Quorum::Any, 1), (Quorum::Threshold(2), 2), (Quorum::All, 3)] {
        let mut waiting = three(quorum);
        for (count, name) in ["bob", "carol", "dave"].into_iter().enumerate().take(needed) {
            match vote(&waiting, name, Decision::APPROVE_ONCE, START + 1).unwrap() {
                AfterVote::Waits(next) => waiting = next,
                AfterVote::Approved(approved) => {
                    assert_eq!((count + 1, approved.by().len()), (needed, needed), "{quorum:?}");
                }
                AfterVote::Denied(denied) => panic!("{denied:?}"),
            }
        }
    }
}

#[test]
fn one_denial_denies_whatever_was_approved_before() {
    for quorum in [Quorum::Threshold(2), Quorum::All] {
        let waiting = waits(vote(&three(quorum), "bob", Decision::APPROVE_ONCE, START + 1).unwrap());
        let AfterVote::Denied(denied) = vote(&waiting, "carol", Decision::Deny, START + 2).unwrap() else {
            panic!("{quorum:?}");
        };
        assert_eq!((denied.by, denied.votes.len()), (DeniedBy::Person(person("carol")), 2));
        assert_eq!(denied.reason.as_deref(), Some("because"));
    }
}

#[test]
fn nobody_votes_twice() {
    let waiting = waits(vote(&three(Quorum::All), "bob", Decision::APPROVE_ONCE, START).unwrap());
    for decision in [Decision::APPROVE_ONCE, Decision::Deny, Decision::Escalate] {
        let error = vote(&waiting, "bob", decision, START).unwrap_err();
        assert_eq!(error, VoteError::VotedBefore { person: person("bob"), before: "approve" });
    }
}

#[test]
fn nobody_decides_who_is_not_asked_or_asks_for_it() {
    let waiting = three(Quorum::Any);
    assert_eq!(
        vote(&waiting, "mallory", Decision::APPROVE_ONCE, START),
        Err(VoteError::NotAsked(person("mallory")))
    );
    assert_eq!(
        vote(&waiting, "alice", Decision::APPROVE_ONCE, START),
        Err(VoteError::OwnRequest(person("alice")))
    );
}

#[test]
fn a_vote_after_the_end_does_not_count_even_before_anybody_noticed_the_end() {
    let waiting = three(Quorum::Any);
    assert!(vote(&waiting, "bob", Decision::APPROVE_ONCE, waiting.until_ms() - 1).is_ok());
    for late in [waiting.until_ms(), waiting.until_ms() + 1, u64::MAX] {
        let error = vote(&waiting, "bob", Decision::APPROVE_ONCE, late).unwrap_err();
        assert_eq!(error, VoteError::Expired { until_ms: waiting.until_ms() });
    }
}

#[test]
fn who_was_shown_something_else_approves_nothing() {
    let shown = ActionDigest([7; 32]);
    let ballot = ballot_on("bob", Decision::APPROVE_ONCE, shown);
    let error = three(Quorum::Any).vote(&request(), ballot, START).unwrap_err();
    assert_eq!(error, VoteError::ShownAnother { shown, asked: request().digest });
}

#[test]
fn an_approval_gives_no_more_than_policy_lets_it_and_the_least_of_what_people_gave() {
    let waiting = three(Quorum::Threshold(2));
    for (uses, for_ms) in [(0, 0), (4, 0), (1, 61 * MINUTE)] {
        let error = vote(&waiting, "bob", Decision::Approve { uses, for_ms }, START).unwrap_err();
        assert_eq!(error, VoteError::BeyondPolicy { most_uses: 3, most_ms: 60 * MINUTE });
    }
    let waiting = waits(vote(&waiting, "bob", Decision::Approve { uses: 3, for_ms: MINUTE }, START).unwrap());
    let given = vote(&waiting, "carol", Decision::Approve { uses: 2, for_ms: 0 }, START).unwrap();
    let AfterVote::Approved(approved) = given else { panic!("{given:?}") };
    assert_eq!((approved.uses(), approved.not_after_ms()), (2, START + MINUTE));
}

#[test]
fn silence_escalates_and_at_the_end_denies_and_never_approves() {
    let chain = panel(vec![tier(&["bob", "carol"], Quorum::All), tier(&["dave"], Quorum::Any)]);
    let waiting = waits(vote(&open(&chain), "bob", Decision::APPROVE_ONCE, START).unwrap());
    assert_eq!(waiting.tick(waiting.until_ms() - 1), AfterTick::Same);
    let AfterTick::Escalated(second) = waiting.tick(waiting.until_ms()) else { panic!("no escalation") };
    assert_eq!((second.tier(), Status::Open(second.clone()).word()), (2, "escalated"));
    // What bob said was said in another tier.
    assert_eq!(
        vote(&second, "bob", Decision::APPROVE_ONCE, START + 11 * MINUTE),
        Err(VoteError::NotAsked(person("bob")))
    );
    let AfterTick::TimedOut(ended) = second.tick(second.until_ms()) else { panic!("it waits on") };
    assert_eq!(ended.votes.len(), 1);
}

#[test]
fn a_vote_of_an_earlier_tier_does_not_count_in_the_next() {
    let chain = panel(vec![tier(&["bob", "carol"], Quorum::All), tier(&["bob", "dave"], Quorum::All)]);
    let waiting = waits(vote(&open(&chain), "bob", Decision::APPROVE_ONCE, START).unwrap());
    let AfterTick::Escalated(second) = waiting.tick(waiting.until_ms()) else { panic!("no escalation") };
    let now = second.until_ms() - 1;
    let after = waits(vote(&second, "dave", Decision::APPROVE_ONCE, now).unwrap());
    assert!(matches!(vote(&after, "bob", Decision::APPROVE_ONCE, now), Ok(AfterVote::Approved(_))));
}

#[test]
fn a_control_plane_that_was_away_longer_than_the_whole_chain_denies() {
    let chain = panel(vec![tier(&["bob"], Quorum::Any), tier(&["carol"], Quorum::Any)]);
    let waiting = open(&chain);
    assert!(matches!(waiting.tick(waiting.expires_at_ms()), AfterTick::TimedOut(_)));
    // Away for a part of it: the next tier has what is left.
    let AfterTick::Escalated(second) = waiting.tick(waiting.expires_at_ms() - 5) else {
        panic!("no escalation")
    };
    assert_eq!(second.until_ms(), waiting.expires_at_ms());
}

#[test]
fn a_person_may_hand_it_up_but_not_beyond_the_last() {
    let chain = panel(vec![tier(&["bob"], Quorum::Any), tier(&["carol"], Quorum::Any)]);
    let second = waits(vote(&open(&chain), "bob", Decision::Escalate, START + 5).unwrap());
    assert_eq!((second.tier(), second.until_ms()), (2, START + 5 + 10 * MINUTE));
    assert_eq!(vote(&second, "carol", Decision::Escalate, START + 6), Err(VoteError::NoNextTier));
}

#[test]
fn a_question_is_answered_and_then_its_asker_decides() {
    let asked = waits(vote(&three(Quorum::Any), "bob", Decision::RequestInfo, START).unwrap());
    assert_eq!(Status::Open(asked.clone()).word(), "info_requested");
    assert_eq!(asked.answer(""), None);
    let answered = asked.answer("the invoice is attached").unwrap();
    assert_eq!(Status::Open(answered.clone()).word(), "pending");
    assert_eq!(answered.answer("and more"), None);
    assert!(matches!(vote(&answered, "bob", Decision::APPROVE_ONCE, START), Ok(AfterVote::Approved(_))));
    let mut silent = ballot("bob", Decision::RequestInfo);
    silent.reason = None;
    assert_eq!(three(Quorum::Any).vote(&request(), silent, START), Err(VoteError::Reason));
}

#[test]
fn texts_are_bounded() {
    let mut long = ballot("bob", Decision::Deny);
    long.reason = Some("x".repeat(4_097));
    assert_eq!(three(Quorum::Any).vote(&request(), long, START), Err(VoteError::Reason));
}

#[test]
fn what_is_kept_reads_back() {
    let waiting = waits(vote(&three(Quorum::All), "bob", Decision::RequestInfo, START).unwrap());
    let status = Status::Open(waiting);
    let text = serde_json::to_string(&status).unwrap();
    assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), status);
    // A panel that could not be made cannot be read either.
    let broken = text.replace("\"quorum\":\"all\"", "\"quorum\":{\"threshold\":9}");
    assert_ne!(broken, text);
    assert!(serde_json::from_str::<Status>(&broken).is_err());
}

/// Something that happens to a request.
#[derive(Clone, Debug)]
enum Happens {
    Vote(usize, Decision),
    Passes(u64),
    Answer,
}

fn happens() -> impl Strategy<Value = Happens> {
    let decision = prop_oneof![
        3 => (1_u16..=3, 0_u64..=60 * MINUTE).prop_map(|(uses, for_ms)| Decision::Approve { uses, for_ms }),
        1 => Just(Decision::Deny),
        1 => Just(Decision::Escalate),
        1 => Just(Decision::RequestInfo),
    ];
    prop_oneof![
        6 => (0_usize..6, decision).prop_map(|(who, decision)| Happens::Vote(who, decision)),
        2 => (0_u64..12 * MINUTE).prop_map(Happens::Passes),
        1 => Just(Happens::Answer),
    ]
}

const NAMES: [&str; 6] = ["alice", "bob", "carol", "dave", "erin", "frank"];

proptest! {
    #[test]
    fn whatever_happens_it_is_approved_only_by_a_quorum_of_one_tier_in_time_and_never_by_the_chain(
        quorums in prop::collection::vec(prop_oneof![Just(Quorum::Any), Just(Quorum::All), (1_u16..=2).prop_map(Quorum::Threshold)], 1..=3),
        steps in prop::collection::vec(happens(), 0..40),
    ) {
        let groups: [&[&str]; 3] = [&["alice", "bob", "carol"], &["carol", "dave"], &["alice", "erin", "frank"]];
        let tiers = quorums.iter().zip(groups).map(|(quorum, names)| tier(names, *quorum)).collect();
        let mut waiting = open(&panel(tiers));
        let mut now = START;
        for step in steps {
            let before = waiting.clone();
            match step {
                Happens::Vote(who, decision) => match vote(&waiting, NAMES[who], decision, now) {
                    Err(_) => prop_assert_eq!(&waiting, &before),
                    Ok(AfterVote::Waits(next)) => waiting = next,
                    Ok(AfterVote::Denied(denied)) => {
                        prop_assert_eq!(denied.by, DeniedBy::Person(person(NAMES[who])));
                        return Ok(());
                    }
                    Ok(AfterVote::Approved(approved)) => {
                        let tier = before.current();
                        let given: Vec<_> = approved.by().iter().collect();
                        prop_assert!(given.iter().all(|one| tier.people.contains(one)));
                        let mut distinct = given.clone();
                        distinct.dedup();
                        prop_assert_eq!(distinct.len(), tier.quorum.required(tier.people.len()));
                        prop_assert!(!approved.by().contains(&person("alice")));
                        prop_assert!(now < before.until_ms());
                        prop_assert!(approved.uses() >= 1 && approved.uses() <= 3);
                        prop_assert!(approved.not_after_ms() <= now + request().most_ms);
                        return Ok(());
                    }
                },
                Happens::Passes(ms) => {
                    now += ms;
                    match waiting.tick(now) {
                        AfterTick::Same => prop_assert!(now < waiting.until_ms()),
                        AfterTick::Escalated(next) => {
                            prop_assert_eq!(next.tier(), waiting.tier() + 1);
                            prop_assert!(next.until_ms() <= next.expires_at_ms());
                            waiting = next;
                        }
                        AfterTick::TimedOut(_) => {
                            prop_assert!(now >= waiting.until_ms());
                            return Ok(());
                        }
                    }
                }
                Happens::Answer => {
                    if let Some(next) = waiting.answer("yes") {
                        waiting = next;
                    }
                }
            }
        }
    }
}
