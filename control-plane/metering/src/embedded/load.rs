//! What the database holds, read at start.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use foldhash::fast::RandomState;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::account::AccountKey;
use super::file;
use super::generation::{Catalogs, Progress, Times};
use super::segment::Position;
use crate::{Catalog, Meter, StoreError};

/// A producer's mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Up to this sequence everything is on disk or rejected.
    pub(super) sequence: u64,
    /// When it last sent something, in microseconds since 1970.
    pub(super) seen_us: i64,
}

/// Marks by producer and epoch.
pub(super) type Marks = HashMap<AccountKey, Mark, RandomState>;

/// All of it that is held in memory.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) progress: Progress,
    pub(super) gone_us: i64,
    pub(super) catalogs: Catalogs,
    pub(super) marks: Marks,
    /// Sources of named events that have an account, with their namespace.
    pub(super) sources: HashSet<(Arc<str>, Arc<str>), RandomState>,
    pub(super) segments: BTreeMap<u64, Times>,
}

/// Reads it.
pub(super) async fn load(
    folder: &Path,
    connection: &mut SqliteConnection,
    retention_us: i64,
) -> Result<Loaded, StoreError> {
    let away = |error: sqlx::Error| file::away(folder, &error);
    let mut loaded = Loaded::default();
    let sql = "SELECT segment, offset, record, next_order, newest_us, gone_us FROM progress";
    type Row = (i64, i64, i64, i64, i64, i64);
    let progress: Option<Row> = sqlx::query_as(sql).fetch_optional(&mut *connection).await.map_err(away)?;
    if let Some((segment, offset, record, next_order, newest_us, gone_us)) = progress {
        let position = Position { segment: segment.cast_unsigned(), offset: offset.cast_unsigned() };
        let (record, next_order) = (record.cast_unsigned(), next_order.cast_unsigned());
        loaded.progress = Progress { position, record, next_order, newest_us };
        loaded.gone_us = gone_us;
    }
    let sql = "SELECT namespace, name, event_type, aggregation, field, dimensions, unit, since FROM meter \
         ORDER BY namespace, ordinal";
    let mut kept: BTreeMap<Arc<str>, Vec<(Meter, u64)>> = BTreeMap::new();
    for row in sqlx::query(sql).fetch_all(&mut *connection).await.map_err(away)? {
        let text = |column: usize| row.try_get::<String, _>(column).map_err(away);
        let dimensions: Vec<String> =
            serde_json::from_str(&text(5)?).map_err(|error| file::damaged(folder, error.to_string()))?;
        let meter = Meter {
            name: text(1)?.into(),
            event_type: text(2)?.into(),
            aggregation: text(3)?.parse().map_err(|_| file::damaged(folder, "an unknown aggregation"))?,
            field: text(4)?.into(),
            dimensions: dimensions.into_iter().map(Arc::from).collect(),
            unit: text(6)?.into(),
        };
        let since: i64 = row.try_get(7).map_err(away)?;
        kept.entry(text(0)?.into()).or_default().push((meter, since.cast_unsigned()));
    }
    for (namespace, meters) in kept {
        let catalog = Catalog::restored(meters, loaded.progress.next_order);
        loaded.catalogs.insert(namespace, Arc::new(catalog));
    }
    // A clock that ran ahead for a moment makes nothing old.
    let oldest = loaded.progress.newest_us.min(crate::time::now_us()).saturating_sub(retention_us);
    let sql =
        "SELECT namespace, named, producer, epoch, mark, seen_us FROM account WHERE named OR seen_us >= ?1";
    let mut names: HashSet<Arc<str>, RandomState> = HashSet::default();
    for row in sqlx::query(sql).bind(oldest).fetch_all(&mut *connection).await.map_err(away)? {
        let text = |column: usize| row.try_get::<String, _>(column).map_err(away);
        let number = |column: usize| row.try_get::<i64, _>(column).map_err(away);
        let mut shared = |text: String| match names.get(text.as_str()) {
            Some(name) => Arc::clone(name),
            None => {
                let name: Arc<str> = text.into();
                names.insert(Arc::clone(&name));
                name
            }
        };
        let (namespace, producer) = (shared(text(0)?), shared(text(2)?));
        if number(1)? != 0 {
            loaded.sources.insert((namespace, producer));
            continue;
        }
        let key = AccountKey { namespace, named: false, producer, epoch: number(3)?.cast_unsigned() };
        loaded.marks.insert(key, Mark { sequence: number(4)?.cast_unsigned(), seen_us: number(5)? });
    }
    let sql = "SELECT number, from_us, to_us, newest_us FROM segment";
    let segments: Vec<(i64, i64, i64, i64)> =
        sqlx::query_as(sql).fetch_all(&mut *connection).await.map_err(away)?;
    for (number, from_us, to_us, newest_us) in segments {
        loaded.segments.insert(number.cast_unsigned(), Times { from_us, to_us, newest_us });
    }
    Ok(loaded)
}
