//! Sealing: AES-256-GCM (NIST SP 800-38D), bound to where the value belongs.

use aws_lc_rs::aead::{Aad, Nonce};
use creto_store::{KeptSecret, SealedValue, SecretSummary};
use zeroize::Zeroizing;

use crate::{KeyRing, SecretValue, SecretsError};

/// Of how values are sealed: part of what is authenticated.
pub const SEAL_SCHEMA: u32 = 1;

/// Bytes of the tag at a ciphertext's end.
const TAG_BYTES: usize = 16;

/// Put before what is authenticated, so that it fits nothing else under the same key.
const DOMAIN: &[u8] = b"creto-secret";

/// Seals a value for its place, under the newest key.
pub(crate) fn seal(
    keys: &KeyRing,
    place: &SecretSummary,
    value: &SecretValue,
) -> Result<SealedValue, SecretsError> {
    let key = keys.newest();
    let mut buffer = Zeroizing::new(Vec::with_capacity(value.bytes().len() + TAG_BYTES));
    buffer.extend_from_slice(value.bytes());
    let (nonce, tag) = key
        .cipher
        .seal_in_place_separate_tag(Aad::from(bound_to(place)), buffer.as_mut_slice())
        .map_err(|_| SecretsError::Cipher)?;
    buffer.extend_from_slice(tag.as_ref());
    // Ciphertext by now: nothing in it wants overwriting.
    let ciphertext = std::mem::take(&mut *buffer);
    Ok(SealedValue { schema: SEAL_SCHEMA, key_id: key.id, nonce: *nonce.as_ref(), ciphertext })
}

/// Opens a secret.
pub(crate) fn open(keys: &KeyRing, kept: KeptSecret) -> Result<SecretValue, SecretsError> {
    let KeptSecret { summary: place, sealed } = kept;
    let damaged = || SecretsError::Damaged { namespace: place.namespace.clone(), name: place.name.clone() };
    if sealed.schema != SEAL_SCHEMA {
        return Err(damaged());
    }
    let key = keys.of(&sealed.key_id).ok_or_else(|| SecretsError::UnknownKey {
        namespace: place.namespace.clone(),
        name: place.name.clone(),
        key_id: hex::encode(sealed.key_id),
    })?;
    let mut buffer = Zeroizing::new(sealed.ciphertext);
    let nonce = Nonce::assume_unique_for_key(sealed.nonce);
    let length = key
        .cipher
        .open_in_place(nonce, Aad::from(bound_to(&place)), buffer.as_mut_slice())
        .map_err(|_| damaged())?
        .len();
    buffer.truncate(length);
    Ok(SecretValue::opened(buffer))
}

/// What is authenticated beside the value. Lengths go before texts, so that no two places read the same.
fn bound_to(place: &SecretSummary) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(DOMAIN.len() + 28 + place.namespace.len() + place.name.len());
    bytes.extend_from_slice(DOMAIN);
    bytes.extend_from_slice(&SEAL_SCHEMA.to_be_bytes());
    for text in [&place.namespace, &place.name] {
        bytes.extend_from_slice(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes.extend_from_slice(&place.version.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ring(keys: &[u8]) -> KeyRing {
        let lines: Vec<String> = keys.iter().map(|byte| hex::encode([*byte; 32])).collect();
        KeyRing::parse(&lines.join("\n")).unwrap()
    }

    fn place(namespace: &str, name: &str, version: u64) -> SecretSummary {
        SecretSummary {
            namespace: namespace.into(),
            name: name.into(),
            version,
            created_at_ms: 1,
            updated_at_ms: 2,
        }
    }

    fn sealed(keys: &KeyRing, at: &SecretSummary, value: &[u8]) -> KeptSecret {
        let value = SecretValue::new(value.to_vec()).unwrap();
        KeptSecret { summary: at.clone(), sealed: seal(keys, at, &value).unwrap() }
    }

    #[test]
    fn the_same_value_is_sealed_differently_each_time() {
        let keys = ring(&[1]);
        let at = place("a", "key", 1);
        let (first, second) = (sealed(&keys, &at, b"same value"), sealed(&keys, &at, b"same value"));
        assert_ne!(first.sealed.nonce, second.sealed.nonce);
        assert_ne!(first.sealed.ciphertext, second.sealed.ciphertext);
        assert_eq!(first.sealed.ciphertext.len(), 10 + TAG_BYTES);
    }

    #[test]
    fn a_value_copied_to_another_place_does_not_open() {
        let keys = ring(&[1]);
        let at = place("a", "key", 1);
        let kept = sealed(&keys, &at, b"some value");
        assert_eq!(open(&keys, kept.clone()).unwrap().bytes(), b"some value");
        for other in
            [place("b", "key", 1), place("a", "other", 1), place("a", "key", 2), place("ak", "ey", 1)]
        {
            let moved = KeptSecret { summary: other.clone(), sealed: kept.sealed.clone() };
            let error = open(&keys, moved).unwrap_err();
            assert!(matches!(error, SecretsError::Damaged { .. }), "{error}");
            assert!(error.to_string().contains(&format!("{}/{}", other.namespace, other.name)), "{error}");
        }
        // When it was made and put is no part of it.
        let later = SecretSummary { created_at_ms: 7, updated_at_ms: 9, ..at };
        assert!(open(&keys, KeptSecret { summary: later, sealed: kept.sealed }).is_ok());
    }

    #[test]
    fn an_older_key_opens_and_a_missing_one_is_named() {
        let kept = sealed(&ring(&[1]), &place("a", "key", 1), b"some value");
        assert_eq!(open(&ring(&[2, 1]), kept.clone()).unwrap().bytes(), b"some value");
        let error = open(&ring(&[2]), kept.clone()).unwrap_err();
        let SecretsError::UnknownKey { key_id, .. } = &error else { panic!("{error}") };
        assert_eq!(*key_id, hex::encode(kept.sealed.key_id));
        // The id alone does not make another key fit.
        let claimed = SealedValue { key_id: ring(&[2]).newest().id, ..kept.sealed };
        let claimed = KeptSecret { summary: kept.summary, sealed: claimed };
        assert!(matches!(open(&ring(&[2]), claimed), Err(SecretsError::Damaged { .. })));
    }

    proptest! {
        #[test]
        fn any_value_opens_again_and_any_change_is_found(
            value in prop::collection::vec(any::<u8>(), 8..300),
            at in any::<prop::sample::Index>(),
            bit in 0_u8..8,
        ) {
            let keys = ring(&[1]);
            let is_found = |kept| matches!(open(&keys, kept), Err(SecretsError::Damaged { .. }));
            let kept = sealed(&keys, &place("a", "key", 1), &value);
            let opened = open(&keys, kept.clone()).unwrap();
            prop_assert_eq!(opened.bytes(), value.as_slice());
            let mut changed = kept.clone();
            let index = at.index(changed.sealed.ciphertext.len());
            changed.sealed.ciphertext[index] ^= 1 << bit;
            prop_assert!(is_found(changed));
            let mut cut = kept.clone();
            cut.sealed.ciphertext.truncate(index);
            prop_assert!(is_found(cut));
            let mut other_nonce = kept;
            other_nonce.sealed.nonce[usize::from(bit)] ^= 1;
            prop_assert!(is_found(other_nonce));
        }
    }
}
