//! Generations on disk.

use creto_bundle::{BundleError, Floor, Generation};
use proptest::prelude::*;

use crate::scene::{ID, NEW, any_content, assert_is, first, key, usual, whole};

proptest! {
    #[test]
    fn a_stored_generation_is_read_as_it_was(content in any_content(), epoch in 1..u64::MAX) {
        let generation = first(&whole(&content, epoch)).unwrap();
        let read = Generation::from_stored(&key(), ID, &generation.to_stored(), NEW).unwrap();
        assert_is(&read, &content, epoch);
        prop_assert_eq!(read, generation);
    }

    #[test]
    fn no_bytes_at_all_make_a_generation(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Generation::from_stored(&key(), ID, &bytes, NEW).is_err());
    }
}

#[test]
fn every_truncation_is_refused() {
    let stored = first(&whole(&usual(), 4)).unwrap().to_stored();
    for length in 0..stored.len() {
        let read = Generation::from_stored(&key(), ID, &stored[..length], NEW);
        assert!(read.is_err(), "the first {length} of {} bytes", stored.len());
    }
}

#[test]
fn every_flipped_bit_is_refused_or_changes_nothing() {
    let generation = first(&whole(&usual(), 4)).unwrap();
    let stored = generation.to_stored();
    for at in 0..stored.len() * 8 {
        let mut changed = stored.clone();
        changed[at / 8] ^= 1 << (at % 8);
        // Not every bit of the envelope means something; what it holds is signed.
        if let Ok(read) = Generation::from_stored(&key(), ID, &changed, NEW) {
            assert_eq!(read, generation, "bit {at}");
        }
    }
}

#[test]
fn one_of_another_sidecar_or_an_older_day_is_refused() {
    let stored = first(&whole(&usual(), 4)).unwrap().to_stored();
    let other = Generation::from_stored(&key(), "sidecar-2", &stored, NEW);
    assert_eq!(other, Err(BundleError::Addressee(ID.into())));
    let floor = Floor { epoch: 5, version: None };
    let older = Generation::from_stored(&key(), ID, &stored, floor);
    assert_eq!(older, Err(BundleError::Rollback { offered: 4, seen: 5 }));
}
