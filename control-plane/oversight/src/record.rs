//! Requests as they are kept.

use creto_oversight::{ActionDigest, Request, RequestId, Status};
use serde::{Deserialize, Serialize};

use crate::context::Context;

/// What never changes about a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Who may not decide, how much may be given.
    pub request: Request,
    /// The namespace.
    pub namespace: String,
    /// The agent's name.
    pub agent: String,
    /// The policy that holds the call.
    pub policy: String,
    /// The rule in it.
    pub rule: String,
    /// Id of the delegation that the call is made under, in hexadecimal digits; empty when nobody said it.
    #[serde(default)]
    pub delegation: String,
}

/// A request with where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What never changes.
    pub facts: Facts,
    /// What people are shown. Lists and steps give it without headers and body ([`Context::summary`]).
    pub context: Context,
    /// Where it stands.
    pub status: Status,
    /// How many steps it took; 1 when it was made.
    pub version: i64,
    /// When the last was, milliseconds since 1970.
    pub changed_ms: u64,
}

impl Kept {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> RequestId {
        self.facts.request.id
    }

    /// What it is for.
    #[must_use]
    pub fn digest(&self) -> ActionDigest {
        self.facts.request.digest
    }
}

/// A step a request took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its number, from 1.
    pub version: i64,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// Who or what: a person, a sidecar, `clock`.
    pub by: String,
    /// What: `asked`, `approve`, `deny`, `escalate`, `request_info`, `answered`, `reassigned`, `escalated`, `timed_out`,
    /// `cancelled`, `taken`, `ended`, `ambiguous`, `revoked`.
    pub what: String,
    /// Where it stood then.
    pub status: Status,
}

/// A step without the state that it led to, for people to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepNote {
    /// Its number, from 1.
    pub version: i64,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// Who or what.
    pub by: String,
    /// What, as in [`Change::what`].
    pub what: String,
    /// Where it stood then, as [`Status::word`].
    pub word: String,
}

/// A request that changed, by its newest step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Which.
    pub id: RequestId,
    /// How many steps it took.
    pub version: i64,
    /// When the newest was, milliseconds since 1970.
    pub at_ms: u64,
}

/// Which requests to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only those people decide now, soonest to end first; else all, newest first.
    pub inbox: bool,
    /// In this state only, as [`Status::word`].
    pub word: Option<String>,
    /// At most so many, up to [`crate::MAX_PAGE`]; 0 for that.
    pub limit: u32,
}
