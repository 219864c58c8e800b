//! How much room events take: of each namespace, and all together.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sqlx::PgConnection;

use super::fault::Fault;
use super::options::MAX_KNOWN_NAMESPACES;
use crate::StoreError;

/// How long what a namespace has is taken to be what it was, but for what is added here.
const NAMESPACE_EVERY: Duration = Duration::from_secs(10);
/// How long all that is there is.
const ALL_EVERY: Duration = Duration::from_secs(60);
/// Rows of one namespace that are added up into one a month.
const MOST_ROWS: i64 = 1_000;
/// The class of the locks of whoever adds up: "cres" in ASCII.
const LOCK_CLASS: i32 = 0x6372_6573;

const ADD: &str = "INSERT INTO creto_events.space (namespace, month_us, bytes) \
     SELECT $1, month_us, bytes FROM unnest($2::bigint[], $3::bigint[]) AS new(month_us, bytes)";
const OF: &str =
    "SELECT coalesce(sum(bytes), 0)::bigint, count(*) FROM creto_events.space WHERE namespace = $1";
const LOCK: &str = "SELECT pg_try_advisory_xact_lock($1, hashtext($2))";
const ADD_UP: &str = "WITH gone AS (DELETE FROM creto_events.space WHERE namespace = $1 RETURNING month_us, bytes) \
     INSERT INTO creto_events.space (namespace, month_us, bytes) \
     SELECT $1, month_us, sum(bytes) FROM gone GROUP BY month_us";
// The pieces of a hypertable lie in a schema of TimescaleDB's own.
const ALL: &str = "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c \
     JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND (n.nspname = 'creto_events' \
     OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'creto_events.events'::regclass))";

/// Bytes by month, its start in microseconds since 1970.
pub(super) type ByMonth = BTreeMap<i64, u64>;

/// What is remembered of it.
#[derive(Debug, Default)]
pub(super) struct Space {
    namespaces: Mutex<HashMap<Box<str>, (Instant, u64)>>,
    all: Mutex<Option<(Instant, u64)>>,
}

impl Space {
    /// Refuses events of a namespace that has as much as it may have, or of all.
    pub(super) async fn check(
        &self,
        connection: &mut PgConnection,
        namespace: &str,
        (namespace_bytes, disk_bytes): (u64, u64),
    ) -> Result<(), Fault> {
        if self.of(connection, namespace).await? >= namespace_bytes {
            return Err(
                StoreError::bytes("bytes of events of this namespace, about,", namespace_bytes).into()
            );
        }
        let known = self.all.lock().filter(|(at, _)| at.elapsed() < ALL_EVERY);
        let all = match known {
            Some((_, bytes)) => bytes,
            None => {
                let bytes: i64 = sqlx::query_scalar(ALL).fetch_one(&mut *connection).await?;
                *self.all.lock() = Some((Instant::now(), bytes.cast_unsigned()));
                bytes.cast_unsigned()
            }
        };
        match all >= disk_bytes {
            true => Err(StoreError::bytes("bytes of events, about, on disk", disk_bytes).into()),
            false => Ok(()),
        }
    }

    async fn of(&self, connection: &mut PgConnection, namespace: &str) -> Result<u64, Fault> {
        let known = self.namespaces.lock().get(namespace).copied();
        if let Some((_, bytes)) = known.filter(|(at, _)| at.elapsed() < NAMESPACE_EVERY) {
            return Ok(bytes);
        }
        let (bytes, rows): (i64, i64) =
            sqlx::query_as(OF).bind(namespace).fetch_one(&mut *connection).await?;
        let mine = rows > MOST_ROWS
            && sqlx::query_scalar(LOCK).bind(LOCK_CLASS).bind(namespace).fetch_one(&mut *connection).await?;
        if mine {
            sqlx::query(ADD_UP).bind(namespace).execute(&mut *connection).await?;
        }
        let mut known = self.namespaces.lock();
        if known.len() >= MAX_KNOWN_NAMESPACES {
            known.clear();
        }
        known.insert(namespace.into(), (Instant::now(), bytes.cast_unsigned()));
        Ok(bytes.cast_unsigned())
    }

    /// Counts what a transaction added.
    pub(super) async fn add(
        &self,
        connection: &mut PgConnection,
        namespace: &str,
        added: &ByMonth,
    ) -> Result<(), Fault> {
        let bytes: Vec<i64> = added.values().map(|bytes| bytes.cast_signed()).collect();
        sqlx::query(ADD)
            .bind(namespace)
            .bind(added.keys().copied().collect::<Vec<i64>>())
            .bind(bytes)
            .execute(&mut *connection)
            .await?;
        // A transaction that fails after all is counted until it is looked up again.
        if let Some((_, known)) = self.namespaces.lock().get_mut(namespace) {
            *known = known.saturating_add(added.values().sum());
        }
        Ok(())
    }
}
