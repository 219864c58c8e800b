//! Secrets of the control plane's store: kept for a while, refreshed behind, refused in the end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use creto_credentials::{
    Credential, CredentialKind, InjectFault, Injector, SecretFault, SecretSource, StoredSecret, StoredSecrets,
};
use parking_lot::Mutex;
use tokio::time::{Instant, advance, sleep};
use zeroize::Zeroizing;

use crate::support::request;

const NAME: &str = "openai-key";

/// A control plane that answers what it is told to.
struct Store {
    answer: Mutex<Result<(&'static str, u64), SecretFault>>,
    takes: Mutex<Duration>,
    fetches: AtomicUsize,
}

#[async_trait]
impl StoredSecrets for Store {
    async fn fetch(&self, name: &str) -> Result<StoredSecret, SecretFault> {
        assert_eq!(name, NAME);
        self.fetches.fetch_add(1, Ordering::SeqCst);
        let takes = *self.takes.lock();
        sleep(takes).await;
        let answer = self.answer.lock().clone();
        answer.map(|(value, version)| StoredSecret { value: Zeroizing::new(value.into()), version })
    }
}

struct Plane {
    store: Arc<Store>,
    injector: Arc<Injector>,
    credential: Credential,
}

impl Plane {
    fn new() -> Self {
        let store = Arc::new(Store {
            answer: Mutex::new(Ok(("sk-first-0000", 1))),
            takes: Mutex::new(Duration::ZERO),
            fetches: AtomicUsize::new(0),
        });
        let injector =
            Arc::new(Injector::new(Some(Arc::clone(&store) as Arc<dyn StoredSecrets>), None, None));
        let credential = Credential::new("openai", CredentialKind::Bearer, SecretSource::Stored(NAME.into()));
        Self { store, injector, credential }
    }

    async fn sent(&self) -> Result<String, InjectFault> {
        let injection = self.injector.prepare(&self.credential).await?;
        let mut parts = request("/", &[]);
        injection.apply(&mut parts, "h", None, SystemTime::now())?;
        let sent = parts.headers["authorization"].to_str().unwrap().replace("Bearer ", "");
        // Lets a refresh behind the call end.
        sleep(Duration::from_millis(1)).await;
        Ok(sent)
    }

    fn answers(&self, answer: Result<(&'static str, u64), SecretFault>) {
        *self.store.answer.lock() = answer;
    }

    fn fetches(&self) -> usize {
        self.store.fetches.load(Ordering::SeqCst)
    }
}

fn away() -> SecretFault {
    SecretFault::Away { name: NAME.into(), reason: "connection refused".into() }
}

async fn seconds(count: u64) {
    advance(Duration::from_secs(count)).await;
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_fetched_once_a_minute_behind_the_calls() {
    let plane = Plane::new();
    for _ in 0..10 {
        assert_eq!(plane.sent().await.unwrap(), "sk-first-0000");
    }
    assert_eq!(plane.fetches(), 1);
    plane.answers(Ok(("sk-second-000", 2)));
    seconds(59).await;
    assert_eq!(plane.sent().await.unwrap(), "sk-first-0000");
    assert_eq!(plane.fetches(), 1);
    seconds(2).await;
    assert_eq!(plane.sent().await.unwrap(), "sk-first-0000", "no call waits for a refresh");
    assert_eq!(plane.fetches(), 2);
    assert_eq!(plane.sent().await.unwrap(), "sk-second-000");
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_secret_is_fetched_by_the_next_call() {
    let plane = Plane::new();
    plane.sent().await.unwrap();
    plane.answers(Ok(("sk-second-000", 2)));
    plane.injector.forget(NAME);
    plane.injector.forget("another");
    assert_eq!(plane.sent().await.unwrap(), "sk-second-000");
    assert_eq!(plane.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_on_its_way_when_the_secret_was_forgotten_is_not_kept() {
    let plane = Plane::new();
    *plane.store.takes.lock() = Duration::from_secs(2);
    let (injector, credential) = (Arc::clone(&plane.injector), plane.credential.clone());
    let first = tokio::spawn(async move { injector.prepare(&credential).await.is_ok() });
    sleep(Duration::from_secs(1)).await;
    plane.injector.forget(NAME);
    assert!(first.await.unwrap());
    plane.answers(Ok(("sk-second-000", 2)));
    assert_eq!(plane.sent().await.unwrap(), "sk-second-000");
}

#[tokio::test(start_paused = true)]
async fn the_last_secret_serves_ten_minutes_of_outage_and_no_longer() {
    let plane = Plane::new();
    plane.sent().await.unwrap();
    plane.answers(Err(away()));
    for _ in 0..59 {
        seconds(10).await;
        assert_eq!(plane.sent().await.unwrap(), "sk-first-0000");
    }
    assert!(plane.fetches() > 40, "asked all the while");
    seconds(11).await;
    let refused = plane.sent().await.err().unwrap();
    assert_eq!(refused, InjectFault::Secret { credential: "openai".into(), fault: away() });
    assert!(refused.is_passing());
    plane.answers(Ok(("sk-second-000", 2)));
    seconds(6).await;
    assert_eq!(plane.sent().await.unwrap(), "sk-second-000");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_is_asked_every_five_seconds_at_most() {
    let plane = Plane::new();
    plane.answers(Err(away()));
    for _ in 0..100 {
        assert!(plane.sent().await.is_err());
    }
    assert_eq!(plane.fetches(), 1);
    seconds(6).await;
    assert!(plane.sent().await.is_err());
    assert_eq!(plane.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_taken_away_is_used_no_more() {
    for fault in [SecretFault::NotStored { name: NAME.into() }, SecretFault::NotGiven { name: NAME.into() }] {
        let plane = Plane::new();
        plane.sent().await.unwrap();
        plane.answers(Err(fault.clone()));
        seconds(61).await;
        plane.sent().await.unwrap();
        assert_eq!(
            plane.sent().await,
            Err(InjectFault::Secret { credential: "openai".into(), fault: fault.clone() })
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_calls_fetch_once() {
    let plane = Plane::new();
    *plane.store.takes.lock() = Duration::from_secs(3);
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let (injector, credential) = (Arc::clone(&plane.injector), plane.credential.clone());
            tokio::spawn(async move { injector.prepare(&credential).await.is_ok() })
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap());
    }
    assert_eq!(plane.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_call_waits_longer_than_ten_seconds() {
    let plane = Plane::new();
    *plane.store.takes.lock() = Duration::from_secs(3600);
    let started = Instant::now();
    let fault = plane.sent().await.err().unwrap();
    assert!(matches!(fault, InjectFault::Secret { fault: SecretFault::Away { .. }, .. }), "{fault}");
    assert!(started.elapsed() < Duration::from_secs(11));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_does_not_end_the_fetch_of_others() {
    let plane = Plane::new();
    *plane.store.takes.lock() = Duration::from_secs(2);
    let given_up =
        tokio::time::timeout(Duration::from_secs(1), plane.injector.prepare(&plane.credential)).await;
    assert!(given_up.is_err());
    assert_eq!(plane.sent().await.unwrap(), "sk-first-0000");
    assert_eq!(plane.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_secret_is_fetched_again_but_not_at_an_agents_pleasure() {
    let plane = Plane::new();
    let injection = plane.injector.prepare(&plane.credential).await.unwrap();
    plane.answers(Ok(("sk-second-000", 2)));
    for _ in 0..100 {
        plane.injector.refused(&injection);
        assert_eq!(plane.sent().await.unwrap(), "sk-first-0000");
    }
    assert_eq!(plane.fetches(), 1);
    seconds(31).await;
    plane.injector.refused(&injection);
    assert_eq!(plane.sent().await.unwrap(), "sk-second-000");
}

#[tokio::test(start_paused = true)]
async fn a_sidecar_without_a_control_plane_says_so() {
    let plane = Plane::new();
    let fault = Injector::new(None, None, None).prepare(&plane.credential).await.err();
    let fault_wanted = SecretFault::NoStore { name: NAME.into() };
    assert_eq!(fault, Some(InjectFault::Secret { credential: "openai".into(), fault: fault_wanted }));
}
