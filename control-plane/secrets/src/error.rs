//! What the vault refuses, in words an operator can act on. No error holds a value.

use creto_identity::IdentityError;
use creto_store::StoreError;
use thiserror::Error;

/// Why it was not done.
#[derive(Debug, Error)]
pub enum SecretsError {
    /// A field does not say what it must.
    #[error("{field}: {problem}")]
    Invalid {
        /// Name of the field.
        field: &'static str,
        /// What is wrong and what to send.
        problem: String,
    },
    /// No such secret, said to an operator.
    #[error("there is no secret `{0}` in this namespace: list them for their names")]
    NoSecret(String),
    /// Not there, or not for this agent: which one is not the sidecar's business.
    #[error(
        "there is no secret of this name for this agent: put it with `creto secrets put`, and name it in a [[credential]] of a policy that applies to the agent"
    )]
    NotForAgent,
    /// The agent may have nothing.
    #[error("agent `{0}` has trust level suspended: it gets no secret")]
    Distrusted(String),
    /// The row is under a key that the key file does not hold.
    #[error(
        "the secret `{namespace}/{name}` is under key {key_id}, which secrets.key does not hold: add that key's line from a backup and start again, or put the secret again"
    )]
    UnknownKey {
        /// Whose.
        namespace: String,
        /// Which.
        name: String,
        /// The key's id, hex.
        key_id: String,
    },
    /// The row does not open: it was changed, or it is another secret's.
    #[error(
        "the secret `{namespace}/{name}` does not decrypt, its row was changed or is another's: put it again, or restore database and secrets.key from one backup"
    )]
    Damaged {
        /// Whose.
        namespace: String,
        /// Which.
        name: String,
    },
    /// Two at once.
    #[error("the secret `{0}` changed in the meantime: put it again")]
    Changed(String),
    /// The cipher refused, which it does only when the system gives it no randomness or memory.
    #[error("the value could not be encrypted: the system gave no random bytes or no memory")]
    Cipher,
    /// The agent does not act, or a list cannot be cut that way.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl SecretsError {
    /// A field that does not say what it must.
    pub(crate) fn invalid(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Invalid { field, problem: problem.into() }
    }

    /// What a store's refusal means for the secret an operator named.
    pub(crate) fn about(name: &str, error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::NoSecret(name.into()),
            StoreError::Changed => Self::Changed(name.into()),
            other => Self::Store(other),
        }
    }
}
