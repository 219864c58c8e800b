//! Checking compact chains under the keys of one sidecar.

use std::hint::black_box;

use sha2::{Digest, Sha256};

use crate::{
    AgentId, ChainError, ChainKey, VerifiedChain,
    chain::{ALGORITHM, HEADER, LINK, TAG, VERSION, expiry_of, links_of},
};

/// Most keys accepted at once: the current one and those that chains on their way may still be under.
pub const MAX_KEYS: usize = 4;
/// Keeps the name of a key set apart from every other use of SHA-256.
const DOMAIN: &[u8] = b"creto-chain-keys-v1";

/// Checks compact chains under the keys of one sidecar: 1 to 4, told apart by their ids.
///
/// To rotate: accept the new key beside the old one ([`ChainVerifier::with_key`]), mint under the new one, and accept
/// the new one alone once every chain under the old one has expired or was replaced.
#[derive(Clone, Debug)]
pub struct ChainVerifier {
    /// The current key first; places without a key of their own hold it once more.
    keys: [ChainKey; MAX_KEYS],
    count: usize,
    key_set: u64,
}

impl ChainVerifier {
    /// Accepts chains under one key.
    #[must_use]
    pub fn new(key: ChainKey) -> Self {
        Self::holding(key, [])
    }

    /// Makes a key the current one; those before it are still accepted, up to 4 in all: then the oldest goes. A key
    /// replaces one of the same id.
    #[must_use]
    pub fn with_key(self, key: ChainKey) -> Self {
        Self::holding(key, self.keys[..self.count].iter().cloned())
    }

    /// Accepts chains under an older key too. Of two keys with one id the newer counts; beside 4 newer ones it is not
    /// accepted.
    #[must_use]
    pub fn with_previous(self, key: ChainKey) -> Self {
        let [first, others @ ..] = &self.keys;
        let others = others[..self.count - 1].iter().cloned();
        Self::holding(first.clone(), others.chain([key]))
    }

    /// The ids of the keys, the current one first.
    pub fn key_ids(&self) -> impl Iterator<Item = u32> {
        self.keys[..self.count].iter().map(ChainKey::id)
    }

    /// Names the set of keys: verdicts given under another set do not count under this one.
    #[inline]
    pub(crate) fn key_set(&self) -> u64 {
        self.key_set
    }

    fn holding(first: ChainKey, others: impl IntoIterator<Item = ChainKey>) -> Self {
        let mut keys = std::array::from_fn(|_| first.clone());
        keys[0] = first;
        let mut count = 1;
        for key in others {
            if count < MAX_KEYS && keys[..count].iter().all(|kept| kept.id() != key.id()) {
                keys[count] = key;
                count += 1;
            }
        }
        let key_set = name_of(&keys[..count]);
        Self { keys, count, key_set }
    }

    /// Checks a chain, without allocating.
    ///
    /// `holder` is who shows it, `now_s` seconds since the Unix epoch, `min_epoch` the lowest revocation epoch that is
    /// accepted. Nothing but its length and its key id is looked at before the tag holds. A chain under an unknown key
    /// costs what one with a wrong tag does.
    ///
    /// # Errors
    /// [`ChainError`] says why it does not hold.
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
        let (key, known) = self.key(u32::from_be_bytes([k0, k1, k2, k3]));
        let mut words = [0; 8];
        if !key.tag_words(body, &mut words) {
            return Err(ChainError::Length);
        }
        if !same_words(&words, tag) || !known {
            return Err(if known { ChainError::Tag } else { ChainError::KeyId });
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
        let (link_holder, rest) =
            links.last().and_then(|link| link.split_first_chunk::<20>()).ok_or(ChainError::Length)?;
        let scope = rest.first_chunk::<20>().ok_or(ChainError::Length)?;
        if *link_holder != holder.0[..20] {
            return Err(ChainError::Holder);
        }
        // Made where it is returned: copied out of a local, it would be read in other widths than it was written in,
        // and such a read waits until everything before it, the hash included, is done.
        Ok(VerifiedChain {
            tag: *tag,
            holder: *link_holder,
            scope: *scope,
            expires_at_s: earliest,
            epoch,
            links: named,
        })
    }

    /// The key of this id and true, or some key and false. The id is no secret; the hash does not wait for the search.
    #[inline]
    fn key(&self, id: u32) -> (&ChainKey, bool) {
        for key in &self.keys {
            if key.id() == id {
                return (key, true);
            }
        }
        (&self.keys[0], false)
    }
}

/// The first 8 bytes of SHA-256 over ids and keys, in the order of the ids.
fn name_of(keys: &[ChainKey]) -> u64 {
    let mut in_order: Vec<&ChainKey> = keys.iter().collect();
    in_order.sort_unstable_by_key(|key| key.id());
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    for key in in_order {
        hash.update(key.id().to_be_bytes());
        hash.update(key.secret_bytes());
    }
    let hash: [u8; 32] = hash.finalize().into();
    let [first, ..] = hash.as_chunks::<8>().0 else { return 0 };
    u64::from_be_bytes(*first)
}

/// Compares in the same time wherever the difference is: all of it goes into one word, which is compared last.
#[inline]
fn same_words(words: &[u32; 8], tag: &[u8; TAG]) -> bool {
    let (tag, _) = tag.as_chunks::<4>();
    let difference = words.iter().zip(tag).fold(0, |sum, (a, b)| sum | (a ^ u32::from_be_bytes(*b)));
    // Opaque, or the compiler might leave early.
    black_box(difference) == 0
}
