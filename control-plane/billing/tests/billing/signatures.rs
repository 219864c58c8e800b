//! Signatures: any byte that changes is found out, with nothing but the text and the public key.

use std::os::unix::fs::PermissionsExt as _;

use creto_billing::{InvoiceDocument, InvoiceKey, SignatureError, key_id, verify};

use crate::world::World;

async fn signed() -> (World, String) {
    let world = World::new().await;
    world.acme().await;
    world.used("sub", "2026-01-10T00:00:00Z", "ann", "1000");
    let id = world.run("2026-02-01T00:00:00Z").await.drafts[0].id.clone();
    let json = world.try_finalize(&id, "key", "2026-02-01T00:00:00Z").await.unwrap().json;
    (world, json)
}

#[tokio::test]
async fn any_changed_byte_breaks_the_signature() {
    let (world, json) = signed().await;
    let public = world.key.public();
    assert!(verify::<InvoiceDocument>(json.as_bytes(), &public).is_ok());
    for place in 0..json.len() {
        let mut changed = json.clone().into_bytes();
        for flip in [0x01, 0x20, 0x80] {
            changed[place] ^= flip;
            let found = verify::<serde_json::Value>(&changed, &public);
            assert!(found.is_err(), "byte {place} xor {flip:#x} went unnoticed");
            changed[place] ^= flip;
        }
        changed.remove(place);
        assert!(verify::<serde_json::Value>(&changed, &public).is_err(), "byte {place} can be left out");
        let other = if json.as_bytes()[place] == b' ' { b'\t' } else { b' ' };
        changed.insert(place, other);
        assert!(verify::<serde_json::Value>(&changed, &public).is_err(), "byte {place} can be a space");
    }
    for (front, back) in [(" ", ""), ("", "\n"), ("", "{}")] {
        assert!(verify::<serde_json::Value>(format!("{front}{json}{back}").as_bytes(), &public).is_err());
    }
}

#[tokio::test]
async fn another_key_is_told_apart_and_a_signature_moved_to_another_invoice_is_broken() {
    let (world, json) = signed().await;
    let other = InvoiceKey::open(&world.folder().join("other.key")).unwrap();
    let refused = verify::<InvoiceDocument>(json.as_bytes(), &other.public());
    assert!(matches!(refused, Err(SignatureError::OtherKey { .. })), "{refused:?}");
    let claimed = json.replace(world.key.id(), other.id());
    let refused = verify::<InvoiceDocument>(claimed.as_bytes(), &other.public());
    assert!(matches!(refused, Err(SignatureError::Broken)), "{refused:?}");
    let cheaper = json.replace("\"due_minor\":2499", "\"due_minor\":2498");
    assert_ne!(cheaper, json);
    let refused = verify::<InvoiceDocument>(cheaper.as_bytes(), &world.key.public());
    assert!(matches!(refused, Err(SignatureError::Broken)), "{refused:?}");
}

#[tokio::test]
async fn a_key_is_made_once_for_its_owner_only() {
    let (world, _) = signed().await;
    let path = world.folder().join("invoice.key");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let again = InvoiceKey::open(&path).unwrap();
    assert_eq!((again.public(), again.id()), (world.key.public(), world.key.id()));
    assert_eq!(key_id(&again.public()), again.id());
    assert!(!format!("{again:?}").contains(&std::fs::read_to_string(&path).unwrap()));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(InvoiceKey::open(&path).unwrap_err().to_string().contains("set it to 600"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&path, "abc").unwrap();
    assert!(InvoiceKey::open(&path).unwrap_err().to_string().contains("restore it from a copy"));
}

#[tokio::test]
async fn the_document_is_canonical_and_has_no_floats() {
    let (_, json) = signed().await;
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(creto_billing::canonical(&value).unwrap(), json);
    assert!(json.starts_with("{\"attribution\":"));
}
