//! The compact chain: what was minted holds, and nothing else does.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]
#![forbid(unsafe_code)]

use std::{alloc::System, sync::Arc};

use creto_authz::{
    AgentId, ChainError, ChainKey, ChainVerifier, CompactChain, DelegatorKey, Link, MasterKey,
    SharedVerdicts, VerdictCache, VerifiedDelegation, verify_links,
};
use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const NOW: u64 = 1_800_000_000;
const HOUR: u64 = 3600;

fn id(n: u8) -> AgentId {
    AgentId::of_key(&SigningKey::from_bytes(&[n; 32]).verifying_key().to_bytes())
}

/// A chain of this many links from agent 1 on; each expires an hour before the one before it.
fn delegation(links: u8) -> VerifiedDelegation {
    let signed: Vec<_> = (1..=links)
        .map(|n| {
            Link {
                delegator_id: id(n),
                agent_id: id(n + 1),
                permissions: vec!["get:a.example".into()],
                audience: "default".into(),
                not_before_s: NOW,
                expires_at_s: NOW + 100 * HOUR - u64::from(n) * HOUR,
                nonce: [n; 16],
            }
            .sign(&SigningKey::from_bytes(&[n; 32]))
        })
        .collect();
    verify_links(&signed, "default", NOW, |agent| {
        (1..=9).find(|n| id(*n) == *agent).map(|n| DelegatorKey {
            public_key: SigningKey::from_bytes(&[n; 32]).verifying_key().to_bytes(),
            root: true,
        })
    })
    .unwrap()
}

fn sidecar_key(sidecar: &str) -> ChainKey {
    MasterKey::from_bytes([3; 32]).derive(sidecar, 7)
}

fn minted(links: u8) -> CompactChain {
    CompactChain::mint(&delegation(links), &sidecar_key("a"), 5)
}

fn check(bytes: &[u8], links: u8) -> Result<(), ChainError> {
    ChainVerifier::new(sidecar_key("a")).verify(bytes, &id(links + 1), NOW, 5).map(drop)
}

#[test]
fn a_minted_chain_says_what_the_delegation_does() {
    for links in 1..=8 {
        let delegation = delegation(links);
        let chain = minted(links);
        assert_eq!(chain.as_bytes().len(), 16 + 48 * usize::from(links) + 32);
        let verified = ChainVerifier::new(sidecar_key("a"))
            .verify(chain.as_bytes(), delegation.holder(), NOW, 5)
            .unwrap();
        assert_eq!(verified.expires_at_s(), delegation.expires_at_s());
        assert_eq!(verified.scope_digest(), delegation.scope().digest());
        assert_eq!((verified.links(), verified.epoch()), (usize::from(links), 5));
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    for links in 1..=8 {
        let chain = minted(links);
        for bit in 0..chain.as_bytes().len() * 8 {
            let mut bytes = chain.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            // The key id stands in bytes 4 to 7.
            let expected = if (4..8).contains(&(bit / 8)) { ChainError::KeyId } else { ChainError::Tag };
            assert_eq!(check(&bytes, links), Err(expected), "bit {bit} of {links} links");
        }
    }
}

#[test]
fn every_truncation_and_every_extension_is_refused() {
    let chain = minted(8);
    for length in 0..chain.as_bytes().len() {
        assert!(check(&chain.as_bytes()[..length], 8).is_err(), "{length} bytes");
    }
    let mut longer = chain.as_bytes().to_vec();
    for _ in 0..100 {
        longer.push(0);
        assert_eq!(check(&longer, 8), Err(ChainError::Length));
    }
}

#[test]
fn a_ninth_link_is_refused_by_its_length() {
    let mut bytes = minted(8).as_bytes().to_vec();
    let link = bytes[16..64].to_vec();
    bytes.splice(16..16, link);
    assert_eq!(check(&bytes, 8), Err(ChainError::Length));
    assert_eq!(CompactChain::from_bytes(&bytes), Err(ChainError::Length));
}

#[test]
fn links_cannot_be_swapped_dropped_or_spliced() {
    let chain = minted(3).as_bytes().to_vec();
    let mut swapped = chain.clone();
    let (one, two) = swapped[16..112].split_at_mut(48);
    one.swap_with_slice(two);
    assert_eq!(check(&swapped, 3), Err(ChainError::Tag));
    let mut dropped = chain.clone();
    dropped.drain(16..64);
    assert_eq!(check(&dropped, 3), Err(ChainError::Tag));
    let mut spliced = chain;
    spliced[16..64].copy_from_slice(&minted(1).as_bytes()[16..64]);
    spliced[64..112].copy_from_slice(&minted(8).as_bytes()[16 + 48 * 4..64 + 48 * 4]);
    assert_eq!(check(&spliced, 3), Err(ChainError::Tag));
}

#[test]
fn a_chain_of_another_sidecar_or_key_is_refused() {
    let delegation = delegation(2);
    for (key, expected) in [
        (sidecar_key("b"), ChainError::Tag),
        (MasterKey::from_bytes([3; 32]).derive("a", 8), ChainError::KeyId),
        (MasterKey::from_bytes([4; 32]).derive("a", 7), ChainError::Tag),
    ] {
        let chain = CompactChain::mint(&delegation, &key, 5);
        assert_eq!(check(chain.as_bytes(), 2), Err(expected));
    }
}

fn key_of_id(id: u32) -> ChainKey {
    MasterKey::from_bytes([3; 32]).derive("a", id)
}

#[test]
fn while_keys_rotate_both_are_accepted() {
    let (old, new) = (key_of_id(7), key_of_id(8));
    let verify = |verifier: &ChainVerifier, key| {
        let chain = CompactChain::mint(&delegation(2), key, 5);
        verifier.verify(chain.as_bytes(), &id(3), NOW, 5).map(drop)
    };
    let overlaps = [
        ChainVerifier::new(new.clone()).with_previous(old.clone()),
        ChainVerifier::new(old.clone()).with_key(new.clone()),
    ];
    for verifier in overlaps {
        assert_eq!(verifier.key_ids().collect::<Vec<_>>(), [8, 7]);
        assert_eq!((verify(&verifier, &old), verify(&verifier, &new)), (Ok(()), Ok(())));
    }
    let alone = ChainVerifier::new(new.clone());
    assert_eq!((verify(&alone, &old), verify(&alone, &new)), (Err(ChainError::KeyId), Ok(())));
}

#[test]
fn a_fifth_key_pushes_out_the_oldest() {
    let mut verifier = ChainVerifier::new(key_of_id(1));
    for id in 2..=5 {
        verifier = verifier.with_key(key_of_id(id));
    }
    assert_eq!(verifier.key_ids().collect::<Vec<_>>(), [5, 4, 3, 2]);
    let older = verifier.clone().with_previous(key_of_id(1));
    assert_eq!(older.key_ids().collect::<Vec<_>>(), [5, 4, 3, 2], "an older one finds no place");
    for key in 1..=5 {
        let chain = CompactChain::mint(&delegation(2), &key_of_id(key), 5);
        let expected = if key == 1 { Err(ChainError::KeyId) } else { Ok(()) };
        assert_eq!(verifier.verify(chain.as_bytes(), &id(3), NOW, 5).map(drop), expected, "key {key}");
    }
}

#[test]
fn of_two_keys_with_one_id_the_newer_counts() {
    let (old, new) = (key_of_id(7), MasterKey::from_bytes([4; 32]).derive("a", 7));
    let replaced = ChainVerifier::new(old.clone()).with_key(new.clone());
    let kept = ChainVerifier::new(new.clone()).with_previous(old.clone());
    for verifier in [replaced, kept] {
        let verify = |key| {
            let chain = CompactChain::mint(&delegation(2), key, 5);
            verifier.verify(chain.as_bytes(), &id(3), NOW, 5).map(drop)
        };
        assert_eq!((verify(&new), verify(&old)), (Ok(()), Err(ChainError::Tag)));
    }
}

#[test]
fn an_expired_a_revoked_and_a_foreign_chain_are_refused() {
    let chain = minted(2);
    let verifier = ChainVerifier::new(sidecar_key("a"));
    let end = delegation(2).expires_at_s();
    let verify = |agent, now, epoch| verifier.verify(chain.as_bytes(), &agent, now, epoch).map(drop);
    assert_eq!(verify(id(3), end - 1, 5), Ok(()));
    assert_eq!(verify(id(3), end, 5), Err(ChainError::Expired));
    assert_eq!(verify(id(3), NOW, 6), Err(ChainError::Revoked));
    assert_eq!(verify(id(3), NOW, 4), Ok(()));
    assert_eq!(verify(id(2), NOW, 5), Err(ChainError::Holder));
}

#[test]
fn the_header_value_reads_back_and_is_bounded() {
    for links in 1..=8 {
        let chain = minted(links);
        assert_eq!(CompactChain::from_header(&chain.to_header()), Ok(chain));
    }
    assert_eq!(minted(8).to_header().len(), 576);
    assert_eq!(CompactChain::from_header(&"A".repeat(577)), Err(ChainError::Length));
    assert!(
        CompactChain::from_header(&"A".repeat(576)).is_ok(),
        "the length of eight links; the tag decides"
    );
    for text in ["", "A", "AAAA", "====", "ä", "a b", "AA+/"] {
        assert!(CompactChain::from_header(text).is_err(), "{text}");
    }
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let chain = minted(2);
    let verified = ChainVerifier::new(sidecar_key("a")).verify(chain.as_bytes(), &id(3), NOW, 5).unwrap();
    let shown = format!("{chain:?} {verified:?} {:?}", ChainVerifier::new(sidecar_key("a")));
    assert!(!shown.contains(", 0") && !shown.contains("tag"), "{shown}");
}

#[test]
fn checking_allocates_nothing() {
    let chain = minted(2);
    let verifier = ChainVerifier::new(sidecar_key("a"));
    let holder = id(3);
    let mut cache = VerdictCache::new();
    cache.verify(&verifier, chain.as_bytes(), &holder, NOW, 5).unwrap();
    let shared = Arc::new(SharedVerdicts::new(16));
    VerdictCache::shared(Arc::clone(&shared)).verify(&verifier, chain.as_bytes(), &holder, NOW, 5).unwrap();
    let mut behind = VerdictCache::shared(shared);
    behind.get(&verifier, &tag_of(&chain), &holder, NOW, 5).unwrap();
    // Other tests run beside this one and allocate: the least of many tries is this thread's own.
    let least = (0..200).map(|_| {
        let region = Region::new(ALLOCATOR);
        let full = verifier.verify(chain.as_bytes(), &holder, NOW, 5).is_ok();
        let cached = cache.verify(&verifier, chain.as_bytes(), &holder, NOW, 5).is_ok();
        // Its own verdicts gone, it asks the shared ones.
        behind.clear();
        let shared = behind.get(&verifier, &tag_of(&chain), &holder, NOW, 5).is_some();
        let change = region.change();
        assert!(full && cached && shared);
        change.allocations + change.reallocations
    });
    assert_eq!(least.min(), Some(0));
}

#[test]
fn a_cached_verdict_dies_with_time_expiry_epoch_and_holder() {
    let chain = minted(2);
    let (tag, holder) = (tag_of(&chain), id(3));
    let verifier = ChainVerifier::new(sidecar_key("a"));
    let mut cache = VerdictCache::new();
    assert!(cache.is_empty() && cache.get(&verifier, &tag, &holder, NOW, 5).is_none());
    let fresh = cache.verify(&verifier, chain.as_bytes(), &holder, NOW, 5).unwrap();
    assert_eq!(cache.get(&verifier, &tag, &holder, NOW + 299, 5), Some(&fresh));
    assert_eq!(cache.get(&verifier, &tag, &holder, NOW + 300, 5), None);
    assert_eq!(cache.get(&verifier, &tag, &holder, NOW - 1, 5), None, "a clock set back is not trusted");
    assert_eq!(cache.get(&verifier, &tag, &id(4), NOW, 5), None);
    assert_eq!(cache.get(&verifier, &tag, &holder, NOW, 6), None);
    assert!(cache.is_empty(), "a new epoch empties the cache");
    assert_eq!(cache.verify(&verifier, chain.as_bytes(), &holder, NOW, 6), Err(ChainError::Revoked));

    let end = delegation(2).expires_at_s();
    cache.verify(&verifier, chain.as_bytes(), &holder, end - 10, 5).unwrap();
    assert!(cache.get(&verifier, &tag, &holder, end - 1, 5).is_some());
    assert!(cache.get(&verifier, &tag, &holder, end, 5).is_none());
}

#[test]
fn a_cached_verdict_dies_with_its_key() {
    let (old, new) = (key_of_id(7), key_of_id(8));
    let chain = CompactChain::mint(&delegation(2), &old, 5);
    let both = ChainVerifier::new(old).with_key(new.clone());
    let shared = Arc::new(SharedVerdicts::new(16));
    let (mut one, mut other) =
        (VerdictCache::shared(Arc::clone(&shared)), VerdictCache::shared(Arc::clone(&shared)));
    let ask = |cache: &mut VerdictCache, verifier: &ChainVerifier| {
        cache.verify(verifier, chain.as_bytes(), &id(3), NOW, 5).map(drop)
    };
    assert_eq!((ask(&mut one, &both), ask(&mut other, &both)), (Ok(()), Ok(())));
    let alone = ChainVerifier::new(new);
    assert_eq!(ask(&mut one, &alone), Err(ChainError::KeyId));
    assert_eq!(ask(&mut other, &alone), Err(ChainError::KeyId));
    let mut fresh = VerdictCache::shared(shared);
    assert_eq!(ask(&mut fresh, &alone), Err(ChainError::KeyId), "nor is it in the shared table");
}

#[test]
fn what_one_thread_found_spares_the_others_the_check() {
    let chain = minted(2);
    let (tag, holder) = (tag_of(&chain), id(3));
    let verifier = ChainVerifier::new(sidecar_key("a"));
    let shared = Arc::new(SharedVerdicts::new(16));
    let found = {
        let (verifier, shared, chain) = (verifier.clone(), Arc::clone(&shared), chain.clone());
        std::thread::spawn(move || {
            VerdictCache::shared(shared).verify(&verifier, chain.as_bytes(), &holder, NOW, 5)
        })
        .join()
        .unwrap()
    };
    let mut cache = VerdictCache::shared(shared);
    // Asked for by the tag alone, no check can have been made here.
    assert_eq!(cache.get(&verifier, &tag, &id(4), NOW, 5), None);
    assert_eq!(cache.get(&verifier, &tag, &holder, NOW - 1, 5), None);
    assert_eq!(cache.get(&verifier, &tag, &holder, NOW, 6), None);
    assert_eq!(cache.get(&verifier, &tag, &holder, NOW + 300, 5), None);
    assert_eq!(cache.get(&verifier, &tag, &holder, NOW + 299, 5).copied(), found.ok());
    // Nor does it live longer for having been taken over late.
    assert_eq!(cache.get(&verifier, &tag, &holder, NOW + 300, 5), None);
}

#[test]
fn a_tag_is_all_that_a_hit_takes_from_the_bytes() {
    let chain = minted(2);
    let verifier = ChainVerifier::new(sidecar_key("a"));
    let mut cache = VerdictCache::new();
    let fresh = cache.verify(&verifier, chain.as_bytes(), &id(3), NOW, 5).unwrap();
    let mut changed = chain.as_bytes().to_vec();
    changed[16..112].fill(0xff);
    assert_eq!(cache.verify(&verifier, &changed, &id(3), NOW, 5), Ok(fresh));
}

#[test]
fn refusals_are_not_remembered() {
    let verifier = ChainVerifier::new(sidecar_key("a"));
    let mut cache = VerdictCache::new();
    let foreign = CompactChain::mint(&delegation(2), &sidecar_key("b"), 5);
    assert_eq!(cache.verify(&verifier, foreign.as_bytes(), &id(3), NOW, 5), Err(ChainError::Tag));
    assert!(cache.is_empty());
}

#[test]
fn the_cache_is_bounded_and_never_wrong() {
    let delegation = delegation(1);
    let key = sidecar_key("a");
    let verifier = ChainVerifier::new(key.clone());
    let mut cache = VerdictCache::new();
    for epoch in 0..6000 {
        let chain = CompactChain::mint(&delegation, &key, epoch);
        let verified = cache.verify(&verifier, chain.as_bytes(), &id(2), NOW, 0).unwrap();
        assert_eq!(verified.epoch(), epoch);
        assert_eq!(
            cache.get(&verifier, &tag_of(&chain), &id(2), NOW, 0).map(|kept| kept.epoch()),
            Some(epoch)
        );
    }
    assert!(cache.len() <= 4096, "{} entries", cache.len());
    assert!(cache.len() > 2000, "{} entries", cache.len());
}

#[test]
fn the_shared_table_is_bounded_and_never_wrong() {
    for (asked, has) in [(0, 4), (5, 8), (1000, 1024), (usize::MAX, 65_536)] {
        assert_eq!(SharedVerdicts::new(asked).capacity(), has);
    }
    let delegation = delegation(1);
    let key = sidecar_key("a");
    let verifier = ChainVerifier::new(key.clone());
    let shared = Arc::new(SharedVerdicts::new(64));
    let chains: Vec<_> = (0..500).map(|epoch| CompactChain::mint(&delegation, &key, epoch)).collect();
    for chain in &chains {
        let mut cache = VerdictCache::shared(Arc::clone(&shared));
        cache.verify(&verifier, chain.as_bytes(), &id(2), NOW, 0).unwrap();
        assert!(
            VerdictCache::shared(Arc::clone(&shared))
                .get(&verifier, &tag_of(chain), &id(2), NOW, 0)
                .is_some()
        );
    }
    let mut cache = VerdictCache::shared(shared);
    let kept: Vec<u32> = (0..500)
        .zip(&chains)
        .filter_map(|(epoch, chain)| {
            let kept = cache.get(&verifier, &tag_of(chain), &id(2), NOW, 0)?;
            assert_eq!(kept.epoch(), epoch);
            Some(epoch)
        })
        .collect();
    assert!((48..=64).contains(&kept.len()), "{} kept", kept.len());
}

fn tag_of(chain: &CompactChain) -> [u8; 32] {
    *chain.as_bytes().last_chunk().unwrap()
}

proptest! {
    #[test]
    fn no_bytes_but_minted_ones_hold(bytes in proptest::collection::vec(0_u8.., 0..480)) {
        prop_assert!(check(&bytes, 2).is_err());
    }

    #[test]
    fn any_text_as_header_is_an_error_and_no_crash(text in "[A-Za-z0-9_=+/ -]{0,600}") {
        if let Ok(chain) = CompactChain::from_header(&text) {
            prop_assert_eq!(chain.to_header(), text);
            prop_assert!(check(chain.as_bytes(), 2).is_err());
        }
    }
}
