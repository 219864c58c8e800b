//! What somebody may do to a request. The state machine has the last word on votes; this is what the page offers, and what it lets
//! through of the steps that are no votes.

use creto_approvals::Kept;
use creto_oversight::{Person, Status};

use crate::people::{Account, Role, SignedIn};

/// What somebody may do to a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct May {
    /// Approve, deny, ask.
    pub(super) vote: bool,
    /// Why not, when people decide it.
    pub(super) why_not: &'static str,
    /// Hand the decision up.
    pub(super) escalate: bool,
    /// Answer the oldest question.
    pub(super) answer: bool,
    /// Those in whose place another may be put.
    pub(super) from: Vec<Person>,
    /// End it.
    pub(super) cancel: bool,
    /// Take an approval back.
    pub(super) revoke: bool,
}

impl May {
    pub(super) fn of(who: &SignedIn, kept: &Kept, now_ms: u64) -> Self {
        let mut may = Self::default();
        if who.role == Role::Viewer {
            may.why_not = "Your account may look, and not decide.";
            return may;
        }
        let is_admin = who.role == Role::Admin;
        let is_own = kept.facts.request.excluded.contains(&who.person);
        match &kept.status {
            Status::Open(open) => {
                let is_asked = open.current().people.contains(&who.person);
                let awaits = open.awaited().any(|awaited| *awaited == who.person);
                let in_time = now_ms < open.until_ms();
                may.vote = awaits && in_time && !is_own;
                may.why_not = if may.vote {
                    ""
                } else if is_own {
                    "You ask for this yourself, or handed it on: nobody decides about their own request."
                } else if !is_asked {
                    "You are not among those who decide it now."
                } else if !awaits {
                    "You have said what you think of it."
                } else {
                    "The time to decide is over."
                };
                may.escalate = may.vote && usize::from(open.tier()) < open.panel().tiers().len();
                may.answer = open.questions().iter().any(|question| question.answer.is_none());
                // Whoever asks for it does not choose who decides.
                let hands_on = |person: &&Person| !is_own && (is_admin || **person == who.person);
                may.from = open.awaited().filter(hands_on).cloned().collect();
                may.cancel = is_admin || is_own || open.panel().names(&who.person);
            }
            Status::Approved(approved) => {
                may.revoke =
                    is_admin || is_own || approved.votes().iter().any(|vote| vote.person == who.person);
            }
            _ => {}
        }
        may
    }

    /// Who may be put in another's place: accounts that decide, are not asked already, and do not ask for it themselves.
    pub(super) fn to(kept: &Kept, accounts: Vec<Account>) -> Vec<Person> {
        let Status::Open(open) = &kept.status else { return Vec::new() };
        let fits = |account: &Account| {
            !account.disabled
                && account.role != Role::Viewer
                && !open.current().people.contains(&account.name)
                && !kept.facts.request.excluded.contains(&account.name)
        };
        accounts.into_iter().filter(fits).map(|account| account.name).collect()
    }
}
