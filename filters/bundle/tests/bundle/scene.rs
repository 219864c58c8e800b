//! What the tests sign and read.

use std::collections::HashMap;

use creto_bundle::{BundleError, BundleSigner, Content, Floor, Generation, PinnedKey, SharedResource};
use creto_proto::v1::{Delta, Manifest, Resource};
use proptest::prelude::*;
use prost::Message as _;

pub(crate) const ID: &str = "sidecar-1";
pub(crate) const NEW: Floor<'static> = Floor { epoch: 0, version: None };

pub(crate) fn signer() -> BundleSigner {
    BundleSigner::from_seed(&[7; 32])
}

pub(crate) fn key() -> PinnedKey {
    PinnedKey::from_bytes(&signer().public_key()).unwrap()
}

/// Resources by name and body.
pub(crate) fn content(resources: &[(&str, &str)]) -> Content {
    let shared = resources.iter().map(|(name, body)| SharedResource::new(name, body.as_bytes().to_vec()));
    Content::new(shared.collect(), 0)
}

/// An agent, a chain and two policies.
pub(crate) fn usual() -> Content {
    content(&[
        ("agent", "researcher"),
        ("chain", "of two links"),
        ("policy/a", "allow"),
        ("policy/b", "deny"),
    ])
}

/// With all bodies.
pub(crate) fn whole(content: &Content, epoch: u64) -> Delta {
    signer().delta("n".into(), &content.manifest(ID, epoch, 1), content.missing(&HashMap::new()))
}

pub(crate) fn first(delta: &Delta) -> Result<Generation, BundleError> {
    Generation::assemble(&key(), ID, delta, None, NEW)
}

/// Signs a manifest that an honest plane would not.
pub(crate) fn signed(manifest: &Manifest, resources: Vec<Resource>) -> Delta {
    signer().delta("n".into(), manifest, resources)
}

/// The manifest of a delta.
pub(crate) fn manifest_of(delta: &Delta) -> Manifest {
    Manifest::decode(delta.manifest.clone()).unwrap()
}

/// Asserts that a generation is this content.
pub(crate) fn assert_is(generation: &Generation, content: &Content, epoch: u64) {
    assert_eq!(generation.epoch(), epoch);
    assert_eq!(generation.version(), content.version());
    let bodies: Vec<_> = generation
        .resources()
        .into_iter()
        .map(|one| (one.name.clone(), one.digest, generation.body(&one.name).unwrap().clone()))
        .collect();
    let wanted: Vec<_> = content
        .resources()
        .iter()
        .map(|one| (one.name().to_owned(), one.digest().to_vec(), one.message().body))
        .collect();
    assert_eq!(bodies, wanted);
}

/// Content of a few names, so that two of them share some, with few bodies, so that some are equal.
pub(crate) fn any_content() -> impl Strategy<Value = Content> {
    let name = prop_oneof![
        Just("agent".to_owned()),
        Just("chain".to_owned()),
        "policy/[a-d]",
        "policy0",
        "kind-to-come/[ab]",
    ];
    let body =
        prop_oneof!["[xyz]{0,2}".prop_map(String::into_bytes), proptest::collection::vec(any::<u8>(), 0..40)];
    (proptest::collection::vec((name, body), 0..9), 0..3_u32).prop_map(|(resources, revocation_epoch)| {
        let shared = resources.into_iter().map(|(name, body)| SharedResource::new(&name, body));
        Content::new(shared.collect(), revocation_epoch)
    })
}
