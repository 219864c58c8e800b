//! A request that people decide.

use serde::{Deserialize, Serialize};

use crate::quorum::Standing;
use crate::request::{Cancelled, Denied, DeniedBy, TimedOut};
use crate::vote::MAX_REASON_BYTES;
use crate::{Approved, Ballot, Decision, Panel, PanelProblem, Person, Request, Tier, Vote, VoteError};

/// A question that an approver has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Who asks.
    pub by: Person,
    /// What.
    pub text: String,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// The answer, when there is one.
    #[serde(default)]
    pub answer: Option<String>,
}

/// Questions of one request.
const MAX_QUESTIONS: usize = 16;

/// A request that people decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    panel: Panel,
    /// The tier that decides now, counted from 0.
    tier: u8,
    /// When that tier's time ends, milliseconds since 1970.
    until_ms: u64,
    /// When all of it ends, whatever was escalated how.
    expires_at_ms: u64,
    votes: Vec<Vote>,
    questions: Vec<Question>,
}

/// What becomes of a request when it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// People decide.
    Waits(Open),
    /// There is nobody who may.
    Denied(Denied),
}

/// What becomes of a request by a vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AfterVote {
    /// People still decide.
    Waits(Open),
    /// Enough approved.
    Approved(Approved),
    /// Somebody denied it.
    Denied(Denied),
}

/// What becomes of a request as time passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AfterTick {
    /// Nothing.
    Same,
    /// The next tier decides.
    Escalated(Open),
    /// It was the last.
    TimedOut(TimedOut),
}

impl Open {
    /// Asks the people of the first tier that may decide.
    #[must_use]
    pub fn begin(request: &Request, panel: &Panel) -> Begun {
        let now_ms = request.created_at_ms;
        let Some(panel) = panel.without(&request.excluded) else {
            return Begun::Denied(Denied {
                by: DeniedBy::NobodyMayDecide,
                reason: None,
                at_ms: now_ms,
                votes: Vec::new(),
            });
        };
        let expires_at_ms = now_ms.saturating_add(panel.longest_ms());
        let mut open =
            Self { panel, tier: 0, until_ms: 0, expires_at_ms, votes: Vec::new(), questions: Vec::new() };
        open.until_ms = open.end_of_tier(now_ms);
        Begun::Waits(open)
    }

    /// Counts a vote.
    ///
    /// One denial denies, whatever the quorum. A vote counts in the tier it was cast in: escalating never approves.
    ///
    /// # Errors
    /// [`VoteError`]; nothing has changed then.
    pub fn vote(&self, request: &Request, ballot: Ballot, now_ms: u64) -> Result<AfterVote, VoteError> {
        if request.excluded.contains(&ballot.person) {
            return Err(VoteError::OwnRequest(ballot.person));
        }
        let tier = self.current();
        if !tier.people.contains(&ballot.person) {
            return Err(VoteError::NotAsked(ballot.person));
        }
        if now_ms >= self.until_ms {
            return Err(VoteError::Expired { until_ms: self.until_ms });
        }
        if ballot.shown != request.digest {
            return Err(VoteError::ShownAnother { shown: ballot.shown, asked: request.digest });
        }
        if ballot.reason.as_ref().is_some_and(|reason| reason.len() > MAX_REASON_BYTES) {
            return Err(VoteError::Reason);
        }
        if let Some(before) = self.votes_now().find(|vote| vote.person == ballot.person) {
            return Err(VoteError::VotedBefore { person: ballot.person, before: before.decision.name() });
        }
        let mut next = self.clone();
        let vote = Vote {
            person: ballot.person,
            decision: ballot.decision,
            reason: ballot.reason,
            channel: ballot.channel,
            tier: self.tier + 1,
            at_ms: now_ms,
        };
        match &vote.decision {
            Decision::Approve { uses, for_ms } => {
                if *uses == 0 || *uses > request.most_uses || *for_ms > request.most_ms {
                    let (most_uses, most_ms) = (request.most_uses, request.most_ms);
                    return Err(VoteError::BeyondPolicy { most_uses, most_ms });
                }
                next.votes.push(vote);
                let approvals = next.votes_now().filter(|vote| is_approval(vote)).count();
                Ok(match tier.quorum.standing(tier.people.len(), approvals) {
                    Standing::Waiting => AfterVote::Waits(next),
                    Standing::Approved => {
                        let given: Vec<Vote> =
                            next.votes_now().filter(|vote| is_approval(vote)).cloned().collect();
                        AfterVote::Approved(Approved::given(request, given, next.votes, now_ms))
                    }
                })
            }
            Decision::Deny => {
                let (by, reason) = (DeniedBy::Person(vote.person.clone()), vote.reason.clone());
                next.votes.push(vote);
                Ok(AfterVote::Denied(Denied { by, reason, at_ms: now_ms, votes: next.votes }))
            }
            Decision::Escalate => {
                if !next.has_next_tier() {
                    return Err(VoteError::NoNextTier);
                }
                next.votes.push(vote);
                Ok(AfterVote::Waits(next.escalated(now_ms)))
            }
            Decision::RequestInfo => {
                let text = vote.reason.clone().filter(|text| !text.is_empty()).ok_or(VoteError::Reason)?;
                if next.questions.len() == MAX_QUESTIONS {
                    return Err(VoteError::Reason);
                }
                // Asking is not voting: the one who asks decides when the answer is there.
                next.questions.push(Question { by: vote.person, text, at_ms: now_ms, answer: None });
                Ok(AfterVote::Waits(next))
            }
        }
    }

    /// Answers the oldest open question. None when there is none, or the answer is empty or too long.
    #[must_use]
    pub fn answer(&self, text: &str) -> Option<Self> {
        if text.is_empty() || text.len() > MAX_REASON_BYTES {
            return None;
        }
        let mut next = self.clone();
        let question = next.questions.iter_mut().find(|question| question.answer.is_none())?;
        question.answer = Some(text.to_owned());
        Some(next)
    }

    /// Lets time pass. Time alone never approves.
    #[must_use]
    pub fn tick(&self, now_ms: u64) -> AfterTick {
        if now_ms < self.until_ms {
            return AfterTick::Same;
        }
        // The tiers that were to follow have no time left when the clock is past the end of all.
        if self.has_next_tier() && now_ms < self.expires_at_ms {
            return AfterTick::Escalated(self.clone().escalated(now_ms));
        }
        AfterTick::TimedOut(TimedOut { at_ms: now_ms, votes: self.votes.clone() })
    }

    /// Puts another person in the place of one who is asked now and has not voted.
    ///
    /// # Errors
    /// [`VoteError`] when the one is not asked, voted, or the other must not decide; [`PanelProblem`] as text when the tier
    /// could not decide then.
    pub fn reassign(&self, request: &Request, from: &Person, to: Person) -> Result<Self, ReassignError> {
        if request.excluded.contains(&to) {
            return Err(VoteError::OwnRequest(to).into());
        }
        if !self.current().people.contains(from) {
            return Err(VoteError::NotAsked(from.clone()).into());
        }
        // One person in two places would be a smaller quorum.
        if self.current().people.contains(&to) {
            return Err(VoteError::AskedAlready(to).into());
        }
        if let Some(vote) = self.votes_now().find(|vote| vote.person == *from || vote.person == to) {
            let (person, before) = (vote.person.clone(), vote.decision.name());
            return Err(VoteError::VotedBefore { person, before }.into());
        }
        let panel = self.panel.reassigned(usize::from(self.tier), from, to)?;
        Ok(Self { panel, ..self.clone() })
    }

    /// Ends it: nobody waits any more.
    #[must_use]
    pub fn cancel(&self, reason: &str, now_ms: u64) -> Cancelled {
        Cancelled { reason: reason.to_owned(), at_ms: now_ms, votes: self.votes.clone() }
    }

    /// The people who decide now.
    #[must_use]
    pub fn current(&self) -> &Tier {
        let tiers = self.panel.tiers();
        // There is at least one; beyond the last, which no step leads to, the last decides.
        &tiers[usize::from(self.tier).min(tiers.len() - 1)]
    }

    /// The whole chain.
    #[must_use]
    pub fn panel(&self) -> &Panel {
        &self.panel
    }

    /// The tier that decides now, from 1.
    #[must_use]
    pub fn tier(&self) -> u8 {
        self.tier + 1
    }

    /// When the tier's time ends, milliseconds since 1970.
    #[must_use]
    pub fn until_ms(&self) -> u64 {
        self.until_ms
    }

    /// When all of it ends.
    #[must_use]
    pub fn expires_at_ms(&self) -> u64 {
        self.expires_at_ms
    }

    /// Everything that was said.
    #[must_use]
    pub fn votes(&self) -> &[Vote] {
        &self.votes
    }

    /// Everything that was asked.
    #[must_use]
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// The people who are asked now and have not voted.
    pub fn awaited(&self) -> impl Iterator<Item = &Person> {
        let voted = |person: &Person| self.votes_now().any(|vote| vote.person == *person);
        self.current().people.iter().filter(move |person| !voted(person))
    }

    pub(crate) fn word(&self) -> &'static str {
        if self.questions.iter().any(|question| question.answer.is_none()) {
            "info_requested"
        } else if self.tier > 0 {
            "escalated"
        } else {
            "pending"
        }
    }

    fn votes_now(&self) -> impl Iterator<Item = &Vote> {
        self.votes.iter().filter(|vote| vote.tier == self.tier + 1)
    }

    fn has_next_tier(&self) -> bool {
        usize::from(self.tier) + 1 < self.panel.tiers().len()
    }

    fn escalated(mut self, now_ms: u64) -> Self {
        self.tier += 1;
        self.until_ms = self.end_of_tier(now_ms);
        self
    }

    fn end_of_tier(&self, now_ms: u64) -> u64 {
        now_ms.saturating_add(self.current().wait_ms).min(self.expires_at_ms)
    }
}

/// Why nobody was put in another's place.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReassignError {
    /// One of the two must not.
    #[error(transparent)]
    Vote(#[from] VoteError),
    /// The tier could not decide then.
    #[error(transparent)]
    Panel(#[from] PanelProblem),
}

fn is_approval(vote: &Vote) -> bool {
    matches!(vote.decision, Decision::Approve { .. })
}
