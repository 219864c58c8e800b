//! What every store must do with secrets.

use super::MANY;
use crate::{KeptSecret, SealedValue, SecretSummary, Store, StoreError};

fn secret(namespace: &str, name: &str, version: u64, key: u8) -> KeptSecret {
    let at_ms = i64::try_from(version).unwrap() * 10;
    KeptSecret {
        summary: SecretSummary {
            namespace: namespace.into(),
            name: name.into(),
            version,
            created_at_ms: at_ms,
            updated_at_ms: at_ms,
        },
        sealed: SealedValue {
            schema: 1,
            key_id: [key; 8],
            nonce: [key; 12],
            ciphertext: format!("{namespace}/{name}/{version}/{key}").into_bytes(),
        },
    }
}

/// A value is put at the next version only, and the first one's time stays.
pub async fn secrets_count_their_versions(store: &impl Store) {
    assert!(!store.any_secret().await.unwrap());
    let (first, second) = (secret("a", "key", 1, 1), secret("a", "key", 2, 1));
    assert!(matches!(store.put_secret(&second, MANY).await, Err(StoreError::Changed)));
    assert_eq!(store.put_secret(&first, MANY).await.unwrap(), first.summary);
    assert!(matches!(store.put_secret(&first, MANY).await, Err(StoreError::Changed)));
    let replaced = store.put_secret(&second, MANY).await.unwrap();
    assert_eq!(replaced, SecretSummary { created_at_ms: 10, ..second.summary.clone() });
    let kept = store.secret("a", "key").await.unwrap();
    assert_eq!((kept.summary, kept.sealed), (replaced, second.sealed));
    store.delete_secret("a", "key").await.unwrap();
    assert!(matches!(store.delete_secret("a", "key").await, Err(StoreError::NotFound)));
    assert!(matches!(store.secret("a", "key").await, Err(StoreError::NotFound)));
    store.put_secret(&first, MANY).await.unwrap();
    assert!(store.any_secret().await.unwrap());
}

/// A namespace's secrets are its own, listed by name, and not more than it may hold.
pub async fn secrets_are_kept_by_namespace(store: &impl Store) {
    for name in ["one", "three", "two"] {
        store.put_secret(&secret("a", name, 1, 1), 3).await.unwrap();
    }
    let full = store.put_secret(&secret("a", "four", 1, 1), 3).await;
    assert!(matches!(full, Err(StoreError::Full { limit: 3, .. })));
    store.put_secret(&secret("a", "two", 2, 1), 3).await.unwrap();
    store.put_secret(&secret("b", "four", 1, 1), 3).await.unwrap();
    assert!(matches!(store.secret("b", "one").await, Err(StoreError::NotFound)));
    assert!(matches!(store.delete_secret("b", "one").await, Err(StoreError::NotFound)));
    let names = async |after: &str, limit: u32| -> Vec<String> {
        store.secrets("a", after, limit).await.unwrap().into_iter().map(|kept| kept.name).collect()
    };
    assert_eq!(names("", 2).await, ["one", "three"]);
    assert_eq!(names("three", 2).await, ["two"]);
    assert!(store.secrets("c", "", 10).await.unwrap().is_empty());
}

/// What is under an older key is found in all namespaces, and moved to the newer one unless it changed meanwhile.
pub async fn secrets_of_other_keys_are_found_and_resealed(store: &impl Store) {
    for (namespace, name, key) in [("a", "x", 1), ("a", "y", 2), ("a", "z", 1), ("b", "a", 3)] {
        store.put_secret(&secret(namespace, name, 1, key), MANY).await.unwrap();
    }
    let (mut found, mut after) = (Vec::new(), (String::new(), String::new()));
    loop {
        let page = store.secrets_of_other_keys(&[2; 8], (&after.0, &after.1), 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = (last.summary.namespace.clone(), last.summary.name.clone());
        found.extend(page);
    }
    let names: Vec<_> = found.iter().map(|kept| kept.summary.name.as_str()).collect();
    assert_eq!(names, ["x", "z", "a"]);
    store.put_secret(&secret("a", "z", 2, 2), MANY).await.unwrap();
    store.delete_secret("b", "a").await.unwrap();
    let resealed: Vec<_> = ["a/x", "a/z", "b/a"]
        .iter()
        .map(|whose| whose.split_once('/').map(|(space, name)| secret(space, name, 1, 2)).unwrap())
        .collect();
    store.reseal_secrets(&resealed).await.unwrap();
    assert_eq!(store.secret("a", "x").await.unwrap(), secret("a", "x", 1, 2));
    assert_eq!(store.secret("a", "z").await.unwrap().sealed, secret("a", "z", 2, 2).sealed);
    assert!(matches!(store.secret("b", "a").await, Err(StoreError::NotFound)));
    assert!(store.secrets_of_other_keys(&[2; 8], ("", ""), 10).await.unwrap().is_empty());
}
