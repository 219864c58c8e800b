//! Who may decide.

use creto_oversight::{
    Begun, DeniedBy, MAX_TIERS, Open, Panel, PanelProblem, Person, Quorum, QuorumError, Request,
};

use crate::world::{open, panel, people, person, request, tier};

#[test]
fn a_quorum_larger_than_its_people_is_refused_before_anything_waits_for_it() {
    let problem = Panel::new(vec![tier(&["bob", "carol"], Quorum::Threshold(3))]).unwrap_err();
    assert_eq!(
        problem,
        PanelProblem::Quorum { tier: 1, problem: QuorumError::Unreachable { required: 3, people: 2 } }
    );
    assert_eq!(
        problem.to_string(),
        "tier 1: a quorum of 3 is more than the 2 who may decide: lower it or add approvers"
    );
    for quorum in [Quorum::Any, Quorum::All] {
        assert!(Panel::new(vec![tier(&[], quorum)]).is_err(), "{quorum:?} of nobody");
    }
    let nobody = Panel::new(vec![tier(&["bob"], Quorum::Threshold(0))]).unwrap_err();
    assert_eq!(nobody, PanelProblem::Quorum { tier: 1, problem: QuorumError::Nobody });
}

#[test]
fn a_chain_that_asks_the_same_people_again_is_a_loop() {
    let tiers = vec![tier(&["bob"], Quorum::Any), tier(&["carol"], Quorum::Any), tier(&["bob"], Quorum::All)];
    assert_eq!(Panel::new(tiers), Err(PanelProblem::Loop { tier: 3, before: 1 }));
}

#[test]
fn chains_are_bounded_in_length_people_and_time() {
    assert_eq!(Panel::new(Vec::new()), Err(PanelProblem::NoTier));
    let many: Vec<String> = (0..=MAX_TIERS).map(|number| format!("p{number}")).collect();
    let tiers = many.iter().map(|name| tier(&[name], Quorum::Any)).collect();
    assert_eq!(Panel::new(tiers), Err(PanelProblem::TooManyTiers(MAX_TIERS + 1)));
    let crowd: Vec<String> = (0..101).map(|number| format!("p{number}")).collect();
    let crowd: Vec<&str> = crowd.iter().map(String::as_str).collect();
    assert!(matches!(
        Panel::new(vec![tier(&crowd, Quorum::Any)]),
        Err(PanelProblem::TooManyPeople { tier: 1, people: 101 })
    ));
    for wait_ms in [0, 999, 31 * 86_400_000, u64::MAX] {
        let mut short = tier(&["bob"], Quorum::Any);
        short.wait_ms = wait_ms;
        assert_eq!(Panel::new(vec![short]), Err(PanelProblem::Wait { tier: 1, wait_ms }));
    }
}

#[test]
fn a_person_is_one_spelling() {
    for text in ["", "Bob", "bob smith", "bob\u{e9}", &"b".repeat(129)] {
        assert!(text.parse::<Person>().is_err(), "{text:?}");
    }
    assert_eq!("alice@example.com".parse::<Person>().unwrap().as_str(), "alice@example.com");
}

#[test]
fn the_requester_and_the_whole_chain_are_asked_at_no_tier() {
    let chain = Request { excluded: people(&["alice", "bob"]), ..request() };
    let asked = panel(vec![
        tier(&["alice", "bob"], Quorum::Any),
        tier(&["bob", "carol", "dave"], Quorum::All),
        tier(&["alice", "erin", "frank"], Quorum::Threshold(2)),
        tier(&["bob", "gina"], Quorum::Threshold(2)),
    ]);
    let Begun::Waits(open) = Open::begin(&chain, &asked) else { panic!("nobody may decide") };
    let tiers: Vec<_> = open.panel().tiers().iter().map(|tier| tier.people.clone()).collect();
    // The first has nobody left, the last cannot reach its quorum.
    assert_eq!(tiers, [people(&["carol", "dave"]), people(&["erin", "frank"])]);
}

#[test]
fn a_request_that_nobody_may_decide_is_denied_at_once() {
    let asked = panel(vec![tier(&["alice"], Quorum::Any)]);
    let Begun::Denied(denied) = Open::begin(&request(), &asked) else { panic!("it waits") };
    assert_eq!(denied.by, DeniedBy::NobodyMayDecide);
}

#[test]
fn reassigning_moves_the_vote_to_another_and_never_to_the_requester() {
    let waiting = open(&panel(vec![tier(&["bob", "carol"], Quorum::All)]));
    let moved = waiting.reassign(&request(), &person("bob"), person("dave")).unwrap();
    assert_eq!(moved.current().people, people(&["carol", "dave"]));
    for (from, to) in [("bob", "alice"), ("dave", "erin")] {
        assert!(waiting.reassign(&request(), &person(from), person(to)).is_err(), "{from} to {to}");
    }
    // Moved onto somebody who is asked already, `all` of two would become `all` of one.
    let merged = waiting.reassign(&request(), &person("bob"), person("carol"));
    assert!(merged.is_err(), "{merged:?}");
}
