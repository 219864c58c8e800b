//! Generations as sidecars have them: a verified manifest and every body that it names.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use creto_proto::v1::{Delta, Manifest, Resource, ResourceVersion, StoredGeneration};
use prost::Message as _;

use crate::content::version_of;
use crate::resource::digest_of;
use crate::{
    BundleError, Digest, MAX_BODY, MAX_GENERATION, MAX_NAME, MAX_RESOURCES, POLICY_PREFIX, PinnedKey, SCHEMA,
};

/// What a generation may not be older than.
#[derive(Clone, Copy, Debug, Default)]
pub struct Floor<'f> {
    /// Highest epoch that was ever in force here; 0 if none was.
    pub epoch: u64,
    /// Version in force under that epoch; none when it is not known any more, and then the same epoch may come again.
    pub version: Option<&'f str>,
}

/// A body with the digest it was checked against.
#[derive(Clone, PartialEq, Eq)]
struct Kept {
    digest: Digest,
    body: Bytes,
}

/// Without the body: it may hold the keys of chains.
impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.body.len())
    }
}

/// A generation that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    epoch: u64,
    version: String,
    issued_at_ms: i64,
    revocation_epoch: u32,
    /// As it was signed.
    manifest: Bytes,
    signature: Vec<u8>,
    resources: BTreeMap<String, Kept>,
}

impl Generation {
    /// Verifies a delta and puts it together with what the generation before has. Bodies of that one are not hashed
    /// again: they were when it was made.
    ///
    /// # Errors
    /// [`BundleError`]; nothing of the delta may be used then.
    pub fn assemble(
        key: &PinnedKey,
        sidecar_id: &str,
        delta: &Delta,
        before: Option<&Self>,
        floor: Floor<'_>,
    ) -> Result<Self, BundleError> {
        let sent = (&delta.manifest, delta.signature.as_slice(), delta.resources.as_slice());
        Self::verify((key, sidecar_id), sent, before, floor)
    }

    /// Verifies a generation kept by [`Generation::to_stored`].
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn from_stored(
        key: &PinnedKey,
        sidecar_id: &str,
        bytes: &[u8],
        floor: Floor<'_>,
    ) -> Result<Self, BundleError> {
        let stored =
            StoredGeneration::decode(bytes).map_err(|error| BundleError::Content(error.to_string()))?;
        let kept = (&stored.manifest, stored.signature.as_slice(), stored.resources.as_slice());
        Self::verify((key, sidecar_id), kept, None, floor)
    }

    /// For the disk.
    #[must_use]
    pub fn to_stored(&self) -> Vec<u8> {
        let resources = self
            .resources
            .iter()
            .map(|(name, kept)| Resource { name: name.clone(), body: kept.body.clone() })
            .collect();
        StoredGeneration { manifest: self.manifest.clone(), signature: self.signature.clone(), resources }
            .encode_to_vec()
    }

    /// Grows with every change for this sidecar.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// SHA-256 over the content, hex.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// When it was signed, by the control plane's clock, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn issued_at_ms(&self) -> i64 {
        self.issued_at_ms
    }

    /// Chains of an epoch below this are revoked.
    #[must_use]
    pub fn revocation_epoch(&self) -> u32 {
        self.revocation_epoch
    }

    /// The body of a resource, if the generation has it.
    #[must_use]
    pub fn body(&self, name: &str) -> Option<&Bytes> {
        self.resources.get(name).map(|kept| &kept.body)
    }

    /// The policies, by name of resource, with digest and body.
    pub fn policies(&self) -> impl Iterator<Item = (&str, &Digest, &Bytes)> {
        let from = self.resources.range(POLICY_PREFIX.to_owned()..);
        from.take_while(|(name, _)| name.starts_with(POLICY_PREFIX))
            .map(|(name, kept)| (name.as_str(), &kept.digest, &kept.body))
    }

    /// What it consists of, for a `Hello`.
    #[must_use]
    pub fn resources(&self) -> Vec<ResourceVersion> {
        let version = |(name, kept): (&String, &Kept)| ResourceVersion {
            name: name.clone(),
            digest: kept.digest.to_vec(),
        };
        self.resources.iter().map(version).collect()
    }

    fn verify(
        (key, sidecar_id): (&PinnedKey, &str),
        (signed, signature, sent): (&Bytes, &[u8], &[Resource]),
        before: Option<&Self>,
        floor: Floor<'_>,
    ) -> Result<Self, BundleError> {
        key.verify_manifest(signed, signature)?;
        let manifest =
            Manifest::decode(signed.as_ref()).map_err(|error| BundleError::Content(error.to_string()))?;
        if manifest.schema != SCHEMA {
            return Err(BundleError::Schema(manifest.schema));
        }
        if manifest.sidecar_id != sidecar_id {
            return Err(BundleError::Addressee(manifest.sidecar_id));
        }
        if manifest.epoch == 0 || manifest.epoch < floor.epoch {
            return Err(BundleError::Rollback { offered: manifest.epoch, seen: floor.epoch });
        }
        let same_epoch = manifest.epoch == floor.epoch;
        if same_epoch && floor.version.is_some_and(|version| version != manifest.version) {
            return Err(BundleError::Repeated(manifest.epoch));
        }
        let resources = gather(&manifest, sent, before)?;
        let named = resources.iter().map(|(name, kept)| (name.as_str(), &kept.digest));
        if version_of(named, manifest.revocation_epoch) != manifest.version {
            return Err(BundleError::Content("its version is not that of its content".into()));
        }
        Ok(Self {
            epoch: manifest.epoch,
            version: manifest.version,
            issued_at_ms: manifest.issued_at_ms,
            revocation_epoch: manifest.revocation_epoch,
            manifest: signed.clone(),
            signature: signature.to_vec(),
            resources,
        })
    }
}

/// Every body that the manifest names, from what was sent and what was there. What it does not name is left out.
fn gather(
    manifest: &Manifest,
    sent: &[Resource],
    before: Option<&Generation>,
) -> Result<BTreeMap<String, Kept>, BundleError> {
    if manifest.resources.len() > MAX_RESOURCES || sent.len() > MAX_RESOURCES {
        return Err(BundleError::TooMuch { what: "resources", limit: MAX_RESOURCES });
    }
    let mut new: BTreeMap<&str, Kept> = BTreeMap::new();
    for resource in sent {
        if resource.body.len() > MAX_BODY {
            return Err(BundleError::TooMuch { what: "bytes in one resource", limit: MAX_BODY });
        }
        // A body cut out of a larger message would keep all of that message in memory.
        let kept = Kept { digest: digest_of(&resource.body), body: Bytes::copy_from_slice(&resource.body) };
        new.insert(&resource.name, kept);
    }
    let mut resources: BTreeMap<String, Kept> = BTreeMap::new();
    let mut bytes = 0_usize;
    for named in &manifest.resources {
        let name = named.name.as_str();
        if name.len() > MAX_NAME || resources.last_key_value().is_some_and(|(last, _)| last.as_str() >= name)
        {
            return Err(BundleError::Content("its resources are not in the order of short names".into()));
        }
        let digest: Digest = named
            .digest
            .as_slice()
            .try_into()
            .map_err(|_| BundleError::Content("a digest is not 32 bytes".into()))?;
        let old = || before.and_then(|before| before.resources.get(name)).cloned();
        let kept = match new.remove(name) {
            Some(kept) if kept.digest == digest => kept,
            Some(_) => return Err(BundleError::Digest(name.into())),
            None => {
                old().filter(|kept| kept.digest == digest).ok_or_else(|| BundleError::Missing(name.into()))?
            }
        };
        bytes += kept.body.len();
        if bytes > MAX_GENERATION {
            return Err(BundleError::TooMuch { what: "bytes", limit: MAX_GENERATION });
        }
        resources.insert(name.to_owned(), kept);
    }
    match new.into_keys().next() {
        Some(name) => Err(BundleError::Content(format!("resource {name:.80} is sent but not signed for"))),
        None => Ok(resources),
    }
}
