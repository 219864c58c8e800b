//! Where a request for approval stands, as the control plane tells it.

use creto_proto::v1::ApprovalStanding;

/// What it means to a call that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The control plane is asked for it.
    Asked,
    /// People decide.
    Waiting,
    /// It may be taken.
    Approved,
    /// Another call has taken it and is under way.
    Taken,
    /// Nobody knows what became of a call that took it.
    Ambiguous,
    /// Not allowed.
    Denied,
    /// Not allowed: nobody decided.
    TimedOut,
    /// Nothing can come of it any more: who still wants it asks anew.
    Over,
}

/// Where a request stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) id: String,
    pub(crate) phase: Phase,
    /// As people read it: `pending`, `escalated`, ...
    pub(crate) word: String,
    pub(crate) version: i64,
    /// Milliseconds since 1970.
    pub(crate) expires_at_ms: i64,
    /// What was said with a denial.
    pub(crate) reason: String,
}

impl Standing {
    /// Before there is any.
    pub(super) fn asked() -> Self {
        Self {
            id: String::new(),
            phase: Phase::Asked,
            word: "pending".into(),
            version: 0,
            expires_at_ms: 0,
            reason: String::new(),
        }
    }
}

impl From<ApprovalStanding> for Standing {
    fn from(told: ApprovalStanding) -> Self {
        let phase = match told.state.as_str() {
            "pending" | "escalated" | "info_requested" => Phase::Waiting,
            "approved" => Phase::Approved,
            "executing" => Phase::Taken,
            "ambiguous" => Phase::Ambiguous,
            "timed_out" => Phase::TimedOut,
            "executed" | "cancelled" | "revoked" => Phase::Over,
            // What this version does not know lets nothing through.
            _ => Phase::Denied,
        };
        Self {
            id: told.id,
            phase,
            word: told.state,
            version: told.version,
            expires_at_ms: told.expires_at_ms,
            reason: told.reason,
        }
    }
}
