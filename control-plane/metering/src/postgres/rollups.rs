//! Events into the rollups of their minutes: added up here, merged there.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use sqlx::PgConnection;

use super::fault::Fault;
use super::namespaces::{Namespace, SLOTS, Side};
use super::rows::Rows;
use super::series::{self, Key, KnownSeries, Numbers, Series};
use super::{decimal, text};
use crate::accumulator::{Measure, Place};
use crate::bounds::MAX_DIMENSIONS;
use crate::{Accumulator, Aggregation, Event, Meter, Value, Window};

/// The staging tables of a connection: seen by nobody else, in no log, empty again with every commit.
pub(super) const STAGING: &str = "
    CREATE TEMPORARY TABLE IF NOT EXISTS creto_rollups (
        kind bigint NOT NULL, series bigint NOT NULL, minute_us bigint NOT NULL, events bigint NOT NULL,
        value text, moment text, at_us bigint, logical bigint, ordinal bigint) ON COMMIT DELETE ROWS;
    CREATE TEMPORARY TABLE IF NOT EXISTS creto_sums (
        series bigint NOT NULL, minute_us bigint NOT NULL, n1 bigint NOT NULL, v1 text, n2 bigint NOT NULL, v2 text,
        n3 bigint NOT NULL, v3 text, n4 bigint NOT NULL, v4 text) ON COMMIT DELETE ROWS;
    CREATE TEMPORARY TABLE IF NOT EXISTS creto_members (
        series bigint NOT NULL, minute_us bigint NOT NULL, member bytea NOT NULL) ON COMMIT DELETE ROWS";
const COPY: &str = "COPY pg_temp.creto_rollups FROM STDIN (FORMAT binary)";
const COPY_MEMBERS: &str = "COPY pg_temp.creto_members FROM STDIN (FORMAT binary)";
const FIELDS: i16 = 9;
const COPY_SUMS: &str = "COPY pg_temp.creto_sums FROM STDIN (FORMAT binary)";
const MEMBER_FIELDS: i16 = 3;
const SUM_FIELDS: i16 = 2 + 2 * SLOTS as i16;

/// How rows of the staging table are merged into those that are there.
const OTHER: i64 = 1;
const MAX: i64 = 2;
const LATEST: i64 = 3;

// Each merges in the order of the key: nobody waits in a circle.
const MERGE_SUMS: &str = "INSERT INTO creto_events.sums AS r (series, minute_us, n1, v1, n2, v2, n3, v3, n4, v4) \
     SELECT series, minute_us, n1, v1::numeric, n2, v2::numeric, n3, v3::numeric, n4, v4::numeric \
     FROM pg_temp.creto_sums ORDER BY series, minute_us ON CONFLICT (series, minute_us) DO UPDATE SET \
     n1 = r.n1 + excluded.n1, v1 = coalesce(r.v1 + excluded.v1, r.v1, excluded.v1), \
     n2 = r.n2 + excluded.n2, v2 = coalesce(r.v2 + excluded.v2, r.v2, excluded.v2), \
     n3 = r.n3 + excluded.n3, v3 = coalesce(r.v3 + excluded.v3, r.v3, excluded.v3), \
     n4 = r.n4 + excluded.n4, v4 = coalesce(r.v4 + excluded.v4, r.v4, excluded.v4)";
const MERGE_OTHERS: &str = "INSERT INTO creto_events.rollups AS r (series, minute_us, events, value, moment) \
     SELECT series, minute_us, events, value::numeric, moment::numeric FROM pg_temp.creto_rollups WHERE kind = 1 \
     ORDER BY series, minute_us ON CONFLICT (series, minute_us) DO UPDATE SET events = r.events + excluded.events, \
     value = r.value + excluded.value, moment = r.moment + excluded.moment";
const MERGE_MAXIMA: &str = "INSERT INTO creto_events.rollups AS r (series, minute_us, events, value) \
     SELECT series, minute_us, events, value::numeric FROM pg_temp.creto_rollups WHERE kind = 2 \
     ORDER BY series, minute_us ON CONFLICT (series, minute_us) DO UPDATE SET events = r.events + excluded.events, \
     value = greatest(r.value, excluded.value)";
const MERGE_LATEST: &str = "INSERT INTO creto_events.rollups AS r (series, minute_us, events, value, at_us, logical, \
     ordinal) SELECT series, minute_us, events, value::numeric, at_us, logical, ordinal FROM pg_temp.creto_rollups \
     WHERE kind = 3 ORDER BY series, minute_us ON CONFLICT (series, minute_us) DO UPDATE SET \
     (events, value, at_us, logical, ordinal) = (SELECT r.events + excluded.events, l.value, l.at_us, l.logical, \
     l.ordinal FROM (VALUES (r.value, r.at_us, r.logical, r.ordinal), (excluded.value, excluded.at_us, \
     excluded.logical, excluded.ordinal)) AS l(value, at_us, logical, ordinal) \
     ORDER BY l.at_us DESC, l.logical DESC, l.ordinal DESC LIMIT 1)";
const MERGE_MEMBERS: &str = "INSERT INTO creto_events.members (series, minute_us, member) \
     SELECT series, minute_us, member FROM pg_temp.creto_members ORDER BY series, minute_us, member \
     ON CONFLICT DO NOTHING";

/// What events come to, by series and minute.
#[derive(Debug, Default)]
pub(super) struct Reduced {
    series: HashMap<Key, Series>,
    /// Counts and sums, side by side.
    sides: HashMap<(Key, i64), [Option<Accumulator>; SLOTS]>,
    /// The rest.
    sums: HashMap<(Key, i64), Accumulator>,
}

/// What an event says to a meter.
fn said<'e>(meter: &Meter, event: &'e Event) -> Option<Said<'e>> {
    Some(match (meter.aggregation, event.property(&meter.field)) {
        (Aggregation::Count, _) => Said::One,
        (_, None) => return None,
        (Aggregation::UniqueCount, Some(value)) => Said::Member(value.text()),
        (_, Some(Value::Number(number))) => Said::Number(number.atto()),
        // Judged before.
        (_, Some(_)) => return None,
    })
}

enum Said<'e> {
    One,
    Number(i128),
    Member(Cow<'e, str>),
}

impl Said<'_> {
    fn measure(&self) -> Measure<'_> {
        match self {
            Self::One => Measure::One,
            Self::Number(number) => Measure::Number(*number),
            Self::Member(text) => Measure::Member(text),
        }
    }
}

/// Adds events up, each with its number in the order of ingestion.
pub(super) fn reduce<'e>(
    namespace: &Namespace,
    events: impl Iterator<Item = (&'e Event, u64)>,
) -> Result<Reduced, Fault> {
    let mut reduced = Reduced::default();
    let mut counting: HashMap<&str, Vec<Side<'_>>> = HashMap::new();
    for (event, order) in events {
        let sides = match counting.get(&*event.event_type) {
            Some(sides) => sides,
            None => {
                let sides = namespace.sides(&event.event_type).ok_or(Fault::Outdated)?;
                counting.entry(&event.event_type).or_insert(sides)
            }
        };
        let place = Place { at_us: event.at_us, logical: event.logical, order };
        for side in sides {
            reduced.add(side, event, place);
        }
    }
    Ok(reduced)
}

impl Reduced {
    fn add(&mut self, side: &Side<'_>, event: &Event, place: Place) {
        let mut row = None;
        for (slot, meter) in side.meters.iter().enumerate() {
            let Some(said) = said(meter, event) else { continue };
            let row = *row
                .get_or_insert_with(|| (self.series_of(side, event), Window::Minute.start_us(event.at_us)));
            let new = || Accumulator::new(meter.aggregation);
            let sum = if side.adds() {
                self.sides.entry(row).or_default()[slot].get_or_insert_with(new)
            } else {
                self.sums.entry(row).or_insert_with(new)
            };
            sum.add(said.measure(), place);
        }
    }

    fn series_of(&mut self, side: &Side<'_>, event: &Event) -> Key {
        let mut values: [Cow<'_, str>; MAX_DIMENSIONS] = Default::default();
        for (value, dimension) in values.iter_mut().zip(side.dimensions) {
            *value = event.property(dimension).map_or("".into(), Value::text);
        }
        let values = &values[..side.dimensions.len().min(MAX_DIMENSIONS)];
        let who = [&*event.agent, &*event.customer, &*event.subscription];
        let key = series::key(side.number, who.into_iter().chain(values.iter().map(AsRef::as_ref)));
        self.series.entry(key).or_insert_with(|| Series {
            meter: side.number,
            key,
            agent: event.agent.as_ref().to_owned(),
            customer: event.customer.as_ref().to_owned(),
            subscription: event.subscription.as_ref().to_owned(),
            dimensions: values.iter().map(|value| text::kept(value).into_owned()).collect(),
        });
        key
    }

    /// Merges it into what is there.
    pub(super) async fn merge(
        self,
        connection: &mut PgConnection,
        known: &KnownSeries,
        of: (&str, i64, u64),
    ) -> Result<Numbers, Fault> {
        let numbers = known.numbers(connection, of, &self.series).await?;
        self.merge_sums(connection, &numbers).await?;
        self.merge_others(connection, &numbers).await?;
        Ok(numbers)
    }

    async fn merge_sums(&self, connection: &mut PgConnection, numbers: &Numbers) -> Result<(), Fault> {
        if self.sides.is_empty() {
            return Ok(());
        }
        let sides = by_number(&self.sides, numbers, |all: &mut [Option<Accumulator>; SLOTS], more| {
            all.iter_mut().zip(more).for_each(|(all, more)| match (all, more) {
                (Some(all), Some(more)) => all.merge(more),
                (all @ None, more) => all.clone_from(more),
                (Some(_), None) => {}
            });
        })?;
        let mut rows = Rows::new(sides.len() * 112);
        for (series, minute, slots) in &sides {
            rows.row(SUM_FIELDS).bigint(*series).bigint(*minute);
            for slot in slots.iter() {
                rows.bigint(slot.as_ref().map_or(0, |sum| sum.events().cast_signed()));
                match slot {
                    Some(Accumulator::Sum { sum, .. }) => rows.text(&decimal::of_wide(*sum)),
                    _ => rows.null(),
                };
            }
        }
        copy(connection, COPY_SUMS, rows).await?;
        sqlx::query(MERGE_SUMS).execute(&mut *connection).await?;
        Ok(())
    }

    async fn merge_others(&self, connection: &mut PgConnection, numbers: &Numbers) -> Result<(), Fault> {
        if self.sums.is_empty() {
            return Ok(());
        }
        let sums = by_number(&self.sums, numbers, Accumulator::merge)?;
        let mut rows = Rows::new(sums.len() * 96);
        let mut members = Rows::new(0);
        let mut kinds = [0_u64; 4];
        for (series, minute, sum) in &sums {
            let kind = write(&mut rows, *series, *minute, sum);
            kinds[usize::try_from(kind).unwrap_or(0)] += 1;
            if let Accumulator::Unique(unique) = &**sum {
                for member in &unique.members {
                    members.row(MEMBER_FIELDS).bigint(*series).bigint(*minute).bytes(member);
                }
            }
        }
        copy(connection, COPY, rows).await?;
        for (kind, merge) in [(OTHER, MERGE_OTHERS), (MAX, MERGE_MAXIMA), (LATEST, MERGE_LATEST)] {
            if kinds[usize::try_from(kind).unwrap_or(0)] > 0 {
                sqlx::query(merge).execute(&mut *connection).await?;
            }
        }
        if members.count() > 0 {
            copy(connection, COPY_MEMBERS, members).await?;
            sqlx::query(MERGE_MEMBERS).execute(&mut *connection).await?;
        }
        Ok(())
    }
}

/// What rows come to by the number of their series: one a number and minute, where several series have one.
fn by_number<'r, T: Clone>(
    rows: &'r HashMap<(Key, i64), T>,
    numbers: &Numbers,
    merge: impl Fn(&mut T, &T),
) -> Result<Vec<(i64, i64, Cow<'r, T>)>, Fault> {
    if !numbers.are_shared {
        let each =
            rows.iter().map(|((key, minute), row)| Ok((numbers.get(key)?, *minute, Cow::Borrowed(row))));
        return each.collect();
    }
    let mut merged: HashMap<(i64, i64), T> = HashMap::new();
    for ((key, minute), row) in rows {
        match merged.entry((numbers.get(key)?, *minute)) {
            Entry::Occupied(mut all) => merge(all.get_mut(), row),
            Entry::Vacant(place) => {
                place.insert(row.clone());
            }
        }
    }
    Ok(merged.into_iter().map(|((series, minute), row)| (series, minute, Cow::Owned(row))).collect())
}

/// One row of the staging table, and its kind.
fn write(rows: &mut Rows, series: i64, minute: i64, sum: &Accumulator) -> i64 {
    let kind = match sum {
        Accumulator::Max { .. } => MAX,
        Accumulator::Latest { .. } => LATEST,
        _ => OTHER,
    };
    rows.row(FIELDS).bigint(kind).bigint(series).bigint(minute).bigint(sum.events().cast_signed());
    match sum {
        // Counts and sums lie elsewhere.
        Accumulator::Count { .. } | Accumulator::Sum { .. } | Accumulator::Unique(_) => rows.null().null(),
        Accumulator::Max { largest, .. } => rows.text(&decimal::of_atto(*largest)).null(),
        Accumulator::Latest { value, .. } => rows.text(&decimal::of_atto(*value)).null(),
        Accumulator::Weighted(sums) => {
            rows.text(&decimal::of_wide(sums.sum)).text(&decimal::of_wide(sums.moment))
        }
    };
    match sum {
        Accumulator::Latest { at_us, logical, order, .. } => {
            rows.bigint(*at_us).bigint((*logical).into()).bigint(order.cast_signed())
        }
        _ => rows.null().null().null(),
    };
    kind
}

/// Sends rows. Whoever calls is in a transaction, which what fails here ends.
async fn copy(connection: &mut PgConnection, statement: &str, rows: Rows) -> Result<(), Fault> {
    let mut copy = connection.copy_in_raw(statement).await?;
    copy.send(rows.finish()).await?;
    copy.finish().await?;
    Ok(())
}
