//! What the database holds, read at start.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use foldhash::fast::RandomState;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::account::{AccountKey, Of};
use super::epochs::{Epochs, Mark};
use super::file;
use super::generation::{Catalogs, Progress, Times};
use super::segment::{Position, Sealed};
use super::usage::Usage;
use crate::{Catalog, Meter, StoreError};

/// All of it that is held in memory.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) progress: Progress,
    pub(super) gone_us: i64,
    pub(super) catalogs: Catalogs,
    pub(super) epochs: Epochs,
    /// Sources of named events that have an account, with their namespace.
    pub(super) sources: HashSet<(Arc<str>, Arc<str>), RandomState>,
    pub(super) segments: BTreeMap<u64, Times>,
    /// Of those nothing is written into any more, as far as it is known.
    pub(super) sealed: BTreeMap<u64, Sealed>,
    pub(super) usage: Usage,
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
    let sql = "SELECT namespace, named, producer, epoch, mark, seen_us, from_us FROM account WHERE named OR seen_us >= ?1";
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
        let key = |of| AccountKey { namespace, of, producer, epoch: 0 };
        match Of::from_number(number(1)?) {
            Of::Source => {
                let AccountKey { namespace, producer, .. } = key(Of::Source);
                loaded.sources.insert((namespace, producer));
            }
            Of::Retired => loaded.epochs.set_retired_us(&key(Of::Retired), number(6)?),
            Of::Epoch => {
                let key = AccountKey { epoch: number(3)?.cast_unsigned(), ..key(Of::Epoch) };
                let sequence = number(4)?.cast_unsigned();
                loaded.epochs.set(&key, Mark { sequence, seen_us: number(5)?, from_us: number(6)? });
            }
        }
    }
    let sql = "SELECT number, from_us, to_us, newest_us, length, checksum FROM segment";
    type SegmentRow = (i64, i64, i64, i64, Option<i64>, Option<i64>);
    let segments: Vec<SegmentRow> = sqlx::query_as(sql).fetch_all(&mut *connection).await.map_err(away)?;
    for (number, from_us, to_us, newest_us, length, checksum) in segments {
        let number = number.cast_unsigned();
        loaded.segments.insert(number, Times { from_us, to_us, newest_us });
        if let (Some(length), Some(checksum)) = (length, checksum) {
            let sealed = Sealed { length: length.cast_unsigned(), checksum: checksum as u32 };
            loaded.sealed.insert(number, sealed);
        }
    }
    let sql = "SELECT segment, namespace, bytes FROM usage";
    let usage: Vec<(i64, String, i64)> =
        sqlx::query_as(sql).fetch_all(&mut *connection).await.map_err(away)?;
    for (segment, namespace, bytes) in usage {
        let namespace = names.get(namespace.as_str()).map_or_else(|| namespace.into(), Arc::clone);
        loaded.usage.add(segment.cast_unsigned(), &namespace, bytes.cast_unsigned());
    }
    Ok(loaded)
}
