//! Resources: the parts that a generation is made of.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use creto_proto::v1::{Resource, ResourceVersion};
use sha2::Sha256;

/// SHA-256 of a body.
pub type Digest = [u8; 32];

/// Name of the resource that holds the agent (`Agent`).
pub const AGENT: &str = "agent";
/// Name of the resource that holds the chain the sidecar calls under (`MintedChain`).
pub const CHAIN: &str = "chain";
/// Name of the resource that holds the keys of chains (`ChainKeys`).
pub const CHAIN_KEYS: &str = "chain-keys";
/// Name of the resource that holds the public key of the approval service: 32 bytes, Ed25519.
pub const APPROVAL_KEY: &str = "approval-key";
/// Begins the names of resources that hold policies (`PolicyBody`).
pub const POLICY_PREFIX: &str = "policy/";

/// Name of the resource that holds a policy.
#[must_use]
pub fn policy_resource(policy: &str) -> String {
    format!("{POLICY_PREFIX}{policy}")
}

/// A resource encoded once and shared by all that are sent it. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedResource {
    name: Arc<str>,
    digest: Digest,
    body: Bytes,
}

impl SharedResource {
    /// Takes an encoded body.
    #[must_use]
    pub fn new(name: &str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self { name: name.into(), digest: digest_of(&body), body }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SHA-256 of its body.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Its size, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.body.len()
    }

    /// As it is sent.
    #[must_use]
    pub fn message(&self) -> Resource {
        Resource { name: self.name.to_string(), body: self.body.clone() }
    }

    pub(crate) fn version(&self) -> ResourceVersion {
        ResourceVersion { name: self.name.to_string(), digest: self.digest.to_vec() }
    }
}

/// Without the body: it may hold the keys of chains.
impl fmt::Debug for SharedResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedResource").field("name", &self.name).finish_non_exhaustive()
    }
}

pub(crate) fn digest_of(body: &[u8]) -> Digest {
    use sha2::Digest as _;
    Sha256::digest(body).into()
}
