//! An agent (or a delegator) with its key.

use creto_authz::AgentId;
use ed25519_dalek::SigningKey;

/// A registered agent.
#[derive(Clone)]
pub struct Agent {
    /// Its name in [`crate::NAMESPACE`].
    pub name: String,
    /// Its private key.
    pub key: SigningKey,
}

impl Agent {
    /// A name and a fresh key, registered nowhere.
    #[must_use]
    pub fn unregistered(name: &str) -> Self {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).unwrap();
        Self { name: name.to_owned(), key: SigningKey::from_bytes(&seed) }
    }

    /// SHA-256 of the public key.
    #[must_use]
    pub fn id(&self) -> AgentId {
        AgentId::of_key(&self.public_key())
    }

    /// The Ed25519 public key.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }
}
