//! What the journal of calls refuses.

use creto_store::StoreError;
use thiserror::Error;

/// Why it was not done.
#[derive(Debug, Error)]
pub enum CallsError {
    /// A field does not say what it must.
    #[error("{field}: {problem}")]
    Invalid {
        /// Name of the field.
        field: &'static str,
        /// What is wrong and what to send.
        problem: String,
    },
    /// A list cannot be cut that way.
    #[error(transparent)]
    Page(#[from] creto_identity::IdentityError),
    /// Entries are missing before these.
    #[error("entries are missing: the mark of this spool is {mark}, send from {} on", mark + 1)]
    Gap {
        /// Highest sequence committed.
        mark: u64,
    },
    /// More followers than there may be.
    #[error("the namespace has as many followers as it takes ({0}): end one, or try again later")]
    TooManyFollowers(usize),
    /// A follower that does not keep up.
    #[error("this follower fell behind and missed {missed} records: list the calls, then follow again")]
    Lagged {
        /// How many records.
        missed: u64,
    },
    /// What the calls used cannot be kept; nothing of the report was taken in.
    #[error("the events of the calls cannot be kept: {0}")]
    Events(creto_event_store::StoreError),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl CallsError {
    pub(crate) fn invalid(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Invalid { field, problem: problem.into() }
    }
}
