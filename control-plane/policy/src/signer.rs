//! The key that signs bundles.

use ed25519_dalek::{Signer as _, SigningKey};

/// Put before the bundle when it is signed, so that the signature fits nothing else.
pub const BUNDLE_DOMAIN: &[u8] = b"creto-bundle-v1";

/// Signs bundles with Ed25519 (RFC 8032).
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

    /// The signature over the domain and the encoded bundle.
    #[must_use]
    pub fn sign(&self, bundle: &[u8]) -> Vec<u8> {
        let mut message = Vec::with_capacity(BUNDLE_DOMAIN.len() + bundle.len());
        message.extend_from_slice(BUNDLE_DOMAIN);
        message.extend_from_slice(bundle);
        self.0.sign(&message).to_bytes().to_vec()
    }
}
