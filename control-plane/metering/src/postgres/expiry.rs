//! What is given up with age: whole partitions of events, named events, accounts of producers that are silent. Rollups stay.

use sqlx::PgConnection;

use super::fault::Fault;
use super::months;
use super::options::{FORGET_ROWS, FORGET_STATEMENTS};
use super::schema::Partitioning;
use super::store::PostgresEventStore;
use super::turns::Purpose;
use crate::{StoreError, Window};

/// Said before events go: who asks for them afterwards is told.
const RAISE: &str = "UPDATE creto_events.kept SET from_us = greatest(from_us, $1)";
const DROP_CHUNKS: &str = "SELECT count(*) FROM drop_chunks('creto_events.events', older_than => $1::bigint)";
// A part at a time: one that forgets everything would hold up all others for as long as that takes.
const FORGET_NAMED: &str = "DELETE FROM creto_events.named WHERE ctid = ANY(ARRAY(SELECT ctid \
     FROM creto_events.named WHERE came_us < $1 LIMIT $2 FOR UPDATE SKIP LOCKED))";
const FORGET_PRODUCERS: &str = "WITH gone AS (DELETE FROM creto_events.producers WHERE ctid = ANY(ARRAY(SELECT ctid \
     FROM creto_events.producers WHERE last_seen_us < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING namespace, named), \
     left_over AS (UPDATE creto_events.namespaces n SET epochs = n.epochs - g.epochs FROM (SELECT namespace, \
     count(*) AS epochs FROM gone WHERE NOT named GROUP BY namespace) g WHERE n.namespace = g.namespace) \
     SELECT count(*) FROM gone";
const FORGET_RETIRED: &str = "DELETE FROM creto_events.retired WHERE ctid = ANY(ARRAY(SELECT ctid \
     FROM creto_events.retired WHERE last_seen_us < $1 LIMIT $2 FOR UPDATE SKIP LOCKED))";
const FORGET_SPACE: &str = "DELETE FROM creto_events.space WHERE month_us < $1";

impl PostgresEventStore {
    /// Gives up what is older than the time of retention; call it once an hour. Events go by the month, once the whole
    /// month is too old. Returns how many partitions went. `now_us`: microseconds since 1970.
    ///
    /// # Errors
    /// Why nothing, or not all, could be given up; it is safe to try again.
    pub async fn expire(&self, now_us: i64) -> Result<u64, StoreError> {
        self.repeat(Purpose::Read, || self.try_expire(now_us)).await
    }

    async fn try_expire(&self, now_us: i64) -> Result<u64, Fault> {
        let oldest = now_us.saturating_sub(self.retention_us());
        if oldest <= 0 {
            return Ok(0);
        }
        let month = Window::Month.start_us(oldest);
        let mut connection = self.pool().acquire().await?;
        sqlx::query(RAISE).bind(month).execute(&mut *connection).await?;
        // Whole partitions first: they are what takes the room.
        let dropped = match self.partitioning() {
            Partitioning::Months => {
                let dropped = months::drop_before(&mut connection, month).await?;
                self.forget_months();
                dropped
            }
            Partitioning::Hypertable => {
                let dropped: i64 =
                    sqlx::query_scalar(DROP_CHUNKS).bind(month).fetch_one(&mut *connection).await?;
                dropped.cast_unsigned()
            }
        };
        sqlx::query(FORGET_SPACE).bind(month).execute(&mut *connection).await?;
        forget(&mut connection, FORGET_NAMED, oldest).await?;
        forget(&mut connection, FORGET_RETIRED, oldest).await?;
        for _ in 0..FORGET_STATEMENTS {
            let gone: i64 = sqlx::query_scalar(FORGET_PRODUCERS)
                .bind(oldest)
                .bind(FORGET_ROWS)
                .fetch_one(&mut *connection)
                .await?;
            if gone < FORGET_ROWS {
                break;
            }
        }
        Ok(dropped)
    }
}

/// Forgets rows, each part in a transaction of its own.
async fn forget(connection: &mut PgConnection, statement: &'static str, oldest_us: i64) -> Result<(), Fault> {
    for _ in 0..FORGET_STATEMENTS {
        let gone = sqlx::query(statement).bind(oldest_us).bind(FORGET_ROWS).execute(&mut *connection).await?;
        if gone.rows_affected() < FORGET_ROWS.cast_unsigned() {
            break;
        }
    }
    Ok(())
}
