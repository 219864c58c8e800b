//! The keys of compact chains: one master in the control plane, one derived key for each sidecar.

use std::fmt;

use hkdf::Hkdf;
use sha2::{Sha256, block_api::compress256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// SHA-256 block, in bytes.
const BLOCK: usize = 64;
/// What bodies of chains are a multiple of, in bytes.
const PIECE: usize = 16;
/// Keeps derived keys apart from every other use of the master.
const DOMAIN: &[u8] = b"creto-chain-key-v1";
/// FIPS 180-4 section 5.3.3.
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The master: only the control plane holds it.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; 32]);

impl MasterKey {
    /// Takes 32 random bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key of one sidecar: HKDF-SHA256 (RFC 5869), no salt, info = `creto-chain-key-v1`, the key id as 4 bytes
    /// big-endian, the sidecar id. What one sidecar holds says nothing about another's.
    #[must_use]
    pub fn derive(&self, sidecar_id: &str, key_id: u32) -> ChainKey {
        let mut key = Zeroizing::new([0; 32]);
        let info = [DOMAIN, &key_id.to_be_bytes(), sidecar_id.as_bytes()];
        // RFC 5869 section 2.3 bounds the output at 255 hashes; 32 bytes are one.
        let derived = Hkdf::<Sha256>::new(None, &self.0).expand_multi_info(&info, &mut *key);
        debug_assert!(derived.is_ok());
        ChainKey::from_bytes(&key, key_id)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// The HMAC-SHA256 key (RFC 2104) of one sidecar's chains, its two pads already hashed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ChainKey {
    #[zeroize(skip)]
    id: u32,
    bytes: [u8; 32],
    inner: [u32; 8],
    outer: [u32; 8],
}

impl ChainKey {
    /// Takes a key as [`MasterKey::derive`] made it, with its id.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32], id: u32) -> Self {
        Self { id, bytes: *bytes, inner: padded_state(bytes, 0x36), outer: padded_state(bytes, 0x5c) }
    }

    /// Which key it is.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The secret itself, for handing it to its sidecar at enrolment.
    #[must_use]
    pub fn secret_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// HMAC-SHA256 over the body of a compact chain, as its eight big-endian words; false for a length no chain has.
    #[inline(always)]
    pub(crate) fn tag_words(&self, body: &[u8], tag: &mut [u32; 8]) -> bool {
        let mut state = self.inner;
        if hash_body(&mut state, body).is_none() {
            return false;
        }
        *tag = self.outer;
        compress256(tag, &[outer_block(&state)]);
        true
    }

    /// The same as bytes.
    pub(crate) fn tag(&self, body: &[u8]) -> Option<[u8; 32]> {
        let mut words = [0; 8];
        self.tag_words(body, &mut words).then(|| bytes_of(&words))
    }
}

impl fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChainKey(id {}, …)", self.id)
    }
}

fn padded_state(key: &[u8; 32], pad: u8) -> [u32; 8] {
    let mut block = Zeroizing::new([pad; BLOCK]);
    for (byte, key) in block.iter_mut().zip(key) {
        *byte ^= key;
    }
    let mut state = INITIAL;
    compress256(&mut state, &[*block]);
    state
}

/// Hashes the body of a chain onto a state that one block has gone into, with SHA-256's padding.
///
/// Each of the eight lengths that a body can have gets straight code: copies of known length, padding that is there
/// from the start, one run through the blocks.
#[inline(always)]
fn hash_body(state: &mut [u32; 8], body: &[u8]) -> Option<()> {
    match body.len() {
        64 => pad_and_hash::<64, 2>(state, body),
        112 => pad_and_hash::<112, 2>(state, body),
        160 => pad_and_hash::<160, 3>(state, body),
        208 => pad_and_hash::<208, 4>(state, body),
        256 => pad_and_hash::<256, 5>(state, body),
        304 => pad_and_hash::<304, 5>(state, body),
        352 => pad_and_hash::<352, 6>(state, body),
        400 => pad_and_hash::<400, 7>(state, body),
        _ => None,
    }
}

/// `BLOCKS` is what a message of `BODY` bytes, the padding bit and the length fill.
#[inline(always)]
fn pad_and_hash<const BODY: usize, const BLOCKS: usize>(state: &mut [u32; 8], body: &[u8]) -> Option<()> {
    let body: &[u8; BODY] = body.try_into().ok()?;
    let mut blocks = [[0; BLOCK]; BLOCKS];
    let bytes = blocks.as_flattened_mut();
    bytes[..BODY].copy_from_slice(body);
    // Whole pieces of 16 bytes: the hash reads in 16s, and a read that follows a narrower write waits for it.
    let ends_in_first = BODY + PIECE == BLOCKS * BLOCK;
    let length =
        if ends_in_first { PADDED_LENGTH_AFTER_BIT[BODY / PIECE] } else { PADDED_LENGTH[BODY / PIECE] };
    if !ends_in_first {
        bytes[BODY..BODY + PIECE].copy_from_slice(&BIT);
    }
    bytes[BLOCKS * BLOCK - PIECE..].copy_from_slice(&length);
    compress256(state, &blocks);
    Some(())
}

/// The outer block of HMAC: the inner hash and the padding of a message of 96 bytes.
#[inline(always)]
fn outer_block(inner: &[u32; 8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    block[..32].copy_from_slice(&bytes_of(inner));
    block[32..48].copy_from_slice(&BIT);
    block[48..].copy_from_slice(&PADDED_LENGTH[32 / PIECE]);
    block
}

#[inline]
fn bytes_of(words: &[u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *bytes = word.to_be_bytes();
    }
    bytes
}

/// The bit after the message, and zeros.
const BIT: [u8; PIECE] = {
    let mut piece = [0; PIECE];
    piece[0] = 0x80;
    piece
};
/// The end of the padding, by the pieces that the message has; one block has gone before it.
const PADDED_LENGTH: [[u8; PIECE]; 26] = padded_lengths(0);
/// The same where the bit stands in the same piece.
const PADDED_LENGTH_AFTER_BIT: [[u8; PIECE]; 26] = padded_lengths(0x80);

const fn padded_lengths(first: u8) -> [[u8; PIECE]; 26] {
    let mut pieces = [[0; PIECE]; 26];
    let mut at = 0;
    while at < 26 {
        let bits = ((at * PIECE + BLOCK) as u64 * 8).to_be_bytes();
        let mut byte = 0;
        while byte < 8 {
            pieces[at][8 + byte] = bits[byte];
            byte += 1;
        }
        pieces[at][0] = first;
        at += 1;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac};
    use proptest::prelude::*;

    use super::*;

    /// HKDF written out with HMAC, as RFC 5869 sections 2.2 and 2.3 have it.
    #[test]
    fn derivation_is_hkdf_sha256() {
        let mac = |key: &[u8], message: &[u8]| -> [u8; 32] {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
            mac.update(message);
            mac.finalize().into_bytes().into()
        };
        let extracted = mac(&[0; 32], &[0x42; 32]);
        let expected = mac(&extracted, b"creto-chain-key-v1\x00\x00\x00\x07sidecar-a\x01");
        let derived = MasterKey::from_bytes([0x42; 32]).derive("sidecar-a", 7);
        assert_eq!(derived.secret_bytes(), &expected);
        assert_eq!(
            hex::encode(derived.secret_bytes()),
            "2632af0e0298e24b605dc30c11421ba6a24e39d6d70b6971a7cfd8174e38aa54"
        );
    }

    #[test]
    fn every_sidecar_and_every_key_id_has_its_own_key() {
        let master = MasterKey::from_bytes([9; 32]);
        let key = master.derive("a", 1);
        assert_ne!(key.secret_bytes(), master.derive("b", 1).secret_bytes());
        assert_ne!(key.secret_bytes(), master.derive("a", 2).secret_bytes());
        assert_eq!(key.secret_bytes(), master.derive("a", 1).secret_bytes());
    }

    #[test]
    fn keys_do_not_show_in_debug_output() {
        let key = MasterKey::from_bytes([0xab; 32]);
        assert_eq!(format!("{key:?} {:?}", key.derive("a", 3)), "MasterKey(…) ChainKey(id 3, …)");
    }

    #[test]
    fn only_lengths_that_chains_have_get_a_tag() {
        let key = ChainKey::from_bytes(&[1; 32], 0);
        let lengths: Vec<_> = (0..=600).filter(|length| key.tag(&vec![0; *length]).is_some()).collect();
        assert_eq!(lengths, [64, 112, 160, 208, 256, 304, 352, 400]);
    }

    proptest! {
        #[test]
        fn tags_equal_those_of_the_hmac_crate(
            key in proptest::array::uniform32(0_u8..),
            links in 1_usize..=8,
            message in proptest::collection::vec(0_u8.., 400),
        ) {
            let message = &message[..16 + 48 * links];
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            mac.update(message);
            let expected: [u8; 32] = mac.finalize().into_bytes().into();
            prop_assert_eq!(ChainKey::from_bytes(&key, 0).tag(message), Some(expected));
        }
    }
}
