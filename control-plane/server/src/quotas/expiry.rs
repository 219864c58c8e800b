//! Moves on what time changes.

use std::sync::Arc;
use std::time::Duration;

use creto_identity::now_ms;
use creto_quota_issuer::{IssuerError, QuotaLimit};
use futures::stream::{self, StreamExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::QuotaDesk;

/// How often limits in use are looked at.
pub(crate) const EXPIRE_EVERY: Duration = Duration::from_secs(5);
/// How long after one look for accounts nobody needs any more the next begins; a batch of them a tick meanwhile.
pub(crate) const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// Limits looked at at once.
const AT_ONCE: usize = 64;
/// How often in a row one limit is looked at while there is more to do.
const MOST_IN_A_ROW: usize = 20;

impl QuotaDesk {
    /// Expires leases of limits in use until the control plane stops.
    pub(crate) async fn keep_moving(self, mut stopping: watch::Receiver<bool>) {
        let mut ticks = interval_at(Instant::now() + EXPIRE_EVERY, EXPIRE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut sweep = Sweep::default();
        loop {
            tokio::select! {
                biased;
                // A sender that is gone is a control plane that is gone.
                _ = stopping.wait_for(|stops| *stops) => return,
                _ = ticks.tick() => {}
            }
            let now_ms = u64::try_from(now_ms()).unwrap_or(0);
            let moved = async {
                let failed = self.expire_in_use(now_ms).await;
                if let Err(error) = sweep.step(&self, now_ms).await {
                    tracing::warn!(%error, "accounts of quotas that nobody uses are not deleted now");
                }
                failed
            };
            let failed = tokio::select! {
                biased;
                _ = stopping.wait_for(|stops| *stops) => return,
                failed = moved => failed,
            };
            if let Some(error) = failed.first() {
                tracing::warn!(%error, limits = failed.len(), "leases past their end are not counted as stranded yet");
            }
        }
    }

    /// Expires leases of all limits in use; says what failed.
    async fn expire_in_use(&self, now_ms: u64) -> Vec<IssuerError> {
        let limits = self.seats.lock().due(now_ms);
        stream::iter(limits)
            .map(|limit| self.expire_one(limit, now_ms))
            .buffer_unordered(AT_ONCE)
            .filter_map(|done| async { done.err() })
            .collect()
            .await
    }

    async fn expire_one(&self, limit: Arc<QuotaLimit>, now_ms: u64) -> Result<(), IssuerError> {
        let mut next_ms = Some(now_ms);
        let mut failed = None;
        for _ in 0..MOST_IN_A_ROW {
            match self.issuer.expire(&limit, now_ms).await {
                Ok(expired) if expired.more => {}
                Ok(expired) => {
                    next_ms = expired.next_ms;
                    break;
                }
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        if let Some(next_ms) = next_ms {
            self.seats.lock().look_at(&limit, next_ms);
        }
        failed.map_or(Ok(()), Err)
    }
}

/// Where the look for accounts nobody needs any more is: one batch of one namespace at a time.
#[derive(Default)]
struct Sweep {
    namespaces: Vec<String>,
    after: String,
    ended: Option<Instant>,
}

impl Sweep {
    async fn step(&mut self, desk: &QuotaDesk, now_ms: u64) -> Result<(), IssuerError> {
        if self.namespaces.is_empty() {
            if self.ended.is_some_and(|ended| ended.elapsed() < SWEEP_EVERY) {
                return Ok(());
            }
            self.namespaces = desk.namespaces.all().await;
        }
        let Some(namespace) = self.namespaces.last() else {
            self.ended = Some(Instant::now());
            return Ok(());
        };
        let after = std::mem::take(&mut self.after);
        // One that fails begins anew with the next round.
        let swept = desk.issuer.sweep(namespace, &after, now_ms).await;
        if let Ok(swept) = &swept
            && !swept.next.is_empty()
        {
            self.after.clone_from(&swept.next);
            return Ok(());
        }
        self.namespaces.pop();
        if self.namespaces.is_empty() {
            self.ended = Some(Instant::now());
        }
        swept.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use creto_authz::MasterKey;
    use creto_identity::Delegations;
    use creto_policy_store::SidecarIdentity;
    use creto_proto::v1::LeaseExchange;
    use creto_quota_issuer::{Ask, Holder, Period};
    use creto_store::{SqliteStore, Store};

    use super::*;
    use crate::quotas::Source;
    use crate::quotas::seats::SeatKey;

    #[tokio::test]
    async fn a_dead_sidecars_lease_is_stranded_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path("creto.db")).await.unwrap());
        let delegations = Delegations::new(Arc::clone(&store), MasterKey::from_bytes([7; 32]));
        let source = Source::open(None, &path("quota.db"), &path("quota.namespaces")).await.unwrap();
        let desk = QuotaDesk::new(store, delegations, source);
        desk.namespaces.open("a", desk.issuer.as_ref()).await.unwrap();

        let now_ms = 1_791_973_200_000;
        let limit = QuotaLimit::new("a", "p/q/policy", "token", 100, Period::Monthly);
        let sidecar =
            SidecarIdentity { namespace: "a".into(), sidecar_id: "s".into(), agent_name: "one".into() };
        let key = SeatKey::new(&sidecar, 1, &LeaseExchange::default());
        desk.seats.lock().sit(key, Ok(limit.clone()), now_ms);
        let ask = Ask { request: 1, wanted: 40, needed: 40 };
        desk.issuer.grant(&limit, &Holder::new("s", 1), &ask, None, now_ms).await.unwrap();
        let stranded = async |after_ms| {
            assert_eq!(desk.expire_in_use(now_ms + after_ms).await, []);
            let usage = desk.issuer.usage(&limit, now_ms + after_ms).await.unwrap().usage;
            (usage.leased, usage.stranded, usage.lost)
        };
        let life_ms = limit.leases.life_ms;
        assert_eq!(stranded(life_ms - 1).await, (40, 0, 0));
        assert_eq!(stranded(life_ms).await, (0, 40, 0));
        desk.close().await;
        let later_ms = now_ms + 2 * 3_600_000;
        assert!(!desk.expire_in_use(later_ms).await.is_empty(), "it was closed");
    }

    #[tokio::test]
    async fn accounts_that_nobody_uses_are_deleted_by_themselves() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path("creto.db")).await.unwrap());
        let delegations = Delegations::new(Arc::clone(&store), MasterKey::from_bytes([7; 32]));
        let source = Source::open(None, &path("quota.db"), &path("quota.namespaces")).await.unwrap();
        let desk = QuotaDesk::new(store, delegations, source);
        let now_ms = 1_791_973_200_000;
        let ask = Ask { request: 1, wanted: 40, needed: 40 };
        for namespace in ["a", "b"] {
            desk.namespaces.open(namespace, desk.issuer.as_ref()).await.unwrap();
            let limit = QuotaLimit::new(namespace, "p/q/policy", "token", 100, Period::Hourly);
            desk.issuer.grant(&limit, &Holder::new("s", 1), &ask, None, now_ms).await.unwrap();
        }
        let drawn =
            async |namespace| desk.issuer.drawn(namespace, &Holder::new("s", 1), "p/q/").await.unwrap().len();
        let mut sweep = Sweep::default();
        for later_ms in [0, 0, 3 * 86_400_000] {
            sweep.step(&desk, now_ms + later_ms).await.unwrap();
        }
        assert_eq!((drawn("a").await, drawn("b").await), (1, 1), "a round every ten minutes");
        let mut sweep = Sweep::default();
        for _ in 0..2 {
            sweep.step(&desk, now_ms + 3 * 86_400_000).await.unwrap();
        }
        assert_eq!((drawn("a").await, drawn("b").await), (0, 0));
    }

    #[tokio::test]
    async fn it_ends_when_the_control_plane_stops() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path("creto.db")).await.unwrap());
        let delegations = Delegations::new(Arc::clone(&store), MasterKey::from_bytes([7; 32]));
        let source = Source::open(None, &path("quota.db"), &path("quota.namespaces")).await.unwrap();
        let desk = QuotaDesk::new(store, delegations, source);
        let (stop, stopping) = watch::channel(false);
        let moving = tokio::spawn(desk.keep_moving(stopping));
        stop.send_replace(true);
        moving.await.unwrap();
    }
}
