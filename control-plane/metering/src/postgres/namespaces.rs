//! The meters of each namespace. Whoever takes events in shares a lock with the others who do; whoever changes meters
//! holds it alone, so that it is known for every event whether a meter counts it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Postgres, Row as _, Transaction};

use super::fault::Fault;
use super::options::MAX_KNOWN_NAMESPACES;
use crate::{Aggregation, Catalog, Meter, StoreError, built_in_meters};

/// The class of the locks of namespaces: "crev" in ASCII.
const LOCK_CLASS: i32 = 0x6372_6576;
const SHARE: &str = "SELECT pg_advisory_xact_lock_shared($1, hashtext($2))";
const ALONE: &str = "SELECT pg_advisory_xact_lock($1, hashtext($2))";
const STATE: &str = "SELECT revision, (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint \
     FROM creto_events.namespaces WHERE namespace = $1";
const METERS: &str = "SELECT id, name, event_type, aggregation, field, dimensions, unit, since \
     FROM creto_events.meters WHERE namespace = $1 ORDER BY id";
const OPEN: &str =
    "INSERT INTO creto_events.namespaces (namespace, revision) VALUES ($1, 0) ON CONFLICT DO NOTHING";
const PUT: &str = "INSERT INTO creto_events.meters (namespace, name, event_type, aggregation, field, dimensions, \
     unit, since) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const CHANGED: &str = "UPDATE creto_events.namespaces SET revision = revision + 1 WHERE namespace = $1";
const NEXT_ORDER: &str = "SELECT nextval('creto_events.orders')";

/// The meters of a namespace, as of a revision.
#[derive(Debug)]
pub(super) struct Namespace {
    revision: i64,
    pub(super) catalog: Catalog,
    /// The numbers of its meters, by name.
    numbers: HashMap<Arc<str>, i64>,
}

/// Meters whose rollups are one row.
pub(super) struct Side<'n> {
    /// The number its series are kept under: that of its first meter.
    pub(super) number: i64,
    /// What its series are kept apart by, besides agent, customer and subscription; sorted.
    pub(super) dimensions: &'n [Arc<str>],
    /// The meters: up to [`SLOTS`] that count or add, or a single other one.
    pub(super) meters: Vec<&'n Meter>,
}

/// Counts and sums that lie side by side.
pub(super) const SLOTS: usize = 4;

impl Side<'_> {
    /// Whether its rollups are counts and sums.
    pub(super) fn adds(&self) -> bool {
        self.meters.first().is_some_and(|meter| adds(meter))
    }
}

fn adds(meter: &Meter) -> bool {
    matches!(meter.aggregation, Aggregation::Count | Aggregation::Sum)
}

impl Namespace {
    /// The number of a meter of the catalogue.
    pub(super) fn number(&self, meter: &str) -> Option<i64> {
        self.numbers.get(meter).copied()
    }

    /// The meters of a type of events, by the rows of their rollups: the same wherever it is asked, and whatever meters
    /// come after. None when one of them has no number yet.
    pub(super) fn sides(&self, event_type: &str) -> Option<Vec<Side<'_>>> {
        let mut sides: Vec<Side<'_>> = Vec::new();
        for (_, layout) in self.catalog.layouts_of(event_type) {
            let mut open: Option<usize> = None;
            for meter in &layout.meters {
                let room = open.filter(|side| adds(meter) && sides[*side].meters.len() < SLOTS);
                if let Some(side) = room {
                    sides[side].meters.push(meter);
                    continue;
                }
                if adds(meter) {
                    open = Some(sides.len());
                }
                let number = self.number(&meter.name)?;
                sides.push(Side { number, dimensions: &layout.dimensions, meters: vec![&**meter] });
            }
        }
        Some(sides)
    }

    /// The number, in the order of ingestion, from which on a meter counts.
    pub(super) fn since(&self, meter: &str) -> u64 {
        self.catalog.entry(meter).map_or(0, |entry| entry.since)
    }
}

/// What is remembered of namespaces; true as long as the revision and the run of the server are the same.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    known: Mutex<HashMap<Box<str>, Arc<Namespace>>>,
}

/// A namespace while its meters stay as they are.
pub(super) struct Shared {
    pub(super) namespace: Arc<Namespace>,
    /// When the server was started, in microseconds since 1970: what was seen of another run may be lost.
    pub(super) server: i64,
}

impl Namespaces {
    /// The namespace, for events to be taken in: its meters stay until the transaction ends. None when nothing is known
    /// of it to the server: it has to be opened.
    pub(super) async fn share(
        &self,
        connection: &mut PgConnection,
        name: &str,
    ) -> Result<Option<Shared>, Fault> {
        sqlx::query(SHARE).bind(LOCK_CLASS).bind(name).execute(&mut *connection).await?;
        self.look(connection, name).await
    }

    /// The namespace as it is now.
    pub(super) async fn look(
        &self,
        connection: &mut PgConnection,
        name: &str,
    ) -> Result<Option<Shared>, Fault> {
        let state: Option<(i64, i64)> =
            sqlx::query_as(STATE).bind(name).fetch_optional(&mut *connection).await?;
        let Some((revision, server)) = state else { return Ok(None) };
        let known = self.known.lock().get(name).filter(|known| known.revision == revision).map(Arc::clone);
        let namespace = match known {
            Some(known) => known,
            None => self.remember(name, read(connection, name, revision).await?),
        };
        // A built-in meter that is newer than the namespace has to be added first.
        let whole = built_in_meters().iter().all(|meter| namespace.number(&meter.name).is_some());
        Ok(whole.then_some(Shared { namespace, server }))
    }

    fn remember(&self, name: &str, namespace: Namespace) -> Arc<Namespace> {
        let namespace = Arc::new(namespace);
        let mut known = self.known.lock();
        if known.len() >= MAX_KNOWN_NAMESPACES {
            known.clear();
        }
        known.insert(name.into(), Arc::clone(&namespace));
        namespace
    }
}

/// Adds a meter, and the built-in ones where they are missing.
pub(super) async fn put(
    transaction: &mut Transaction<'_, Postgres>,
    name: &str,
    meter: Option<&Meter>,
) -> Result<(), Fault> {
    let connection: &mut PgConnection = &mut *transaction;
    sqlx::query(ALONE).bind(LOCK_CLASS).bind(name).execute(&mut *connection).await?;
    let is_new = sqlx::query(OPEN).bind(name).execute(&mut *connection).await?.rows_affected() == 1;
    let known = read(connection, name, 0).await?;
    let since: i64 = match is_new {
        // Nothing came in before.
        true => 0,
        false => sqlx::query_scalar(NEXT_ORDER).fetch_one(&mut *connection).await?,
    };
    let missing = built_in_meters().into_iter().filter(|meter| known.number(&meter.name).is_none());
    let mut added: Vec<Meter> = missing.collect();
    if let Some(meter) = meter
        && known.catalog.with(meter, since.cast_unsigned())?.is_some()
    {
        added.push(meter.clone());
    }
    if added.is_empty() {
        return Ok(());
    }
    for meter in &added {
        sqlx::query(PUT)
            .bind(name)
            .bind(&*meter.name)
            .bind(&*meter.event_type)
            .bind(meter.aggregation.as_str())
            .bind(&*meter.field)
            .bind(meter.dimensions.iter().map(|dimension| &**dimension).collect::<Vec<_>>())
            .bind(&*meter.unit)
            .bind(since)
            .execute(&mut *connection)
            .await?;
    }
    sqlx::query(CHANGED).bind(name).execute(&mut *connection).await?;
    Ok(())
}

async fn read(connection: &mut PgConnection, name: &str, revision: i64) -> Result<Namespace, Fault> {
    let rows = sqlx::query(METERS).bind(name).fetch_all(&mut *connection).await?;
    let mut meters = Vec::with_capacity(rows.len());
    let mut numbers = HashMap::with_capacity(rows.len());
    for row in &rows {
        let (meter, since) = meter(row)?;
        numbers.insert(Arc::clone(&meter.name), row.try_get("id")?);
        meters.push((meter, since));
    }
    Ok(Namespace { revision, catalog: Catalog::restored(meters, 0), numbers })
}

fn meter(row: &PgRow) -> Result<(Meter, u64), Fault> {
    let text = |column: &str| row.try_get::<&str, _>(column);
    let aggregation =
        text("aggregation")?.parse().map_err(|error: crate::MeterError| StoreError::from(error))?;
    let dimensions: Vec<String> = row.try_get("dimensions")?;
    let meter = Meter {
        name: text("name")?.into(),
        event_type: text("event_type")?.into(),
        aggregation,
        field: text("field")?.into(),
        dimensions: dimensions.into_iter().map(Arc::from).collect(),
        unit: text("unit")?.into(),
    };
    Ok((meter, row.try_get::<i64, _>("since")?.cast_unsigned()))
}
