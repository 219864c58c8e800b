//! Why the desk does not do what it is asked.

use creto_oversight::{PanelProblem, PersonError, ReassignError, RequestId, TakeError, VoteError};
use creto_sql::SqlError;

use crate::bounds::{MAX_OPEN_A_NAMESPACE, MAX_OPEN_AN_AGENT, MAX_TRIES};
use crate::context::ContextProblem;

/// Why the desk does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// There is none, or in another namespace.
    #[error("there is no request {0}")]
    NotFound(RequestId),
    /// It is past what was asked of it.
    #[error("request {id} is {word}: it cannot be {asked}")]
    Illegal {
        /// Which.
        id: RequestId,
        /// Where it stands.
        word: String,
        /// What was asked.
        asked: &'static str,
    },
    /// A vote that does not count.
    #[error(transparent)]
    Vote(#[from] VoteError),
    /// Nobody is put in another's place.
    #[error(transparent)]
    Reassign(#[from] ReassignError),
    /// A use that is not given.
    #[error(transparent)]
    Take(#[from] TakeError),
    /// A chain of approvers that cannot be.
    #[error(transparent)]
    Panel(#[from] PanelProblem),
    /// No name of a person.
    #[error(transparent)]
    Person(#[from] PersonError),
    /// A call that cannot be shown whole.
    #[error(transparent)]
    Context(#[from] ContextProblem),
    /// Too much waits already.
    #[error(
        "agent `{0}` has {MAX_OPEN_AN_AGENT} requests that people decide: more are refused until some are decided"
    )]
    AgentFull(String),
    /// Too much waits already.
    #[error("namespace `{0}` has {MAX_OPEN_A_NAMESPACE} requests that people decide: more are refused")]
    NamespaceFull(String),
    /// Others were always faster.
    #[error("others changed the request {MAX_TRIES} times while this was tried: try again")]
    Contended,
    /// The database.
    #[error(transparent)]
    Store(#[from] SqlError),
    /// What is kept is not what was written.
    #[error("request {id} is damaged: {cause}")]
    Damaged {
        /// Which.
        id: String,
        /// Why.
        cause: String,
    },
    /// No random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
}
