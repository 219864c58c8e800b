//! The name that a key gives to an agent.

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};
use thiserror::Error;

/// An agent, or a person or service that delegates: SHA-256 of its Ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentId(pub [u8; 32]);

/// Why a text is no agent id.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("an agent id is 64 hexadecimal digits (SHA-256 of the public key)")]
pub struct AgentIdError;

impl AgentId {
    /// The id of an Ed25519 public key.
    #[must_use]
    pub fn of_key(public_key: &[u8; 32]) -> Self {
        Self(Sha256::digest(public_key).into())
    }

    /// The 20 bytes that stand for the agent in a compact chain.
    #[must_use]
    pub fn short(&self) -> [u8; 20] {
        let mut short = [0; 20];
        short.copy_from_slice(&self.0[..20]);
        short
    }

    /// All bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl TryFrom<&[u8]> for AgentId {
    type Error = AgentIdError;

    fn try_from(bytes: &[u8]) -> Result<Self, AgentIdError> {
        bytes.try_into().map(Self).map_err(|_| AgentIdError)
    }
}

impl FromStr for AgentId {
    type Err = AgentIdError;

    fn from_str(text: &str) -> Result<Self, AgentIdError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| AgentIdError)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgentId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_hash_of_the_key_and_reads_back_from_hex() {
        // SHA-256 of 32 zero bytes.
        let id = AgentId::of_key(&[0; 32]);
        assert_eq!(id.to_string(), "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("66687aad".parse::<AgentId>(), Err(AgentIdError));
        assert_eq!(AgentId::try_from(&[1_u8; 31][..]), Err(AgentIdError));
    }
}
