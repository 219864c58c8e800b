//! What is given up with age: whole partitions of events, named events, accounts of producers that are silent. Rollups stay.

use sqlx::Connection as _;

use super::fault::Fault;
use super::months;
use super::schema::Partitioning;
use super::store::PostgresEventStore;
use super::turns::Purpose;
use crate::{StoreError, Window};

/// Said before events go: who asks for them afterwards is told.
const RAISE: &str = "UPDATE creto_events.kept SET from_us = greatest(from_us, $1)";
const DROP_CHUNKS: &str = "SELECT count(*) FROM drop_chunks('creto_events.events', older_than => $1::bigint)";
const FORGET_NAMED: &str = "DELETE FROM creto_events.named WHERE came_us < $1";
const FORGET_PRODUCERS: &str = "DELETE FROM creto_events.producers WHERE last_seen_us < $1";

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
        let mut transaction = connection.begin().await?;
        sqlx::query(RAISE).bind(month).execute(&mut *transaction).await?;
        sqlx::query(FORGET_NAMED).bind(oldest).execute(&mut *transaction).await?;
        sqlx::query(FORGET_PRODUCERS).bind(oldest).execute(&mut *transaction).await?;
        transaction.commit().await?;
        match self.partitioning() {
            Partitioning::Months => {
                let dropped = months::drop_before(&mut connection, month).await?;
                self.forget_months();
                Ok(dropped)
            }
            Partitioning::Hypertable => {
                let dropped: i64 =
                    sqlx::query_scalar(DROP_CHUNKS).bind(month).fetch_one(&mut *connection).await?;
                Ok(dropped.cast_unsigned())
            }
        }
    }
}
