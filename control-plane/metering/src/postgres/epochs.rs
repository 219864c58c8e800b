//! How many epochs of producers are held: the same bounds, and the same at them, as in the embedded store.
//!
//! An epoch that is not held counts as new, so forgetting one must not let its events count again: one that was silent
//! for longer than events may be late is forgotten (its events would be too old), and one that is retired for its
//! producer's newer ones leaves behind a time up to which no epoch begun later takes events in.

use std::sync::atomic::{AtomicI64, Ordering};

use sqlx::PgConnection;

use super::accounts::{Account, Holder};
use super::fault::Fault;
use super::store::PostgresEventStore;
use crate::bounds::MIN_IDLE_US;
use crate::{Acceptance, EpochBounds, StoreError};

/// How long after silent epochs were looked for they are again, in microseconds.
const SWEEP_EVERY_US: u64 = 60_000_000;
/// Epochs that are forgotten at once.
const SWEEP_ROWS: i64 = 10_000;

// Whoever begins an epoch in a namespace has its row until the transaction ends: they come one after the other.
const COUNT: &str =
    "UPDATE creto_events.namespaces SET epochs = epochs + $2 WHERE namespace = $1 RETURNING epochs";
const OWN: &str =
    "SELECT count(*) FROM creto_events.producers WHERE namespace = $1 AND NOT named AND producer = $2";
const OF_ALL: &str = "SELECT coalesce(sum(epochs), 0)::bigint FROM creto_events.namespaces";
// One that is sending now is not the one that is idle.
const OLDEST: &str = "SELECT epoch, last_seen_us FROM creto_events.producers \
     WHERE namespace = $1 AND NOT named AND producer = $2 AND last_seen_us <= $3 \
     ORDER BY last_seen_us, epoch LIMIT 1 FOR UPDATE SKIP LOCKED";
const RETIRE: &str = "WITH gone AS (DELETE FROM creto_events.producers WHERE namespace = $1 AND NOT named \
     AND producer = $2 AND epoch = $3 RETURNING namespace, producer, sent, accepted, duplicate, rejected, last_seen_us) \
     INSERT INTO creto_events.retired AS r (namespace, producer, epochs, sent, accepted, duplicate, rejected, \
     last_seen_us, until_us) SELECT namespace, producer, 1, sent, accepted, duplicate, rejected, last_seen_us, $4 \
     FROM gone ON CONFLICT (namespace, producer) DO UPDATE SET epochs = r.epochs + 1, sent = r.sent + excluded.sent, \
     accepted = r.accepted + excluded.accepted, duplicate = r.duplicate + excluded.duplicate, \
     rejected = ARRAY(SELECT coalesce(b.mine, 0) + coalesce(b.more, 0) FROM unnest(r.rejected, excluded.rejected) \
     WITH ORDINALITY AS b(mine, more, place) ORDER BY b.place), \
     last_seen_us = greatest(r.last_seen_us, excluded.last_seen_us), until_us = greatest(r.until_us, excluded.until_us)";
const UNTIL: &str = "SELECT until_us FROM creto_events.retired WHERE namespace = $1 AND producer = $2";
const SWEEP: &str = "WITH gone AS (DELETE FROM creto_events.producers WHERE ctid = ANY(ARRAY(SELECT ctid \
     FROM creto_events.producers WHERE namespace = $1 AND NOT named AND last_seen_us < $2 LIMIT $3 \
     FOR UPDATE SKIP LOCKED)) RETURNING 1) SELECT count(*) FROM gone";

/// When silent epochs were looked for, in microseconds since 1970.
#[derive(Debug, Default)]
pub(super) struct Swept(AtomicI64);

/// What an epoch begins with.
struct Asked<'h> {
    holder: Holder<'h>,
    now_us: i64,
    bounds: EpochBounds,
    acceptance: Acceptance,
}

impl PostgresEventStore {
    /// Holds an epoch that was not held; its account is empty.
    pub(super) async fn begin_epoch(
        &self,
        connection: &mut PgConnection,
        holder: Holder<'_>,
        now_us: i64,
    ) -> Result<Account, Fault> {
        let bounds = self.epoch_bounds();
        let asked = Asked { holder, now_us, bounds, acceptance: *self.acceptance() };
        let mut epochs = count(connection, holder.namespace, 1).await?;
        // Another replica may have been first: then this waited for it.
        if let Some(account) = Account::find(connection, holder).await? {
            count(connection, holder.namespace, -1).await?;
            return Ok(account);
        }
        if let Some(full) = asked.full(connection, epochs).await?
            && !asked.retire(connection).await?
        {
            let late_us = asked.acceptance.max_age_us.saturating_add(asked.acceptance.max_ahead_us);
            // A clock that ran ahead for a moment makes nothing old.
            let now_us = now_us.min(crate::time::now_us());
            if now_us.abs_diff(self.swept().0.load(Ordering::Relaxed)) < SWEEP_EVERY_US {
                return Err(full.into());
            }
            let forgotten: i64 = sqlx::query_scalar(SWEEP)
                .bind(holder.namespace)
                .bind(now_us.saturating_sub(late_us))
                .bind(SWEEP_ROWS)
                .fetch_one(&mut *connection)
                .await?;
            epochs = count(connection, holder.namespace, -forgotten).await?;
            if let Some(full) = asked.full(connection, epochs).await? {
                self.swept().0.store(now_us, Ordering::Relaxed);
                return Err(full.into());
            }
        }
        let until: Option<i64> = sqlx::query_scalar(UNTIL)
            .bind(holder.namespace)
            .bind(holder.producer)
            .fetch_optional(&mut *connection)
            .await?;
        Account::begin(connection, holder, until.unwrap_or(i64::MIN)).await
    }
}

async fn count(connection: &mut PgConnection, namespace: &str, change: i64) -> Result<u64, Fault> {
    let epochs: i64 = sqlx::query_scalar(COUNT).bind(namespace).bind(change).fetch_one(connection).await?;
    Ok(epochs.max(0).cast_unsigned())
}

impl Asked<'_> {
    /// Which bound is reached, `epochs` being those of the namespace with the new one.
    async fn full(&self, connection: &mut PgConnection, epochs: u64) -> Result<Option<StoreError>, Fault> {
        let own: i64 = sqlx::query_scalar(OWN)
            .bind(self.holder.namespace)
            .bind(self.holder.producer)
            .fetch_one(&mut *connection)
            .await?;
        let EpochBounds { of_producer, of_namespace, all } = self.bounds;
        if own.cast_unsigned() >= of_producer as u64 {
            return Ok(Some(StoreError::epochs("epochs of this producer that sent lately", of_producer)));
        }
        if epochs > of_namespace as u64 {
            return Ok(Some(StoreError::epochs("epochs of producers of this namespace", of_namespace)));
        }
        let of_all: i64 = sqlx::query_scalar(OF_ALL).fetch_one(&mut *connection).await?;
        let is_full = of_all.cast_unsigned() > all as u64;
        Ok(is_full.then(|| StoreError::epochs("epochs of producers", all)))
    }

    /// Retires the oldest of the same producer, when it is idle.
    async fn retire(&self, connection: &mut PgConnection) -> Result<bool, Fault> {
        let Holder { namespace, producer, .. } = self.holder;
        let oldest: Option<(i64, i64)> = sqlx::query_as(OLDEST)
            .bind(namespace)
            .bind(producer)
            .bind(self.now_us.saturating_sub(MIN_IDLE_US))
            .fetch_optional(&mut *connection)
            .await?;
        let Some((epoch, seen_us)) = oldest else { return Ok(false) };
        let until_us = seen_us.saturating_add(self.acceptance.max_ahead_us);
        sqlx::query(RETIRE)
            .bind(namespace)
            .bind(producer)
            .bind(epoch)
            .bind(until_us)
            .execute(&mut *connection)
            .await?;
        count(connection, namespace, -1).await?;
        Ok(true)
    }
}
