//! Chains of signed links: what holds, and what is refused with which words.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::collections::HashMap;

use creto_authz::{
    AgentId, DelegatorKey, Link, LinkError, LinkProblem, SignedLink, VerifiedDelegation, verify_links,
};
use ed25519_dalek::SigningKey;
use proptest::prelude::*;

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 86_400;

fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn id(n: u8) -> AgentId {
    AgentId::of_key(&key(n).verifying_key().to_bytes())
}

/// Agent 1 is root; all up to 20 are registered.
fn registry() -> HashMap<AgentId, DelegatorKey> {
    (1..=20)
        .map(|n| (id(n), DelegatorKey { public_key: key(n).verifying_key().to_bytes(), root: n == 1 }))
        .collect()
}

fn link(from: u8, to: u8, permissions: &[&str]) -> Link {
    Link {
        delegator_id: id(from),
        agent_id: id(to),
        permissions: permissions.iter().map(|text| (*text).to_owned()).collect(),
        audience: "default".into(),
        not_before_s: NOW - DAY,
        expires_at_s: NOW + DAY,
        nonce: [to; 16],
    }
}

/// Root 1 to agent 2 to agent 3, narrowing.
fn two_links() -> Vec<SignedLink> {
    vec![link(1, 2, &["*:*.example"]).sign(&key(1)), link(2, 3, &["get:a.example/x/**"]).sign(&key(2))]
}

fn verify(links: &[SignedLink]) -> Result<VerifiedDelegation, LinkError> {
    let registry = registry();
    verify_links(links, "default", NOW, |id| registry.get(id).copied())
}

/// The link and the problem that a change to the second link brings.
fn changed(change: impl FnOnce(&mut Link)) -> (usize, LinkProblem) {
    let mut links = two_links();
    let mut second = links[1].link.clone();
    change(&mut second);
    links[1] = second.sign(&key(2));
    let error = verify(&links).unwrap_err();
    (error.link, error.problem)
}

#[test]
fn a_narrowing_chain_holds_and_ends_with_its_last_link() {
    let links = two_links();
    let delegation = verify(&links).unwrap();
    assert_eq!(delegation.root(), &id(1));
    assert_eq!(delegation.holder(), &id(3));
    assert_eq!(delegation.expires_at_s(), NOW + DAY);
    assert_eq!(delegation.id(), &links[1].id());
    assert_eq!(delegation.scope().permissions()[0].as_str(), "get:a.example/x/**");
    assert_eq!(delegation.links().len(), 2);
}

#[test]
fn an_error_names_the_link_and_says_what_to_do() {
    let mut links = two_links();
    links[1] = Link { expires_at_s: NOW + 2 * DAY, ..links[1].link.clone() }.sign(&key(2));
    assert_eq!(
        verify(&links).unwrap_err().to_string(),
        format!(
            "link 2 of the delegation: it expires at {}, after the link before it ({}): a link may only shorten",
            NOW + 2 * DAY,
            NOW + DAY
        )
    );
}

#[test]
fn permissions_and_expiry_only_narrow() {
    let widened = changed(|link| link.permissions = vec!["get:b.other".into()]);
    assert_eq!(widened, (2, LinkProblem::Widened("get:b.other".into())));
    let longer = changed(|link| link.expires_at_s += 1);
    assert!(matches!(longer, (2, LinkProblem::OutlivesParent { .. })));
}

#[test]
fn a_chain_begins_at_a_root_and_stays_connected() {
    let not_root = verify(&two_links()[1..]).unwrap_err();
    assert_eq!(not_root, LinkError { link: 1, problem: LinkProblem::NotRoot(id(2)) });
    let links = [link(1, 2, &["*:*"]).sign(&key(1)), link(4, 5, &["*:*"]).sign(&key(4))];
    assert_eq!(verify(&links).unwrap_err(), LinkError { link: 2, problem: LinkProblem::Unconnected });
    assert_eq!(verify(&[]).unwrap_err().problem, LinkProblem::Missing);
    let stranger = [link(99, 2, &["*:*"]).sign(&key(99))];
    assert_eq!(verify(&stranger).unwrap_err().problem, LinkProblem::UnknownDelegator(id(99)));
}

#[test]
fn a_loop_is_refused() {
    let to_itself = [link(1, 1, &["*:*"]).sign(&key(1))];
    assert_eq!(verify(&to_itself).unwrap_err().problem, LinkProblem::Loop(id(1)));
    let mut links = two_links();
    links.push(link(3, 1, &["get:a.example/x/**"]).sign(&key(3)));
    assert_eq!(verify(&links).unwrap_err(), LinkError { link: 3, problem: LinkProblem::Loop(id(1)) });
    links[2] = link(3, 2, &["get:a.example/x/**"]).sign(&key(3));
    assert!(matches!(verify(&links).unwrap_err().problem, LinkProblem::Loop(_)));
}

#[test]
fn eight_links_hold_and_nine_do_not() {
    let chain: Vec<SignedLink> = (1..=9).map(|n| link(n, n + 1, &["*:*"]).sign(&key(n))).collect();
    assert_eq!(verify(&chain[..8]).unwrap().links().len(), 8);
    assert_eq!(verify(&chain).unwrap_err(), LinkError { link: 9, problem: LinkProblem::TooDeep });
}

#[test]
fn times_are_kept() {
    assert!(matches!(changed(|link| link.not_before_s = NOW + 1), (2, LinkProblem::NotYet(_))));
    assert!(matches!(changed(|link| link.expires_at_s = NOW), (2, LinkProblem::Expired(_))));
    assert_eq!(changed(|link| link.expires_at_s = link.not_before_s), (2, LinkProblem::Lifetime));
    assert_eq!(changed(|link| link.not_before_s = NOW + DAY - 366 * DAY - 1), (2, LinkProblem::Lifetime));
}

#[test]
fn a_link_is_for_one_audience_and_its_nonce_is_its_own() {
    assert!(matches!(changed(|link| link.audience = "other".into()), (2, LinkProblem::Audience { .. })));
    assert_eq!(changed(|link| link.nonce = [2; 16]), (2, LinkProblem::NonceRepeated));
}

#[test]
fn permissions_are_well_formed() {
    for permissions in [vec![], vec!["get:b.example", "get:a.example"], vec!["GET:a.example"]] {
        let permissions: Vec<String> = permissions.into_iter().map(str::to_owned).collect();
        assert!(matches!(changed(|link| link.permissions = permissions), (2, LinkProblem::Permission(_))));
    }
}

#[test]
fn a_key_of_small_order_signs_nothing() {
    // The identity point verifies every signature of a lax verifier.
    let mut identity = [0; 32];
    identity[0] = 1;
    let weak = AgentId::of_key(&identity);
    let mut forged = SignedLink { link: link(1, 2, &["*:*"]), signature: [0; 64] };
    forged.link.delegator_id = weak;
    forged.signature[0] = 1;
    let error =
        verify_links(&[forged], "default", NOW, |_| Some(DelegatorKey { public_key: identity, root: true }));
    assert_eq!(error.unwrap_err().problem, LinkProblem::Signature);
}

#[test]
fn a_key_that_is_not_the_delegators_is_refused() {
    let error = verify_links(&two_links(), "default", NOW, |_| {
        Some(DelegatorKey { public_key: key(7).verifying_key().to_bytes(), root: true })
    });
    assert_eq!(error.unwrap_err().problem, LinkProblem::KeyMismatch(id(1)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_flipped_bit_goes_unnoticed(which in 0_usize..2, bit in 0_usize..512, field in 0_u8..5) {
        let mut links = two_links();
        let signed = &mut links[which];
        match field {
            0 => signed.signature[bit / 8] ^= 1 << (bit % 8),
            1 => signed.link.nonce[bit / 8 % 16] ^= 1 << (bit % 8),
            2 => signed.link.agent_id.0[bit / 8 % 32] ^= 1 << (bit % 8),
            3 => signed.link.delegator_id.0[bit / 8 % 32] ^= 1 << (bit % 8),
            _ => signed.link.expires_at_s -= 1,
        }
        prop_assert!(verify(&links).is_err());
    }

    #[test]
    fn a_chain_that_holds_never_widens(
        picks in proptest::collection::vec(
            (proptest::sample::subsequence(
                vec!["*:*", "*:*.example", "get:*.example", "get:a.example", "get:a.example/x/**", "post:*"], 1..4),
             0_u64..4), 1..5),
    ) {
        let links: Vec<SignedLink> = (1_u8..).zip(&picks).map(|(n, (permissions, shorter))| {
            let mut permissions = permissions.clone();
            permissions.sort_unstable();
            Link { expires_at_s: NOW + DAY - shorter, ..link(n, n + 1, &permissions) }.sign(&key(n))
        }).collect();
        if let Ok(delegation) = verify(&links) {
            for pair in delegation.links().windows(2) {
                prop_assert!(pair[1].expires_at_s <= pair[0].expires_at_s);
                prop_assert_eq!(pair[0].scope.uncovered(&pair[1].scope), None);
            }
        }
    }
}
