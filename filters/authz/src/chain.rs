//! The compact chain: the form of a delegation that every call is checked against.
//!
//! ```text
//! header   version 1 | algorithm 1 | links 1 | zero 1 | key id 4 | epoch 4 | zero 4      16 bytes
//! link     holder 20 | scope digest 20 | expires at, seconds 8                           48 bytes, 1 to 8 times
//! tag      HMAC-SHA256 over all of the above                                             32 bytes
//! ```
//!
//! Numbers are big-endian. Two links are 112 bytes under the tag: three SHA-256 blocks with the pads precomputed.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use thiserror::Error;

use crate::{ChainKey, MAX_LINKS, ScopeDigest, VerifiedDelegation};

pub(crate) const VERSION: u8 = 1;
/// HMAC-SHA256.
pub(crate) const ALGORITHM: u8 = 1;
pub(crate) const HEADER: usize = 16;
pub(crate) const LINK: usize = 48;
pub(crate) const TAG: usize = 32;
const MAX_BYTES: usize = HEADER + LINK * MAX_LINKS + TAG;
/// Longest `creto-delegation` header value: base64url of the longest chain.
const MAX_TEXT: usize = (MAX_BYTES * 4).div_ceil(3);

/// Why a compact chain does not hold.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ChainError {
    /// Not base64url without padding.
    #[error("the chain is not base64url without padding; send it as it was minted")]
    Encoding,
    /// Truncated, over-deep or not whole.
    #[error("the chain is not 1 to {MAX_LINKS} whole links long; send it as it was minted")]
    Length,
    /// Forged, changed, or minted for another sidecar.
    #[error(
        "the chain's tag does not hold: it was changed, or minted for another sidecar; ask for a new one"
    )]
    Tag,
    /// Another format.
    #[error("the chain is of another version; upgrade the sidecar or mint it again")]
    Version,
    /// Another algorithm.
    #[error("the chain is under another algorithm; upgrade the sidecar or mint it again")]
    Algorithm,
    /// A key that is not in use, or not any more.
    #[error("the chain is under a key that is no longer in use; ask for a new one")]
    KeyId,
    /// From before a revocation.
    #[error("the chain is from before the last revocation; ask for a new one")]
    Revoked,
    /// A link outlives the one before it.
    #[error("a link of the chain outlives the one before it; mint the chain again")]
    Widened,
    /// Over.
    #[error("the chain has expired; ask the delegator for a new delegation")]
    Expired,
    /// Someone else's.
    #[error("the chain was delegated to another agent; use one of this agent's own")]
    Holder,
}

/// A compact chain, not checked yet unless it was just minted.
#[derive(Clone, PartialEq, Eq)]
pub struct CompactChain {
    bytes: [u8; MAX_BYTES],
    length: usize,
}

impl CompactChain {
    /// Mints the compact form of a delegation that holds, under the key of the sidecar that will check it.
    ///
    /// `epoch` is the revocation epoch now: raising the sidecar's lowest accepted one revokes the chain.
    #[must_use]
    pub fn mint(delegation: &VerifiedDelegation, key: &ChainKey, epoch: u32) -> Self {
        let mut chain = Self { bytes: [0; MAX_BYTES], length: 0 };
        // A verified delegation has 1 to 8 links.
        let links = u8::try_from(delegation.links().len()).unwrap_or(u8::MAX);
        chain.push(&[VERSION, ALGORITHM, links, 0]);
        chain.push(&key.id().to_be_bytes());
        chain.push(&epoch.to_be_bytes());
        chain.push(&[0; 4]);
        for link in delegation.links() {
            chain.push(&link.agent_id.short());
            chain.push(link.scope.digest());
            chain.push(&link.expires_at_s.to_be_bytes());
        }
        // Every length that links come to has a tag.
        if let Some(tag) = key.tag(chain.as_bytes()) {
            chain.push(&tag);
        }
        chain
    }

    /// Takes bytes of a length that a chain can have.
    ///
    /// # Errors
    /// [`ChainError::Length`] for any other length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ChainError> {
        links_of(bytes)?;
        let mut chain = Self { bytes: [0; MAX_BYTES], length: 0 };
        chain.push(bytes);
        Ok(chain)
    }

    /// Reads the value of a `creto-delegation` header: base64url without padding, at most 576 characters.
    ///
    /// # Errors
    /// [`ChainError::Encoding`] or [`ChainError::Length`].
    pub fn from_header(value: &str) -> Result<Self, ChainError> {
        if value.len() > MAX_TEXT {
            return Err(ChainError::Length);
        }
        // The decoder asks for whole groups of 3 bytes.
        let mut bytes = [0; MAX_BYTES + 3];
        let length = URL_SAFE_NO_PAD.decode_slice(value, &mut bytes).map_err(|_| ChainError::Encoding)?;
        Self::from_bytes(&bytes[..length])
    }

    /// The value for a `creto-delegation` header.
    #[must_use]
    pub fn to_header(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.as_bytes())
    }

    /// The bytes: 16 + 48 a link + 32.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        if let Some(room) = self.bytes.get_mut(self.length..end) {
            room.copy_from_slice(bytes);
            self.length = end;
        }
    }
}

impl std::fmt::Debug for CompactChain {
    /// Without the tag: whoever has it can act under the chain.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CompactChain({} bytes)", self.length)
    }
}

/// What a chain that holds says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VerifiedChain {
    pub(crate) tag: [u8; TAG],
    pub(crate) holder: [u8; 20],
    pub(crate) scope: ScopeDigest,
    pub(crate) expires_at_s: u64,
    pub(crate) epoch: u32,
    pub(crate) links: u8,
}

impl VerifiedChain {
    /// Digest of the scope of the last link: compare with [`crate::Scope::digest`].
    #[must_use]
    pub fn scope_digest(&self) -> &ScopeDigest {
        &self.scope
    }

    /// When the chain ends, seconds since the Unix epoch: the earliest of its links.
    #[must_use]
    pub fn expires_at_s(&self) -> u64 {
        self.expires_at_s
    }

    /// The revocation epoch it was minted in.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// How many links it has.
    #[must_use]
    pub fn links(&self) -> usize {
        usize::from(self.links)
    }
}

impl std::fmt::Debug for VerifiedChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifiedChain")
            .field("links", &self.links)
            .field("expires_at_s", &self.expires_at_s)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

/// When a link ends, seconds since the Unix epoch.
#[inline]
pub(crate) fn expiry_of(link: &[u8; LINK]) -> u64 {
    let mut seconds = [0; 8];
    seconds.copy_from_slice(&link[40..]);
    u64::from_be_bytes(seconds)
}

/// How many links a chain of this length has.
#[inline]
pub(crate) fn links_of(bytes: &[u8]) -> Result<usize, ChainError> {
    let links = bytes.len().checked_sub(HEADER + TAG).ok_or(ChainError::Length)?;
    if links == 0 || !links.is_multiple_of(LINK) || links > LINK * MAX_LINKS {
        return Err(ChainError::Length);
    }
    Ok(links / LINK)
}
