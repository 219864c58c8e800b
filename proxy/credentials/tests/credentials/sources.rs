//! Secrets in files and in the environment, rotated while the sidecar runs.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt, symlink},
    time::{Duration, SystemTime},
};

use creto_credentials::{
    Credential, CredentialKind, InjectFault, Injector, MAX_SECRET_BYTES, SecretFault, SecretSource,
};
use tokio::time::{advance, pause};

use crate::support::{Log, Secrets, injector, request};

async fn sent(injector: &Injector, credential: &Credential) -> Result<String, InjectFault> {
    let injection = injector.prepare(credential).await?;
    let mut parts = request("/", &[]);
    injection.apply(&mut parts, "h", None, SystemTime::now())?;
    Ok(parts.headers["authorization"].to_str().unwrap().to_owned())
}

fn fault<T>(outcome: Result<T, InjectFault>) -> SecretFault {
    match outcome.err().unwrap() {
        InjectFault::Secret { fault, .. } => fault,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn one_newline_at_the_end_is_not_part_of_the_secret() {
    let secrets = Secrets::new();
    for (content, wanted) in [
        ("sk-0123456789\n", "Bearer sk-0123456789"),
        ("sk-0123456789\r\n", "Bearer sk-0123456789"),
        ("sk-0123456789", "Bearer sk-0123456789"),
        (" sk-0123456789 ", "Bearer  sk-0123456789 "),
    ] {
        let credential = secrets.credential("key", CredentialKind::Bearer, content);
        assert_eq!(sent(&injector(), &credential).await.unwrap(), wanted);
    }
    let credential = secrets.credential("key", CredentialKind::Bearer, "sk-0123456789\n\n");
    assert!(sent(&injector(), &credential).await.is_err(), "two newlines are part of something else");
}

#[tokio::test]
async fn a_file_that_is_rotated_is_read_again_within_a_second() {
    pause();
    let (secrets, injector) = (Secrets::new(), injector());
    let credential = secrets.credential("key", CredentialKind::Bearer, "sk-first-0000");
    assert_eq!(sent(&injector, &credential).await.unwrap(), "Bearer sk-first-0000");
    // Written over, at the same length.
    secrets.file("key", "sk-second-000");
    assert_eq!(
        sent(&injector, &credential).await.unwrap(),
        "Bearer sk-first-0000",
        "looked at once a second"
    );
    advance(Duration::from_millis(1001)).await;
    assert_eq!(sent(&injector, &credential).await.unwrap(), "Bearer sk-second-000");
    // Renamed over it.
    fs::rename(secrets.file("new", "sk-third-0000"), secrets.path("key")).unwrap();
    advance(Duration::from_millis(1001)).await;
    assert_eq!(sent(&injector, &credential).await.unwrap(), "Bearer sk-third-0000");
}

#[tokio::test]
async fn a_mounted_secret_is_swapped_as_kubernetes_does_it() {
    pause();
    let (secrets, injector) = (Secrets::new(), injector());
    for (folder, secret) in [("v1", "sk-first-0000"), ("v2", "sk-second-000")] {
        fs::create_dir(secrets.path(folder)).unwrap();
        secrets.file(&format!("{folder}/key"), secret);
    }
    symlink("v1", secrets.path("data")).unwrap();
    symlink("data/key", secrets.path("key")).unwrap();
    let credential = Credential::new("key", CredentialKind::Bearer, SecretSource::File(secrets.path("key")));
    assert_eq!(sent(&injector, &credential).await.unwrap(), "Bearer sk-first-0000");
    symlink("v2", secrets.path("data2")).unwrap();
    fs::rename(secrets.path("data2"), secrets.path("data")).unwrap();
    advance(Duration::from_secs(2)).await;
    assert_eq!(sent(&injector, &credential).await.unwrap(), "Bearer sk-second-000");
}

#[tokio::test]
async fn a_change_within_one_tick_of_the_clock_is_seen() {
    pause();
    let (secrets, injector) = (Secrets::new(), injector());
    let credential = Credential::new("key", CredentialKind::Bearer, SecretSource::File(secrets.path("key")));
    for round in 0..20 {
        // Just now, and always at the same time and length: only reading it again shows the change.
        let secret = format!("sk-round-{round:04}");
        fs::write(secrets.path("key"), &secret).unwrap();
        assert_eq!(sent(&injector, &credential).await.unwrap(), format!("Bearer {secret}"));
        advance(Duration::from_millis(1001)).await;
    }
}

#[tokio::test]
async fn a_file_that_is_taken_away_ends_the_use_of_its_secret() {
    pause();
    let (secrets, injector) = (Secrets::new(), injector());
    let credential = secrets.credential("key", CredentialKind::Bearer, "sk-first-0000");
    sent(&injector, &credential).await.unwrap();
    fs::remove_file(secrets.path("key")).unwrap();
    advance(Duration::from_secs(2)).await;
    let path = secrets.path("key");
    let gone = SecretFault::File { path: path.clone(), reason: io::ErrorKind::NotFound };
    assert_eq!(fault(sent(&injector, &credential).await), gone);
    // And back.
    secrets.file("key", "sk-first-0000");
    assert_eq!(fault(sent(&injector, &credential).await), gone, "looked at once a second");
    advance(Duration::from_secs(2)).await;
    assert_eq!(sent(&injector, &credential).await.unwrap(), "Bearer sk-first-0000");
}

#[tokio::test]
async fn what_is_no_secret_file_is_refused() {
    let secrets = Secrets::new();
    let load = async |path: std::path::PathBuf| {
        let credential = Credential::new("key", CredentialKind::Bearer, SecretSource::File(path));
        fault(injector().prepare(&credential).await)
    };
    assert!(matches!(
        load(secrets.path("none")).await,
        SecretFault::File { reason: io::ErrorKind::NotFound, .. }
    ));
    assert!(matches!(load(secrets.path("")).await, SecretFault::NotAFile { .. }));
    assert!(matches!(load("/dev/zero".into()).await, SecretFault::NotAFile { .. }));
    assert!(matches!(
        load("nul\0in".into()).await,
        SecretFault::File { reason: io::ErrorKind::InvalidInput, .. }
    ));
    for empty in ["", "\n", "\r\n"] {
        assert!(matches!(load(secrets.file("empty", empty)).await, SecretFault::Empty { .. }));
    }
    let long = secrets.file("long", "x".repeat(MAX_SECRET_BYTES + 1));
    assert!(matches!(load(long).await, SecretFault::TooLong { .. }));
    // As long as it may be stored, but not for a header.
    let credential = secrets.credential("full", CredentialKind::Bearer, "x".repeat(MAX_SECRET_BYTES));
    assert!(matches!(injector().prepare(&credential).await.err(), Some(InjectFault::Value { .. })));
}

#[tokio::test]
async fn a_variable_is_read_at_each_use() {
    // Set for every test by cargo; no test may change the environment.
    let credential =
        Credential::new("key", CredentialKind::Bearer, SecretSource::Env("CARGO_MANIFEST_DIR".into()));
    let wanted = format!("Bearer {}", env!("CARGO_MANIFEST_DIR"));
    assert_eq!(sent(&injector(), &credential).await.unwrap(), wanted);
    for name in ["CRETO_TEST_NOT_SET", "", "A=B", "NUL\0"] {
        let credential = Credential::new("key", CredentialKind::Bearer, SecretSource::Env(name.into()));
        let fault = fault(injector().prepare(&credential).await);
        assert_eq!(fault, SecretFault::NoVariable { name: name.into() });
    }
}

#[tokio::test]
async fn credentials_that_the_policy_no_longer_has_are_dropped() {
    pause();
    let (secrets, injector) = (Secrets::new(), injector());
    let kept = secrets.credential("kept", CredentialKind::Bearer, "sk-first-0000");
    let dropped = secrets.credential("dropped", CredentialKind::Bearer, "sk-first-0000");
    sent(&injector, &kept).await.unwrap();
    sent(&injector, &dropped).await.unwrap();
    secrets.file("kept", "sk-second-000");
    secrets.file("dropped", "sk-second-000");
    injector.retain(std::slice::from_ref(&kept));
    assert_eq!(format!("{injector:?}"), "Injector { credentials: 1, .. }");
    assert_eq!(sent(&injector, &kept).await.unwrap(), "Bearer sk-first-0000", "still from memory");
    assert_eq!(sent(&injector, &dropped).await.unwrap(), "Bearer sk-second-000", "read anew");
}

#[tokio::test]
async fn a_file_that_everybody_can_read_is_warned_of_once() {
    pause();
    let (secrets, injector) = (Secrets::new(), injector());
    let log = Log::start();
    let credential = secrets.credential("key", CredentialKind::Bearer, "sk-first-0000");
    for (mode, round) in [(0o644, 0), (0o604, 1), (0o600, 2)] {
        secrets.file("key", format!("sk-round-{round:04}"));
        fs::set_permissions(secrets.path("key"), fs::Permissions::from_mode(mode)).unwrap();
        sent(&injector, &credential).await.unwrap();
        advance(Duration::from_secs(2)).await;
    }
    let log = log.text();
    let path = secrets.path("key").display().to_string();
    let warnings = log.lines().filter(|line| line.contains("chmod 600") && line.contains(&path)).count();
    assert_eq!(warnings, 1, "{log}");
    assert!(!log.contains("sk-round"), "{log}");
}
