//! Changed rows into the file: one statement a table, however many rows.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use super::load::Namespace;
use super::mark::Mark;
use crate::account::Account;
use crate::bounds::MAX_EVENTS;
use crate::{Level, QuotaEvent};

const PUT_NAMESPACES: &str =
    "REPLACE INTO quota_namespaces SELECT value->>0, value->>1, value->>2 FROM json_each(?1)";
const PUT_LIMITS: &str = "REPLACE INTO quota_limits SELECT value->>0, value->>1, value->>2, value->>3, value->>4, \
     value->>5, value->>6, value->>7, value->>8, value->>9, value->>10, value->>11, value->>12 FROM json_each(?1)";
const PUT_WINDOWS: &str = "REPLACE INTO quota_windows SELECT value->>0, value->>1, value->>2, value->>3, value->>4, \
     value->>5, value->>6, value->>7, value->>8, value->>9, value->>10, value->>11, value->>12, value->>13 \
     FROM json_each(?1)";
const PUT_HOLDERS: &str = "REPLACE INTO quota_holders SELECT value->>0, value->>1, value->>2, value->>3, value->>4, \
     value->>5, value->>6, value->>7, value->>8, value->>9 FROM json_each(?1)";
const PUT_LEASES: &str = "REPLACE INTO quota_leases SELECT value->>0, value->>1, value->>2, value->>3, value->>4, \
     value->>5, value->>6, value->>7, value->>8, value->>9 FROM json_each(?1)";
const PUT_HOURS: &str =
    "REPLACE INTO quota_hours SELECT value->>0, value->>1, value->>2, value->>3 FROM json_each(?1)";
const PUT_EVENTS: &str = "REPLACE INTO quota_events SELECT value->>0, value->>1, value->>2, value->>3, value->>4, \
     value->>5, value->>6, value->>7, value->>8, value->>9 FROM json_each(?1)";
const DROP_WINDOWS: &str = "DELETE FROM quota_windows WHERE (namespace, name, start_ms) IN \
     (SELECT value->>0, value->>1, value->>2 FROM json_each(?1))";
const DROP_HOLDERS: &str = "DELETE FROM quota_holders WHERE (namespace, name, holder) IN \
     (SELECT value->>0, value->>1, value->>2 FROM json_each(?1))";
const DROP_LEASES: &str = "DELETE FROM quota_leases WHERE (namespace, name, epoch, id) IN \
     (SELECT value->>0, value->>1, value->>2, value->>3 FROM json_each(?1))";
const DROP_HOURS: &str = "DELETE FROM quota_hours WHERE (namespace, name, hour) IN \
     (SELECT value->>0, value->>1, value->>2 FROM json_each(?1))";
/// All but the newest.
const TRIM_EVENTS: &str = "DELETE FROM quota_events WHERE namespace = ?1 AND sequence <= \
     (SELECT sequence FROM quota_events WHERE namespace = ?1 ORDER BY sequence DESC LIMIT 1 OFFSET ?2)";
/// Everything of limits that are forgotten but for what people are told.
const FORGET_LIMITS: [&str; 5] = [
    "DELETE FROM quota_limits WHERE namespace = ?1 AND name IN (SELECT value FROM json_each(?2))",
    "DELETE FROM quota_windows WHERE namespace = ?1 AND name IN (SELECT value FROM json_each(?2))",
    "DELETE FROM quota_holders WHERE namespace = ?1 AND name IN (SELECT value FROM json_each(?2))",
    "DELETE FROM quota_leases WHERE namespace = ?1 AND name IN (SELECT value FROM json_each(?2))",
    "DELETE FROM quota_hours WHERE namespace = ?1 AND name IN (SELECT value FROM json_each(?2))",
];
const COUNTED: &str = "UPDATE quota_transactions SET count = ?1";
const DROP_EVENTS: &str = "DELETE FROM quota_events WHERE namespace = ?1 AND sequence <= ?2";

/// Rows to be written together.
#[derive(Default)]
pub(super) struct Batch {
    namespaces: Vec<Value>,
    limits: Vec<Value>,
    windows: Vec<Value>,
    gone_windows: Vec<Value>,
    holders: Vec<Value>,
    gone_holders: Vec<Value>,
    leases: Vec<Value>,
    gone_leases: Vec<Value>,
    hours: Vec<Value>,
    gone_hours: Vec<Value>,
    events: Vec<Value>,
    /// Namespaces, and up to which number their events go.
    gone_events: Vec<(String, u64)>,
    /// Namespaces that have new events, and may have too many.
    full_events: BTreeSet<String>,
}

impl Batch {
    pub(super) fn put_namespace(&mut self, name: &str, row: &Namespace) {
        self.namespaces.push(json!([name, row.lost_ms, row.events]));
    }

    /// Numbers the events of an account and takes its changed rows.
    pub(super) fn put_account(
        &mut self,
        key: &(String, String),
        account: &mut Account,
        space: &mut Namespace,
    ) {
        let (namespace, name) = key;
        let changed = std::mem::take(&mut account.changed);
        for event in &changed.events {
            // Whoever read on before a loss looks for numbers above those that may be forgotten.
            let least = if event.level == Level::DataLost { event.at_ms } else { 0 };
            space.events = least.max(space.events + 1);
            self.events.push(event_row(namespace, space.events, event));
        }
        if !changed.events.is_empty() {
            self.put_namespace(namespace, space);
            self.full_events.insert(namespace.clone());
        }
        if changed.head {
            let head = &account.head;
            self.limits.push(json!([
                namespace,
                name,
                head.unit,
                head.cycle,
                head.revision,
                head.amount,
                head.epoch,
                head.next_id,
                head.window_ms,
                head.learned_ms,
                head.trusted_epoch,
                head.spike_hour,
                head.first_hour
            ]));
        }
        for start_ms in changed.windows {
            match account.windows.get(&start_ms) {
                None => self.gone_windows.push(json!([namespace, name, start_ms])),
                Some(row) => self.windows.push(json!([
                    namespace,
                    name,
                    start_ms,
                    row.end_ms,
                    row.spent,
                    row.overrun,
                    row.overage,
                    row.leased,
                    row.stranded,
                    row.lost,
                    row.assumed,
                    row.cap,
                    row.scarce_until_ms,
                    row.told
                ])),
            }
        }
        for holder in changed.holders {
            match account.holders.get(&holder) {
                None => self.gone_holders.push(json!([namespace, name, holder])),
                Some(row) => self.holders.push(json!([
                    namespace,
                    name,
                    holder,
                    row.sequence,
                    row.request,
                    row.lease.0,
                    row.lease.1,
                    row.held.len(),
                    row.seen_ms,
                    row.era
                ])),
            }
        }
        for key in changed.leases {
            let (epoch, id) = key;
            match account.leases.get(&key) {
                None => self.gone_leases.push(json!([namespace, name, epoch, id])),
                Some(row) => self.leases.push(json!([
                    namespace,
                    name,
                    epoch,
                    id,
                    row.holder,
                    row.window_ms,
                    row.amount,
                    row.open,
                    row.end_ms,
                    u8::from(row.stranded)
                ])),
            }
        }
        for hour in changed.hours {
            match account.hours.get(&hour) {
                None => self.gone_hours.push(json!([namespace, name, hour])),
                Some(used) => self.hours.push(json!([namespace, name, hour, used])),
            }
        }
    }

    pub(super) fn drop_events(&mut self, namespace: &str, up_to: u64) {
        if up_to > 0 {
            self.gone_events.push((namespace.to_owned(), up_to));
        }
    }

    /// Writes all of it, in one transaction; on disk when it returns.
    pub(super) async fn commit(
        self,
        file: &mut SqliteConnection,
        (mark, count): (&mut Mark, &mut u64),
    ) -> Result<(), sqlx::Error> {
        let tables = [
            (PUT_NAMESPACES, self.namespaces),
            (PUT_LIMITS, self.limits),
            (PUT_WINDOWS, self.windows),
            (DROP_WINDOWS, self.gone_windows),
            (PUT_HOLDERS, self.holders),
            (DROP_HOLDERS, self.gone_holders),
            (PUT_LEASES, self.leases),
            (DROP_LEASES, self.gone_leases),
            (PUT_HOURS, self.hours),
            (DROP_HOURS, self.gone_hours),
            (PUT_EVENTS, self.events),
        ];
        if tables.iter().all(|(_, rows)| rows.is_empty()) && self.gone_events.is_empty() {
            return Ok(());
        }
        // Whether or not it is committed, its number is used up.
        *count += 1;
        mark.cover(*count)?;
        let mut transaction = file.begin_with("BEGIN IMMEDIATE").await?;
        let counted = i64::try_from(*count).unwrap_or(i64::MAX);
        sqlx::query(COUNTED).bind(counted).execute(&mut *transaction).await?;
        for (sql, rows) in tables {
            if !rows.is_empty() {
                sqlx::query(sql).bind(Value::Array(rows).to_string()).execute(&mut *transaction).await?;
            }
        }
        for (namespace, up_to) in self.gone_events {
            let up_to = i64::try_from(up_to).unwrap_or(i64::MAX);
            sqlx::query(DROP_EVENTS).bind(namespace).bind(up_to).execute(&mut *transaction).await?;
        }
        for namespace in self.full_events {
            let most = i64::try_from(MAX_EVENTS).unwrap_or(i64::MAX);
            sqlx::query(TRIM_EVENTS).bind(namespace).bind(most).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }
}

/// Drops everything of these limits.
pub(super) async fn forget_limits(
    file: &mut SqliteConnection,
    namespace: &str,
    names: &[String],
) -> Result<(), sqlx::Error> {
    if names.is_empty() {
        return Ok(());
    }
    let names = json!(names).to_string();
    let mut transaction = file.begin_with("BEGIN IMMEDIATE").await?;
    for sql in FORGET_LIMITS {
        sqlx::query(sql).bind(namespace).bind(&names).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

fn event_row(namespace: &str, sequence: u64, event: &QuotaEvent) -> Value {
    let &QuotaEvent { ref limit, level, window, at_ms, used, measure, hours, .. } = event;
    json!([
        namespace,
        sequence,
        limit,
        level.as_str(),
        window.start_ms,
        window.end_ms,
        at_ms,
        used,
        measure,
        hours
    ])
}
