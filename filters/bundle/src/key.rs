//! The key that signs what sidecars enforce (Ed25519, RFC 8032), and its public half that they pin at enrolment.

use creto_proto::v1::{Delta, Manifest, Resource, Revocation, RevocationNotice};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use prost::Message as _;

use crate::BundleError;

/// Put before what is signed, so that a signature fits nothing else.
const MANIFEST_DOMAIN: &[u8] = b"creto-manifest-v2";
const NOTICE_DOMAIN: &[u8] = b"creto-revocation-v2";

/// Signs.
pub struct BundleSigner(SigningKey);

impl BundleSigner {
    /// From the key's seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// What sidecars pin.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// A delta under a manifest.
    #[must_use]
    pub fn delta(&self, nonce: String, manifest: &Manifest, resources: Vec<Resource>) -> Delta {
        let manifest = manifest.encode_to_vec();
        let signature = self.sign(MANIFEST_DOMAIN, &manifest);
        Delta { nonce, manifest: manifest.into(), signature, resources }
    }

    /// A revocation.
    #[must_use]
    pub fn revocation(&self, notice: &RevocationNotice) -> Revocation {
        let notice = notice.encode_to_vec();
        let signature = self.sign(NOTICE_DOMAIN, &notice);
        Revocation { notice, signature }
    }

    fn sign(&self, domain: &[u8], content: &[u8]) -> Vec<u8> {
        self.0.sign(&[domain, content].concat()).to_bytes().to_vec()
    }
}

/// Verifies.
#[derive(Clone, Debug)]
pub struct PinnedKey(VerifyingKey);

impl PinnedKey {
    /// From the bytes pinned at enrolment.
    ///
    /// # Errors
    /// [`BundleError::Key`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, BundleError> {
        VerifyingKey::from_bytes(bytes).map(Self).map_err(|_| BundleError::Key)
    }

    pub(crate) fn verify_manifest(&self, manifest: &[u8], signature: &[u8]) -> Result<(), BundleError> {
        self.verify(MANIFEST_DOMAIN, manifest, signature)
    }

    pub(crate) fn verify_notice(&self, notice: &[u8], signature: &[u8]) -> Result<(), BundleError> {
        self.verify(NOTICE_DOMAIN, notice, signature)
    }

    fn verify(&self, domain: &[u8], content: &[u8], signature: &[u8]) -> Result<(), BundleError> {
        let signature = Signature::from_slice(signature).map_err(|_| BundleError::Signature)?;
        // Strict: neither keys of small order nor signatures that only some verifiers take.
        self.0.verify_strict(&[domain, content].concat(), &signature).map_err(|_| BundleError::Signature)
    }
}
