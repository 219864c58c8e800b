//! The keys of compact chains: one master in the control plane, one derived key for each sidecar.

use std::fmt;

use hkdf::Hkdf;
use sha2::{Sha256, block_api::compress256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// SHA-256 block, in bytes.
const BLOCK: usize = 64;
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

    /// HMAC-SHA256 of a message.
    pub(crate) fn tag(&self, message: &[u8]) -> [u8; 32] {
        let inner = finish(self.inner, message);
        finish(self.outer, &inner)
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

/// Hashes a message onto a state that one block has gone into, with SHA-256's padding.
#[inline]
fn finish(mut state: [u32; 8], message: &[u8]) -> [u8; 32] {
    let (blocks, rest) = message.as_chunks::<BLOCK>();
    let mut tail = [[0_u8; BLOCK]; 2];
    let bits = (((message.len() + BLOCK) as u64) * 8).to_be_bytes();
    tail[0][..rest.len()].copy_from_slice(rest);
    tail[0][rest.len()] = 0x80;
    let used = if rest.len() + 9 <= BLOCK { 1 } else { 2 };
    tail[used - 1][BLOCK - 8..].copy_from_slice(&bits);
    if !blocks.is_empty() {
        compress256(&mut state, blocks);
    }
    compress256(&mut state, &tail[..used]);
    let mut out = [0; 32];
    for (bytes, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    out
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac};
    use proptest::prelude::*;

    use super::*;

    /// RFC 4231 section 4.2 to 4.5, keys of up to 32 bytes: shorter ones are padded with zeros by definition.
    #[test]
    fn tags_are_hmac_sha256() {
        let key = |bytes: &[u8]| {
            let mut full = [0; 32];
            full[..bytes.len()].copy_from_slice(bytes);
            ChainKey::from_bytes(&full, 1)
        };
        for (secret, message, expected) in [
            (
                vec![0x0b; 20],
                b"Hi There".to_vec(),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe".to_vec(),
                b"what do ya want for nothing?".to_vec(),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                vec![0xaa; 20],
                vec![0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                (1..=25).collect(),
                vec![0xcd; 50],
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            ),
        ] {
            assert_eq!(hex::encode(key(&secret).tag(&message)), expected);
        }
    }

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

    proptest! {
        #[test]
        fn tags_equal_those_of_the_hmac_crate(
            key in proptest::array::uniform32(0_u8..),
            message in proptest::collection::vec(0_u8.., 0..500),
        ) {
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            mac.update(&message);
            let expected: [u8; 32] = mac.finalize().into_bytes().into();
            prop_assert_eq!(ChainKey::from_bytes(&key, 0).tag(&message), expected);
        }
    }
}
