//! The proof of an approval.

use creto_oversight::{
    ActionDigest, ApprovalKey, ApprovalSigner, Grant, GrantError, MAX_GRANT_BYTES, RequestId, SignedGrant,
};

use crate::world::{MINUTE, START, action, person};

fn signer() -> ApprovalSigner {
    ApprovalSigner::from_seed(&[5; 32])
}

fn key() -> ApprovalKey {
    ApprovalKey::from_bytes(&signer().public_key()).unwrap()
}

fn grant() -> Grant {
    Grant {
        request: RequestId([9; 16]),
        namespace: "default".to_owned(),
        sidecar: "sidecar-1".to_owned(),
        call: "call-1".to_owned(),
        digest: action().digest(),
        policy: "payments".to_owned(),
        rule: "big-transfers".to_owned(),
        number: 1,
        by: vec![person("bob"), person("carol")],
        at_ms: START,
        not_after_ms: START + MINUTE,
    }
}

#[test]
fn a_grant_lets_its_own_call_through_until_it_lapses() {
    let opened = grant().sign(&signer()).open(&key()).unwrap();
    assert_eq!(opened, grant());
    let (mine, digest) = (("sidecar-1", "call-1"), action().digest());
    assert_eq!(opened.allows(mine, digest, START + MINUTE - 1), Ok(()));
    assert_eq!(opened.allows(mine, digest, START + MINUTE), Err(GrantError::Lapsed(START + MINUTE)));
    assert_eq!(opened.allows(("sidecar-2", "call-1"), digest, START), Err(GrantError::Another("sidecar")));
    assert_eq!(opened.allows(("sidecar-1", "call-2"), digest, START), Err(GrantError::Another("call")));
    assert_eq!(opened.allows(mine, ActionDigest([0; 32]), START), Err(GrantError::Another("action")));
}

#[test]
fn every_flipped_bit_of_a_grant_is_refused() {
    let signed = grant().sign(&signer());
    let (content, signature) = (signed.content.len(), signed.signature.len());
    for bit in 0..(content + signature) * 8 {
        let mut forged = signed.clone();
        let (byte, mask) = (bit / 8, 1 << (bit % 8));
        match forged.content.get_mut(byte) {
            Some(covered) => *covered ^= mask,
            None => forged.signature[byte - content] ^= mask,
        }
        assert_eq!(forged.open(&key()), Err(GrantError::Signature), "bit {bit}");
    }
}

#[test]
fn a_grant_that_is_cut_or_made_longer_is_refused() {
    let signed = grant().sign(&signer());
    for length in 0..signed.content.len() {
        let cut = SignedGrant { content: signed.content[..length].to_vec(), ..signed.clone() };
        assert_eq!(cut.open(&key()), Err(GrantError::Signature), "{length} bytes");
    }
    let long = SignedGrant { content: [signed.content.as_slice(), &[0]].concat(), ..signed.clone() };
    assert_eq!(long.open(&key()), Err(GrantError::Signature));
    let huge = SignedGrant { content: vec![0; MAX_GRANT_BYTES], ..signed };
    assert_eq!(huge.open(&key()), Err(GrantError::Size(MAX_GRANT_BYTES + 64)));
}

#[test]
fn another_key_than_that_of_the_approval_service_grants_nothing() {
    let forged = grant().sign(&ApprovalSigner::from_seed(&[6; 32]));
    assert_eq!(forged.open(&key()), Err(GrantError::Signature));
}

#[test]
fn the_bytes_of_a_grant_are_what_they_were_when_this_was_written() {
    // Computed by other programs from the description of the encoding.
    let signed = grant().sign(&signer());
    assert_eq!(signed.content.len(), 202);
    assert_eq!(hex::encode(&signed.signature[..8]), "b230c07aa3d8041c");
}
