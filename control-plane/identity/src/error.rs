//! What identity refuses, in words an operator can act on.

use creto_authz::LinkError;
use creto_store::StoreError;
use thiserror::Error;

/// Why it was not done.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// A field does not say what it must.
    #[error("{field}: {problem}")]
    Invalid {
        /// Name of the field.
        field: &'static str,
        /// What is wrong and what to send.
        problem: String,
    },
    /// No such agent.
    #[error("there is no agent `{0}` in this namespace: create it first, or check the name")]
    NoAgent(String),
    /// The name is or was another's.
    #[error("the name `{0}` is in use in this namespace, or was: choose another")]
    NameTaken(String),
    /// The key is or was another's.
    #[error("this key is in use in this namespace, or was: make a new key pair")]
    KeyTaken,
    /// For good.
    #[error("agent `{0}` is revoked, and that does not end: create another under another name")]
    Revoked(String),
    /// Not now.
    #[error("agent `{0}` is suspended: resume it first")]
    Suspended(String),
    /// Two at once.
    #[error("agent `{0}` changed in the meantime: read it again and repeat")]
    Changed(String),
    /// The proof for a new key does not hold.
    #[error(
        "the signature does not hold: sign \"creto-rotate-v1\" || current agent id || new public key with the current key"
    )]
    RotationUnproven,
    /// A chain that does not verify.
    #[error("{0}")]
    Unverified(#[from] LinkError),
    /// A chain over a revoked link.
    #[error("a link of this chain was revoked: ask its delegator for a new one")]
    LinkRevoked,
    /// The last agent of the chain is not who it should be.
    #[error("the last link is for another agent than this sidecar's: send a chain that ends with it")]
    NotHolder,
    /// The last agent of the chain is unknown here.
    #[error(
        "the last link is for an agent that is not registered here, or no longer under that key: create it first"
    )]
    UnknownHolder,
    /// No such delegation.
    #[error("there is no such delegation in this namespace: list them for their ids")]
    NoDelegation,
    /// No such operator token.
    #[error("there is no operator token `{0}` in this namespace: check the name")]
    NoOperatorToken(String),
    /// Unknown, used, expired: which one is nobody's business.
    #[error("the enrolment token is unknown, used or expired: ask the operator for a new one")]
    TokenSpent,
    /// A certificate could not be made.
    #[error("the certificate could not be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl IdentityError {
    /// A field that does not say what it must.
    pub fn invalid(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Invalid { field, problem: problem.into() }
    }

    /// What a store's refusal means for the agent named.
    pub(crate) fn about_agent(name: &str, error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::NoAgent(name.into()),
            StoreError::NameTaken => Self::NameTaken(name.into()),
            StoreError::KeyTaken => Self::KeyTaken,
            StoreError::AgentRevoked => Self::Revoked(name.into()),
            StoreError::Changed => Self::Changed(name.into()),
            StoreError::TokenSpent => Self::TokenSpent,
            other => Self::Store(other),
        }
    }
}
