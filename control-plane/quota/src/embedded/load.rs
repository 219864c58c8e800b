//! Accounts out of the file.

use std::collections::BTreeSet;

use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::account::{Account, Head, HolderRow, LeaseRow, WindowRow};
use crate::bounds::{FORGET_BATCH, MAX_DRAWN, WINDOW_KEPT_MS, WRITE_OFF_AFTER_MS};
use crate::{Level, QuotaEvent, QuotaLimit, Window};

const NAMESPACE: &str = "SELECT * FROM quota_namespaces WHERE namespace = ?1";
const COUNT: &str = "SELECT COUNT(*) FROM quota_limits WHERE namespace = ?1";
const LIMIT: &str = "SELECT * FROM quota_limits WHERE namespace = ?1 AND name = ?2";
const WINDOWS: &str = "SELECT * FROM quota_windows WHERE namespace = ?1 AND name = ?2";
const HOLDERS: &str = "SELECT * FROM quota_holders WHERE namespace = ?1 AND name = ?2";
const LEASES: &str = "SELECT * FROM quota_leases WHERE namespace = ?1 AND name = ?2";
const HOURS: &str = "SELECT * FROM quota_hours WHERE namespace = ?1 AND name = ?2";
const EVENTS: &str =
    "SELECT * FROM quota_events WHERE namespace = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3";

/// Limits whose windows are all so long over that they are not kept, and whose holders and leases are of before that.
const IDLE: &str = "SELECT name, EXISTS (SELECT 1 FROM quota_windows AS w WHERE w.namespace = l.namespace AND w.name = l.name) \
     AND NOT EXISTS (SELECT 1 FROM quota_windows AS w WHERE w.namespace = l.namespace AND w.name = l.name \
       AND w.end_ms + w.end_ms - w.start_ms > ?2) \
     AND NOT EXISTS (SELECT 1 FROM quota_holders AS h WHERE h.namespace = l.namespace AND h.name = l.name \
       AND h.seen_ms >= ?3) \
     AND NOT EXISTS (SELECT 1 FROM quota_leases AS g WHERE g.namespace = l.namespace AND g.name = l.name \
       AND g.end_ms >= ?3) AS is_idle \
     FROM quota_limits AS l WHERE namespace = ?1 AND name > ?5 ORDER BY name LIMIT ?4";
/// Limits that a holder had leases of.
const DRAWN: &str = "SELECT l.* FROM quota_holders AS h JOIN quota_limits AS l \
     ON l.namespace = h.namespace AND l.name = h.name \
     WHERE h.namespace = ?1 AND h.holder = ?2 AND h.request > 0 AND substr(l.name, 1, length(?3)) = ?3 \
     ORDER BY h.seen_ms DESC LIMIT ?4";

/// What is kept of a namespace.
#[derive(Clone, Debug, Default)]
pub(super) struct Namespace {
    pub(super) lost_ms: u64,
    /// The number of the last event.
    pub(super) events: u64,
    pub(super) limits: u64,
    /// Where to look next for limits nobody uses.
    pub(super) looked_up_to: String,
}

/// A number as it was written; negative ones are not.
fn number(row: &SqliteRow, column: &str) -> Result<u64, sqlx::Error> {
    Ok(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or(0))
}

pub(super) async fn namespace(
    file: &mut SqliteConnection,
    name: &str,
) -> Result<Option<Namespace>, sqlx::Error> {
    let Some(row) = sqlx::query(NAMESPACE).bind(name).fetch_optional(&mut *file).await? else {
        return Ok(None);
    };
    let limits: i64 = sqlx::query_scalar(COUNT).bind(name).fetch_one(file).await?;
    let limits = u64::try_from(limits).unwrap_or(0);
    Ok(Some(Namespace {
        lost_ms: number(&row, "lost_ms")?,
        events: number(&row, "events")?,
        limits,
        looked_up_to: String::new(),
    }))
}

/// The account of a limit; a new one when nothing is kept.
pub(super) async fn account(
    file: &mut SqliteConnection,
    key: &(String, String),
) -> Result<Account, sqlx::Error> {
    let (namespace, name) = key;
    // Where the limit is gone and its rows are not, they say so.
    let limit = sqlx::query(LIMIT).bind(namespace).bind(name).fetch_optional(&mut *file).await?;
    let head = limit.as_ref().map(head).transpose()?.unwrap_or_default();
    let rows = async |file: &mut SqliteConnection, sql: &'static str| {
        sqlx::query(sql).bind(namespace).bind(name).fetch_all(file).await
    };
    let kept = rows(file, WINDOWS).await?;
    let windows = kept
        .iter()
        .map(|row| Ok((number(row, "start_ms")?, window(row)?)))
        .collect::<Result<_, sqlx::Error>>()?;
    let kept = rows(file, HOLDERS).await?;
    let holders = kept
        .iter()
        .map(|row| Ok((row.try_get("holder")?, holder(row)?)))
        .collect::<Result<_, sqlx::Error>>()?;
    let kept = rows(file, LEASES).await?;
    let leases = kept
        .iter()
        .map(|row| Ok(((number(row, "epoch")?, number(row, "id")?), lease(row)?)))
        .collect::<Result<_, sqlx::Error>>()?;
    let kept = rows(file, HOURS).await?;
    let hours = kept
        .iter()
        .map(|row| Ok((number(row, "hour")?, number(row, "used")?)))
        .collect::<Result<_, sqlx::Error>>()?;
    Ok(Account::restore(head, windows, holders, leases, hours))
}

fn head(row: &SqliteRow) -> Result<Head, sqlx::Error> {
    Ok(Head {
        unit: row.try_get("unit")?,
        cycle: row.try_get("cycle")?,
        revision: number(row, "revision")?,
        amount: number(row, "amount")?,
        epoch: number(row, "epoch")?,
        next_id: number(row, "next_id")?,
        window_ms: number(row, "window_ms")?,
        learned_ms: number(row, "learned_ms")?,
        trusted_epoch: number(row, "trusted_epoch")?,
        spike_hour: number(row, "spike_hour")?,
        first_hour: number(row, "first_hour")?,
    })
}

fn window(row: &SqliteRow) -> Result<WindowRow, sqlx::Error> {
    Ok(WindowRow {
        end_ms: number(row, "end_ms")?,
        spent: number(row, "spent")?,
        overrun: number(row, "overrun")?,
        overage: number(row, "overage")?,
        leased: number(row, "leased")?,
        stranded: number(row, "stranded")?,
        lost: number(row, "lost")?,
        assumed: number(row, "assumed")?,
        cap: number(row, "cap")?,
        scarce_until_ms: number(row, "scarce_until_ms")?,
        told: number(row, "told")?,
    })
}

fn holder(row: &SqliteRow) -> Result<HolderRow, sqlx::Error> {
    Ok(HolderRow {
        sequence: number(row, "sequence")?,
        request: number(row, "request")?,
        lease: (number(row, "lease_epoch")?, number(row, "lease_id")?),
        // Put together from the leases.
        held: BTreeSet::new(),
        seen_ms: number(row, "seen_ms")?,
        era: number(row, "era")?,
    })
}

fn lease(row: &SqliteRow) -> Result<LeaseRow, sqlx::Error> {
    Ok(LeaseRow {
        holder: row.try_get("holder")?,
        window_ms: number(row, "window_ms")?,
        amount: number(row, "amount")?,
        open: number(row, "open")?,
        end_ms: number(row, "end_ms")?,
        stranded: number(row, "stranded")? != 0,
    })
}

/// Of [`FORGET_BATCH`] limits after a name those that nobody used for long, and the last one looked at; empty at the end.
pub(super) async fn idle_limits(
    file: &mut SqliteConnection,
    namespace: &str,
    after: &str,
    now_ms: u64,
) -> Result<(Vec<String>, String), sqlx::Error> {
    let before = |ms: u64| i64::try_from(now_ms.saturating_sub(ms)).unwrap_or(i64::MAX);
    let most = i64::try_from(FORGET_BATCH).unwrap_or(i64::MAX);
    let rows = sqlx::query(IDLE)
        .bind(namespace)
        .bind(before(WINDOW_KEPT_MS))
        .bind(before(WRITE_OFF_AFTER_MS))
        .bind(most)
        .bind(after)
        .fetch_all(file)
        .await?;
    let last = rows.last().filter(|_| rows.len() >= FORGET_BATCH);
    let next = last.map(|row| row.try_get("name")).transpose()?.unwrap_or_default();
    let mut idle = Vec::new();
    for row in &rows {
        if number(row, "is_idle")? != 0 {
            idle.push(row.try_get("name")?);
        }
    }
    Ok((idle, next))
}

/// The limits whose name begins so that a holder had leases of, the last used first.
pub(super) async fn drawn(
    file: &mut SqliteConnection,
    namespace: &str,
    holder: &str,
    prefix: &str,
) -> Result<Vec<QuotaLimit>, sqlx::Error> {
    let most = i64::try_from(MAX_DRAWN).unwrap_or(i64::MAX);
    let rows =
        sqlx::query(DRAWN).bind(namespace).bind(holder).bind(prefix).bind(most).fetch_all(file).await?;
    let mut limits = Vec::with_capacity(rows.len());
    for row in &rows {
        let (name, Head { unit, cycle, revision, amount, .. }) =
            (row.try_get::<String, _>("name")?, head(row)?);
        limits.extend(QuotaLimit::kept((namespace, &name), &unit, &cycle, (revision, amount)));
    }
    Ok(limits)
}

/// Events after a number, oldest first.
pub(super) async fn events(
    file: &mut SqliteConnection,
    namespace: &str,
    after: u64,
    most: u32,
) -> Result<Vec<QuotaEvent>, sqlx::Error> {
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let rows = sqlx::query(EVENTS).bind(namespace).bind(after).bind(most).fetch_all(file).await?;
    rows.iter().map(event).collect()
}

fn event(row: &SqliteRow) -> Result<QuotaEvent, sqlx::Error> {
    let level: String = row.try_get("level")?;
    let level: Level = level.parse().map_err(|()| sqlx::Error::Decode(format!("level {level:?}").into()))?;
    Ok(QuotaEvent {
        sequence: number(row, "sequence")?,
        limit: row.try_get::<String, _>("name")?.into(),
        level,
        window: Window { start_ms: number(row, "start_ms")?, end_ms: number(row, "end_ms")? },
        at_ms: number(row, "at_ms")?,
        used: number(row, "used")?,
        measure: number(row, "measure")?,
        hours: u32::try_from(number(row, "hours")?).unwrap_or(u32::MAX),
    })
}
