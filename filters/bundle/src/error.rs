//! Why a generation or notice is refused.

use thiserror::Error;

use crate::SCHEMA;

/// Why it is not taken. Every one of them means: what is in force stays.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BundleError {
    /// The pinned key is none.
    #[error("the pinned bundle key cannot be used: enrol this sidecar again with a fresh state folder")]
    Key,
    /// Not signed by the pinned key, or changed since.
    #[error("it is not signed by the key pinned at enrolment, or was changed since")]
    Signature,
    /// Not what it should be.
    #[error("it cannot be read: {0}")]
    Content(String),
    /// A newer format.
    #[error("it has schema {0}, this sidecar knows {SCHEMA}: upgrade the sidecar")]
    Schema(u32),
    /// Someone else's.
    #[error("it is for sidecar {0}")]
    Addressee(String),
    /// Older than what was seen.
    #[error(
        "it has epoch {offered}, older than the {seen} that was in force already: replayed or rolled back"
    )]
    Rollback {
        /// Of the one offered.
        offered: u64,
        /// Highest one seen.
        seen: u64,
    },
    /// The same epoch with other content.
    #[error("it has epoch {0}, which is in force with other content: replayed or forged")]
    Repeated(u64),
    /// A body is neither in the delta nor known.
    #[error("the body of resource {0} is missing: the control plane sends it again on a new stream")]
    Missing(String),
    /// A body does not have the digest that was signed.
    #[error("resource {0} is not the one that was signed")]
    Digest(String),
    /// More than may be.
    #[error("it has more {what} than the {limit} a generation may have")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
}
