//! Series: what the rollups of a meter are kept apart by, each under a number.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Instant;

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;

use super::counts::{Counts, Room};
use super::fault::Fault;
use super::options::MAX_KNOWN_SERIES;
use crate::bounds::{OTHER_SERIES, WARN_EVERY};

/// SHA-256 of all that a series is.
pub(super) type Key = [u8; 32];

const ADD: &str = "INSERT INTO creto_events.series (meter, key, agent, customer, subscription, dimensions) \
     SELECT meter, key, agent, customer, subscription, \
     ARRAY(SELECT json_array_elements_text(dimensions::json)) \
     FROM unnest($1::bigint[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[]) \
     AS new(meter, key, agent, customer, subscription, dimensions) ORDER BY meter, key ON CONFLICT DO NOTHING \
     RETURNING key, id";
const FIND: &str = "SELECT s.key, s.id FROM unnest($1::bigint[], $2::bytea[]) AS wanted(meter, key) \
     JOIN creto_events.series s ON s.meter = wanted.meter AND s.key = wanted.key";

/// One series.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) meter: i64,
    pub(super) key: Key,
    pub(super) agent: String,
    pub(super) customer: String,
    pub(super) subscription: String,
    /// Values of the meter's dimensions, in their order, as they are kept.
    pub(super) dimensions: Vec<String>,
}

impl Series {
    /// The one it is part of where its namespace has so many already, if that is another.
    fn part_of(&self, held: u64, most: u64) -> Option<Self> {
        if held < most {
            return None;
        }
        let other = || OTHER_SERIES.to_owned();
        let mut whole = self.clone();
        whole.dimensions.fill_with(other);
        if held >= most.saturating_mul(2) {
            (whole.agent, whole.customer, whole.subscription) = (other(), other(), other());
        }
        let who = [&whole.agent, &whole.customer, &whole.subscription];
        whole.key = key(whole.meter, who.into_iter().chain(&whole.dimensions).map(String::as_str));
        (whole.key != self.key).then_some(whole)
    }
}

impl Series {
    /// What it may be part of, the first that is there before the other: what is told apart by who used and who pays may
    /// be there, however many there are.
    fn parts_of(&self, held: u64, most: u64) -> [Option<Self>; 2] {
        let some = held.min(most.saturating_mul(2).saturating_sub(1));
        [self.part_of(some, most), self.part_of(held, most)]
    }
}

/// The key of a series.
pub(super) fn key<'p>(meter: i64, parts: impl Iterator<Item = &'p str>) -> Key {
    let mut digest = Sha256::new();
    digest.update(meter.to_le_bytes());
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part.as_bytes());
    }
    digest.finalize().into()
}

/// Numbers of series that are remembered. They are true for one run of the server: another may have lost the last ones.
#[derive(Debug, Default)]
pub(super) struct KnownSeries {
    known: Mutex<(i64, HashMap<Key, i64>)>,
    counts: Counts,
    /// When was last said that there are too many.
    warned: Mutex<Option<Instant>>,
}

/// Numbers of series for one transaction.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    server: i64,
    numbers: HashMap<Key, i64>,
    /// Looked up or added by this transaction: to be remembered once it is committed.
    learned: Vec<(Key, i64)>,
    /// Several series may have one number.
    pub(super) are_shared: bool,
}

impl Numbers {
    /// The number of a series that was asked for.
    pub(super) fn get(&self, key: &Key) -> Result<i64, Fault> {
        self.numbers.get(key).copied().ok_or(Fault::Outdated)
    }
}

impl KnownSeries {
    /// The numbers of these series of a namespace; those that are new are added, up to `most` of them each by itself.
    pub(super) async fn numbers(
        &self,
        connection: &mut PgConnection,
        (namespace, server, most): (&str, i64, u64),
        wanted: &HashMap<Key, Series>,
    ) -> Result<Numbers, Fault> {
        let mut numbers = Numbers { server, ..Numbers::default() };
        let mut unknown: Vec<&Series> = Vec::new();
        {
            let mut known = self.known.lock();
            if known.0 != server {
                *known = (server, HashMap::new());
            }
            for (key, series) in wanted {
                match known.1.get(key) {
                    Some(number) => {
                        numbers.numbers.insert(*key, *number);
                    }
                    None => unknown.push(series),
                }
            }
        }
        if unknown.is_empty() {
            return Ok(numbers);
        }
        let mut found = of_series(connection, &unknown).await?;
        if found.len() < unknown.len() {
            unknown.retain(|series| !found.contains_key(&series.key));
            found.extend(self.add(connection, (namespace, most), unknown).await?);
        }
        numbers.learned = found.iter().map(|(key, number)| (*key, *number)).collect();
        numbers.numbers.extend(found);
        let different: HashSet<i64> = numbers.numbers.values().copied().collect();
        numbers.are_shared = different.len() < numbers.numbers.len();
        Ok(numbers)
    }

    /// The numbers of series that were not there: added, or those of what they are part of.
    async fn add(
        &self,
        connection: &mut PgConnection,
        (namespace, most): (&str, u64),
        mut new: Vec<&Series>,
    ) -> Result<HashMap<Key, i64>, Fault> {
        // Everybody adds in the same order.
        new.sort_by_key(|series| (series.meter, series.key));
        let room = self.counts.reserve(connection, namespace, (new.len() as u64, most)).await?;
        let Room::Little { held } = room else {
            return self.add_freely(connection, namespace, new).await;
        };
        // Most of what comes when there is no room is part of what is there: nobody waits for that.
        if let Some(found) = parts_of_what_is_there(connection, (held, most), &new).await? {
            self.warn_of(namespace, most);
            return Ok(found);
        }
        self.add_closely(connection, (namespace, most), new).await
    }

    /// Adds all. Waits for nobody but who adds the same ones.
    async fn add_freely(
        &self,
        connection: &mut PgConnection,
        namespace: &str,
        new: Vec<&Series>,
    ) -> Result<HashMap<Key, i64>, Fault> {
        let (found, added) = insert(connection, &new).await?;
        self.counts.add(connection, namespace, added).await?;
        self.counts.give_back(namespace, (new.len() as u64).saturating_sub(added));
        Ok(found)
    }

    /// Adds as many as there is room for; the others are part of something. One after the other does it until the
    /// transaction ends, and counts.
    async fn add_closely(
        &self,
        connection: &mut PgConnection,
        (namespace, most): (&str, u64),
        mut new: Vec<&Series>,
    ) -> Result<HashMap<Key, i64>, Fault> {
        let mut held = self.counts.closely(connection, namespace).await?;
        // Another may have added them while this waited.
        let mut found = of_series(connection, &new).await?;
        new.retain(|series| !found.contains_key(&series.key));
        let before = held;
        let (mut own, mut parts) = (Vec::new(), Vec::new());
        for series in new {
            match series.parts_of(held, most).into_iter().flatten().next() {
                Some(whole) => parts.push((series.key, whole)),
                None => {
                    held += 1;
                    own.push(series);
                }
            }
        }
        let (inserted, added) = insert(connection, &own).await?;
        found.extend(inserted);
        held -= (own.len() as u64).saturating_sub(added);
        if !parts.is_empty() {
            let wholes = self.wholes(connection, (namespace, most), &mut held, &parts).await?;
            found.extend(wholes);
        }
        self.counts.add(connection, namespace, held.saturating_sub(before)).await?;
        self.counts.counted(namespace, held);
        Ok(found)
    }

    /// The numbers of what series are part of, by the key of the part.
    async fn wholes(
        &self,
        connection: &mut PgConnection,
        (namespace, most): (&str, u64),
        held: &mut u64,
        parts: &[(Key, Series)],
    ) -> Result<HashMap<Key, i64>, Fault> {
        let of_parts: Vec<&Series> = parts.iter().map(|(_, whole)| whole).collect();
        let mut known = of_series(connection, &of_parts).await?;
        let mut new: BTreeMap<(i64, Key), Series> = BTreeMap::new();
        let mut numbered: Vec<(Key, Key)> = Vec::with_capacity(parts.len());
        for (part, whole) in parts {
            // Beyond twice as many, what is not there yet is part of what is left.
            let is_there = known.contains_key(&whole.key) || new.contains_key(&(whole.meter, whole.key));
            let last = if is_there { None } else { whole.part_of(*held, most) };
            let whole = last.unwrap_or_else(|| whole.clone());
            numbered.push((*part, whole.key));
            if !known.contains_key(&whole.key) && new.insert((whole.meter, whole.key), whole).is_none() {
                *held += 1;
            }
        }
        // Of those, the last ones may be there already.
        let mut new: Vec<&Series> = new.values().collect();
        known.extend(of_series(connection, &new).await?);
        let listed = new.len();
        new.retain(|series| !known.contains_key(&series.key));
        let (inserted, added) = insert(connection, &new).await?;
        known.extend(inserted);
        *held -= (listed as u64).saturating_sub(added);
        self.warn_of(namespace, most);
        numbered
            .into_iter()
            .map(|(part, whole)| Ok((part, *known.get(&whole).ok_or(Fault::Outdated)?)))
            .collect()
    }

    /// Says, once an hour at most, that a namespace has more series than are kept apart.
    fn warn_of(&self, namespace: &str, most: u64) {
        let mut warned = self.warned.lock();
        if warned.is_some_and(|at| at.elapsed() < WARN_EVERY) {
            return;
        }
        *warned = Some(Instant::now());
        tracing::warn!(namespace, most, "{}", crate::bounds::MANY_SERIES);
    }

    /// Remembers what a transaction learned, after it was committed.
    pub(super) fn remember(&self, numbers: Numbers) {
        let mut known = self.known.lock();
        if known.0 != numbers.server {
            return;
        }
        if known.1.len() + numbers.learned.len() > MAX_KNOWN_SERIES {
            known.1.clear();
        }
        known.1.extend(numbers.learned);
    }
}

/// The numbers of what series are part of, where there are too many already and all of that is there.
async fn parts_of_what_is_there(
    connection: &mut PgConnection,
    (held, most): (u64, u64),
    new: &[&Series],
) -> Result<Option<HashMap<Key, i64>>, Fault> {
    if held < most {
        return Ok(None);
    }
    let mut wholes: BTreeMap<(i64, Key), Series> = BTreeMap::new();
    let mut keys = Vec::with_capacity(new.len());
    for series in new {
        let parts = series.parts_of(held, most);
        keys.push((series.key, parts.each_ref().map(|whole| whole.as_ref().map(|whole| whole.key))));
        wholes.extend(parts.into_iter().flatten().map(|whole| ((whole.meter, whole.key), whole)));
    }
    let there = of_series(connection, &wholes.values().collect::<Vec<_>>()).await?;
    let number = |whole: Option<Key>| whole.and_then(|whole| there.get(&whole).copied());
    Ok(keys
        .into_iter()
        .map(|(part, [one, other])| Some((part, number(one).or_else(|| number(other))?)))
        .collect())
}

async fn find(
    connection: &mut PgConnection,
    meters: &[i64],
    keys: &[&[u8]],
) -> Result<HashMap<Key, i64>, Fault> {
    by_key(sqlx::query_as(FIND).bind(meters).bind(keys).fetch_all(&mut *connection).await?)
}

async fn of_series(connection: &mut PgConnection, series: &[&Series]) -> Result<HashMap<Key, i64>, Fault> {
    let meters: Vec<i64> = series.iter().map(|series| series.meter).collect();
    let keys: Vec<&[u8]> = series.iter().map(|series| &series.key[..]).collect();
    find(connection, &meters, &keys).await
}

fn by_key(rows: Vec<(Vec<u8>, i64)>) -> Result<HashMap<Key, i64>, Fault> {
    let mut found = HashMap::with_capacity(rows.len());
    for (key, number) in rows {
        found.insert(Key::try_from(key).map_err(|_| Fault::Outdated)?, number);
    }
    Ok(found)
}

/// Adds series. Their numbers, and how many were not there: others may add the same ones meanwhile.
async fn insert(connection: &mut PgConnection, new: &[&Series]) -> Result<(HashMap<Key, i64>, u64), Fault> {
    if new.is_empty() {
        return Ok((HashMap::new(), 0));
    }
    let column = |of: fn(&Series) -> &str| new.iter().map(|series| of(series)).collect::<Vec<_>>();
    let list = |series: &&Series| {
        serde_json::to_string(&series.dimensions).map_err(|error| sqlx::Error::Encode(error.into()))
    };
    let added = sqlx::query_as(ADD)
        .bind(new.iter().map(|series| series.meter).collect::<Vec<_>>())
        .bind(new.iter().map(|series| &series.key[..]).collect::<Vec<_>>())
        .bind(column(|series| &series.agent))
        .bind(column(|series| &series.customer))
        .bind(column(|series| &series.subscription))
        .bind(new.iter().map(list).collect::<Result<Vec<_>, _>>()?)
        .fetch_all(&mut *connection)
        .await?;
    let mut found = by_key(added)?;
    let added = found.len() as u64;
    let others: Vec<&Series> =
        new.iter().copied().filter(|series| !found.contains_key(&series.key)).collect();
    if !others.is_empty() {
        found.extend(of_series(connection, &others).await?);
    }
    Ok((found, added))
}
