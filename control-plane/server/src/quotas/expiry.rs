//! Moves on what time changes.

use std::sync::Arc;
use std::time::Duration;

use creto_identity::now_ms;
use creto_quota_issuer::{Issuer, IssuerError, QuotaLimit};
use futures::stream::{self, StreamExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::QuotaDesk;

/// How often limits in use are looked at.
pub(crate) const EXPIRE_EVERY: Duration = Duration::from_secs(5);
/// Limits looked at at once.
const AT_ONCE: usize = 64;
/// How often in a row one limit is looked at while there is more to do.
const MOST_IN_A_ROW: usize = 20;

impl QuotaDesk {
    /// Expires leases of limits in use until the control plane stops.
    pub(crate) async fn keep_moving(self, mut stopping: watch::Receiver<bool>) {
        let mut ticks = interval_at(Instant::now() + EXPIRE_EVERY, EXPIRE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                // A sender that is gone is a control plane that is gone.
                _ = stopping.wait_for(|stops| *stops) => return,
                _ = ticks.tick() => {}
            }
            let now_ms = u64::try_from(now_ms()).unwrap_or(0);
            let failed = tokio::select! {
                biased;
                _ = stopping.wait_for(|stops| *stops) => return,
                failed = self.expire_in_use(now_ms) => failed,
            };
            if let Some(error) = failed.first() {
                tracing::warn!(%error, limits = failed.len(), "leases past their end are not counted as stranded yet");
            }
        }
    }

    /// Expires leases of all limits in use; says what failed.
    async fn expire_in_use(&self, now_ms: u64) -> Vec<IssuerError> {
        let limits = self.seats.lock().in_use(now_ms);
        stream::iter(limits)
            .map(|limit| expire(Arc::clone(&self.issuer), limit, now_ms))
            .buffer_unordered(AT_ONCE)
            .filter_map(|done| async { done.err() })
            .collect()
            .await
    }
}

async fn expire(issuer: Arc<dyn Issuer>, limit: Arc<QuotaLimit>, now_ms: u64) -> Result<(), IssuerError> {
    for _ in 0..MOST_IN_A_ROW {
        if !issuer.expire(&limit, now_ms).await?.more {
            break;
        }
    }
    Ok(())
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
        assert!(!desk.expire_in_use(now_ms).await.is_empty(), "it was closed");
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
