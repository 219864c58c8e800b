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
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::{AgentId, ChainKey, MAX_LINKS, ScopeDigest, VerifiedDelegation};

const VERSION: u8 = 1;
/// HMAC-SHA256.
const ALGORITHM: u8 = 1;
const HEADER: usize = 16;
const LINK: usize = 48;
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
    /// A key that is not in use any more.
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
        let tag = key.tag(chain.as_bytes());
        chain.push(&tag);
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
    scope: ScopeDigest,
    expires_at_s: u64,
    epoch: u32,
    links: u8,
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

/// Checks compact chains under the keys of one sidecar.
#[derive(Clone, Debug)]
pub struct ChainVerifier {
    current: ChainKey,
    /// Still accepted while chains under the current key are on their way.
    previous: Option<ChainKey>,
}

impl ChainVerifier {
    /// Accepts chains under one key.
    #[must_use]
    pub fn new(key: ChainKey) -> Self {
        Self { current: key, previous: None }
    }

    /// Also accepts chains under the key before, while keys rotate.
    #[must_use]
    pub fn with_previous(self, key: ChainKey) -> Self {
        Self { previous: Some(key), ..self }
    }

    /// Checks a chain: the tag first, then what it covers. Does not allocate.
    ///
    /// `holder` is the agent the sidecar serves, `now_s` seconds since the Unix epoch, `min_epoch` the lowest
    /// revocation epoch that is still accepted.
    ///
    /// # Errors
    /// [`ChainError`] says what does not hold; every one of them means: refuse.
    pub fn verify(
        &self,
        bytes: &[u8],
        holder: &AgentId,
        now_s: u64,
        min_epoch: u32,
    ) -> Result<VerifiedChain, ChainError> {
        let count = links_of(bytes)?;
        let (body, tag) = bytes.split_last_chunk::<TAG>().ok_or(ChainError::Length)?;
        let (header, links) = body.split_first_chunk::<HEADER>().ok_or(ChainError::Length)?;
        let (links, _) = links.as_chunks::<LINK>();
        let [version, algorithm, named, zero, k0, k1, k2, k3, e0, e1, e2, e3, rest @ ..] = *header;
        let key_id = u32::from_be_bytes([k0, k1, k2, k3]);
        // The id only picks the key; a wrong one fails on the tag like any other change.
        let key = self.previous.as_ref().filter(|key| key.id() == key_id).unwrap_or(&self.current);
        if !same_tag(&key.tag(body), tag) {
            return Err(ChainError::Tag);
        }
        if version != VERSION || zero != 0 || rest != [0; 4] {
            return Err(ChainError::Version);
        }
        if algorithm != ALGORITHM {
            return Err(ChainError::Algorithm);
        }
        if usize::from(named) != count {
            return Err(ChainError::Length);
        }
        if key_id != key.id() {
            return Err(ChainError::KeyId);
        }
        let epoch = u32::from_be_bytes([e0, e1, e2, e3]);
        if epoch < min_epoch {
            return Err(ChainError::Revoked);
        }
        let mut earliest = u64::MAX;
        for link in links {
            let expires_at_s = expiry_of(link);
            if expires_at_s > earliest {
                return Err(ChainError::Widened);
            }
            earliest = expires_at_s;
        }
        if now_s >= earliest {
            return Err(ChainError::Expired);
        }
        let last = links.last().ok_or(ChainError::Length)?;
        let mut chain = VerifiedChain {
            tag: *tag,
            holder: [0; 20],
            scope: [0; 20],
            expires_at_s: earliest,
            epoch,
            links: named,
        };
        chain.holder.copy_from_slice(&last[..20]);
        chain.scope.copy_from_slice(&last[20..40]);
        if chain.holder != holder.0[..20] {
            return Err(ChainError::Holder);
        }
        Ok(chain)
    }
}

fn expiry_of(link: &[u8; LINK]) -> u64 {
    let mut seconds = [0; 8];
    seconds.copy_from_slice(&link[40..]);
    u64::from_be_bytes(seconds)
}

/// How many links a chain of this length has.
fn links_of(bytes: &[u8]) -> Result<usize, ChainError> {
    let links = bytes.len().checked_sub(HEADER + TAG).ok_or(ChainError::Length)?;
    if links == 0 || !links.is_multiple_of(LINK) || links > LINK * MAX_LINKS {
        return Err(ChainError::Length);
    }
    Ok(links / LINK)
}

/// Compares in the same time wherever the difference is: all of it goes into one word, which is compared last.
#[inline]
pub(crate) fn same_tag(one: &[u8; TAG], other: &[u8; TAG]) -> bool {
    let (one, _) = one.as_chunks::<8>();
    let (other, _) = other.as_chunks::<8>();
    let difference =
        one.iter().zip(other).fold(0, |sum, (a, b)| sum | (u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b)));
    difference.ct_eq(&0).into()
}
