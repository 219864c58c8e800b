//! What people say about a request.

use serde::{Deserialize, Serialize};

use crate::{ActionDigest, Person};

/// Bytes of a reason, a question or an answer.
pub const MAX_REASON_BYTES: usize = 4_096;

/// Over what a vote came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// The approvals page.
    Page,
    /// A button in Slack.
    Slack,
    /// The page that a link in an email led to.
    Email,
    /// A signed answer to a webhook.
    Webhook,
    /// The command line.
    Cli,
}

impl Channel {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Slack => "slack",
            Self::Email => "email",
            Self::Webhook => "webhook",
            Self::Cli => "cli",
        }
    }
}

/// What a person decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case", deny_unknown_fields)]
pub enum Decision {
    /// It may go out.
    Approve {
        /// How often; 1 unless more is wanted and policy lets it.
        uses: u16,
        /// For how long from the approval, in milliseconds; 0 for as long as policy lets it.
        for_ms: u64,
    },
    /// It must not.
    Deny,
    /// The next tier decides.
    Escalate,
    /// First this question is to be answered; the reason holds it.
    RequestInfo,
}

impl Decision {
    /// One use, as long as policy lets it.
    pub const APPROVE_ONCE: Self = Self::Approve { uses: 1, for_ms: 0 };

    /// As it is written.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Approve { .. } => "approve",
            Self::Deny => "deny",
            Self::Escalate => "escalate",
            Self::RequestInfo => "request_info",
        }
    }
}

/// A vote to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ballot {
    /// Who, as signed in.
    pub person: Person,
    /// What.
    pub decision: Decision,
    /// Why, or what is asked.
    pub reason: Option<String>,
    /// Over what.
    pub channel: Channel,
    /// The digest of what they were shown.
    pub shown: ActionDigest,
}

/// A vote that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vote {
    /// Who.
    pub person: Person,
    /// What.
    pub decision: Decision,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// Over what.
    pub channel: Channel,
    /// The tier it was cast in, from 1.
    pub tier: u8,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
}

/// Why a vote does not count. Nothing has changed.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum VoteError {
    /// Not asked.
    #[error("{0} is not among the people who decide this request now")]
    NotAsked(Person),
    /// Decides already, and cannot do so in another's place too.
    #[error("{0} is asked already: name somebody else")]
    AskedAlready(Person),
    /// Part of the request's own chain.
    #[error("{0} asks for this themselves, or handed it on: nobody decides about their own request")]
    OwnRequest(Person),
    /// Said something already.
    #[error("{person} said `{before}` already; a vote is not changed")]
    VotedBefore {
        /// Who.
        person: Person,
        /// What they said.
        before: &'static str,
    },
    /// Too late.
    #[error("the time to decide ended at {until_ms} (milliseconds since 1970)")]
    Expired {
        /// When.
        until_ms: u64,
    },
    /// What was shown is not what is asked.
    #[error("what was shown ({shown}) is not what the request is for ({asked}): look at it again")]
    ShownAnother {
        /// What the person saw.
        shown: ActionDigest,
        /// What would be approved.
        asked: ActionDigest,
    },
    /// There is nobody to escalate to.
    #[error("there is no further tier to escalate to: approve, deny or ask")]
    NoNextTier,
    /// More than policy lets an approval give.
    #[error("policy lets an approval hold for at most {most_uses} uses and {most_ms} ms")]
    BeyondPolicy {
        /// Uses.
        most_uses: u16,
        /// Milliseconds.
        most_ms: u64,
    },
    /// A question without one, or too long a text.
    #[error("give a reason of 1 to {MAX_REASON_BYTES} bytes")]
    Reason,
}
