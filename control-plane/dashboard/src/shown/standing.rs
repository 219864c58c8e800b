//! Where a request stands: who is asked, what was said, what became of it.

use creto_approvals::{Kept, StepNote};
use creto_oversight::{Decision, DeniedBy, Execution, ExecutionEnd, Open, Quorum, Status, Vote};

use super::{Visible, duration, instant};

/// Where a request stands.
pub(crate) struct Standing {
    pub(crate) id: String,
    pub(crate) version: i64,
    pub(crate) word: &'static str,
    pub(crate) state: &'static str,
    pub(crate) sentence: String,
    /// Why, in somebody's words.
    pub(crate) reason: String,
    /// When the time of those who are asked ends; 0 when nobody is.
    pub(crate) until_ms: u64,
    pub(crate) left: String,
    pub(crate) ends: String,
    pub(crate) tiers: Vec<TierView>,
    pub(crate) votes: Vec<VoteView>,
    pub(crate) questions: Vec<QuestionView>,
    pub(crate) uses: Vec<UseView>,
}

pub(crate) struct TierView {
    pub(crate) number: usize,
    pub(crate) is_current: bool,
    pub(crate) quorum: String,
    pub(crate) wait: String,
    pub(crate) people: Vec<String>,
}

pub(crate) struct VoteView {
    pub(crate) person: String,
    pub(crate) said: String,
    pub(crate) reason: String,
    pub(crate) channel: &'static str,
    pub(crate) tier: u8,
    pub(crate) at: String,
}

pub(crate) struct QuestionView {
    pub(crate) by: String,
    pub(crate) text: String,
    pub(crate) at: String,
    pub(crate) answer: Option<String>,
}

pub(crate) struct UseView {
    pub(crate) number: u16,
    pub(crate) by: String,
    pub(crate) call: String,
    pub(crate) at: String,
    pub(crate) end: String,
}

impl Standing {
    pub(crate) fn new(kept: &Kept, now_ms: u64) -> Self {
        let word = kept.status.word();
        let mut standing = Self {
            id: kept.id().to_string(),
            version: kept.version,
            word,
            state: state(word),
            sentence: String::new(),
            reason: String::new(),
            until_ms: 0,
            left: String::new(),
            ends: String::new(),
            tiers: Vec::new(),
            votes: Vec::new(),
            questions: Vec::new(),
            uses: Vec::new(),
        };
        match &kept.status {
            Status::Open(open) => standing.open(open, now_ms),
            Status::Approved(approved) => {
                standing.sentence = format!(
                    "Approved by {} at {}. {} of {} uses are left, until {}.",
                    approved.by().iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
                    instant(approved.at_ms()),
                    approved.uses_left(),
                    approved.uses(),
                    instant(approved.not_after_ms()),
                );
                standing.votes = votes(approved.votes());
                standing.uses = uses(approved.executions());
            }
            Status::Denied(denied) => {
                standing.sentence = match &denied.by {
                    DeniedBy::Person(person) => format!("Denied by {person} at {}.", instant(denied.at_ms)),
                    DeniedBy::NobodyMayDecide => {
                        "Denied: everybody who could approve asks for it themselves, or handed it on."
                            .to_owned()
                    }
                };
                standing.reason = denied.reason.clone().unwrap_or_default();
                standing.votes = votes(&denied.votes);
            }
            Status::TimedOut(ended) => {
                standing.sentence = format!("Nobody decided in time: denied at {}.", instant(ended.at_ms));
                standing.votes = votes(&ended.votes);
            }
            Status::Cancelled(ended) => {
                standing.sentence = format!("Cancelled at {}.", instant(ended.at_ms));
                standing.reason.clone_from(&ended.reason);
                standing.votes = votes(&ended.votes);
            }
            Status::Revoked(revoked) => {
                standing.sentence = format!(
                    "It was approved, and taken back by {} at {}.",
                    revoked.by,
                    instant(revoked.at_ms)
                );
                standing.reason.clone_from(&revoked.reason);
                standing.votes = votes(revoked.was.votes());
                standing.uses = uses(revoked.was.executions());
            }
        }
        standing
    }

    fn open(&mut self, open: &Open, now_ms: u64) {
        let (tier, number) = (open.current(), usize::from(open.tier()));
        let approvals =
            |vote: &&Vote| vote.tier == open.tier() && matches!(vote.decision, Decision::Approve { .. });
        let given = open.votes().iter().filter(approvals).count();
        let required = tier.quorum.required(tier.people.len());
        self.sentence =
            format!("{given} of {required} approvals at tier {number} of {}.", open.panel().tiers().len());
        self.until_ms = open.until_ms();
        self.left = duration(open.until_ms().saturating_sub(now_ms));
        self.ends = if number < open.panel().tiers().len() {
            format!("at {} the next tier decides", instant(open.until_ms()))
        } else {
            format!("at {} it is denied", instant(open.until_ms()))
        };
        let tiers = open.panel().tiers().iter().enumerate();
        self.tiers = tiers
            .map(|(place, tier)| TierView {
                number: place + 1,
                is_current: place + 1 == number,
                quorum: match tier.quorum {
                    Quorum::Any => "any one of".to_owned(),
                    Quorum::All => "all of".to_owned(),
                    Quorum::Threshold(required) => format!("{required} of"),
                },
                wait: duration(tier.wait_ms),
                people: tier.people.iter().map(ToString::to_string).collect(),
            })
            .collect();
        self.votes = votes(open.votes());
        let questions = open.questions().iter().map(|question| QuestionView {
            by: question.by.to_string(),
            text: question.text.clone(),
            at: instant(question.at_ms),
            answer: question.answer.clone(),
        });
        self.questions = questions.collect();
    }

    pub(crate) fn is_open(&self) -> bool {
        self.until_ms > 0
    }

    pub(crate) fn reason(&self) -> Visible<'_> {
        Visible(&self.reason)
    }
}

impl VoteView {
    pub(crate) fn reason(&self) -> Visible<'_> {
        Visible(&self.reason)
    }
}

impl QuestionView {
    pub(crate) fn text(&self) -> Visible<'_> {
        Visible(&self.text)
    }

    pub(crate) fn answer(&self) -> Option<Visible<'_>> {
        self.answer.as_deref().map(Visible)
    }
}

impl UseView {
    pub(crate) fn end(&self) -> Visible<'_> {
        Visible(&self.end)
    }

    pub(crate) fn by(&self) -> Visible<'_> {
        Visible(&self.by)
    }

    pub(crate) fn call(&self) -> Visible<'_> {
        Visible(&self.call)
    }
}

/// A step, for people.
pub(crate) struct StepView {
    pub(crate) version: i64,
    pub(crate) at: String,
    pub(crate) what: String,
    pub(crate) state: &'static str,
    by: String,
}

impl StepView {
    pub(crate) fn new(note: StepNote) -> Self {
        let StepNote { version, at_ms, by, what, word } = note;
        Self { version, at: instant(at_ms), what: what.replace('_', " "), state: state(&word), by }
    }

    pub(crate) fn by(&self) -> Visible<'_> {
        Visible(&self.by)
    }
}

/// A state, in people's words.
pub(crate) fn state(word: &str) -> &'static str {
    match word {
        "pending" => "waiting",
        "escalated" => "escalated",
        "info_requested" => "question open",
        "approved" => "approved",
        "executing" => "running",
        "executed" => "done",
        "ambiguous" => "outcome unknown",
        "denied" => "denied",
        "timed_out" => "timed out",
        "cancelled" => "cancelled",
        "revoked" => "taken back",
        _ => "unknown",
    }
}

fn votes(votes: &[Vote]) -> Vec<VoteView> {
    let view = |vote: &Vote| VoteView {
        person: vote.person.to_string(),
        said: match &vote.decision {
            Decision::Approve { uses, for_ms: 0 } => format!("approves {uses}×"),
            Decision::Approve { uses, for_ms } => format!("approves {uses}×, for {}", duration(*for_ms)),
            Decision::Deny => "denies".to_owned(),
            Decision::Escalate => "escalates".to_owned(),
            Decision::RequestInfo => "asks".to_owned(),
        },
        reason: vote.reason.clone().unwrap_or_default(),
        channel: vote.channel.name(),
        tier: vote.tier,
        at: instant(vote.at_ms),
    };
    votes.iter().map(view).collect()
}

fn uses(executions: &[Execution]) -> Vec<UseView> {
    let view = |execution: &Execution| UseView {
        number: execution.number,
        by: execution.by.clone(),
        call: execution.call.clone(),
        at: instant(execution.taken_at_ms),
        end: match &execution.end {
            None => "running".to_owned(),
            Some(ExecutionEnd::Answered { status }) => format!("answered with status {status}"),
            Some(ExecutionEnd::NeverLeft { cause }) => format!("never left: {cause}"),
            Some(ExecutionEnd::Ambiguous { cause }) => format!("nobody knows whether it was done: {cause}"),
        },
    };
    executions.iter().map(view).collect()
}
