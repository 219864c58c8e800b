//! What one sidecar enforces, as it is signed, sent and kept: resources by digest under one signed manifest.
//!
//! A *generation* is a manifest and the bodies it names. The control plane makes the manifest from shared
//! [`SharedResource`]s, signs it and sends the bodies that differ ([`Content`], [`BundleSigner`]). The sidecar puts
//! delta and what it has together, checks every digest, and refuses what is tampered with, meant for another, signed
//! by another key or older than what it has seen ([`Generation`], [`PinnedKey`]). The same checks run when a generation
//! is read from disk.
#![forbid(unsafe_code)]

mod content;
mod error;
mod generation;
mod key;
mod notice;
mod resource;

pub use content::Content;
pub use error::BundleError;
pub use generation::{Floor, Generation};
pub use key::{BundleSigner, PinnedKey};
pub use notice::Notice;
pub use resource::{
    AGENT, APPROVAL_KEY, CHAIN, CHAIN_KEYS, Digest, POLICY_PREFIX, SharedResource, policy_resource,
};

/// `Manifest.schema` as written and read here.
pub const SCHEMA: u32 = 2;
/// Most resources of a generation: 1,000 policies, the agent and its chain, and room for what comes.
pub const MAX_RESOURCES: usize = 1_024;
/// Largest body of a resource, in bytes: a policy of 1 MiB and its name.
pub const MAX_BODY: usize = (1 << 20) + 1_024;
/// Most bytes of all bodies of a generation together.
pub const MAX_GENERATION: usize = (3 << 20) + (512 << 10);
/// Longest name of a resource, in bytes.
pub const MAX_NAME: usize = 80;
