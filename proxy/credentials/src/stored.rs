//! Secrets of the control plane's store, kept in memory for a while.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

use crate::{Secret, SecretFault, source::trimmed};

/// Younger than this, a value is used without asking.
const FRESH: Duration = Duration::from_secs(60);
/// Older than this, a value is used no more: ten minutes in which the control plane could not be asked.
const KEPT: Duration = Duration::from_secs(600);
/// Longest wait for one fetch.
const FETCH_WAIT: Duration = Duration::from_secs(10);
/// Between a fetch that failed and the next.
const RETRY: Duration = Duration::from_secs(5);
/// A value that an upstream refused is dropped only at this age: else an agent could make us fetch all the time.
const REFUSED_AGE: Duration = Duration::from_secs(30);
/// Most names kept.
const MAX_STORED: usize = 1024;

/// One secret as the store gave it.
pub struct StoredSecret {
    /// Its bytes.
    pub value: Zeroizing<Vec<u8>>,
    /// Goes up with each change.
    pub version: u64,
}

impl fmt::Debug for StoredSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredSecret").field("version", &self.version).finish_non_exhaustive()
    }
}

/// Gets secrets from the control plane.
#[async_trait]
pub trait StoredSecrets: Send + Sync + 'static {
    /// Gets one. Called again for the same name only after the last call ended; given up after 10 s.
    ///
    /// # Errors
    /// [`SecretFault::NotStored`] and [`SecretFault::NotGiven`] end the use of the value at once;
    /// [`SecretFault::Away`] keeps the last one for 10 minutes.
    async fn fetch(&self, name: &str) -> Result<StoredSecret, SecretFault>;
}

/// The secrets that were fetched.
pub(crate) struct StoredCache {
    store: Option<Arc<dyn StoredSecrets>>,
    names: Mutex<HashMap<String, Arc<Stored>>>,
}

struct Stored {
    name: String,
    state: Mutex<State>,
    /// Held by whoever fetches: one at a time.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    kept: Option<Kept>,
    failed: Option<(Instant, SecretFault)>,
    /// Goes up with each `forget`, so that a fetch begun before it does not count.
    forgotten: u64,
}

struct Kept {
    secret: Secret,
    version: u64,
    fetched: Instant,
}

impl StoredCache {
    pub(crate) fn new(store: Option<Arc<dyn StoredSecrets>>) -> Self {
        Self { store, names: Mutex::default() }
    }

    pub(crate) async fn load(&self, name: &str) -> Result<Secret, SecretFault> {
        let store = self.store.as_ref().ok_or_else(|| SecretFault::NoStore { name: name.to_owned() })?;
        let stored = self.stored(name)?;
        if let Some((secret, fresh)) = stored.usable() {
            if !fresh {
                refresh_behind(&stored, store);
            }
            return Ok(secret);
        }
        // Its own task: a caller that goes away does not end the fetch others wait for.
        let task = tokio::spawn({
            let (stored, store) = (Arc::clone(&stored), Arc::clone(store));
            async move { stored.fetch(&*store).await }
        });
        match timeout(FETCH_WAIT, task).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(stored.away("the fetch broke off")),
            Err(_) => Err(stored.away("no answer in 10 s")),
        }
    }

    /// Drops what is kept of a secret; the next use fetches it.
    pub(crate) fn forget(&self, name: &str) {
        if let Some(stored) = self.names.lock().get(name) {
            let mut state = stored.state.lock();
            state.kept = None;
            state.failed = None;
            state.forgotten += 1;
        }
    }

    /// An upstream refused the value: unless it is quite new, the next use fetches it.
    pub(crate) fn refused(&self, name: &str) {
        if let Some(stored) = self.names.lock().get(name) {
            let mut state = stored.state.lock();
            if state.kept.as_ref().is_some_and(|kept| kept.fetched.elapsed() >= REFUSED_AGE) {
                state.kept = None;
            }
        }
    }

    /// Drops every secret but these.
    pub(crate) fn retain(&self, keep: impl Fn(&str) -> bool) {
        self.names.lock().retain(|name, _| keep(name));
    }

    fn stored(&self, name: &str) -> Result<Arc<Stored>, SecretFault> {
        let mut names = self.names.lock();
        if let Some(stored) = names.get(name) {
            return Ok(Arc::clone(stored));
        }
        if names.len() >= MAX_STORED {
            let reason = format!("this sidecar already keeps {MAX_STORED} secrets");
            return Err(SecretFault::Away { name: name.to_owned(), reason });
        }
        let stored = Arc::new(Stored {
            name: name.to_owned(),
            state: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        });
        names.insert(name.to_owned(), Arc::clone(&stored));
        Ok(stored)
    }
}

fn refresh_behind(stored: &Arc<Stored>, store: &Arc<dyn StoredSecrets>) {
    // Somebody is at it, or was just now without luck.
    if stored.fetching.try_lock().is_err() || stored.failed_lately().is_some() {
        return;
    }
    let (stored, store) = (Arc::clone(stored), Arc::clone(store));
    tokio::spawn(async move {
        if let Err(fault) = stored.fetch(&*store).await {
            tracing::warn!(secret = %stored.name, %fault, "a secret was not refreshed");
        }
    });
}

impl Stored {
    /// The value, and whether it is fresh.
    fn usable(&self) -> Option<(Secret, bool)> {
        let state = self.state.lock();
        let kept = state.kept.as_ref()?;
        let age = kept.fetched.elapsed();
        (age < KEPT).then(|| (kept.secret.clone(), age < FRESH))
    }

    fn failed_lately(&self) -> Option<SecretFault> {
        let state = self.state.lock();
        state.failed.as_ref().filter(|(at, _)| at.elapsed() < RETRY).map(|(_, fault)| fault.clone())
    }

    fn away(&self, reason: &str) -> SecretFault {
        SecretFault::Away { name: self.name.clone(), reason: reason.to_owned() }
    }

    async fn fetch(&self, store: &dyn StoredSecrets) -> Result<Secret, SecretFault> {
        let _turn = self.fetching.lock().await;
        // Whoever had the turn before may have brought it.
        if let Some((secret, true)) = self.usable() {
            return Ok(secret);
        }
        if let Some(fault) = self.failed_lately() {
            return Err(fault);
        }
        let begun = self.state.lock().forgotten;
        let fetched = match timeout(FETCH_WAIT, store.fetch(&self.name)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(self.away("no answer in 10 s")),
        };
        let place = || format!("the stored secret {}", self.name);
        let fetched = fetched.and_then(|stored| Ok((trimmed(stored.value, place)?, stored.version)));
        let mut state = self.state.lock();
        match fetched {
            Ok((bytes, version)) => {
                let secret = match &state.kept {
                    Some(kept) if kept.version == version && kept.secret.expose() == bytes.as_slice() => {
                        kept.secret.clone()
                    }
                    _ => Secret::new(bytes),
                };
                if state.forgotten == begun {
                    state.kept = Some(Kept { secret: secret.clone(), version, fetched: Instant::now() });
                }
                state.failed = None;
                Ok(secret)
            }
            Err(fault) => {
                if !matches!(fault, SecretFault::Away { .. }) {
                    state.kept = None;
                }
                state.failed = Some((Instant::now(), fault.clone()));
                Err(fault)
            }
        }
    }
}
