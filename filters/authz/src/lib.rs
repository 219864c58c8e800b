//! Authorization: who may act for whom, and what for.
//!
//! Delegation is two forms of one fact. Outside, [`SignedLink`]s: Ed25519-signed, each handing on no more than its
//! delegator holds; [`verify_links`] checks a whole chain of them once. In the path of a call, the [`CompactChain`]
//! minted from the verified links: 16 bytes, 48 bytes a link and one HMAC-SHA256 under a key that belongs to one
//! sidecar. [`ChainVerifier`] checks it without allocation; [`VerdictCache`] remembers what it said, [`SharedVerdicts`] for
//! all threads.
//!
//! What a chain permits is a list of [`Permission`]s, `verb:resource`, compiled to a [`Scope`].
#![forbid(unsafe_code)]

mod agent_id;
mod cache;
mod chain;
mod chain_key;
mod covers;
mod glob;
mod host_pattern;
mod link;
mod path;
mod permission;
mod scope;
mod seqlock;
mod shared;
mod verdict;
mod verifier;
mod verify;

pub use agent_id::{AgentId, AgentIdError};
pub use cache::VerdictCache;
pub use chain::{ChainError, CompactChain, VerifiedChain};
pub use chain_key::{ChainKey, MasterKey};
pub use glob::{GlobError, PathGlob};
pub use host_pattern::{HostPattern, HostPatternError};
pub use link::{Link, SignedLink};
pub use path::CallPath;
pub use permission::{Permission, PermissionError};
pub use scope::{Scope, ScopeDigest};
pub use shared::SharedVerdicts;
pub use verifier::{ChainVerifier, MAX_KEYS};
pub use verify::{DelegatorKey, LinkError, LinkProblem, VerifiedDelegation, VerifiedLink, verify_links};

/// Most links in a chain.
pub const MAX_LINKS: usize = 8;
/// Most permissions in a link.
pub const MAX_PERMISSIONS: usize = 64;
/// Longest permission, in bytes.
pub const MAX_PERMISSION_BYTES: usize = 256;
/// Longest life of a link, in seconds: 366 days.
pub const MAX_LINK_LIFETIME_S: u64 = 366 * 24 * 60 * 60;
