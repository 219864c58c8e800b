//! People, requests and votes to test with.

use std::collections::BTreeSet;

use creto_oversight::{
    Action, ActionDigest, AfterVote, Approved, Ballot, Begun, Channel, CredentialPin, Decision, HeaderPin,
    Open, Panel, Person, Quorum, Request, RequestId, Tier, VoteError,
};

pub(crate) const MINUTE: u64 = 60_000;
pub(crate) const START: u64 = 1_790_000_000_000;

pub(crate) fn person(name: &str) -> Person {
    name.parse().unwrap()
}

pub(crate) fn people(names: &[&str]) -> BTreeSet<Person> {
    names.iter().map(|name| person(name)).collect()
}

pub(crate) fn tier(names: &[&str], quorum: Quorum) -> Tier {
    Tier { people: people(names), quorum, wait_ms: 10 * MINUTE }
}

pub(crate) fn panel(tiers: Vec<Tier>) -> Panel {
    Panel::new(tiers).unwrap()
}

pub(crate) fn action() -> Action {
    let header = |name: &str, value: &str| HeaderPin { name: name.to_owned(), value: value.into() };
    Action {
        namespace: "default".to_owned(),
        agent: "researcher".to_owned(),
        agent_id: [1; 32],
        chain: [2; 32],
        policy: "payments".to_owned(),
        rule: "big-transfers".to_owned(),
        policy_version: [3; 32],
        credential: Some(CredentialPin { name: "bank".to_owned(), version: 7 }),
        method: "POST".to_owned(),
        scheme: "https".to_owned(),
        host: "bank.example".to_owned(),
        port: 443,
        target: "/transfers?dry=0".to_owned(),
        headers: vec![
            header("content-type", "application/json"),
            header("x-tenant", "a"),
            header("x-tenant", "b"),
        ],
        body_length: 17,
        body: [4; 32],
    }
}

/// A request for [`action`] of which alice's agent is the requester.
pub(crate) fn request() -> Request {
    Request {
        id: RequestId([9; 16]),
        digest: action().digest(),
        excluded: people(&["alice"]),
        most_uses: 3,
        most_ms: 60 * MINUTE,
        created_at_ms: START,
    }
}

pub(crate) fn open(panel: &Panel) -> Open {
    match Open::begin(&request(), panel) {
        Begun::Waits(open) => open,
        Begun::Denied(denied) => panic!("{denied:?}"),
    }
}

pub(crate) fn ballot(name: &str, decision: Decision) -> Ballot {
    ballot_on(name, decision, request().digest)
}

pub(crate) fn ballot_on(name: &str, decision: Decision, shown: ActionDigest) -> Ballot {
    Ballot {
        person: person(name),
        decision,
        reason: Some("because".to_owned()),
        channel: Channel::Page,
        shown,
    }
}

pub(crate) fn vote(open: &Open, name: &str, decision: Decision, now_ms: u64) -> Result<AfterVote, VoteError> {
    open.vote(&request(), ballot(name, decision), now_ms)
}

pub(crate) fn waits(after: AfterVote) -> Open {
    match after {
        AfterVote::Waits(open) => open,
        other => panic!("{other:?}"),
    }
}

/// Approved by bob alone.
pub(crate) fn approved(uses: u16, for_ms: u64) -> Approved {
    let open = open(&panel(vec![tier(&["bob"], Quorum::Any)]));
    match vote(&open, "bob", Decision::Approve { uses, for_ms }, START + 1).unwrap() {
        AfterVote::Approved(approved) => approved,
        other => panic!("{other:?}"),
    }
}
