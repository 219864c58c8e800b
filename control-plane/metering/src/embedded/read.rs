//! Answers from rollups: the database, and what was counted since the last checkpoint.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::pin::Pin;
use std::sync::Arc;

use foldhash::fast::RandomState;
use futures::Stream;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{Connection as _, Row as _};

use super::account::{Account, AccountKey, Of};
use super::block::{self, BLOCK_BITS};
use super::file;
use super::generation::Generation;
use super::shared::Shared;
use super::space::name_position;
use crate::time::MINUTE_US;
use crate::{Catalog, Layout, MeterQuery, MeterValue, ProducerAccount, StoreError, Tally, Window};

/// Blocks up to which they are looked up one by one instead of reading all between the first and the last window.
const FEW_BLOCKS: usize = 32;
/// Windows up to which they are.
const FEW_WINDOWS: i64 = 50_000;

/// The names of a series, as far as they were asked for.
type Groups = HashMap<i64, Vec<Arc<str>>, RandomState>;

/// Windows of one level, in minutes since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    window: Window,
    from: i64,
    to: i64,
}

/// Whole windows that make up `[from, to)` (minutes since 1970), none longer than `longest`.
fn cover(from: i64, to: i64, longest: Window, pieces: &mut Vec<Piece>) {
    if from >= to {
        return;
    }
    let Some(shorter) = Window::ALL.into_iter().rfind(|window| *window < longest) else {
        pieces.push(Piece { window: Window::Minute, from, to });
        return;
    };
    let floor = |minute: i64| longest.start_us(minute * MINUTE_US) / MINUTE_US;
    let up = |minute: i64| {
        if floor(minute) == minute { minute } else { longest.end_us(minute * MINUTE_US) / MINUTE_US }
    };
    let (first, last) = (up(from), floor(to));
    if first < last {
        cover(from, first, shorter, pieces);
        pieces.push(Piece { window: longest, from: first, to: last });
        cover(last, to, shorter, pieces);
    } else {
        cover(from, to, shorter, pieces);
    }
}

/// What is counted and not known to be in the database.
fn live_parts<T>(shared: &Shared, mut each: impl FnMut(&Generation) -> T) -> Vec<(u64, T)> {
    let live = shared.live.lock();
    let frozen = live.frozen.as_deref();
    frozen.into_iter().chain([&live.current]).map(|one| (one.progress.record, each(one))).collect()
}

async fn record(connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let record: Option<i64> =
        sqlx::query_scalar("SELECT record FROM progress").fetch_optional(connection).await?;
    Ok(record.unwrap_or(0).cast_unsigned())
}

/// The answer to a question.
pub(super) async fn answer(
    shared: &Shared,
    readers: &SqlitePool,
    namespace: &str,
    catalog: &Catalog,
    query: &MeterQuery,
) -> Result<Vec<MeterValue>, StoreError> {
    let entry = catalog.entry(&query.meter).ok_or_else(|| StoreError::NoMeter(query.meter.to_string()))?;
    let mut tally = Tally::new(&entry.meter, query)?;
    let layout = &catalog.layouts[entry.layout];
    // First what is not in the database, then the database: what moves there in between is told by its record.
    let parts = live_parts(shared, |generation| -> Result<Tally, StoreError> {
        let mut tally = Tally::new(&entry.meter, query)?;
        if let Some(space) = generation.spaces.get(namespace) {
            space.answer((entry.layout, layout, entry.slot), query, &mut tally)?;
        }
        Ok(tally)
    });
    let away = |error: sqlx::Error| file::away(&shared.folder, &error);
    let mut connection = readers.acquire().await.map_err(away)?;
    let mut transaction = connection.begin().await.map_err(away)?;
    let record = record(&mut transaction).await.map_err(away)?;
    for (last, part) in parts {
        if last > record {
            tally.merge_tally(part?)?;
        }
    }
    let stored = Stored { shared, connection: &mut transaction, layout, slot: entry.slot, query };
    stored.answer(namespace, &mut tally).await?;
    drop(transaction);
    Ok(tally.values()?)
}

/// The part of an answer that is in the database.
struct Stored<'q> {
    shared: &'q Shared,
    connection: &'q mut SqliteConnection,
    layout: &'q Layout,
    slot: usize,
    query: &'q MeterQuery,
}

impl Stored<'_> {
    async fn answer(mut self, namespace: &str, tally: &mut Tally) -> Result<(), StoreError> {
        let folder = self.shared.folder.clone();
        let away = |error: sqlx::Error| file::away(&folder, &error);
        let names: Vec<&str> = self.layout.dimensions.iter().map(|name| &**name).collect();
        let dimensions = serde_json::Value::from(names).to_string();
        let sql = "SELECT id FROM layout WHERE namespace = ?1 AND event_type = ?2 AND dimensions = ?3";
        let id: Option<i64> = sqlx::query_scalar(sql)
            .bind(namespace)
            .bind(&*self.layout.event_type)
            .bind(dimensions)
            .fetch_optional(&mut *self.connection)
            .await
            .map_err(away)?;
        let Some(id) = id else { return Ok(()) };
        let groups = if self.query.group_by.is_empty() && self.query.filter.is_empty() {
            None
        } else {
            Some(self.groups(id).await?)
        };
        let (from, to) = (self.query.from_us / MINUTE_US, self.query.to_us / MINUTE_US);
        let mut pieces = Vec::new();
        cover(from, to, self.query.window.unwrap_or(Window::Month), &mut pieces);
        for piece in pieces {
            self.rollups(id, piece, groups.as_ref(), tally).await?;
            if tally.counts_members() {
                self.members(id, piece, groups.as_ref(), tally).await?;
            }
        }
        Ok(())
    }

    /// The series that are asked for, with the names they are grouped by.
    async fn groups(&mut self, layout: i64) -> Result<Groups, StoreError> {
        let folder = self.shared.folder.clone();
        let away = |error: sqlx::Error| file::away(&folder, &error);
        let position = |name: &str| name_position(self.layout, name);
        let filter: Vec<(usize, &str)> =
            self.query.filter.iter().filter_map(|(name, value)| Some((position(name)?, &**value))).collect();
        let group: Vec<usize> = self.query.group_by.iter().filter_map(|name| position(name)).collect();
        let wanted = |at: usize| filter.iter().find(|(index, _)| *index == at).map(|(_, value)| *value);
        let sql = "SELECT number, agent, customer, subscription, dimensions FROM series WHERE layout = ?1 \
             AND (?2 IS NULL OR agent = ?2) AND (?3 IS NULL OR customer = ?3) AND (?4 IS NULL OR subscription = ?4)";
        let mut rows = sqlx::query(sql)
            .bind(layout)
            .bind(wanted(0))
            .bind(wanted(1))
            .bind(wanted(2))
            .fetch(&mut *self.connection);
        let mut groups = Groups::default();
        let mut shared: HashMap<String, Arc<str>, RandomState> = HashMap::default();
        while let Some(row) = next(rows.as_mut()).await.map_err(away)? {
            let mut names: Vec<String> = Vec::with_capacity(8);
            for column in 1..4 {
                names.push(row.try_get(column).map_err(away)?);
            }
            let dimensions: &str = row.try_get(4).map_err(away)?;
            let dimensions: Vec<String> =
                serde_json::from_str(dimensions).map_err(|e| file::damaged(&folder, e.to_string()))?;
            names.extend(dimensions);
            if !filter.iter().all(|(at, value)| names.get(*at).is_some_and(|name| name == value)) {
                continue;
            }
            let group = group.iter().filter_map(|at| names.get(*at)).map(|name| match shared.get(name) {
                Some(name) => Arc::clone(name),
                None => {
                    let one: Arc<str> = name.as_str().into();
                    shared.insert(name.clone(), Arc::clone(&one));
                    one
                }
            });
            groups.insert(row.try_get(0).map_err(away)?, group.collect());
        }
        Ok(groups)
    }

    async fn rollups(
        &mut self,
        layout: i64,
        piece: Piece,
        groups: Option<&Groups>,
        tally: &mut Tally,
    ) -> Result<(), StoreError> {
        let folder = &self.shared.folder;
        let away = |error: sqlx::Error| file::away(folder, &error);
        let level = Window::ALL.into_iter().position(|window| window == piece.window).unwrap_or(0) as i64;
        let blocks: Option<BTreeSet<i64>> =
            groups.map(|groups| groups.keys().map(|number| number >> BLOCK_BITS).collect::<BTreeSet<i64>>());
        let few = blocks.filter(|blocks| blocks.len() <= FEW_BLOCKS && windows(piece) <= FEW_WINDOWS);
        let mut rows = match few {
            Some(blocks) => {
                let starts = serde_json::Value::from(starts(piece)).to_string();
                let blocks = serde_json::Value::from(blocks.into_iter().collect::<Vec<i64>>()).to_string();
                let sql = "SELECT r.start, r.block, r.body FROM json_each(?1) s CROSS JOIN json_each(?2) b \
                     CROSS JOIN rollup r ON r.layout = ?3 AND r.level = ?4 AND r.start = s.value AND r.block = b.value";
                sqlx::query(sql)
                    .bind(starts)
                    .bind(blocks)
                    .bind(layout)
                    .bind(level)
                    .fetch(&mut *self.connection)
            }
            None => {
                let sql = "SELECT start, block, body FROM rollup \
                     WHERE layout = ?1 AND level = ?2 AND start >= ?3 AND start < ?4";
                let query = sqlx::query(sql).bind(layout).bind(level).bind(piece.from).bind(piece.to);
                query.fetch(&mut *self.connection)
            }
        };
        while let Some(row) = next(rows.as_mut()).await.map_err(away)? {
            let (start, block): (i64, i64) = (row.try_get(0).map_err(away)?, row.try_get(1).map_err(away)?);
            let body: &[u8] = row.try_get(2).map_err(away)?;
            let held = block::decode(body).ok_or_else(|| file::damaged(folder, "a rollup cannot be read"))?;
            for (series, slots) in held {
                let number = block << BLOCK_BITS | i64::from(series);
                let group = match groups {
                    None => Vec::new(),
                    Some(groups) => match groups.get(&number) {
                        Some(group) => group.clone(),
                        None => continue,
                    },
                };
                if let Some(accumulator) = slots.get(self.slot).and_then(|slot| slot.accumulator.as_ref()) {
                    tally.merge(start * MINUTE_US, group, accumulator)?;
                }
            }
        }
        Ok(())
    }

    async fn members(
        &mut self,
        layout: i64,
        piece: Piece,
        groups: Option<&Groups>,
        tally: &mut Tally,
    ) -> Result<(), StoreError> {
        let folder = &self.shared.folder;
        let away = |error: sqlx::Error| file::away(folder, &error);
        let level = Window::ALL.into_iter().position(|window| window == piece.window).unwrap_or(0) as i64;
        let sql = "SELECT start, series, member FROM member \
             WHERE layout = ?1 AND level = ?2 AND start >= ?3 AND start < ?4 AND slot = ?5";
        let mut rows = sqlx::query(sql)
            .bind(layout)
            .bind(level)
            .bind(piece.from)
            .bind(piece.to)
            .bind(self.slot as i64)
            .fetch(&mut *self.connection);
        while let Some(row) = next(rows.as_mut()).await.map_err(away)? {
            let (start, number): (i64, i64) = (row.try_get(0).map_err(away)?, row.try_get(1).map_err(away)?);
            let group = match groups {
                None => Vec::new(),
                Some(groups) => match groups.get(&number) {
                    Some(group) => group.clone(),
                    None => continue,
                },
            };
            let member: &[u8] = row.try_get(2).map_err(away)?;
            tally.member(start * MINUTE_US, group, member)?;
        }
        Ok(())
    }
}

/// How many windows there are, about.
const fn windows(piece: Piece) -> i64 {
    let minutes = piece.to - piece.from;
    match piece.window {
        Window::Minute => minutes,
        Window::Hour => minutes / 60,
        Window::Day => minutes / 1_440,
        Window::Month => minutes / 40_320,
    }
}

/// Where they start, in minutes since 1970.
fn starts(piece: Piece) -> Vec<i64> {
    let next = |start: &i64| {
        let next = piece.window.end_us(start * MINUTE_US) / MINUTE_US;
        (next < piece.to).then_some(next)
    };
    std::iter::successors(Some(piece.from), next).collect()
}

/// The next row.
async fn next<S>(mut rows: Pin<&mut S>) -> Result<Option<SqliteRow>, sqlx::Error>
where
    S: Stream<Item = Result<SqliteRow, sqlx::Error>> + ?Sized,
{
    std::future::poll_fn(|context| rows.as_mut().poll_next(context)).await.transpose()
}

/// The accounts of a namespace.
pub(super) async fn producers(
    shared: &Shared,
    readers: &SqlitePool,
    namespace: &str,
) -> Result<Vec<ProducerAccount>, StoreError> {
    let parts = live_parts(shared, |generation| {
        let accounts = generation.accounts.iter().filter(|(key, _)| &*key.namespace == namespace);
        let accounts = accounts.map(|(key, account)| (key.clone(), account.clone())).collect::<Vec<_>>();
        let retired = generation.retired.iter().filter(|key| &*key.namespace == namespace);
        (retired.cloned().collect::<Vec<_>>(), accounts)
    });
    let away = |error: sqlx::Error| file::away(&shared.folder, &error);
    let mut connection = readers.acquire().await.map_err(away)?;
    let mut transaction = connection.begin().await.map_err(away)?;
    let record = record(&mut transaction).await.map_err(away)?;
    let sql = "SELECT named, producer, epoch, mark, sent, accepted, duplicate, rejected, seen_us FROM account \
         WHERE namespace = ?1";
    let rows = sqlx::query(sql).bind(namespace).fetch_all(&mut *transaction).await.map_err(away)?;
    drop(transaction);
    let mut accounts: BTreeMap<AccountKey, Account> = BTreeMap::new();
    let namespace: Arc<str> = namespace.into();
    for row in rows {
        let number = |column: usize| row.try_get::<i64, _>(column).map_err(away);
        let text = |column: usize| row.try_get::<String, _>(column).map_err(away);
        let key = AccountKey {
            namespace: Arc::clone(&namespace),
            of: Of::from_number(number(0)?),
            producer: text(1)?.into(),
            epoch: number(2)?.cast_unsigned(),
        };
        let account = Account {
            mark: number(3)?.cast_unsigned(),
            sent: number(4)?.cast_unsigned(),
            accepted: number(5)?.cast_unsigned(),
            duplicate: number(6)?.cast_unsigned(),
            rejected: serde_json::from_str(&text(7)?)
                .map_err(|error| file::damaged(&shared.folder, error.to_string()))?,
            seen_us: number(8)?,
            ..Account::default()
        };
        accounts.insert(key, account);
    }
    for (_, (retired, part)) in parts.into_iter().filter(|(last, _)| *last > record) {
        for key in retired {
            if let Some(account) = accounts.remove(&key) {
                accounts.entry(key.retired()).or_default().absorb(&account, 0);
            }
        }
        for (key, change) in part {
            let account = accounts.entry(key.clone()).or_default();
            match key.of {
                Of::Retired => account.absorb(&change, change.mark),
                Of::Epoch | Of::Source => account.merge(&change),
            }
        }
    }
    Ok(accounts.iter().map(|(key, account)| account.shown(key)).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_cover_a_span_without_gaps_or_overlaps(
            from in 20_000_000_i64..32_000_000,
            length in 1_i64..500_000,
            longest in proptest::sample::select(Window::ALL.to_vec()),
        ) {
            let mut pieces = Vec::new();
            cover(from, from + length, longest, &mut pieces);
            let mut at = from;
            for piece in &pieces {
                prop_assert_eq!(piece.from, at);
                prop_assert!(piece.to > piece.from && piece.window <= longest);
                for edge in [piece.from, piece.to] {
                    prop_assert_eq!(piece.window.start_us(edge * MINUTE_US), edge * MINUTE_US);
                }
                at = piece.to;
            }
            prop_assert_eq!(at, from + length);
            prop_assert!(pieces.len() <= 7);
            for piece in pieces.iter().filter(|piece| windows(**piece) < 2_000) {
                let starts = starts(*piece);
                prop_assert_eq!(starts[0], piece.from);
                prop_assert!(starts.windows(2).all(|two| piece.window.end_us(two[0] * MINUTE_US) == two[1] * MINUTE_US));
                prop_assert_eq!(piece.window.end_us(starts[starts.len() - 1] * MINUTE_US), piece.to * MINUTE_US);
            }
        }
    }
}
