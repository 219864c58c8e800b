//! What a vault keeps, over the embedded store.

use std::collections::BTreeMap;
use std::path::Path;

use creto_store::{AgentStore as _, SecretStore as _, SqliteStore};

use super::*;

const VALUE: &[u8] = b"sk-live-0123456789abcdef";

/// Policies that name these secrets for these agents.
struct Named(&'static [(&'static str, &'static str)]);

#[async_trait::async_trait]
impl NamedBy for Named {
    async fn names(&self, agent: &KeptAgent, secret: &str) -> Result<bool, StoreError> {
        Ok(self.0.contains(&(agent.name.as_str(), secret)))
    }
}

struct Fixture {
    store: SqliteStore,
    folder: tempfile::TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("creto.db")).await.unwrap();
        Self { store, folder }
    }

    fn vault(&self, keys: &[u8]) -> Vault {
        let lines: Vec<String> = keys.iter().map(|byte| hex::encode([*byte; 32])).collect();
        let named = Named(&[("one", "key"), ("one", "absent"), ("one", "other"), ("two", "other")]);
        let keys = KeyRing::parse(&lines.join("\n")).unwrap();
        Vault::new(Arc::new(self.store.clone()), keys, Arc::new(named))
    }

    async fn agent(&self, namespace: &str, name: &str, trust_level: TrustLevel) {
        let id = name.bytes().chain(namespace.bytes()).fold(0, |sum: u8, byte| sum.wrapping_add(byte));
        let agent = KeptAgent {
            namespace: namespace.into(),
            name: name.into(),
            agent_id: [id; 32],
            public_key: [id; 32],
            tier: 1,
            trust_level: trust_level.into(),
            state: KeptState::Active,
            labels: BTreeMap::new(),
            root: false,
            created_at_ms: 1,
            updated_at_ms: 1,
        };
        self.store.create_agent(&agent, 100).await.unwrap();
    }
}

fn value(bytes: &[u8]) -> SecretValue {
    SecretValue::new(bytes.to_vec()).unwrap()
}

async fn names(vault: &Vault, namespace: &str) -> Vec<(String, u64)> {
    let request = ListSecretsRequest { namespace: namespace.into(), ..ListSecretsRequest::default() };
    let listed = vault.list(&request).await.unwrap().secrets;
    listed.into_iter().map(|secret| (secret.name, secret.version)).collect()
}

/// Whether a file of the folder holds the bytes.
fn on_disk(folder: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|file| {
        let content = std::fs::read(file.unwrap().path()).unwrap();
        content.windows(bytes.len()).any(|part| part == bytes)
    })
}

#[tokio::test]
async fn a_value_comes_back_to_the_agent_whose_policy_names_it_and_to_no_other() {
    let fixture = Fixture::new().await;
    let vault = fixture.vault(&[1]);
    fixture.agent("a", "one", TrustLevel::Trusted).await;
    fixture.agent("a", "two", TrustLevel::Trusted).await;
    fixture.agent("bb", "one", TrustLevel::Trusted).await;
    vault.put("a", "key", &value(b"the first value")).await.unwrap();
    let put = vault.put("a", "key", &value(VALUE)).await.unwrap();
    assert_eq!((put.version, put.namespace.as_str(), put.name.as_str()), (2, "a", "key"));
    assert!(put.created_at_ms > 0 && put.updated_at_ms >= put.created_at_ms);
    let fetched = vault.fetch("a", "one", "key").await.unwrap();
    assert_eq!((fetched.value.bytes(), fetched.version), (VALUE, 2));
    // Not named, named but not there, not a name, in another namespace, of no agent: one and the same.
    let mut said = Vec::new();
    for (namespace, agent, name) in [
        ("a", "two", "key"),
        ("a", "one", "absent"),
        ("a", "one", "unheard-of"),
        ("a", "one", "../key"),
        ("a", "one", ""),
        ("bb", "one", "key"),
        ("a", "nobody", "key"),
    ] {
        let error = vault.fetch(namespace, agent, name).await.unwrap_err();
        assert!(matches!(error, SecretsError::NotForAgent), "{namespace} {agent} {name}: {error}");
        said.push(error.to_string());
    }
    said.dedup();
    assert_eq!(said.len(), 1);
}

#[tokio::test]
async fn an_agent_that_does_not_act_fetches_nothing() {
    let fixture = Fixture::new().await;
    let vault = fixture.vault(&[1]);
    fixture.agent("a", "one", TrustLevel::Untrusted).await;
    fixture.agent("bb", "one", TrustLevel::Suspended).await;
    for namespace in ["a", "bb"] {
        vault.put(namespace, "key", &value(VALUE)).await.unwrap();
    }
    assert!(matches!(vault.fetch("bb", "one", "key").await, Err(SecretsError::Distrusted(_))));
    assert!(vault.fetch("a", "one", "key").await.is_ok());
    for (state, there) in
        [(KeptState::Suspended, false), (KeptState::Active, true), (KeptState::Revoked, false)]
    {
        fixture.store.set_agent_state("a", "one", state, 2).await.unwrap();
        assert_eq!(vault.fetch("a", "one", "key").await.is_ok(), there, "{state:?}");
    }
    let refused = vault.fetch("a", "one", "key").await.unwrap_err();
    assert!(matches!(refused, SecretsError::Identity(IdentityError::Revoked(_))), "{refused}");
}

#[tokio::test]
async fn names_are_listed_by_page_and_deleted_ones_count_anew() {
    let fixture = Fixture::new().await;
    let vault = fixture.vault(&[1]);
    for name in ["b.2", "a_1", "c-3"] {
        vault.put("a", name, &value(VALUE)).await.unwrap();
    }
    assert_eq!(names(&vault, "a").await, [("a_1".into(), 1), ("b.2".into(), 1), ("c-3".into(), 1)]);
    assert!(names(&vault, "b").await.is_empty());
    let first = ListSecretsRequest { namespace: "a".into(), page_size: 2, ..ListSecretsRequest::default() };
    let page = vault.list(&first).await.unwrap();
    assert_eq!((page.secrets.len(), page.next_page_token.as_str()), (2, "b.2"));
    let rest = ListSecretsRequest { page_token: page.next_page_token, ..first };
    assert_eq!(vault.list(&rest).await.unwrap().secrets[0].name, "c-3");
    vault.delete("a", "b.2").await.unwrap();
    assert!(matches!(vault.delete("a", "b.2").await, Err(SecretsError::NoSecret(_))));
    assert!(matches!(vault.delete("b", "a_1").await, Err(SecretsError::NoSecret(_))));
    assert!(matches!(vault.put("a", "No", &value(VALUE)).await, Err(SecretsError::Invalid { .. })));
    assert_eq!(vault.put("a", "b.2", &value(VALUE)).await.unwrap().version, 1);
}

#[tokio::test]
async fn values_put_at_once_each_take_a_version() {
    let fixture = Fixture::new().await;
    let vault = fixture.vault(&[1]);
    let puts = (0..8_u8).map(|_| {
        let vault = vault.clone();
        tokio::spawn(async move { vault.put("a", "key", &value(VALUE)).await.unwrap().version })
    });
    let mut versions = Vec::new();
    for put in puts.collect::<Vec<_>>() {
        versions.push(put.await.unwrap());
    }
    versions.sort_unstable();
    assert_eq!(versions, (1..=8).collect::<Vec<_>>());
}

#[tokio::test]
async fn no_value_reaches_the_disk_not_in_the_log_of_the_database_either() {
    let fixture = Fixture::new().await;
    let vault = fixture.vault(&[1]);
    let long = b"a longer value than one page of the database; ".repeat(1_000);
    vault.put("a", "key", &value(VALUE)).await.unwrap();
    vault.put("a", "key", &value(b"another-value-entirely")).await.unwrap();
    vault.put("a", "long", &value(&long)).await.unwrap();
    vault.put("a", "gone", &value(b"deleted-value-of-old")).await.unwrap();
    vault.delete("a", "gone").await.unwrap();
    let folder = fixture.folder.path();
    let checks = |when: &str| {
        assert!(on_disk(folder, b"key"), "the scan finds what is there, {when}");
        for part in [VALUE, b"another-value-entirely", &long[..46], b"deleted-value-of-old"] {
            assert!(!on_disk(folder, part), "{when}: {}", String::from_utf8_lossy(part));
        }
    };
    assert!(folder.join("creto.db-wal").metadata().unwrap().len() > 0);
    checks("in the write-ahead log");
    fixture.vault(&[2, 1]).reseal().await.unwrap();
    fixture.store.close().await;
    checks("after closing");
}

#[tokio::test]
async fn a_row_that_was_changed_or_copied_is_named_and_the_others_go_on() {
    let fixture = Fixture::new().await;
    let vault = fixture.vault(&[1]);
    fixture.agent("a", "one", TrustLevel::Trusted).await;
    vault.put("a", "key", &value(VALUE)).await.unwrap();
    vault.put("a", "other", &value(b"the other's value")).await.unwrap();
    // As one does who may write to the file: the other's row under this name.
    let other = fixture.store.secret("a", "other").await.unwrap();
    let mut copied = fixture.store.secret("a", "key").await.unwrap();
    let original = std::mem::replace(&mut copied.sealed, other.sealed);
    fixture.store.reseal_secrets(std::slice::from_ref(&copied)).await.unwrap();
    let error = vault.fetch("a", "one", "key").await.unwrap_err();
    assert!(matches!(error, SecretsError::Damaged { .. }), "{error}");
    let said = error.to_string();
    assert!(said.contains("`a/key`") && said.contains("put it again"), "{said}");
    assert!(vault.fetch("a", "one", "other").await.is_ok());
    // One byte changed.
    copied.sealed = original;
    copied.sealed.ciphertext[3] ^= 1;
    fixture.store.reseal_secrets(std::slice::from_ref(&copied)).await.unwrap();
    assert!(matches!(vault.fetch("a", "one", "key").await, Err(SecretsError::Damaged { .. })));
    assert_eq!(names(&vault, "a").await.len(), 2);
    assert_eq!(vault.put("a", "key", &value(VALUE)).await.unwrap().version, 2);
    assert_eq!(vault.fetch("a", "one", "key").await.unwrap().value.bytes(), VALUE);
}

#[tokio::test]
async fn secrets_move_to_a_newer_key_and_the_older_one_may_go() {
    let fixture = Fixture::new().await;
    fixture.agent("a", "one", TrustLevel::Trusted).await;
    let old = fixture.vault(&[1]);
    for number in 0..70 {
        old.put("a", &format!("n-{number}"), &value(VALUE)).await.unwrap();
    }
    old.put("a", "key", &value(VALUE)).await.unwrap();
    fixture.vault(&[9]).put("b", "lost", &value(VALUE)).await.unwrap();
    assert_eq!(old.reseal().await.unwrap(), Resealed { moved: 0, stuck: 1 });
    // While both keys are there, both open.
    let both = fixture.vault(&[2, 1]);
    assert_eq!(both.fetch("a", "one", "key").await.unwrap().value.bytes(), VALUE);
    assert_eq!(both.reseal().await.unwrap(), Resealed { moved: 71, stuck: 1 });
    assert_eq!(both.reseal().await.unwrap(), Resealed { moved: 0, stuck: 1 });
    let new = fixture.vault(&[2]);
    let fetched = new.fetch("a", "one", "key").await.unwrap();
    assert_eq!((fetched.value.bytes(), fetched.version), (VALUE, 1), "the version is that of the value");
    let error = old.fetch("a", "one", "key").await.unwrap_err();
    assert!(matches!(error, SecretsError::UnknownKey { .. }), "{error}");
    assert!(error.to_string().contains("`a/key`"), "{error}");
}

#[tokio::test]
async fn what_was_put_is_there_after_opening_the_file_again() {
    let fixture = Fixture::new().await;
    fixture.agent("a", "one", TrustLevel::Trusted).await;
    fixture.vault(&[1]).put("a", "key", &value(VALUE)).await.unwrap();
    fixture.store.close().await;
    let store = SqliteStore::open(&fixture.folder.path().join("creto.db")).await.unwrap();
    let again = Fixture { store, folder: fixture.folder };
    assert_eq!(again.vault(&[1]).fetch("a", "one", "key").await.unwrap().value.bytes(), VALUE);
}
