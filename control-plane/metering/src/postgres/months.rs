//! Partitions of events, one a month of UTC: made before they are needed, late ones when they are, given up whole.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::fault::Fault;
use super::options::DROP_LOCK_TIMEOUT;
use crate::Window;

/// The lock that one replica at a time makes or drops partitions under: "cretoev2" in ASCII.
const PARTITION_LOCK: i64 = 0x6372_6574_6f65_7632;
const LOCK: &str = "SELECT pg_advisory_xact_lock($1)";
const ALL: &str = "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'creto_events.events'::regclass";
const PREFIX: &str = "events_";

/// The partition of a month: `events_` and its first moment's year and month.
fn partition(start_us: i64) -> String {
    let date = Timestamp::from_microsecond(start_us).map(|at| at.to_zoned(TimeZone::UTC).date());
    let (year, month) = date.map_or((0, 0), |date| (date.year(), date.month()));
    format!("{PREFIX}{year:04}_{month:02}")
}

/// Where the months of these times start, in microseconds since 1970.
pub(super) fn of(times_us: impl Iterator<Item = i64>) -> BTreeSet<i64> {
    let mut months = BTreeSet::new();
    let mut known = 0..0;
    for at_us in times_us {
        if !known.contains(&at_us) {
            known = Window::Month.start_us(at_us)..Window::Month.end_us(at_us);
            months.insert(known.start);
        }
    }
    months
}

/// Makes the partitions of these months where they are missing, in a transaction of its own: who writes or reads events
/// meanwhile is not held up, since a partition that is made apart and then attached locks neither out.
pub(super) async fn ensure(connection: &mut PgConnection, months: &BTreeSet<i64>) -> Result<(), Fault> {
    let mut transaction = connection.begin().await?;
    sqlx::query(LOCK).bind(PARTITION_LOCK).execute(&mut *transaction).await?;
    let there: Vec<String> = sqlx::query_scalar(ALL).fetch_all(&mut *transaction).await?;
    for start in months {
        let (name, end) = (partition(*start), Window::Month.end_us(*start));
        if there.contains(&name) {
            continue;
        }
        let sql = format!(
            "CREATE TABLE creto_events.{name} (LIKE creto_events.events INCLUDING DEFAULTS);
             ALTER TABLE creto_events.events ATTACH PARTITION creto_events.{name}
                 FOR VALUES FROM ({start}) TO ({end})"
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *transaction).await?;
    }
    Ok(transaction.commit().await?)
}

/// Gives up the partitions of months before this one.
pub(super) async fn drop_before(connection: &mut PgConnection, start_us: i64) -> Result<u64, Fault> {
    let first = partition(start_us);
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(DROP_LOCK_TIMEOUT).execute(&mut *transaction).await?;
    sqlx::query(LOCK).bind(PARTITION_LOCK).execute(&mut *transaction).await?;
    let there: Vec<String> = sqlx::query_scalar(ALL).fetch_all(&mut *transaction).await?;
    let mut dropped = 0;
    // Names of four and two digits rise with time.
    for name in there.iter().filter(|name| name.starts_with(PREFIX) && **name < first) {
        let sql = format!("DROP TABLE creto_events.{name}");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *transaction).await?;
        dropped += 1;
    }
    transaction.commit().await?;
    Ok(dropped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_named_by_their_month() {
        let october = 1_791_973_200_000_000;
        let months: Vec<String> = of([october, october + 1, october - 20 * 86_400_000_000].into_iter())
            .into_iter()
            .map(partition)
            .collect();
        assert_eq!(months, ["events_2026_09", "events_2026_10"]);
        assert_eq!(partition(0), "events_1970_01");
    }
}
