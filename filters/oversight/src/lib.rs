//! Oversight: a call waits for the people who may allow it.
//!
//! Pure: what is bound ([`Action`]), who may decide ([`Panel`]), how a request moves from state to state ([`Open`],
//! [`Approved`], the final ones), and the signed proof that it was allowed ([`Grant`]). No sockets, no files, no clock: every
//! instant is given by the caller, in milliseconds since 1970.
//!
//! What holds:
//!
//! - An approval is for one digest. Any change of the action, its chain or the policy has another digest, and asks again.
//! - Nobody along the delegation chain decides about the chain's own request, at any tier.
//! - Time never approves: what nobody decided is escalated, and at the end of the chain denied.
//! - A step that must not happen does not compile: every state has its own type, and what is final has no way on.
//! - A single-use grant is taken once; once taken, it is executed or ambiguous, never taken again by itself.
#![forbid(unsafe_code)]

mod action;
mod approved;
mod digest;
mod encoding;
mod grant;
mod open;
mod panel;
mod quorum;
mod request;
mod signing;
mod vote;

pub use action::{Action, CredentialPin, HeaderPin, MAX_BOUND_HEADERS, VOLATILE_HEADERS, is_volatile};
pub use approved::{Approved, Execution, ExecutionEnd, MAX_GRANT_MS, MAX_USES, TakeError, Taking};
pub use digest::{ActionDigest, DigestError};
pub use grant::{Grant, GrantError, MAX_GRANT_BYTES, SignedGrant};
pub use open::{AfterTick, AfterVote, Begun, Open, Question, ReassignError};
pub use panel::{
    MAX_APPROVERS, MAX_TIER_MS, MAX_TIERS, MIN_TIER_MS, Panel, PanelProblem, Person, PersonError, Tier,
};
pub use quorum::{Quorum, QuorumError, Standing};
pub use request::{Cancelled, Denied, DeniedBy, Request, RequestId, Revoked, Status, TimedOut};
pub use signing::{ApprovalKey, ApprovalSigner, KeyError};
pub use vote::{Ballot, Channel, Decision, MAX_REASON_BYTES, Vote, VoteError};
