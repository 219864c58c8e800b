//! Secrets: in by operators, out to the sidecars whose policies name them, and nowhere else.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod fixture;

use std::path::Path;

use creto_client::{OperatorClient, SidecarClient};
use creto_control_plane::{ControlPlane, Options, StartError};
use creto_proto::v1::{
    DeletePolicyRequest, DeleteSecretRequest, ListSecretsRequest, PutSecretRequest, ResumeAgentRequest,
    RevokeAgentRequest, SuspendAgentRequest,
};
use creto_store::{KeptPolicy, PolicyDocumentStore as _, SqliteStore};
use fixture::{POLICY, Plane, Sidecar, apply, create_agent, key, plane, put_secret, sidecar};
use tonic::Code;

const VALUE: &[u8] = b"sk-live-0123456789abcdef";

/// A policy for the agents of these names that takes its credential from this secret.
fn document(name: &str, agents: &str, secret: &str) -> String {
    format!(
        r#"version = 1
name = "{name}"

[agents]
names = ["{agents}"]

[[allow]]
name = "models"
host = "api.openai.com"

[[credential]]
name = "openai"
host = "api.openai.com"
type = "bearer"
from = {{ secret = "{secret}" }}
"#
    )
}

/// A control plane whose agent `one` of namespace `a` has a policy that names the secret `openai-key`.
async fn ready() -> (Plane, OperatorClient, Sidecar) {
    let plane = plane().await;
    let admin = plane.admin().await;
    create_agent(&admin, "a", "one", &key(2), false).await;
    apply(&admin, "a", &document("models", "one", "openai-key")).await;
    let sidecar = sidecar(&plane.endpoint(), &admin, "a", "one").await;
    (plane, admin, sidecar)
}

async fn refusal(sidecar: &Sidecar, name: &str) -> (Code, String) {
    let status = sidecar.client.fetch_secret(name).await.unwrap_err();
    (status.code(), status.message().to_owned())
}

#[tokio::test]
async fn a_sidecar_fetches_what_a_policy_of_its_agent_names() {
    let (_plane, admin, sidecar) = ready().await;
    assert_eq!(refusal(&sidecar, "openai-key").await.0, Code::NotFound);
    assert_eq!(put_secret(&admin, "a", "openai-key", b"the first value").await, 1);
    assert_eq!(sidecar.client.fetch_secret("openai-key").await.unwrap().version, 1);
    assert_eq!(put_secret(&admin, "a", "openai-key", VALUE).await, 2);
    let fetched = sidecar.client.fetch_secret("openai-key").await.unwrap();
    assert_eq!((fetched.value.as_slice(), fetched.version), (VALUE, 2));
    let delete = DeleteSecretRequest { namespace: "a".into(), name: "openai-key".into() };
    admin.secrets().delete_secret(delete).await.unwrap();
    assert_eq!(refusal(&sidecar, "openai-key").await.0, Code::NotFound);
}

#[tokio::test]
async fn what_is_not_named_is_refused_alike_whether_it_is_there_or_not() {
    let (plane, admin, one) = ready().await;
    create_agent(&admin, "a", "two", &key(3), false).await;
    create_agent(&admin, "b", "one", &key(4), false).await;
    let two = sidecar(&plane.endpoint(), &admin, "a", "two").await;
    let elsewhere = sidecar(&plane.endpoint(), &admin, "b", "one").await;
    for (namespace, name) in [("a", "openai-key"), ("a", "other"), ("b", "openai-key")] {
        put_secret(&admin, namespace, name, VALUE).await;
    }
    assert!(one.client.fetch_secret("openai-key").await.is_ok());
    let long = "x".repeat(10_000);
    let mut refusals = vec![
        refusal(&two, "openai-key").await,
        refusal(&elsewhere, "openai-key").await,
        refusal(&one, "other").await,
        refusal(&one, "nothing").await,
        refusal(&one, "").await,
        refusal(&one, "../openai-key").await,
        refusal(&one, &long).await,
    ];
    refusals.dedup();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    assert_eq!(refusals[0].0, Code::NotFound);
}

#[tokio::test]
async fn a_policy_that_goes_or_changes_takes_its_secrets_along() {
    let (plane, admin, one) = ready().await;
    for name in ["openai-key", "other"] {
        put_secret(&admin, "a", name, VALUE).await;
    }
    assert!(one.client.fetch_secret("openai-key").await.is_ok());
    apply(&admin, "a", &document("models", "on*", "other")).await;
    assert_eq!(refusal(&one, "openai-key").await.0, Code::NotFound);
    assert!(one.client.fetch_secret("other").await.is_ok());
    apply(&admin, "a", &document("models", "two", "other")).await;
    assert_eq!(refusal(&one, "other").await.0, Code::NotFound);
    apply(&admin, "a", &document("models", "one", "other")).await;
    assert!(one.client.fetch_secret("other").await.is_ok());
    let delete = DeletePolicyRequest { namespace: "a".into(), name: "models".into() };
    admin.policies().delete_policy(delete).await.unwrap();
    assert_eq!(refusal(&one, "other").await.0, Code::NotFound);
    // A document that does not compile any more gives nobody anything.
    let store = SqliteStore::open(&plane.folder.path().join("creto.db")).await.unwrap();
    let policy = KeptPolicy {
        namespace: "a".into(),
        name: "models".into(),
        document: document("models", "one", "other").replace("names", "nmaes"),
        version: "v".into(),
        revision: 0,
        updated_at_ms: 1,
    };
    store.put_policy(&policy, 100, 1 << 20).await.unwrap();
    store.close().await;
    // Tells the control plane that documents changed.
    apply(&admin, "a", POLICY).await;
    assert_eq!(refusal(&one, "other").await.0, Code::NotFound);
}

#[tokio::test]
async fn a_suspended_or_revoked_agent_fetches_nothing_and_learns_nothing() {
    let (_plane, admin, one) = ready().await;
    put_secret(&admin, "a", "openai-key", VALUE).await;
    let (namespace, name) = ("a".to_owned(), "one".to_owned());
    let suspend = SuspendAgentRequest { namespace: namespace.clone(), name: name.clone() };
    admin.agents().suspend_agent(suspend).await.unwrap();
    let suspended = refusal(&one, "openai-key").await;
    assert_eq!(suspended.0, Code::FailedPrecondition, "{suspended:?}");
    assert_eq!(suspended, refusal(&one, "nothing").await);
    let resume = ResumeAgentRequest { namespace: namespace.clone(), name: name.clone() };
    admin.agents().resume_agent(resume).await.unwrap();
    assert!(one.client.fetch_secret("openai-key").await.is_ok());
    admin.agents().revoke_agent(RevokeAgentRequest { namespace, name }).await.unwrap();
    let revoked = refusal(&one, "openai-key").await;
    assert_eq!(revoked.0, Code::FailedPrecondition, "{revoked:?}");
    assert_eq!(revoked, refusal(&one, "nothing").await);
}

#[tokio::test]
async fn values_and_names_out_of_bounds_are_refused_with_what_to_do() {
    let plane = plane().await;
    let admin = plane.admin().await;
    let put = async |name: &str, value: Vec<u8>| {
        let request = PutSecretRequest { namespace: "a".into(), name: name.into(), value };
        admin.secrets().put_secret(request).await
    };
    assert!(put("just-long-enough", vec![b'x'; 8]).await.is_ok());
    assert!(put("as-long-as-may-be", vec![0; 65_536]).await.is_ok());
    for (name, length, said) in [
        ("key", 7, "give at least 8"),
        ("key", 0, "give at least 8"),
        ("key", 65_537, "give at most 65536"),
        ("Key", 20, "use 1 to 63"),
        ("", 20, "use 1 to 63"),
    ] {
        let refused = put(name, vec![b'x'; length]).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert!(refused.message().contains(said), "{refused}");
    }
    assert_eq!(put("key", vec![b'x'; 300_000]).await.unwrap_err().code(), Code::OutOfRange);
    let list = |page_size| ListSecretsRequest { namespace: "a".into(), page_size, page_token: String::new() };
    assert_eq!(admin.secrets().list_secrets(list(0)).await.unwrap().into_inner().secrets.len(), 2);
    assert_eq!(admin.secrets().list_secrets(list(1_001)).await.unwrap_err().code(), Code::InvalidArgument);
}

async fn started(folder: &Path) -> Result<creto_control_plane::Running, StartError> {
    ControlPlane::start(Options::new(folder)).await
}

#[tokio::test]
async fn a_key_is_rotated_by_a_line_in_its_file_and_the_old_line_may_go_after() {
    let (plane, admin, one) = ready().await;
    put_secret(&admin, "a", "openai-key", VALUE).await;
    let file = plane.folder.path().join("secrets.key");
    let old = std::fs::read_to_string(&file).unwrap();
    assert_eq!(old.trim().len(), 64);
    let fetch = async |plane: &Plane| {
        let (endpoint, certificate) = (plane.endpoint(), &one.enrolled.certificate);
        let client = SidecarClient::connect(&endpoint, certificate, &one.seed).await.unwrap();
        client.fetch_secret("openai-key").await
    };
    let new = "5a".repeat(32);
    std::fs::write(&file, format!("{new}\n{old}")).unwrap();
    let plane = plane.restart().await;
    assert_eq!(fetch(&plane).await.unwrap().value.as_slice(), VALUE);
    // It was moved at the start: the old key opens it no more, the new one alone does.
    std::fs::write(&file, format!("{new}\n")).unwrap();
    let plane = plane.restart().await;
    let fetched = fetch(&plane).await.unwrap();
    assert_eq!((fetched.value.as_slice(), fetched.version), (VALUE, 1));
    // Under another key it does not open; this is said, and everything else goes on.
    std::fs::write(&file, &old).unwrap();
    let plane = plane.restart().await;
    let lost = fetch(&plane).await.unwrap_err();
    assert_eq!(lost.code(), Code::DataLoss);
    assert!(lost.message().contains("`a/openai-key`") && lost.message().contains("secrets.key"), "{lost}");
    let admin = plane.admin().await;
    assert_eq!(put_secret(&admin, "a", "openai-key", VALUE).await, 2);
    assert_eq!(fetch(&plane).await.unwrap().version, 2);
    // No key is made up for secrets that have one.
    plane.running.shutdown().await;
    std::fs::remove_file(&file).unwrap();
    let refused = started(plane.folder.path()).await.err().unwrap();
    assert!(matches!(refused, StartError::SecretsKeyMissing(_)), "{refused}");
    std::fs::write(&file, "not a key\n").unwrap();
    let refused = started(plane.folder.path()).await.err().unwrap();
    assert!(matches!(refused, StartError::SecretsKeys { .. }), "{refused}");
    std::fs::write(&file, &old).unwrap();
    started(plane.folder.path()).await.unwrap().shutdown().await;
}
