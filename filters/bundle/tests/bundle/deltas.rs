//! From any content to any other.

use creto_bundle::{Content, Floor, Generation, SharedResource};
use proptest::prelude::*;

use crate::scene::{ID, any_content, assert_is, content, first, key, signed, signer, usual, whole};

proptest! {
    #[test]
    fn a_delta_from_any_content_to_any_other_yields_exactly_that(before in any_content(), after in any_content()) {
        let old = first(&whole(&before, 1)).unwrap();
        assert_is(&old, &before, 1);
        let delta = signer().delta("n".into(), &after.manifest(ID, 2, 1), after.since(&before));
        let floor = Floor { epoch: 1, version: Some(before.version()) };
        let new = Generation::assemble(&key(), ID, &delta, Some(&old), floor).unwrap();
        assert_is(&new, &after, 2);
        prop_assert_eq!(new, first(&whole(&after, 2)).unwrap());
        // By what the sidecar said it has, the same bodies are missing.
        let said = old.resources();
        prop_assert_eq!(after.missing(&Content::known(&said)), after.since(&before));
    }

    #[test]
    fn a_delta_carries_no_body_that_is_there(before in any_content(), after in any_content()) {
        let has: Vec<_> = before.resources().iter().map(|one| (one.name(), *one.digest())).collect();
        for sent in after.since(&before) {
            let of = SharedResource::new(&sent.name, sent.body.clone());
            prop_assert!(!has.contains(&(sent.name.as_str(), *of.digest())), "{} is there", sent.name);
        }
        prop_assert!(after.since(&after).is_empty());
    }

    #[test]
    fn versions_are_equal_for_equal_content_only(one in any_content(), other in any_content()) {
        prop_assert_eq!(one.version() == other.version(), one == other);
        let mut turned = one.resources().to_vec();
        turned.reverse();
        let revocation_epoch = one.manifest(ID, 1, 1).revocation_epoch;
        let turned = Content::new(turned, revocation_epoch);
        prop_assert_eq!(turned.version(), one.version());
    }
}

#[test]
fn names_and_bodies_do_not_run_into_each_other() {
    let versions: Vec<_> =
        [content(&[("a", "bc")]), content(&[("ab", "c")]), content(&[("a", ""), ("b", "c")]), content(&[])]
            .iter()
            .map(|content| content.version().to_owned())
            .collect();
    for (at, version) in versions.iter().enumerate() {
        assert!(!versions[..at].contains(version));
    }
}

#[test]
fn the_same_generation_again_is_taken() {
    let old = first(&whole(&usual(), 5)).unwrap();
    let again = signed(&usual().manifest(ID, 5, 1), Vec::new());
    let floor = Floor { epoch: 5, version: Some(old.version()) };
    assert_eq!(Generation::assemble(&key(), ID, &again, Some(&old), floor).unwrap(), old);
}

#[test]
fn policies_are_told_from_their_neighbours_by_name() {
    let content = content(&[
        ("policy", "1"),
        ("policy.", "2"),
        ("policy/", "3"),
        ("policy/a", "4"),
        ("policy/z", "5"),
        ("policy0", "6"),
    ]);
    let generation = first(&whole(&content, 1)).unwrap();
    let policies: Vec<_> = generation.policies().map(|(name, _, body)| (name, body.as_ref())).collect();
    assert_eq!(policies, [("policy/", b"3".as_ref()), ("policy/a", b"4"), ("policy/z", b"5")]);
}

#[test]
fn kinds_of_resources_to_come_are_kept() {
    let content = content(&[("agent", "a"), ("lease/money", "x")]);
    let generation = first(&whole(&content, 1)).unwrap();
    assert_eq!(generation.body("lease/money").unwrap().as_ref(), b"x");
}

#[test]
fn of_two_resources_with_one_name_the_first_stays() {
    let twice = content(&[("agent", "first"), ("agent", "second")]);
    assert_eq!(twice.version(), content(&[("agent", "first")]).version());
}
