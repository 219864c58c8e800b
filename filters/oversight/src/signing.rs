//! The key of the approval service (Ed25519, RFC 8032). It signs grants; sidecars have its public half only.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

/// Why a key is none.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the key of the approval service cannot be used: it is no Ed25519 public key")]
pub struct KeyError;

/// Signs grants. Lives in the approval service and nowhere else (OWASP AISVS 9.2.9).
pub struct ApprovalSigner(SigningKey);

impl ApprovalSigner {
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

    pub(crate) fn sign(&self, content: &[u8]) -> [u8; 64] {
        self.0.sign(content).to_bytes()
    }
}

/// Verifies grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalKey(VerifyingKey);

impl ApprovalKey {
    /// From its bytes.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        VerifyingKey::from_bytes(bytes).map(Self).map_err(|_| KeyError)
    }

    pub(crate) fn verifies(&self, content: &[u8], signature: &[u8]) -> bool {
        // Strict: neither keys of small order nor signatures that only some verifiers take.
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.0.verify_strict(content, &signature).is_ok())
    }
}
