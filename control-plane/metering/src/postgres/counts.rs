//! How many series each namespace has. Whoever adds some leaves a row: nobody waits for another only to count.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sqlx::PgConnection;

use super::fault::Fault;
use super::options::MAX_KNOWN_NAMESPACES;

/// How long what a namespace has is taken to be what it was, but for what is added here.
const EVERY: Duration = Duration::from_secs(10);
/// The last part of what there may be, one of so many: there whoever adds counts closely, one after the other.
const CLOSE: u64 = 10;
/// Rows of one namespace that are added up into one.
const MOST_ROWS: i64 = 1_000;
/// The class of the locks of whoever adds up: "crsu" in ASCII.
const SUM_CLASS: i32 = 0x6372_7375;
/// The class of the locks of whoever counts closely: "crsc" in ASCII.
const CLOSE_CLASS: i32 = 0x6372_7363;

const OF: &str =
    "SELECT coalesce(sum(series), 0)::bigint, count(*) FROM creto_events.series_added WHERE namespace = $1";
const ADD: &str = "INSERT INTO creto_events.series_added (namespace, series) VALUES ($1, $2)";
const TRY_LOCK: &str = "SELECT pg_try_advisory_xact_lock($1, hashtext($2))";
const LOCK: &str = "SELECT pg_advisory_xact_lock($1, hashtext($2))";
const ADD_UP: &str = "WITH gone AS (DELETE FROM creto_events.series_added WHERE namespace = $1 RETURNING series) \
     INSERT INTO creto_events.series_added (namespace, series) SELECT $1, sum(series) FROM gone HAVING count(*) > 0";

/// Whether there is room for series that are new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// For all of them, which are counted.
    Enough,
    /// So few that it has to be counted closely: there are about so many.
    Little { held: u64 },
}

/// How many series namespaces have, as far as it is known here. What others add meanwhile is not seen for ten seconds.
#[derive(Debug, Default)]
pub(super) struct Counts {
    known: Mutex<HashMap<Box<str>, (Instant, u64)>>,
}

impl Counts {
    /// Room for so many more of a namespace that may have `most`.
    pub(super) async fn reserve(
        &self,
        connection: &mut PgConnection,
        namespace: &str,
        (more, most): (u64, u64),
    ) -> Result<Room, Fault> {
        let is_fresh = |(at, _): &&mut (Instant, u64)| at.elapsed() < EVERY;
        if let Some((_, held)) = self.known.lock().get_mut(namespace).filter(is_fresh) {
            return Ok(take(held, more, most));
        }
        let read = of(connection, namespace).await?;
        let mut known = self.known.lock();
        if known.len() >= MAX_KNOWN_NAMESPACES {
            known.clear();
        }
        let known = known.entry(namespace.into()).or_insert((Instant::now(), read));
        if known.0.elapsed() >= EVERY {
            // Another may have read it meanwhile, and counted since.
            *known = (Instant::now(), read);
        }
        Ok(take(&mut known.1, more, most))
    }

    /// Gives back what there was room for, and was there already.
    pub(super) fn give_back(&self, namespace: &str, fewer: u64) {
        if let Some((_, held)) = self.known.lock().get_mut(namespace) {
            *held = held.saturating_sub(fewer);
        }
    }

    /// How many there are: nobody else who counts closely adds any until the transaction ends.
    pub(super) async fn closely(&self, connection: &mut PgConnection, namespace: &str) -> Result<u64, Fault> {
        sqlx::query(LOCK).bind(CLOSE_CLASS).bind(namespace).execute(&mut *connection).await?;
        of(connection, namespace).await
    }

    /// Knows how many there are, from whoever counted closely.
    pub(super) fn counted(&self, namespace: &str, held: u64) {
        if let Some(known) = self.known.lock().get_mut(namespace) {
            *known = (Instant::now(), held);
        }
    }

    /// Counts what a transaction added. One that fails after all is counted here until it is looked up again.
    pub(super) async fn add(
        &self,
        connection: &mut PgConnection,
        namespace: &str,
        added: u64,
    ) -> Result<(), Fault> {
        if added > 0 {
            sqlx::query(ADD).bind(namespace).bind(added.cast_signed()).execute(&mut *connection).await?;
        }
        Ok(())
    }
}

fn take(held: &mut u64, more: u64, most: u64) -> Room {
    if held.saturating_add(more) > most - most / CLOSE {
        return Room::Little { held: *held };
    }
    *held += more;
    Room::Enough
}

async fn of(connection: &mut PgConnection, namespace: &str) -> Result<u64, Fault> {
    let (held, rows): (i64, i64) = sqlx::query_as(OF).bind(namespace).fetch_one(&mut *connection).await?;
    let mine = rows > MOST_ROWS
        && sqlx::query_scalar(TRY_LOCK).bind(SUM_CLASS).bind(namespace).fetch_one(&mut *connection).await?;
    if mine {
        sqlx::query(ADD_UP).bind(namespace).execute(&mut *connection).await?;
    }
    Ok(held.max(0).cast_unsigned())
}
