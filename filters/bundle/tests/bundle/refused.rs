//! What is refused, and as what.

use std::collections::HashMap;

use creto_bundle::{
    BundleError, BundleSigner, Content, Floor, Generation, MAX_BODY, MAX_GENERATION, MAX_NAME, MAX_RESOURCES,
    Notice, PinnedKey, SharedResource,
};
use creto_proto::v1::{AgentState, Delta, Resource, ResourceVersion};
use proptest::prelude::*;

use crate::scene::{ID, NEW, any_content, content, first, key, manifest_of, signed, signer, usual, whole};

fn refusal(delta: &Delta) -> BundleError {
    first(delta).unwrap_err()
}

proptest! {
    #[test]
    fn every_flipped_bit_is_refused(content in any_content(), place in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let delta = whole(&content, 3);
        let sizes: Vec<usize> = [delta.manifest.len(), delta.signature.len()]
            .into_iter()
            .chain(delta.resources.iter().map(|one| one.body.len()))
            .collect();
        let mut at = place.index(sizes.iter().sum());
        let mut part = 0;
        while at >= sizes[part] {
            at -= sizes[part];
            part += 1;
        }
        let mut changed = delta;
        match part {
            0 => {
                let mut manifest = changed.manifest.to_vec();
                manifest[at] ^= 1 << bit;
                changed.manifest = manifest.into();
            }
            1 => changed.signature[at] ^= 1 << bit,
            _ => {
                let mut body = changed.resources[part - 2].body.to_vec();
                body[at] ^= 1 << bit;
                changed.resources[part - 2].body = body.into();
            }
        }
        let wanted = match part {
            0 | 1 => BundleError::Signature,
            _ => BundleError::Digest(changed.resources[part - 2].name.clone()),
        };
        prop_assert_eq!(refusal(&changed), wanted);
    }

    #[test]
    fn a_name_in_the_place_of_another_is_refused(content in any_content(), pick in any::<prop::sample::Index>()) {
        let mut delta = whole(&content, 3);
        if !delta.resources.is_empty() {
            let at = pick.index(delta.resources.len());
            delta.resources[at].name.push('x');
            prop_assert!(matches!(refusal(&delta), BundleError::Missing(_)));
        }
    }
}

#[test]
fn every_single_bit_of_manifest_signature_and_body_counts() {
    let delta = whole(&usual(), 3);
    for at in 0..delta.manifest.len() * 8 {
        let mut manifest = delta.manifest.to_vec();
        manifest[at / 8] ^= 1 << (at % 8);
        let changed = Delta { manifest: manifest.into(), ..delta.clone() };
        assert_eq!(refusal(&changed), BundleError::Signature, "bit {at} of the manifest");
    }
    for at in 0..delta.signature.len() * 8 {
        let mut changed = delta.clone();
        changed.signature[at / 8] ^= 1 << (at % 8);
        assert_eq!(refusal(&changed), BundleError::Signature, "bit {at} of the signature");
    }
    for (number, resource) in delta.resources.iter().enumerate() {
        for at in 0..resource.body.len() * 8 {
            let mut changed = delta.clone();
            let mut body = resource.body.to_vec();
            body[at / 8] ^= 1 << (at % 8);
            changed.resources[number].body = body.into();
            assert_eq!(refusal(&changed), BundleError::Digest(resource.name.clone()), "bit {at}");
        }
    }
}

#[test]
fn a_cut_or_longer_signature_is_refused() {
    let delta = whole(&usual(), 3);
    for length in [0, 1, 63, 65, 128] {
        let mut signature = delta.signature.clone();
        signature.resize(length, 0);
        assert_eq!(refusal(&Delta { signature, ..delta.clone() }), BundleError::Signature, "{length}");
    }
}

#[test]
fn another_key_is_refused() {
    let content = usual();
    let bodies = content.missing(&HashMap::new());
    let delta = BundleSigner::from_seed(&[8; 32]).delta("n".into(), &content.manifest(ID, 3, 1), bodies);
    assert_eq!(refusal(&delta), BundleError::Signature);
}

#[test]
fn a_key_of_small_order_does_not_pin() {
    // The neutral element: under a lax verifier, one signature fits every message.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    if let Ok(weak) = PinnedKey::from_bytes(&neutral) {
        let mut forged = whole(&usual(), 3);
        forged.signature = neutral.iter().copied().chain([0; 32]).collect();
        let refused = Generation::assemble(&weak, ID, &forged, None, NEW);
        assert_eq!(refused, Err(BundleError::Signature));
    }
}

#[test]
fn the_signature_of_a_notice_does_not_fit_a_manifest_nor_the_other_way_round() {
    let manifest = usual().manifest(ID, 3, 1);
    let delta = signed(&manifest, usual().missing(&HashMap::new()));
    let notice = Notice { epoch: 3, agent_state: AgentState::Revoked, chain_revoked: true };
    let sent = signer().revocation(&notice.message(ID, 1));
    let as_manifest =
        Delta { manifest: sent.notice.clone().into(), signature: sent.signature.clone(), ..Delta::default() };
    assert_eq!(refusal(&as_manifest), BundleError::Signature);
    let mut as_notice = sent;
    as_notice.notice = delta.manifest.to_vec();
    as_notice.signature = delta.signature;
    assert_eq!(Notice::read(&key(), ID, &as_notice, 0), Err(BundleError::Signature));
}

#[test]
fn another_sidecars_is_refused() {
    let manifest = usual().manifest("sidecar-2", 3, 1);
    let delta = signed(&manifest, usual().missing(&HashMap::new()));
    assert_eq!(refusal(&delta), BundleError::Addressee("sidecar-2".into()));
}

#[test]
fn an_older_epoch_and_none_are_refused() {
    let floor = Floor { epoch: 7, version: Some("v") };
    for epoch in [1, 6] {
        let refused = Generation::assemble(&key(), ID, &whole(&usual(), epoch), None, floor);
        assert_eq!(refused, Err(BundleError::Rollback { offered: epoch, seen: 7 }));
    }
    assert_eq!(refusal(&whole(&usual(), 0)), BundleError::Rollback { offered: 0, seen: 0 });
    assert!(Generation::assemble(&key(), ID, &whole(&usual(), u64::MAX), None, floor).is_ok());
}

#[test]
fn the_same_epoch_with_other_content_is_refused_while_the_content_is_known() {
    let known = usual();
    let other = content(&[("agent", "somebody")]);
    let floor = Floor { epoch: 7, version: Some(known.version()) };
    let refused = Generation::assemble(&key(), ID, &whole(&other, 7), None, floor);
    assert_eq!(refused, Err(BundleError::Repeated(7)));
    assert!(Generation::assemble(&key(), ID, &whole(&known, 7), None, floor).is_ok());
    let unknown = Floor { epoch: 7, version: None };
    assert!(Generation::assemble(&key(), ID, &whole(&other, 7), None, unknown).is_ok());
}

#[test]
fn a_missing_body_is_refused_even_if_another_generation_had_one_of_that_name() {
    let mut delta = whole(&usual(), 3);
    let gone = delta.resources.remove(2);
    assert_eq!(refusal(&delta), BundleError::Missing(gone.name.clone()));
    let before = first(&whole(&content(&[("policy/a", "another")]), 2)).unwrap();
    let refused = Generation::assemble(&key(), ID, &delta, Some(&before), NEW);
    assert_eq!(refused, Err(BundleError::Missing(gone.name)));
}

#[test]
fn a_body_that_nobody_signed_for_is_refused() {
    let mut delta = whole(&usual(), 3);
    delta.resources.push(Resource { name: "policy/c".into(), body: "allow all".into() });
    let BundleError::Content(words) = refusal(&delta) else { panic!("another refusal") };
    assert!(words.contains("policy/c"), "{words}");
}

#[test]
fn of_a_body_sent_twice_a_false_one_does_not_pass() {
    for false_first in [true, false] {
        let mut delta = whole(&usual(), 3);
        let forged = Resource { name: "policy/a".into(), body: "allow all".into() };
        if false_first {
            delta.resources.insert(0, forged);
        } else {
            delta.resources.push(forged);
        }
        match first(&delta) {
            Err(error) => assert_eq!(error, BundleError::Digest("policy/a".into())),
            Ok(generation) => assert_eq!(generation.body("policy/a").unwrap().as_ref(), b"allow"),
        }
    }
}

#[test]
fn resources_out_of_order_or_twice_are_refused() {
    let manifest = usual().manifest(ID, 3, 1);
    let bodies = || usual().missing(&HashMap::new());
    for (one, other) in [(0, 1), (1, 3), (2, 3)] {
        let mut turned = manifest.clone();
        turned.resources.swap(one, other);
        assert!(matches!(refusal(&signed(&turned, bodies())), BundleError::Content(_)), "{one} and {other}");
    }
    let mut twice = manifest.clone();
    twice.resources.insert(1, twice.resources[0].clone());
    assert!(matches!(refusal(&signed(&twice, bodies())), BundleError::Content(_)));
}

#[test]
fn a_signed_manifest_that_does_not_add_up_is_refused() {
    let bodies = || usual().missing(&HashMap::new());
    let manifest = manifest_of(&whole(&usual(), 3));
    let mut version = manifest.clone();
    version.version = "0".repeat(64);
    assert!(matches!(refusal(&signed(&version, bodies())), BundleError::Content(_)));
    let mut epoch = manifest.clone();
    epoch.revocation_epoch += 1;
    assert!(matches!(refusal(&signed(&epoch, bodies())), BundleError::Content(_)), "covered by the version");
    for length in [0, 31, 33] {
        let mut digest = manifest.clone();
        digest.resources[1].digest.resize(length, 0);
        assert!(matches!(refusal(&signed(&digest, bodies())), BundleError::Content(_)), "{length}");
    }
    let mut name = manifest.clone();
    let long = "z".repeat(MAX_NAME + 1);
    name.resources.push(ResourceVersion { name: long, digest: vec![0; 32] });
    assert!(matches!(refusal(&signed(&name, bodies())), BundleError::Content(_)));
    for schema in [0, 1, 3, u32::MAX] {
        let mut other = manifest.clone();
        other.schema = schema;
        assert_eq!(refusal(&signed(&other, bodies())), BundleError::Schema(schema));
    }
}

#[test]
fn bodies_under_a_manifest_that_names_none_are_refused() {
    let manifest = usual().manifest(ID, 3, 1);
    let mut unnamed = manifest.clone();
    unnamed.resources.clear();
    let delta = signed(&unnamed, usual().missing(&HashMap::new()));
    assert!(matches!(refusal(&delta), BundleError::Content(_)));
}

#[test]
fn more_than_may_be_is_refused() {
    let too_much = |error: BundleError| match error {
        BundleError::TooMuch { what, limit } => (what, limit),
        other => panic!("{other}"),
    };
    let many: Vec<_> =
        (0..=MAX_RESOURCES).map(|n| SharedResource::new(&format!("policy/{n:04}"), Vec::new())).collect();
    let at_the_bound = Content::new(many[1..].to_vec(), 0);
    assert!(first(&whole(&at_the_bound, 1)).is_ok());
    let over = Content::new(many, 0);
    assert_eq!(too_much(refusal(&whole(&over, 1))), ("resources", MAX_RESOURCES));
    let mut unsigned = whole(&content(&[("a", "b")]), 1);
    unsigned.resources =
        (0..=MAX_RESOURCES).map(|n| Resource { name: n.to_string(), ..Resource::default() }).collect();
    assert_eq!(too_much(refusal(&unsigned)), ("resources", MAX_RESOURCES));

    let sized = |name: &str, bytes: usize| SharedResource::new(name, vec![0; bytes]);
    assert!(first(&whole(&Content::new(vec![sized("a", MAX_BODY)], 0), 1)).is_ok());
    let large = Content::new(vec![sized("a", MAX_BODY + 1)], 0);
    assert_eq!(too_much(refusal(&whole(&large, 1))), ("bytes in one resource", MAX_BODY));

    let full = ["a", "b", "c"].map(|name| sized(name, MAX_BODY)).to_vec();
    let rest = MAX_GENERATION - 3 * MAX_BODY;
    let fits = Content::new([full.clone(), vec![sized("d", rest)]].concat(), 0);
    assert!(first(&whole(&fits, 1)).is_ok());
    let over = Content::new([full, vec![sized("d", rest + 1)]].concat(), 0);
    assert_eq!(too_much(refusal(&whole(&over, 1))), ("bytes", MAX_GENERATION));
}
