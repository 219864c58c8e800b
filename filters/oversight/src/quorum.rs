//! How many must agree.

use serde::{Deserialize, Serialize};

/// How many of a tier's people must approve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quorum {
    /// One.
    Any,
    /// Everybody.
    All,
    /// So many.
    Threshold(u16),
}

/// Where a tier stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Enough approved.
    Approved,
    /// More approvals are needed, and there are people who could give them.
    Waiting,
}

/// Why a quorum is none.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum QuorumError {
    /// Nobody decides.
    #[error("a quorum of 0 would approve by itself: ask for at least 1")]
    Nobody,
    /// It can never be reached.
    #[error("a quorum of {required} is more than the {people} who may decide: lower it or add approvers")]
    Unreachable {
        /// How many it asks for.
        required: usize,
        /// How many there are.
        people: usize,
    },
}

impl Quorum {
    /// How many of so many people must approve.
    #[must_use]
    pub const fn required(self, people: usize) -> usize {
        match self {
            Self::Any => 1,
            Self::All => people,
            Self::Threshold(required) => required as usize,
        }
    }

    /// Whether so many people can reach it.
    ///
    /// # Errors
    /// [`QuorumError`].
    pub const fn check(self, people: usize) -> Result<(), QuorumError> {
        let required = self.required(people);
        if matches!(self, Self::Threshold(0)) {
            return Err(QuorumError::Nobody);
        }
        // No people have no `all`.
        if people == 0 || required > people {
            return Err(QuorumError::Unreachable { required, people });
        }
        Ok(())
    }

    /// Where it stands after so many approvals. Denials are not counted here: one of them ends the request.
    #[must_use]
    pub const fn standing(self, people: usize, approvals: usize) -> Standing {
        if people > 0 && approvals > 0 && approvals >= self.required(people) {
            Standing::Approved
        } else {
            Standing::Waiting
        }
    }
}
