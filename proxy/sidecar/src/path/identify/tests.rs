use std::collections::HashMap;

use creto_authz::{AgentId, ChainKey, ChainVerifier, DelegatorKey, Link, MasterKey, verify_links};
use creto_credentials::Placeholders;
use ed25519_dalek::SigningKey;

use super::*;
use crate::enforcement::MintedScope;

const NOW: u64 = 1_000_000;
const HELD_UNTIL: u64 = NOW + 600;
const SHOWN_UNTIL: u64 = NOW + 60;
const EPOCH: u32 = 7;

fn key() -> ChainKey {
    MasterKey::from_bytes([4; 32]).derive("sidecar", 1)
}

fn holder() -> AgentId {
    AgentId::of_key(&SigningKey::from_bytes(&[3; 32]).verifying_key().to_bytes())
}

/// A chain as it is shown in a header.
fn chain(permission: &str) -> CompactChain {
    let root = SigningKey::from_bytes(&[2; 32]);
    let root_id = AgentId::of_key(&root.verifying_key().to_bytes());
    let link = Link {
        delegator_id: root_id,
        agent_id: holder(),
        permissions: vec![permission.to_owned()],
        audience: "default".into(),
        not_before_s: NOW - 10,
        expires_at_s: SHOWN_UNTIL,
        nonce: [9; 16],
    };
    let known = |wanted: &AgentId| {
        (*wanted == root_id).then(|| DelegatorKey { public_key: root.verifying_key().to_bytes(), root: true })
    };
    let verified = verify_links(&[link.sign(&root)], "default", NOW, known).unwrap();
    CompactChain::mint(&verified, &key(), EPOCH)
}

fn scope(permission: &str) -> Scope {
    Scope::parse(&[permission]).unwrap()
}

/// An active agent that holds everything, and may show a chain for GET.
fn enforcement() -> Enforcement {
    let narrow = scope("get:*");
    let minted = MintedScope { scope: narrow.clone(), delegation_id: vec![6] };
    Enforcement {
        epoch: 1,
        version: String::new(),
        standing: AgentStanding::Active,
        namespace: String::new(),
        agent_name: String::new(),
        holder: holder(),
        policy: None,
        policy_digest: [0; 32],
        approval_key: None,
        credentials: Vec::new(),
        placeholders: Arc::new(Placeholders::new([]).unwrap()),
        quotas: crate::quota::QuotaBook::empty(),
        chain: Some(HeldChain { scope: scope("*:*"), expires_at_s: HELD_UNTIL, delegation_id: vec![5] }),
        chain_revoked: false,
        scopes: HashMap::from([(*narrow.digest(), minted)]),
        verifier: ChainVerifier::new(key()),
        revocation_epoch: EPOCH,
        unknown_resources: 0,
    }
}

fn showing(chain: &CompactChain) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(DELEGATION_HEADER, chain.to_header().parse().unwrap());
    headers
}

/// Footings by the chain that is held, and by one in the header.
fn footings(enforcement: &Enforcement) -> [Footing; 2] {
    let shown = chain("get:*");
    [HeaderMap::new(), showing(&shown)].map(|headers| identify(enforcement, &headers, NOW).unwrap().footing())
}

#[test]
fn a_chain_that_one_thread_checked_is_known_to_all_until_the_epoch_or_the_keys_change() {
    let shown = chain("get:*");
    let (enforcement, headers) = (enforcement(), showing(&shown));
    let (_, tag) = shown.as_bytes().split_last_chunk::<32>().unwrap();
    let known = |verifier: &ChainVerifier, epoch| {
        VERDICTS.with_borrow_mut(|cache| cache.get(verifier, tag, &holder(), NOW, epoch).is_some())
    };
    let verifier = &enforcement.verifier;
    assert!(identify(&enforcement, &headers, NOW).is_ok());
    std::thread::scope(|threads| {
        threads
            .spawn(|| {
                assert!(known(verifier, EPOCH), "checked by the other thread");
                assert!(!known(verifier, EPOCH + 1), "of another epoch");
                assert!(known(verifier, EPOCH));
                let other = ChainVerifier::new(MasterKey::from_bytes([8; 32]).derive("sidecar", 2));
                assert!(!known(&other, EPOCH), "under other keys");
            })
            .join()
            .unwrap();
    });
    let mut revoked = enforcement.clone();
    revoked.revocation_epoch = EPOCH + 1;
    assert_eq!(identify(&revoked, &headers, NOW).unwrap_err(), RefusalCode::DelegationRevoked);
}

#[test]
fn what_a_call_was_let_through_under_stands_until_it_is_taken_away() {
    let first = enforcement();
    for (footing, ends) in footings(&first).into_iter().zip([HELD_UNTIL, SHOWN_UNTIL]) {
        assert_eq!(footing.stands(&first, ends - 1), Ok(()));
        assert_eq!(footing.stands(&first, ends), Err(RefusalCode::DelegationExpired));
        type Change = fn(&mut Enforcement);
        let changes: [(Change, Result<(), RefusalCode>); 5] = [
            (|now| now.epoch = 2, Ok(())),
            (|now| now.standing = AgentStanding::Suspended, Err(RefusalCode::AgentSuspended)),
            (|now| now.standing = AgentStanding::Revoked, Err(RefusalCode::AgentRevoked)),
            (Enforcement::revoke_chain, Err(RefusalCode::DelegationRevoked)),
            (|now| now.chain = None, Err(RefusalCode::NoDelegation)),
        ];
        for (change, expected) in changes {
            let mut now = first.clone();
            change(&mut now);
            assert_eq!(footing.stands(&now, NOW), expected, "{footing:?}");
        }
    }
}

#[test]
fn another_delegation_counts_if_it_carries_the_same() {
    let first = enforcement();
    let [held, shown] = footings(&first);
    let mut renewed = first.clone();
    renewed.chain =
        Some(HeldChain { scope: scope("*:*"), expires_at_s: HELD_UNTIL + 9, delegation_id: vec![8] });
    assert_eq!(held.stands(&renewed, HELD_UNTIL), Ok(()));
    let mut narrowed = first.clone();
    narrowed.chain =
        Some(HeldChain { scope: scope("get:a.example"), expires_at_s: HELD_UNTIL, delegation_id: vec![8] });
    narrowed.scopes.clear();
    for footing in [held, shown] {
        assert_eq!(footing.stands(&narrowed, NOW), Err(RefusalCode::DelegationRevoked));
    }
    let mut later = first;
    later.revocation_epoch += 1;
    assert_eq!(
        shown.stands(&later, NOW),
        Err(RefusalCode::DelegationRevoked),
        "minted before the revocation"
    );
    assert_eq!(held.stands(&later, NOW), Ok(()), "minted again with the policy in force");
}

#[test]
fn what_takes_standing_or_delegation_away_is_known_from_what_does_not() {
    let before = enforcement();
    assert!(!before.takes_away_from(None) && !before.takes_away_from(Some(&before)));
    type Change = fn(&mut Enforcement);
    let changes: [Change; 4] = [
        |now| now.standing = AgentStanding::Suspended,
        Enforcement::revoke_chain,
        |now| now.revocation_epoch += 1,
        |now| now.chain.as_mut().unwrap().delegation_id = vec![1],
    ];
    for change in changes {
        let mut now = before.clone();
        change(&mut now);
        assert!(now.takes_away_from(Some(&before)), "{now:?}");
        assert!(!before.takes_away_from(None), "and what gives takes nothing");
    }
}
