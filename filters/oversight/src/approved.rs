//! A request that was allowed, and what was executed under it.

use serde::{Deserialize, Serialize};

use crate::request::{Request, Revoked};
use crate::{ActionDigest, Decision, Person, Vote};

/// Uses that one approval may give.
pub const MAX_USES: u16 = 1_000;
/// How long an approval may hold, in milliseconds: 14 days.
pub const MAX_GRANT_MS: u64 = 14 * 86_400_000;
/// Uses given back under one approval, since they never left.
const MAX_RETURNED: usize = 16;

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum ExecutionEnd {
    /// The upstream answered.
    Answered {
        /// HTTP status.
        status: u16,
    },
    /// It is known not to have left: the grant may be used again for it.
    NeverLeft {
        /// Why.
        cause: String,
    },
    /// It may have been executed or not: nobody knows, and nobody tries again by themselves.
    Ambiguous {
        /// What is known.
        cause: String,
    },
}

/// One use of an approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Execution {
    /// Its number under this approval, from 1.
    pub number: u16,
    /// The sidecar that took it.
    pub by: String,
    /// The id of the call.
    pub call: String,
    /// When it was taken, milliseconds since 1970.
    pub taken_at_ms: u64,
    /// How it ended; none while it runs.
    #[serde(default)]
    pub end: Option<ExecutionEnd>,
}

/// Who takes a use, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taking {
    /// The digest of the call that is about to leave.
    pub digest: ActionDigest,
    /// The sidecar.
    pub by: String,
    /// The id of the call.
    pub call: String,
}

/// Why a use is not given. Nothing has changed.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum TakeError {
    /// Something changed since it was approved.
    #[error("the call ({asked}) is not what was approved ({approved}): it must be approved again")]
    OtherAction {
        /// What would leave.
        asked: ActionDigest,
        /// What was approved.
        approved: ActionDigest,
    },
    /// Too late.
    #[error("the approval held until {0} (milliseconds since 1970): ask again")]
    Lapsed(u64),
    /// Nothing is left.
    #[error("all {0} uses of the approval are taken: ask again")]
    UsedUp(u16),
    /// Nobody knows what became of an earlier use.
    #[error("nobody knows whether use {0} was executed: a person must look before it is tried again")]
    Ambiguous(u16),
}

/// A request that was allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approved {
    digest: ActionDigest,
    /// Those whose approvals made the quorum.
    by: Vec<Person>,
    votes: Vec<Vote>,
    at_ms: u64,
    not_after_ms: u64,
    uses: u16,
    executions: Vec<Execution>,
}

impl Approved {
    /// What a quorum gave: the least of what each of them gave.
    pub(crate) fn given(request: &Request, approvals: Vec<Vote>, votes: Vec<Vote>, now_ms: u64) -> Self {
        let (mut uses, mut for_ms) = (request.most_uses.min(MAX_USES), request.most_ms.min(MAX_GRANT_MS));
        for vote in &approvals {
            if let Decision::Approve { uses: given, for_ms: held } = vote.decision {
                uses = uses.min(given);
                if held > 0 {
                    for_ms = for_ms.min(held);
                }
            }
        }
        Self {
            digest: request.digest,
            by: approvals.into_iter().map(|vote| vote.person).collect(),
            votes,
            at_ms: now_ms,
            not_after_ms: now_ms.saturating_add(for_ms),
            uses,
            executions: Vec::new(),
        }
    }

    /// Takes a use, before the call leaves. Once it is kept, nobody else can have it. Who asks again for the same call, because
    /// the answer was lost, is given the same use.
    ///
    /// # Errors
    /// [`TakeError`]; nothing has changed then.
    pub fn take(&self, taking: Taking, now_ms: u64) -> Result<(Self, Execution), TakeError> {
        if taking.digest != self.digest {
            return Err(TakeError::OtherAction { asked: taking.digest, approved: self.digest });
        }
        if now_ms >= self.not_after_ms {
            return Err(TakeError::Lapsed(self.not_after_ms));
        }
        let mut running = self.executions.iter().filter(|execution| execution.end.is_none());
        if let Some(taken) = running.find(|taken| taken.by == taking.by && taken.call == taking.call) {
            return Ok((self.clone(), taken.clone()));
        }
        if let Some(unknown) = self.ambiguous() {
            return Err(TakeError::Ambiguous(unknown.number));
        }
        // Uses that never left are given back, but not for ever.
        let attempts = usize::from(self.uses).saturating_add(MAX_RETURNED);
        if self.uses_left() == 0 || self.executions.len() >= attempts {
            return Err(TakeError::UsedUp(self.uses));
        }
        let mut next = self.clone();
        let number = u16::try_from(self.executions.len() + 1).unwrap_or(u16::MAX);
        let Taking { by, call, .. } = taking;
        let execution = Execution { number, by, call, taken_at_ms: now_ms, end: None };
        next.executions.push(execution.clone());
        Ok((next, execution))
    }

    /// Notes how a use ended. None when there is no such use, or it has ended: the first report stands, but what was ambiguous
    /// may become known.
    #[must_use]
    pub fn ended(&self, number: u16, end: ExecutionEnd) -> Option<Self> {
        let mut next = self.clone();
        let execution = next.executions.iter_mut().find(|execution| execution.number == number)?;
        match (&execution.end, &end) {
            (None, _) => {}
            (Some(ExecutionEnd::Ambiguous { .. }), known)
                if !matches!(known, ExecutionEnd::Ambiguous { .. }) => {}
            _ => return None,
        }
        execution.end = Some(end);
        Some(next)
    }

    /// Takes it back. What runs already is not stopped by this.
    #[must_use]
    pub fn revoke(&self, by: &str, reason: &str, now_ms: u64) -> Revoked {
        Revoked { by: by.to_owned(), reason: reason.to_owned(), at_ms: now_ms, was: self.clone() }
    }

    /// The people whose approvals made the quorum.
    #[must_use]
    pub fn by(&self) -> &[Person] {
        &self.by
    }

    /// Everything that was said.
    #[must_use]
    pub fn votes(&self) -> &[Vote] {
        &self.votes
    }

    /// When it was approved, milliseconds since 1970.
    #[must_use]
    pub fn at_ms(&self) -> u64 {
        self.at_ms
    }

    /// Nothing is taken at or after it.
    #[must_use]
    pub fn not_after_ms(&self) -> u64 {
        self.not_after_ms
    }

    /// How many uses it gives.
    #[must_use]
    pub fn uses(&self) -> u16 {
        self.uses
    }

    /// How many are left. A use that is known not to have left is not used.
    #[must_use]
    pub fn uses_left(&self) -> u16 {
        let returned =
            |execution: &&Execution| !matches!(execution.end, Some(ExecutionEnd::NeverLeft { .. }));
        let used = self.executions.iter().filter(returned).count();
        self.uses.saturating_sub(u16::try_from(used).unwrap_or(u16::MAX))
    }

    /// What was executed under it.
    #[must_use]
    pub fn executions(&self) -> &[Execution] {
        &self.executions
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.uses_left() == 0
            && self.executions.iter().all(|execution| execution.end.is_some())
            && self.ambiguous().is_none()
    }

    pub(crate) fn word(&self) -> &'static str {
        if self.ambiguous().is_some() {
            "ambiguous"
        } else if self.executions.iter().any(|execution| execution.end.is_none()) {
            "executing"
        } else if self.uses_left() == 0 {
            "executed"
        } else {
            "approved"
        }
    }

    fn ambiguous(&self) -> Option<&Execution> {
        self.executions.iter().find(|execution| matches!(execution.end, Some(ExecutionEnd::Ambiguous { .. })))
    }
}
