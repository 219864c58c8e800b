//! What came in from whom, and the marks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::fault::Fault;
use crate::{ProducerAccount, RejectCode};

const LOCK: &str = "SELECT mark, sent, accepted, duplicate, rejected, last_seen_us, from_us FROM creto_events.producers \
     WHERE namespace = $1 AND named = $2 AND producer = $3 AND epoch = $4 FOR UPDATE";
// Taken in one order, so that nobody waits in a circle.
const LOCK_ALL: &str = "SELECT producer, epoch, mark, sent, accepted, duplicate, rejected, last_seen_us, from_us \
     FROM creto_events.producers WHERE namespace = $1 AND NOT named \
     AND (producer, epoch) IN (SELECT * FROM unnest($2::text[], $3::bigint[])) ORDER BY producer, epoch FOR UPDATE";
// Counts of the rejected come as text: lists of lists lose their bounds on the way.
const SAVE_ALL: &str = "UPDATE creto_events.producers p SET mark = s.mark, sent = s.sent, accepted = s.accepted, \
     duplicate = s.duplicate, rejected = string_to_array(s.rejected, ',')::bigint[], last_seen_us = s.last_seen_us \
     FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[], \
     $9::bigint[]) AS s(producer, epoch, mark, sent, accepted, duplicate, rejected, last_seen_us) \
     WHERE p.namespace = $1 AND NOT p.named AND p.producer = s.producer AND p.epoch = s.epoch";
const BEGIN: &str = "INSERT INTO creto_events.producers (namespace, named, producer, epoch, mark, sent, accepted, \
     duplicate, rejected, last_seen_us, from_us) VALUES ($1, $2, $3, $4, 0, 0, 0, 0, $5, 0, $6) ON CONFLICT DO NOTHING";
const SAVE: &str = "UPDATE creto_events.producers SET mark = $5, sent = $6, accepted = $7, duplicate = $8, \
     rejected = $9, last_seen_us = $10 WHERE namespace = $1 AND named = $2 AND producer = $3 AND epoch = $4";
const ALL: &str = "SELECT producer, epoch, mark, sent, accepted, duplicate, rejected, last_seen_us, from_us, \
     0::bigint AS epochs FROM creto_events.producers WHERE namespace = $1 \
     UNION ALL SELECT producer, 0, 0, sent, accepted, duplicate, rejected, last_seen_us, until_us, epochs \
     FROM creto_events.retired WHERE namespace = $1";

/// Whose account: a producer's in an epoch, or a source's of named events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder<'h> {
    pub(super) namespace: &'h str,
    pub(super) named: bool,
    pub(super) producer: &'h str,
    pub(super) epoch: u64,
}

/// What came in, and the mark. Nobody else has it until the transaction ends.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    pub(super) mark: u64,
    pub(super) sent: u64,
    pub(super) accepted: u64,
    pub(super) duplicate: u64,
    rejected: [u64; RejectCode::ALL.len()],
    pub(super) last_seen_us: i64,
    /// Events up to then are not taken in, in microseconds since 1970: they may have been counted in a retired epoch.
    pub(super) from_us: i64,
}

impl Account {
    /// Counts one more rejected.
    pub(super) fn reject(&mut self, code: RejectCode) {
        self.rejected[usize::from(code.number()) - 1] += 1;
    }

    /// Takes it for this transaction; an empty one when there was none.
    pub(super) async fn lock(connection: &mut PgConnection, holder: Holder<'_>) -> Result<Self, Fault> {
        if let Some(account) = Self::find(connection, holder).await? {
            return Ok(account);
        }
        // Another replica may have been first: then this waits for it.
        Self::begin(connection, holder, i64::MIN).await
    }

    /// Makes an empty one where there is none.
    pub(super) async fn begin(
        connection: &mut PgConnection,
        holder: Holder<'_>,
        from_us: i64,
    ) -> Result<Self, Fault> {
        let begin = sqlx::query(BEGIN).bind(holder.namespace).bind(holder.named).bind(holder.producer);
        let begin = begin.bind(holder.epoch.cast_signed()).bind(Vec::<i64>::new()).bind(from_us);
        begin.execute(&mut *connection).await?;
        Self::find(connection, holder).await?.ok_or(Fault::Outdated)
    }

    /// Takes it for this transaction, where there is one.
    pub(super) async fn find(
        connection: &mut PgConnection,
        holder: Holder<'_>,
    ) -> Result<Option<Self>, Fault> {
        let find = sqlx::query(LOCK).bind(holder.namespace).bind(holder.named).bind(holder.producer);
        let row = find.bind(holder.epoch.cast_signed()).fetch_optional(&mut *connection).await?;
        Ok(row.as_ref().map(Self::read).transpose()?)
    }

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let number = |column: &str| row.try_get::<i64, _>(column).map(i64::cast_unsigned);
        let mut account = Self {
            mark: number("mark")?,
            sent: number("sent")?,
            accepted: number("accepted")?,
            duplicate: number("duplicate")?,
            rejected: [0; RejectCode::ALL.len()],
            last_seen_us: row.try_get("last_seen_us")?,
            from_us: row.try_get("from_us")?,
        };
        let counts: Vec<i64> = row.try_get("rejected")?;
        for (mine, count) in account.rejected.iter_mut().zip(counts) {
            *mine = count.cast_unsigned();
        }
        Ok(account)
    }

    /// Takes those of epochs of a namespace for this transaction, where there are any.
    pub(super) async fn find_all<'k>(
        connection: &mut PgConnection,
        namespace: &str,
        keys: &BTreeSet<(&'k str, u64)>,
    ) -> Result<BTreeMap<(&'k str, u64), Self>, Fault> {
        let (producers, epochs): (Vec<&str>, Vec<i64>) =
            keys.iter().map(|(producer, epoch)| (*producer, epoch.cast_signed())).unzip();
        let find = sqlx::query(LOCK_ALL).bind(namespace).bind(producers).bind(epochs);
        let mut found = BTreeMap::new();
        for row in find.fetch_all(&mut *connection).await? {
            let (producer, epoch): (&str, i64) = (row.try_get("producer")?, row.try_get("epoch")?);
            let is_own = |key: &&(&str, u64)| *key == &(producer, epoch.cast_unsigned());
            if let Some(key) = keys.iter().find(is_own) {
                found.insert(*key, Self::read(&row)?);
            }
        }
        Ok(found)
    }

    /// Keeps those of epochs of a namespace.
    pub(super) async fn save_all(
        connection: &mut PgConnection,
        namespace: &str,
        accounts: &BTreeMap<(&str, u64), Self>,
    ) -> Result<(), Fault> {
        if accounts.is_empty() {
            return Ok(());
        }
        let numbers = |of: fn(&Self) -> u64| -> Vec<i64> {
            accounts.values().map(|account| of(account).cast_signed()).collect()
        };
        let rejected = |account: &Self| account.rejected.map(|count| count.to_string()).join(",");
        sqlx::query(SAVE_ALL)
            .bind(namespace)
            .bind(accounts.keys().map(|(producer, _)| *producer).collect::<Vec<&str>>())
            .bind(accounts.keys().map(|(_, epoch)| epoch.cast_signed()).collect::<Vec<i64>>())
            .bind(numbers(|account| account.mark))
            .bind(numbers(|account| account.sent))
            .bind(numbers(|account| account.accepted))
            .bind(numbers(|account| account.duplicate))
            .bind(accounts.values().map(rejected).collect::<Vec<String>>())
            .bind(accounts.values().map(|account| account.last_seen_us).collect::<Vec<i64>>())
            .execute(&mut *connection)
            .await?;
        Ok(())
    }

    /// Keeps it.
    pub(super) async fn save(&self, connection: &mut PgConnection, holder: Holder<'_>) -> Result<(), Fault> {
        let save = sqlx::query(SAVE).bind(holder.namespace).bind(holder.named).bind(holder.producer);
        let save = save.bind(holder.epoch.cast_signed()).bind(self.mark.cast_signed());
        let save = save.bind(self.sent.cast_signed()).bind(self.accepted.cast_signed());
        let rejected: Vec<i64> = self.rejected.iter().map(|count| count.cast_signed()).collect();
        save.bind(self.duplicate.cast_signed())
            .bind(rejected)
            .bind(self.last_seen_us)
            .execute(&mut *connection)
            .await?;
        Ok(())
    }

    fn shown(self, producer: Arc<str>, epoch: u64, retired_epochs: u64) -> ProducerAccount {
        let counts = RejectCode::ALL.into_iter().zip(self.rejected).filter(|(_, count)| *count > 0);
        let rejected_by_code: BTreeMap<Arc<str>, u64> =
            counts.map(|(code, count)| (Arc::from(code.as_str()), count)).collect();
        ProducerAccount {
            producer,
            epoch,
            retired_epochs,
            highest_sequence: self.mark,
            sent: self.sent,
            accepted: self.accepted,
            duplicate: self.duplicate,
            rejected: rejected_by_code.values().sum(),
            rejected_by_code,
            last_seen_us: self.last_seen_us,
        }
    }
}

/// All accounts of a namespace, by producer and epoch.
pub(super) async fn all(
    connection: &mut PgConnection,
    namespace: &str,
) -> Result<Vec<ProducerAccount>, Fault> {
    let rows = sqlx::query(ALL).bind(namespace).fetch_all(&mut *connection).await?;
    let mut accounts = Vec::with_capacity(rows.len());
    for row in &rows {
        let epoch = row.try_get::<i64, _>("epoch")?.cast_unsigned();
        let retired = row.try_get::<i64, _>("epochs")?.cast_unsigned();
        accounts.push(Account::read(row)?.shown(row.try_get::<&str, _>("producer")?.into(), epoch, retired));
    }
    // Epochs are kept with a sign.
    accounts.sort_by(|a, b| {
        (&a.producer, a.epoch, a.retired_epochs).cmp(&(&b.producer, b.epoch, b.retired_epochs))
    });
    Ok(accounts)
}
