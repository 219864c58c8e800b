//! One link of a delegation, and the bytes that are signed.

use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};

use crate::AgentId;

/// Keeps a link's signature apart from every other use of the key.
const DOMAIN: &[u8] = b"creto-delegation-v1";

/// A delegator hands permissions to an agent, for an audience and a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Who delegates, and signs.
    pub delegator_id: AgentId,
    /// Who may act.
    pub agent_id: AgentId,
    /// `verb:resource` patterns, sorted, without repeats.
    pub permissions: Vec<String>,
    /// The namespace the link is for.
    pub audience: String,
    /// From then on, seconds since the Unix epoch.
    pub not_before_s: u64,
    /// Until then, seconds since the Unix epoch; that second itself is too late.
    pub expires_at_s: u64,
    /// Random, so that no two links are the same.
    pub nonce: [u8; 16],
}

/// A link with its delegator's Ed25519 signature (RFC 8032) over [`Link::signed_bytes`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedLink {
    /// What is signed.
    pub link: Link,
    /// 64 bytes.
    pub signature: [u8; 64],
}

impl Link {
    /// The bytes that the delegator signs: `creto-delegation-v1`, then every field in the order of the struct.
    ///
    /// A field is its length as 4 bytes big-endian and its bytes. Times are 8 bytes big-endian. The permissions are
    /// their count as 4 bytes big-endian, then each as a field.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(DOMAIN.len() + 160 + 48 * self.permissions.len());
        out.extend_from_slice(DOMAIN);
        field(&mut out, &self.delegator_id.0);
        field(&mut out, &self.agent_id.0);
        out.extend_from_slice(&length(self.permissions.len()));
        for permission in &self.permissions {
            field(&mut out, permission.as_bytes());
        }
        field(&mut out, self.audience.as_bytes());
        field(&mut out, &self.not_before_s.to_be_bytes());
        field(&mut out, &self.expires_at_s.to_be_bytes());
        field(&mut out, &self.nonce);
        out
    }

    /// Signs the link; the key is the delegator's, which [`crate::verify_links`] checks, not this.
    #[must_use]
    pub fn sign(self, key: &SigningKey) -> SignedLink {
        let signature = key.sign(&self.signed_bytes()).to_bytes();
        SignedLink { link: self, signature }
    }
}

impl SignedLink {
    /// SHA-256 over the signed bytes and the signature. The id of a chain's last link is the id of the delegation.
    #[must_use]
    pub fn id(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.link.signed_bytes());
        hash.update(self.signature);
        hash.finalize().into()
    }
}

fn field(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&length(bytes.len()));
    out.extend_from_slice(bytes);
}

/// Lengths past 32 bits are refused by the bounds of `verify_links` long before they could wrap here.
fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn link() -> Link {
        Link {
            delegator_id: AgentId([1; 32]),
            agent_id: AgentId([2; 32]),
            permissions: vec!["get:a.example".into()],
            audience: "default".into(),
            not_before_s: 3,
            expires_at_s: 4,
            nonce: [5; 16],
        }
    }

    #[test]
    fn the_signed_bytes_are_as_documented() {
        let mut expected = b"creto-delegation-v1".to_vec();
        expected.extend([0, 0, 0, 32]);
        expected.extend([1; 32]);
        expected.extend([0, 0, 0, 32]);
        expected.extend([2; 32]);
        expected.extend([0, 0, 0, 1, 0, 0, 0, 13]);
        expected.extend(b"get:a.example");
        expected.extend([0, 0, 0, 7]);
        expected.extend(b"default");
        expected.extend([0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 3]);
        expected.extend([0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 4]);
        expected.extend([0, 0, 0, 16]);
        expected.extend([5; 16]);
        assert_eq!(link().signed_bytes(), expected);
    }

    #[test]
    fn the_id_covers_the_signature() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let signed = link().sign(&key);
        let mut other = signed.clone();
        other.signature[0] ^= 1;
        assert_ne!(signed.id(), other.id());
    }

    proptest! {
        #[test]
        fn two_links_never_share_their_signed_bytes(
            one in proptest::collection::vec("[a:]{0,3}", 0..3),
            two in proptest::collection::vec("[a:]{0,3}", 0..3),
            audience_one in "[a:]{0,3}",
            audience_two in "[a:]{0,3}",
        ) {
            let first = Link { permissions: one, audience: audience_one, ..link() };
            let second = Link { permissions: two, audience: audience_two, ..link() };
            prop_assert_eq!(first == second, first.signed_bytes() == second.signed_bytes());
        }
    }
}
