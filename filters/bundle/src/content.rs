//! What a sidecar is to enforce, as the control plane puts it together.

use std::collections::HashMap;

use creto_proto::v1::{Manifest, Resource, ResourceVersion};
use sha2::{Digest as _, Sha256};

use crate::{Digest, SCHEMA, SharedResource};

/// Keeps versions apart from every other use of SHA-256.
const VERSION_DOMAIN: &[u8] = b"creto-generation-v2";

/// Resources under one version. Cheap to clone but for its list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    resources: Vec<SharedResource>,
    revocation_epoch: u32,
    version: String,
}

impl Content {
    /// Sorts the resources by name; of two with one name the first stays.
    #[must_use]
    pub fn new(mut resources: Vec<SharedResource>, revocation_epoch: u32) -> Self {
        resources.sort_by(|one, other| one.name().cmp(other.name()));
        resources.dedup_by(|later, earlier| later.name() == earlier.name());
        let named = resources.iter().map(|one| (one.name(), one.digest()));
        let version = version_of(named, revocation_epoch);
        Self { resources, revocation_epoch, version }
    }

    /// SHA-256 over names, digests and revocation epoch, hex: equal content has equal versions, whenever and for
    /// whomever it was made.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The resources, by name.
    #[must_use]
    pub fn resources(&self) -> &[SharedResource] {
        &self.resources
    }

    /// The manifest for one sidecar; `epoch` must be higher than any it has seen with other content.
    #[must_use]
    pub fn manifest(&self, sidecar_id: &str, epoch: u64, issued_at_ms: i64) -> Manifest {
        Manifest {
            schema: SCHEMA,
            sidecar_id: sidecar_id.to_owned(),
            epoch,
            version: self.version.clone(),
            issued_at_ms,
            resources: self.resources.iter().map(SharedResource::version).collect(),
            revocation_epoch: self.revocation_epoch,
        }
    }

    /// What a sidecar says in its `Hello` that it has, by name.
    #[must_use]
    pub fn known(said: &[ResourceVersion]) -> HashMap<&str, &[u8]> {
        said.iter().map(|one| (one.name.as_str(), one.digest.as_slice())).collect()
    }

    /// The bodies that a sidecar with these resources lacks.
    #[must_use]
    pub fn missing(&self, has: &HashMap<&str, &[u8]>) -> Vec<Resource> {
        let lacks = |one: &&SharedResource| has.get(one.name()).is_none_or(|digest| *digest != one.digest());
        self.resources.iter().filter(lacks).map(SharedResource::message).collect()
    }

    /// The bodies that differ from content sent before.
    #[must_use]
    pub fn since(&self, before: &Self) -> Vec<Resource> {
        let has: HashMap<&str, &[u8]> =
            before.resources.iter().map(|one| (one.name(), one.digest().as_slice())).collect();
        self.missing(&has)
    }
}

/// The version of resources in the order of their names.
pub(crate) fn version_of<'r>(
    resources: impl ExactSizeIterator<Item = (&'r str, &'r Digest)>,
    revocation_epoch: u32,
) -> String {
    let mut hash = Sha256::new();
    hash.update(VERSION_DOMAIN);
    hash.update(revocation_epoch.to_be_bytes());
    hash.update((resources.len() as u64).to_be_bytes());
    for (name, digest) in resources {
        hash.update((name.len() as u64).to_be_bytes());
        hash.update(name);
        hash.update(digest);
    }
    hex::encode(hash.finalize())
}
