//! Where the control plane keeps things; the only crate that knows SQL.
//!
//! A trait a product, all of them together a [`Store`]. [`SqliteStore`] keeps everything in one file of the data
//! folder; the suite in `conformance` (feature of that name) says what any other implementation must do.
//!
//! Everything belongs to a namespace. Keys begin with it and every query is confined to it; the few that cannot be
//! (a token or certificate is looked up before its namespace is known) are listed in one test.
#![forbid(unsafe_code)]

mod calls;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod delegations;
mod enrollment;
mod error;
mod identity;
mod policies;
mod secrets;
mod sidecars;
mod sqlite;
mod tokens;

pub use calls::{
    Begun, CallKey, CallPosition, CallSelection, CallStore, Ended, KeptCall, Meaning, ReportEntry,
    ReportOutcome, Reported, TokenUsage,
};
pub use delegations::{DelegationStore, EndedDelegation, KeptDelegation, KeptLink};
pub use enrollment::{EnrollmentStore, KeptEnrollmentToken, NewSidecar};
pub use error::StoreError;
pub use identity::{AgentStore, AgentSummary, KeptAgent, KeptState, StateSet};
pub use policies::{KeptPolicy, PolicyDocumentStore};
pub use secrets::{KeptSecret, SealedValue, SecretStore, SecretSummary};
pub use sidecars::{KeptSidecar, KeptSidecarEvent, SidecarNote, SidecarStore};
pub use sqlite::SqliteStore;
pub use tokens::{KeptOperatorToken, TokenStore};

/// All the stores of one control plane.
pub trait Store:
    AgentStore
    + DelegationStore
    + EnrollmentStore
    + SidecarStore
    + PolicyDocumentStore
    + CallStore
    + TokenStore
    + SecretStore
{
}

impl<S> Store for S where
    S: AgentStore
        + DelegationStore
        + EnrollmentStore
        + SidecarStore
        + PolicyDocumentStore
        + CallStore
        + TokenStore
        + SecretStore
{
}
