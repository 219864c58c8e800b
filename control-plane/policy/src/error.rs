//! What the policy store refuses and why a stream ends.

use std::time::Duration;

use creto_store::StoreError;
use thiserror::Error;

/// Why it was not done.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// The document does not compile; the rendered problems.
    #[error("the policy does not compile; the one stored before, if any, stays\n{0}")]
    DoesNotCompile(String),
    /// Larger than a document may be.
    #[error("the document has {bytes} bytes; a policy has at most {limit}: split it")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// What is allowed.
        limit: usize,
    },
    /// No such policy.
    #[error("there is no policy `{0}` in this namespace: list them for their names")]
    NoPolicy(String),
    /// A list cannot be cut that way.
    #[error(transparent)]
    Identity(#[from] creto_identity::IdentityError),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

/// Why a push stream ends.
#[derive(Debug, Error)]
pub enum SyncEnd {
    /// The sidecar does not follow the protocol.
    #[error("{0}")]
    Protocol(&'static str),
    /// The same sidecar opened another stream.
    #[error("this sidecar opened another stream, which replaces this one")]
    Superseded,
    /// As many streams as there may be.
    #[error("the control plane has as many push streams as it takes ({0}): try again later")]
    TooMany(usize),
    /// More at once than are let in.
    #[error("too many sidecars open a stream at once: try again in {} ms, with jitter", .0.as_millis())]
    TooFast(Duration),
    /// No answer to a generation.
    #[error("the sidecar answered neither Ack nor Nack to its generation in time: open the stream again")]
    Unanswered,
    /// Nothing is read.
    #[error("the sidecar does not read its stream: open it again")]
    NotReading,
    /// The agent is revoked.
    #[error("the agent of this sidecar is revoked: stop, this identity does not come back")]
    AgentRevoked,
    /// The control plane stops.
    #[error("the control plane stops: connect again, with jitter")]
    Stopping,
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}
