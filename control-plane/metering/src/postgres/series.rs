//! Series: what the rollups of a meter are kept apart by, each under a number.

use std::collections::HashMap;

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;

use super::fault::Fault;
use super::options::MAX_KNOWN_SERIES;

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
}

/// Numbers of series for one transaction.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    server: i64,
    numbers: HashMap<Key, i64>,
    /// Looked up or added by this transaction: to be remembered once it is committed.
    learned: Vec<(Key, i64)>,
}

impl Numbers {
    /// The number of a series that was asked for.
    pub(super) fn get(&self, key: &Key) -> Result<i64, Fault> {
        self.numbers.get(key).copied().ok_or(Fault::Outdated)
    }
}

impl KnownSeries {
    /// The numbers of these series; those that are new are added.
    pub(super) async fn numbers(
        &self,
        connection: &mut PgConnection,
        server: i64,
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
        let meters: Vec<i64> = unknown.iter().map(|series| series.meter).collect();
        let keys: Vec<&[u8]> = unknown.iter().map(|series| &series.key[..]).collect();
        let mut found = find(connection, &meters, &keys).await?;
        if found.len() < unknown.len() {
            let mut new: Vec<&Series> =
                unknown.into_iter().filter(|series| !found.contains_key(&series.key)).collect();
            // Everybody adds in the same order, so that nobody waits in a circle.
            new.sort_by_key(|series| (series.meter, series.key));
            found.extend(add(connection, &new).await?);
            // Another replica was first with the rest, and this waited for it.
            new.retain(|series| !found.contains_key(&series.key));
            if !new.is_empty() {
                let meters: Vec<i64> = new.iter().map(|series| series.meter).collect();
                let keys: Vec<&[u8]> = new.iter().map(|series| &series.key[..]).collect();
                found.extend(find(connection, &meters, &keys).await?);
            }
        }
        numbers.learned = found.iter().map(|(key, number)| (*key, *number)).collect();
        numbers.numbers.extend(found);
        Ok(numbers)
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

async fn find(
    connection: &mut PgConnection,
    meters: &[i64],
    keys: &[&[u8]],
) -> Result<HashMap<Key, i64>, Fault> {
    by_key(sqlx::query_as(FIND).bind(meters).bind(keys).fetch_all(&mut *connection).await?)
}

fn by_key(rows: Vec<(Vec<u8>, i64)>) -> Result<HashMap<Key, i64>, Fault> {
    let mut found = HashMap::with_capacity(rows.len());
    for (key, number) in rows {
        found.insert(Key::try_from(key).map_err(|_| Fault::Outdated)?, number);
    }
    Ok(found)
}

async fn add(connection: &mut PgConnection, new: &[&Series]) -> Result<HashMap<Key, i64>, Fault> {
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
    by_key(added)
}
