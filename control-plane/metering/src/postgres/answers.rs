//! Answers to questions, from rollups and from the events themselves: the two say the same, worked out apart.

use std::borrow::Cow;
use std::sync::Arc;

use creto_rating::Exact;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Postgres, QueryBuilder, Row as _};

use super::fault::Fault;
use super::namespaces::Side;
use super::{decimal, text};
use crate::bounds::{MAX_ANSWER_MEMBERS, MAX_ANSWER_VALUES, MAX_MEMBERS};
use crate::{Aggregation, Meter, MeterQuery, MeterValue, QueryError, StoreError, Window};

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// The rollups: the table `r` of minutes beside `s`, their series.
    Rollups,
    /// The events: the table `e`. The meter counts them from this number on.
    Events(u64),
}

/// A question to a meter.
pub(super) struct Asked<'q> {
    pub(super) namespace: &'q str,
    /// The rows of its rollups.
    pub(super) side: Side<'q>,
    pub(super) meter: &'q Meter,
    pub(super) query: &'q MeterQuery,
}

type Sql = QueryBuilder<Postgres>;

impl Asked<'_> {
    /// The answer, by window and group.
    pub(super) async fn answer(
        &self,
        connection: &mut PgConnection,
        from: From,
    ) -> Result<Vec<MeterValue>, Fault> {
        // Planned for the times that are asked for: partitions that cannot matter are left out.
        let rows = self.sql(from).build().persistent(false).fetch_all(connection).await?;
        if rows.len() > MAX_ANSWER_VALUES {
            return Err(StoreError::Query(QueryError::TooLarge).into());
        }
        if self.meter.aggregation == Aggregation::UniqueCount {
            self.check_members(&rows)?;
        }
        let mut values = rows.iter().map(|row| self.value(row)).collect::<Result<Vec<_>, Fault>>()?;
        values.sort_by(|a, b| (a.window_starts_us, &a.group).cmp(&(b.window_starts_us, &b.group)));
        Ok(values)
    }

    /// As many distinct values as the embedded store counts in one answer.
    fn check_members(&self, rows: &[PgRow]) -> Result<(), Fault> {
        let mut members = Exact::from(0_u64);
        for row in rows {
            members = members + decimal::exact(row.try_get("value")?)?;
        }
        match members > Exact::from(MAX_ANSWER_MEMBERS as u64) {
            true => Err(StoreError::Query(QueryError::TooManyMembers).into()),
            false => Ok(()),
        }
    }

    fn sql(&self, from: From) -> Sql {
        let mut sql = Sql::new("SELECT ");
        self.window(&mut sql, from);
        sql.push(" AS window_us");
        for (place, name) in self.query.group_by.iter().enumerate() {
            sql.push(", ");
            self.attribute(&mut sql, from, name);
            sql.push(format_args!(" AS g{place}"));
        }
        sql.push(", ");
        match from {
            From::Rollups => self.merged(&mut sql),
            From::Events(since) => self.counted(&mut sql, since),
        }
        for (name, wanted) in &self.query.filter {
            sql.push(" AND ");
            self.attribute(&mut sql, from, name);
            sql.push(" = ").push_bind(text::kept(wanted).into_owned());
        }
        sql.push(" GROUP BY 1");
        for place in 0..self.query.group_by.len() {
            sql.push(format_args!(", {}", place + 2));
        }
        // One more than an answer holds, so that too many are noticed.
        sql.push(format_args!(" LIMIT {}", MAX_ANSWER_VALUES + 1));
        sql
    }

    /// Where the window of a row starts.
    fn window(&self, sql: &mut Sql, from: From) {
        let at = match from {
            From::Rollups => "r.minute_us",
            From::Events(_) => "e.at_us",
        };
        match self.query.window {
            None => {
                sql.push_bind(self.query.from_us).push("::bigint");
            }
            Some(Window::Month) => {
                sql.push(format_args!(
                    "(extract(epoch FROM date_trunc('month', to_timestamp({at} / 1000000), 'UTC')) * 1000000)::bigint"
                ));
            }
            // These are as wide everywhere: UTC has neither summer nor leap seconds here.
            Some(window) => {
                sql.push(format_args!("({at} - {at} % {})", window.end_us(0)));
            }
        }
    }

    /// What a row is grouped or filtered by.
    fn attribute(&self, sql: &mut Sql, from: From, name: &str) {
        let table = if from == From::Rollups { "s" } else { "e" };
        match name {
            "agent" | "customer" | "subscription" => {
                sql.push(format_args!("{table}.{name}"));
            }
            _ if from == From::Rollups => {
                let place = self.side.dimensions.iter().position(|dimension| **dimension == *name);
                sql.push(format_args!("s.dimensions[{}]", place.map_or(0, |place| place + 1)));
            }
            _ => {
                sql.push("coalesce(e.properties ->> ").push_bind(name.to_owned()).push(", '') COLLATE \"C\"");
            }
        }
    }

    /// What rollups come to, and where they are.
    fn merged(&self, sql: &mut Sql) {
        let place = self.side.meters.iter().position(|meter| meter.name == self.meter.name);
        let slot = place.map_or(0, |place| place + 1);
        match self.meter.aggregation {
            Aggregation::Count => sql.push(format_args!("sum(r.n{slot})::text")),
            Aggregation::Sum => sql.push(format_args!("sum(r.v{slot})::text")),
            _ => &mut *sql,
        };
        if self.side.adds() {
            sql.push(format_args!(
                " AS value, NULL AS moment, sum(r.n{slot})::bigint AS events FROM creto_events.series s \
                 JOIN creto_events.sums r ON r.series = s.id"
            ));
        } else {
            self.merged_others(sql);
        }
        sql.push(" WHERE s.meter = ").push_bind(self.side.number);
        sql.push(" AND r.minute_us >= ").push_bind(self.query.from_us);
        sql.push(" AND r.minute_us < ").push_bind(self.query.to_us);
        if self.side.adds() {
            // A row may be there for the sake of the others in it.
            sql.push(format_args!(" AND r.n{slot} > 0"));
        }
    }

    fn merged_others(&self, sql: &mut Sql) {
        sql.push(match self.meter.aggregation {
            Aggregation::Max => {
                "max(r.value)::text AS value, NULL AS moment, sum(r.events)::bigint AS events"
            }
            // Numbers in a row compare from the first on: the last event's value stands behind its place.
            Aggregation::Latest => {
                "(max(ARRAY[r.at_us, r.logical, r.ordinal, r.value]))[4]::text AS value, NULL AS moment, \
                 sum(r.events)::bigint AS events"
            }
            Aggregation::WeightedSum => {
                "sum(r.value)::text AS value, sum(r.moment)::text AS moment, sum(r.events)::bigint AS events"
            }
            _ => {
                "count(DISTINCT m.member)::text AS value, NULL AS moment, \
                 sum(r.events) FILTER (WHERE m.place = 1)::bigint AS events"
            }
        });
        sql.push(" FROM creto_events.series s JOIN creto_events.rollups r ON r.series = s.id");
        if self.meter.aggregation == Aggregation::UniqueCount {
            // A minute is there once for each of its values: its events count with the first.
            sql.push(
                " JOIN LATERAL (SELECT member, row_number() OVER () AS place FROM creto_events.members \
                 WHERE series = r.series AND minute_us = r.minute_us) m ON true",
            );
        }
    }

    /// What events come to, and which are counted.
    fn counted(&self, sql: &mut Sql, since: u64) {
        let field = |sql: &mut Sql| {
            sql.push("(e.properties ->> ").push_bind(self.meter.field.as_ref().to_owned()).push(")");
        };
        let number = |sql: &mut Sql| {
            field(sql);
            sql.push("::numeric");
        };
        match self.meter.aggregation {
            Aggregation::Count => {
                sql.push("count(*)::text AS value, NULL AS moment");
            }
            Aggregation::UniqueCount => {
                sql.push("count(DISTINCT ");
                field(sql);
                sql.push(" COLLATE \"C\")::text AS value, NULL AS moment");
            }
            Aggregation::Sum | Aggregation::WeightedSum => {
                sql.push("sum(");
                number(sql);
                sql.push(")::text AS value, sum(");
                number(sql);
                sql.push(" * e.at_us)::text AS moment");
            }
            Aggregation::Max => {
                sql.push("max(");
                number(sql);
                sql.push(")::text AS value, NULL AS moment");
            }
            Aggregation::Latest => {
                sql.push("(max(ARRAY[e.at_us, e.logical, e.ordinal, ");
                number(sql);
                sql.push("]))[4]::text AS value, NULL AS moment");
            }
        }
        sql.push(", count(*) AS events FROM creto_events.events e WHERE e.namespace = ");
        sql.push_bind(self.namespace.to_owned());
        sql.push(" AND e.event_type = ").push_bind(self.meter.event_type.as_ref().to_owned());
        sql.push(" AND e.at_us >= ").push_bind(self.query.from_us);
        sql.push(" AND e.at_us < ").push_bind(self.query.to_us);
        sql.push(" AND e.ordinal >= ").push_bind(since.cast_signed());
        if self.meter.aggregation != Aggregation::Count {
            sql.push(" AND ");
            field(sql);
            sql.push(" IS NOT NULL");
        }
        if self.meter.aggregation.needs_number() {
            sql.push(" AND json_typeof(e.properties -> ").push_bind(self.meter.field.as_ref().to_owned());
            sql.push(") = 'number'");
        }
    }

    fn value(&self, row: &PgRow) -> Result<MeterValue, Fault> {
        let start: i64 = row.try_get("window_us")?;
        let number = decimal::exact(row.try_get("value")?)?;
        let value = match self.meter.aggregation {
            Aggregation::WeightedSum => {
                let moment = decimal::exact(row.try_get("moment")?)?;
                let end = self.query.window.map_or(self.query.to_us, |window| window.end_us(start));
                let (from, to) = (start.max(self.query.from_us), end.min(self.query.to_us));
                // sum(value * (end - at)) / (end - start)
                let left = number * Exact::from(to) - moment;
                left.divided_by(&Exact::from(to - from)).unwrap_or_default()
            }
            Aggregation::UniqueCount if number > Exact::from(MAX_MEMBERS as u64) => {
                return Err(StoreError::TooManyMembers { meter: Arc::clone(&self.meter.name) }.into());
            }
            _ => number,
        };
        let mut group = Vec::with_capacity(self.query.group_by.len());
        for (place, name) in self.query.group_by.iter().enumerate() {
            let kept: &str = row.try_get(&*format!("g{place}"))?;
            let value = match text::original(kept) {
                Cow::Borrowed(value) => Arc::from(value),
                Cow::Owned(value) => value.into(),
            };
            group.push((Arc::clone(name), value));
        }
        let events = row.try_get::<i64, _>("events")?.cast_unsigned();
        Ok(MeterValue { window_starts_us: start, group, value, events })
    }
}
