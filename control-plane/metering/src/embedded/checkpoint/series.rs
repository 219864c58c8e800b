//! Meters, layouts and series, and the numbers they have in the database.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use sqlx::Row as _;

use super::{Failure, LayoutRow, ROWS, Writer, json, places, query};
use crate::Catalog;
use crate::bounds::{MANY_SERIES, OTHER_SERIES, WARN_EVERY};
use crate::embedded::space::Space;

impl Writer<'_> {
    pub(super) async fn meters(&mut self, namespace: &str, catalog: &Catalog) -> Result<(), Failure> {
        let sql = "SELECT COUNT(*) FROM meter WHERE namespace = ?1";
        let known: i64 = sqlx::query_scalar(sql).bind(namespace).fetch_one(&mut *self.connection).await?;
        for (ordinal, entry) in catalog.entries.iter().enumerate().skip(known as usize) {
            let meter = &entry.meter;
            sqlx::query("INSERT INTO meter VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")
                .bind(namespace)
                .bind(ordinal as i64)
                .bind(&*meter.name)
                .bind(&*meter.event_type)
                .bind(meter.aggregation.as_str())
                .bind(&*meter.field)
                .bind(json(meter.dimensions.iter()))
                .bind(&*meter.unit)
                .bind(entry.since.cast_signed())
                .execute(&mut *self.connection)
                .await?;
        }
        Ok(())
    }

    pub(super) async fn layout(
        &mut self,
        namespace: &Arc<str>,
        catalog: &Catalog,
        index: usize,
    ) -> Result<LayoutRow, Failure> {
        let layout = &catalog.layouts[index];
        let key = (Arc::clone(namespace), Arc::clone(&layout.event_type), json(layout.dimensions.iter()));
        if let Some(row) = self.layouts.get(&key) {
            return Ok(*row);
        }
        let sql = "INSERT INTO layout (namespace, event_type, dimensions) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        sqlx::query(sql).bind(&**namespace).bind(&*key.1).bind(&key.2).execute(&mut *self.connection).await?;
        let sql = "SELECT id, (SELECT COALESCE(MAX(number) + 1, 0) FROM series WHERE layout = id) FROM layout \
             WHERE namespace = ?1 AND event_type = ?2 AND dimensions = ?3";
        let (id, next_series) = sqlx::query_as(sql)
            .bind(&**namespace)
            .bind(&*key.1)
            .bind(&key.2)
            .fetch_one(&mut *self.connection)
            .await?;
        let row = LayoutRow { id, next_series };
        self.layouts.insert(key, row);
        Ok(row)
    }

    /// Layout and number of each series of a namespace; new ones get a number.
    pub(super) async fn series(
        &mut self,
        namespace: &Arc<str>,
        catalog: &Catalog,
        space: &Space,
    ) -> Result<Vec<(i64, i64)>, Failure> {
        let mut numbers = vec![(0, -1); space.series().len()];
        let mut missing: BTreeMap<usize, Vec<(usize, [String; 4])>> = BTreeMap::new();
        let mut key = String::new();
        for (index, series) in space.series().enumerate() {
            let layout = self.layout(namespace, catalog, series.layout).await?;
            let dimensions = catalog.layouts[series.layout].dimensions.len();
            numbers[index].0 = layout.id;
            series_key(&mut key, (0..3 + dimensions).map(|at| &**series.name(at)));
            // The key is only copied for the map when it is new there.
            let cached = (layout.id, std::mem::take(&mut key));
            match self.series.get(&cached) {
                Some(number) => numbers[index].1 = *number,
                None => {
                    let names = [0, 1, 2].map(|at| series.name(at).to_string());
                    let [agent, customer, subscription] = names;
                    let rest = json((3..3 + dimensions).map(|at| &**series.name(at)));
                    missing
                        .entry(series.layout)
                        .or_default()
                        .push((index, [agent, customer, subscription, rest]));
                }
            }
            key = cached.1;
        }
        let mut held = None;
        for (layout, missing) in missing {
            let row = self.layout(namespace, catalog, layout).await?;
            let held = match &mut held {
                Some(held) => held,
                none => none.insert(self.held(namespace).await?),
            };
            for chunk in missing.chunks(ROWS) {
                self.number_series(row.id, held, chunk, &mut numbers).await?;
                let dimensions = catalog.layouts[layout].dimensions.len();
                for (index, _) in chunk {
                    let series = space.series_at(*index);
                    series_key(&mut key, (0..3 + dimensions).map(|at| &**series.name(at)));
                    self.series.insert((row.id, key.clone()), numbers[*index].1);
                }
            }
        }
        Ok(numbers)
    }

    /// Series of a namespace.
    async fn held(&mut self, namespace: &Arc<str>) -> Result<Held, Failure> {
        let sql = "SELECT COALESCE(SUM((SELECT COALESCE(MAX(number) + 1, 0) FROM series WHERE layout = id)), 0) \
             FROM layout WHERE namespace = ?1";
        let count: i64 = sqlx::query_scalar(sql).bind(&**namespace).fetch_one(&mut *self.connection).await?;
        Ok(Held { namespace: Arc::clone(namespace), count: count.cast_unsigned() })
    }

    async fn number_series(
        &mut self,
        layout: i64,
        held: &mut Held,
        chunk: &[(usize, [String; 4])],
        numbers: &mut [(i64, i64)],
    ) -> Result<(), Failure> {
        let first = self.layouts.values().find(|row| row.id == layout).map_or(0, |row| row.next_series);
        if first > 0 {
            let sql = format!(
                "WITH wanted (at, agent, customer, subscription, dimensions) AS (VALUES {}) \
                 SELECT w.at, s.number FROM wanted w CROSS JOIN series s ON s.layout = ? AND s.agent = w.agent \
                 AND s.customer = w.customer AND s.subscription = w.subscription AND s.dimensions = w.dimensions",
                places(chunk.len(), 5)
            );
            let mut select = query(sql);
            for (index, names) in chunk {
                select = select.bind(*index as i64);
                for name in names {
                    select = select.bind(name.clone());
                }
            }
            for row in select.bind(layout).fetch_all(&mut *self.connection).await? {
                let (index, number): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
                numbers[index as usize].1 = number;
            }
        }
        let (mut new, mut parts) = (Vec::new(), Vec::new());
        for (index, names) in chunk {
            if numbers[*index].1 >= 0 {
                continue;
            }
            // What it is part of may be there, however many there are.
            let some = held.count.min(self.most_series.saturating_mul(2).saturating_sub(1));
            let whole = part_of(names, some, self.most_series);
            match whole.or_else(|| part_of(names, held.count, self.most_series)) {
                Some(whole) => parts.push((*index, whole)),
                None => {
                    numbers[*index].1 = first + new.len() as i64;
                    held.count += 1;
                    new.push(names);
                }
            }
        }
        self.insert_series(layout, first, &new).await?;
        for (index, whole) in parts {
            numbers[index].1 = self.whole_series(layout, held, whole).await?;
        }
        Ok(())
    }

    async fn insert_series(&mut self, layout: i64, first: i64, new: &[&[String; 4]]) -> Result<(), Failure> {
        if new.is_empty() {
            return Ok(());
        }
        let sql = format!("INSERT INTO series VALUES {}", places(new.len(), 6));
        let mut insert = query(sql);
        for (names, number) in new.iter().zip(first..) {
            insert = insert.bind(layout).bind(number);
            for name in names.iter() {
                insert = insert.bind(name.clone());
            }
        }
        insert.execute(&mut *self.connection).await?;
        if let Some(row) = self.layouts.values_mut().find(|row| row.id == layout) {
            row.next_series = first + new.len() as i64;
        }
        Ok(())
    }

    /// The number of what a series is part of that is not kept apart any more.
    async fn whole_series(
        &mut self,
        layout: i64,
        held: &mut Held,
        mut names: [String; 4],
    ) -> Result<i64, Failure> {
        self.warn_of(&held.namespace);
        loop {
            let known = self.wholes.get(&(layout, names.clone())).copied();
            let known = match known {
                Some(number) => Some(number),
                None => {
                    let sql = "SELECT number FROM series WHERE layout = ?1 AND agent = ?2 AND customer = ?3 \
                         AND subscription = ?4 AND dimensions = ?5";
                    let select = names
                        .iter()
                        .fold(sqlx::query_scalar(sql).bind(layout), |select, name| select.bind(name.clone()));
                    select.fetch_optional(&mut *self.connection).await?
                }
            };
            if let Some(number) = known {
                self.wholes.insert((layout, names), number);
                return Ok(number);
            }
            match part_of(&names, held.count, self.most_series) {
                Some(whole) => names = whole,
                None => {
                    let row = self.layouts.values().find(|row| row.id == layout);
                    let number = row.map_or(0, |row| row.next_series);
                    held.count += 1;
                    self.insert_series(layout, number, &[&names]).await?;
                }
            }
        }
    }

    /// Says, once an hour at most, that a namespace has more series than are kept apart.
    fn warn_of(&mut self, namespace: &str) {
        if self.warned.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
            *self.warned = Some(Instant::now());
            tracing::warn!(namespace, most = self.most_series, "{MANY_SERIES}");
        }
    }
}

/// Series of a namespace.
struct Held {
    namespace: Arc<str>,
    count: u64,
}

/// What a series is part of where its namespace has so many already, if that is another; by agent, customer, subscription
/// and the list of its other dimensions.
fn part_of(names: &[String; 4], held: u64, most: u64) -> Option<[String; 4]> {
    if held < most {
        return None;
    }
    let other = || OTHER_SERIES.to_owned();
    let [agent, customer, subscription, dimensions] = names;
    let values: Vec<String> = serde_json::from_str(dimensions).unwrap_or_default();
    let folded = json(values.iter().map(|_| OTHER_SERIES));
    let whole = match held < most.saturating_mul(2) {
        true => [agent.clone(), customer.clone(), subscription.clone(), folded],
        false => [other(), other(), other(), folded],
    };
    (whole != *names).then_some(whole)
}

/// Names with their lengths, so that no two lists of names are one key.
fn series_key<'n>(key: &mut String, names: impl Iterator<Item = &'n str>) {
    use std::fmt::Write as _;
    key.clear();
    for name in names {
        // Writing to a string does not fail.
        let _ = write!(key, "{}:{name}", name.len());
    }
}
