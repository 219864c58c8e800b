//! What decisions say about how people decide. One that nearly always approves, and in less time than reading takes, approves
//! without looking.

use std::collections::BTreeMap;

use creto_approvals::Kept;
use creto_oversight::{Decision, Person, Status, Vote};

use crate::bounds::{MIN_JUDGED, QUICK_MS};
use crate::shown::{Visible, duration, instant};

/// Quick decisions that are listed, the newest.
const MAX_QUICK: usize = 50;

/// How a policy is decided, or a person decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    name: String,
    /// Approvals and denials.
    pub(super) decided: usize,
    /// Requests that ended without one; of people, none.
    pub(super) lapsed: usize,
    /// Of a hundred decisions, approvals.
    pub(super) approved: usize,
    /// Of a hundred decisions, those that were quick.
    pub(super) quick: usize,
    /// Time from request to decision: half of them took no longer, and nine tenths of them.
    pub(super) median: String,
    pub(super) slow: String,
    /// Whether it looks as if nobody looked.
    pub(super) is_rubber_stamp: bool,
}

/// A decision that was hardly a review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Quick {
    pub(super) id: String,
    policy: String,
    pub(super) person: String,
    pub(super) said: &'static str,
    pub(super) at: String,
    pub(super) after: String,
}

impl Judged {
    pub(super) fn name(&self) -> Visible<'_> {
        Visible(&self.name)
    }
}

impl Quick {
    pub(super) fn policy(&self) -> Visible<'_> {
        Visible(&self.policy)
    }
}

#[derive(Default)]
struct Tally {
    took_ms: Vec<u64>,
    approvals: usize,
    quick: usize,
    lapsed: usize,
}

/// One decision of one person.
struct Decided<'k> {
    kept: &'k Kept,
    person: &'k Person,
    approves: bool,
    at_ms: u64,
    /// How long they had: since the request was made, or since they decided another.
    had_ms: u64,
}

/// By policy, by person, and the quick ones, newest first.
pub(super) fn judge(requests: &[Kept]) -> (Vec<Judged>, Vec<Judged>, Vec<Quick>) {
    let mut decisions = decisions(requests);
    let (mut policies, mut people) = (BTreeMap::<&str, Tally>::new(), BTreeMap::<&str, Tally>::new());
    for kept in requests {
        let lapsed = matches!(kept.status, Status::TimedOut(_) | Status::Cancelled(_));
        policies.entry(&kept.facts.policy).or_default().lapsed += usize::from(lapsed);
    }
    for decided in &decisions {
        let took_ms = decided.at_ms.saturating_sub(decided.kept.facts.request.created_at_ms);
        for tally in [
            policies.entry(&decided.kept.facts.policy).or_default(),
            people.entry(decided.person.as_str()).or_default(),
        ] {
            tally.took_ms.push(took_ms);
            tally.approvals += usize::from(decided.approves);
            tally.quick += usize::from(decided.had_ms < QUICK_MS);
        }
    }
    decisions.retain(|decided| decided.had_ms < QUICK_MS);
    let quick = decisions.iter().rev().take(MAX_QUICK).map(|decided| Quick {
        id: decided.kept.id().to_string(),
        policy: decided.kept.facts.policy.clone(),
        person: decided.person.to_string(),
        said: if decided.approves { "approved" } else { "denied" },
        at: instant(decided.at_ms),
        after: format!("{}.{} s", decided.had_ms / 1_000, decided.had_ms % 1_000 / 100),
    });
    let quick = quick.collect();
    let judged = |tallies: BTreeMap<&str, Tally>| tallies.into_iter().map(judged).collect();
    (judged(policies), judged(people), quick)
}

/// Approvals and denials, oldest first.
fn decisions(requests: &[Kept]) -> Vec<Decided<'_>> {
    let mut found: Vec<Decided<'_>> = Vec::new();
    for kept in requests {
        let votes: &[Vote] = match &kept.status {
            Status::Open(open) => open.votes(),
            Status::Approved(approved) => approved.votes(),
            Status::Denied(denied) => &denied.votes,
            Status::TimedOut(ended) => &ended.votes,
            Status::Cancelled(ended) => &ended.votes,
            Status::Revoked(revoked) => revoked.was.votes(),
        };
        for vote in votes {
            let approves = match vote.decision {
                Decision::Approve { .. } => true,
                Decision::Deny => false,
                Decision::Escalate | Decision::RequestInfo => continue,
            };
            let had_ms = vote.at_ms.saturating_sub(kept.facts.request.created_at_ms);
            found.push(Decided { kept, person: &vote.person, approves, at_ms: vote.at_ms, had_ms });
        }
    }
    found.sort_by_key(|decided| decided.at_ms);
    let mut before = BTreeMap::new();
    for decided in &mut found {
        if let Some(before) = before.insert(decided.person, decided.at_ms) {
            decided.had_ms = decided.had_ms.min(decided.at_ms.saturating_sub(before));
        }
    }
    found
}

fn judged((name, mut tally): (&str, Tally)) -> Judged {
    tally.took_ms.sort_unstable();
    let decided = tally.took_ms.len();
    let share = |part: usize| (part * 100).checked_div(decided).unwrap_or(0);
    let at = |of_ten: usize| {
        let place = (decided * of_ten).div_ceil(10).saturating_sub(1);
        tally.took_ms.get(place).map_or_else(|| "–".to_owned(), |took| duration(*took))
    };
    let (approved, quick) = (share(tally.approvals), share(tally.quick));
    Judged {
        name: name.to_owned(),
        decided,
        lapsed: tally.lapsed,
        approved,
        quick,
        median: at(5),
        slow: at(9),
        is_rubber_stamp: decided >= MIN_JUDGED && approved >= 95 && quick >= 50,
    }
}
