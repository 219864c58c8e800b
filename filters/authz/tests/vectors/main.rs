//! The published test vectors of the compact chain: `vectors/compact-chain-v1.json`.
//!
//! They are checked by this crate, and by a Python script that shares no code with it. To write the file anew after a
//! deliberate change of the format: `CRETO_WRITE_VECTORS=1 cargo test -p creto-authz --test vectors`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]
#![forbid(unsafe_code)]

mod document;
mod generator;

use std::{collections::BTreeSet, path::PathBuf, process::Command};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use creto_authz::{AgentId, ChainError, ChainKey, ChainVerifier, CompactChain, MasterKey, VerdictCache};

use document::{Document, Expected, Holds};

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors/compact-chain-v1.json")
}

fn published() -> Document {
    serde_json::from_str(&std::fs::read_to_string(path()).unwrap()).unwrap()
}

fn code(error: ChainError) -> &'static str {
    match error {
        ChainError::Encoding => "encoding",
        ChainError::Length => "length",
        ChainError::Tag => "tag",
        ChainError::Version => "version",
        ChainError::Algorithm => "algorithm",
        ChainError::KeyId => "key_id",
        ChainError::Revoked => "revoked",
        ChainError::Widened => "widened",
        ChainError::Expired => "expired",
        ChainError::Holder => "holder",
    }
}

fn bytes32(hex_text: &str) -> [u8; 32] {
    hex::decode(hex_text).unwrap().try_into().unwrap()
}

#[test]
fn every_published_vector_is_judged_as_it_says() {
    let document = published();
    for vector in &document.vectors {
        let mut keys = vector.accepts.iter().map(|name| {
            let key = document.keys.iter().find(|key| key.name == *name).unwrap();
            ChainKey::from_bytes(&bytes32(&key.key), key.id)
        });
        let verifier = keys.by_ref().fold(None::<ChainVerifier>, |verifier, key| match verifier {
            None => Some(ChainVerifier::new(key)),
            Some(verifier) => Some(verifier.with_previous(key)),
        });
        let verifier = verifier.unwrap();
        let (chain, holder) = (hex::decode(&vector.chain).unwrap(), AgentId(bytes32(&vector.holder)));
        let mut cache = VerdictCache::new();
        let verdicts = [
            verifier.verify(&chain, &holder, vector.now_s, vector.min_epoch),
            cache.verify(&verifier, &chain, &holder, vector.now_s, vector.min_epoch),
            cache.verify(&verifier, &chain, &holder, vector.now_s, vector.min_epoch),
        ];
        for verdict in verdicts {
            let got = match verdict {
                Ok(chain) => Expected::Ok(Holds {
                    links: chain.links(),
                    scope: hex::encode(chain.scope_digest()),
                    expires_at_s: chain.expires_at_s(),
                    epoch: chain.epoch(),
                }),
                Err(error) => Expected::Error(code(error).to_owned()),
            };
            assert_eq!(got, vector.expected, "{}", vector.name);
        }
        // The header value carries the same bytes, or none at all.
        let header = vector.header.clone().unwrap_or_else(|| URL_SAFE_NO_PAD.encode(&chain));
        match CompactChain::from_header(&header) {
            Ok(read) => assert_eq!(read.as_bytes(), chain, "{}", vector.name),
            Err(error) => {
                assert_eq!(vector.expected, Expected::Error(code(error).to_owned()), "{}", vector.name);
            }
        }
    }
}

#[test]
fn the_published_keys_are_derived_from_their_masters() {
    for key in published().keys {
        let derived = MasterKey::from_bytes(bytes32(&key.master)).derive(&key.sidecar, key.id);
        assert_eq!(hex::encode(derived.secret_bytes()), key.key, "{}", key.name);
    }
}

#[test]
fn the_vectors_show_every_way_to_be_refused() {
    let document = published();
    let shown: BTreeSet<&str> = document
        .vectors
        .iter()
        .filter_map(|vector| match &vector.expected {
            Expected::Error(code) => Some(code.as_str()),
            Expected::Ok(_) => None,
        })
        .collect();
    let all = [
        ChainError::Length,
        ChainError::Tag,
        ChainError::Version,
        ChainError::Algorithm,
        ChainError::KeyId,
        ChainError::Revoked,
        ChainError::Widened,
        ChainError::Expired,
        ChainError::Holder,
    ];
    assert_eq!(shown, all.into_iter().map(code).collect());
    let names: BTreeSet<&str> = document.vectors.iter().map(|vector| vector.name.as_str()).collect();
    assert_eq!(names.len(), document.vectors.len(), "names are unique");
}

#[test]
fn the_file_is_what_the_generator_makes() {
    let made = generator::document();
    let text = format!("{}\n", serde_json::to_string_pretty(&made).unwrap());
    if std::env::var_os("CRETO_WRITE_VECTORS").is_some() {
        std::fs::write(path(), &text).unwrap();
    }
    assert_eq!(published(), made);
    assert_eq!(std::fs::read_to_string(path()).unwrap(), text);
}

#[test]
fn another_implementation_agrees_on_every_vector() {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/check.py");
    let run = Command::new("python3")
        .arg(script)
        .arg(path())
        .output()
        .expect("python3 runs the other implementation: install it (deploy/setup.sh test)");
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    assert_eq!(said.trim(), format!("{} vectors, 0 wrong", published().vectors.len()));
}
