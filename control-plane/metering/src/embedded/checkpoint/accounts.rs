//! Accounts, named events, segments, and how far the log is counted.

use std::collections::BTreeMap;

use super::{Failure, ROWS, Retired, Writer, places, query};
use crate::embedded::account::{Account, AccountKey};
use crate::embedded::generation::Generation;
use crate::embedded::options::MAX_FORGOTTEN;

impl Writer<'_> {
    /// Adds what the database has of retired epochs to those of their producer.
    async fn retire(&mut self, generation: &Generation) -> Result<(), Failure> {
        for key in &generation.retired {
            let sql = "DELETE FROM account WHERE namespace = ?1 AND named = ?2 AND producer = ?3 AND epoch = ?4 \
                 RETURNING sent, accepted, duplicate, rejected, seen_us";
            let gone: Option<(i64, i64, i64, String, i64)> = sqlx::query_as(sql)
                .bind(&*key.namespace)
                .bind(key.of.number())
                .bind(&*key.producer)
                .bind(key.epoch.cast_signed())
                .fetch_optional(&mut *self.connection)
                .await?;
            let Some((sent, accepted, duplicate, rejected, seen_us)) = gone else { continue };
            let rejected = serde_json::from_str(&rejected).map_err(|e| Failure::Damaged(e.to_string()))?;
            let (sent, accepted) = (sent.cast_unsigned(), accepted.cast_unsigned());
            let duplicate = duplicate.cast_unsigned();
            let account = Account { sent, accepted, duplicate, rejected, seen_us, ..Account::default() };
            self.account(&key.retired(), &account).await?;
        }
        Ok(())
    }

    pub(super) async fn accounts(&mut self, generation: &Generation) -> Result<(), Failure> {
        self.retire(generation).await?;
        for (key, change) in &generation.accounts {
            self.account(key, change).await?;
        }
        Ok(())
    }

    async fn account(&mut self, key: &AccountKey, change: &Account) -> Result<(), Failure> {
        let sql = "SELECT rejected FROM account WHERE namespace = ?1 AND named = ?2 AND producer = ?3 AND epoch = ?4";
        let known: Option<String> = sqlx::query_scalar(sql)
            .bind(&*key.namespace)
            .bind(key.of.number())
            .bind(&*key.producer)
            .bind(key.epoch.cast_signed())
            .fetch_optional(&mut *self.connection)
            .await?;
        let mut rejected: BTreeMap<u8, u64> = match known.as_deref() {
            None => BTreeMap::new(),
            Some(json) => serde_json::from_str(json).map_err(|e| Failure::Damaged(e.to_string()))?,
        };
        for (code, events) in &change.rejected {
            *rejected.entry(*code).or_default() += events;
        }
        let rejected = serde_json::to_string(&rejected).map_err(|e| Failure::Damaged(e.to_string()))?;
        let sql = "INSERT INTO account VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO UPDATE SET \
                 mark = CASE WHEN named = 2 THEN mark + excluded.mark ELSE MAX(mark, excluded.mark) END, sent = sent + excluded.sent, \
                 accepted = accepted + excluded.accepted, duplicate = duplicate + excluded.duplicate, \
                 rejected = excluded.rejected, seen_us = MAX(seen_us, excluded.seen_us), from_us = MAX(from_us, excluded.from_us)";
        sqlx::query(sql)
            .bind(&*key.namespace)
            .bind(key.of.number())
            .bind(&*key.producer)
            .bind(key.epoch.cast_signed())
            .bind(change.mark.cast_signed())
            .bind(change.sent.cast_signed())
            .bind(change.accepted.cast_signed())
            .bind(change.duplicate.cast_signed())
            .bind(rejected)
            .bind(change.seen_us)
            .bind(change.from_us)
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    pub(super) async fn named(&mut self, generation: &Generation) -> Result<(), Failure> {
        // In the order of the table: random keys would otherwise visit every page for every row.
        let mut named: Vec<_> = generation.named.iter().collect();
        named.sort_unstable_by_key(|one| one.key);
        for chunk in named.chunks(ROWS) {
            let sql = format!("INSERT OR IGNORE INTO named VALUES {}", places(chunk.len(), 3));
            let mut insert = query(sql);
            for one in chunk {
                insert = insert.bind(one.key.to_vec()).bind(one.digest.to_vec()).bind(one.seen_us);
            }
            insert.execute(&mut *self.connection).await?;
        }
        Ok(())
    }

    /// Segments, what is too old, and how far the log is counted.
    pub(super) async fn progress(
        &mut self,
        generation: &Generation,
        retention_us: i64,
    ) -> Result<Retired, Failure> {
        let progress = &generation.progress;
        for (number, times) in &generation.segments {
            let sql = "INSERT INTO segment (number, from_us, to_us, newest_us) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET \
                 from_us = MIN(from_us, excluded.from_us), to_us = MAX(to_us, excluded.to_us), \
                 newest_us = MAX(newest_us, excluded.newest_us)";
            sqlx::query(sql)
                .bind(number.cast_signed())
                .bind(times.from_us)
                .bind(times.to_us)
                .bind(times.newest_us)
                .execute(&mut *self.connection)
                .await?;
        }
        for (number, sealed) in &generation.sealed {
            let sql = "UPDATE segment SET length = ?2, checksum = ?3 WHERE number = ?1";
            sqlx::query(sql)
                .bind(number.cast_signed())
                .bind(sealed.length.cast_signed())
                .bind(i64::from(sealed.checksum))
                .execute(&mut *self.connection)
                .await?;
        }
        for ((number, namespace), bytes) in &generation.usage {
            let sql = "INSERT INTO usage VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes";
            sqlx::query(sql)
                .bind(number.cast_signed())
                .bind(&**namespace)
                .bind(bytes.cast_signed())
                .execute(&mut *self.connection)
                .await?;
        }
        // A clock that ran ahead for a moment makes nothing old.
        let oldest = progress.newest_us.min(crate::time::now_us()).saturating_sub(retention_us);
        let sql = "SELECT number, to_us FROM segment WHERE number < ?1 AND to_us < ?2 AND newest_us < ?2 ORDER BY number";
        let retired: Vec<(i64, i64)> = sqlx::query_as(sql)
            .bind(progress.position.segment.cast_signed())
            .bind(oldest)
            .fetch_all(&mut *self.connection)
            .await?;
        for (number, _) in &retired {
            let sql = "DELETE FROM segment WHERE number = ?1";
            sqlx::query(sql).bind(number).execute(&mut *self.connection).await?;
            let sql = "DELETE FROM usage WHERE segment = ?1";
            sqlx::query(sql).bind(number).execute(&mut *self.connection).await?;
        }
        let sql = "DELETE FROM account WHERE (namespace, named, producer, epoch) IN \
             (SELECT namespace, named, producer, epoch FROM account WHERE seen_us < ?1 AND named <> 1 LIMIT ?2)";
        sqlx::query(sql).bind(oldest).bind(MAX_FORGOTTEN).execute(&mut *self.connection).await?;
        let sql = "DELETE FROM named WHERE key IN (SELECT key FROM named WHERE seen_us < ?1 LIMIT ?2)";
        sqlx::query(sql).bind(oldest).bind(MAX_FORGOTTEN).execute(&mut *self.connection).await?;
        let gone = retired.iter().map(|(_, to_us)| to_us.saturating_add(1)).max().unwrap_or(i64::MIN);
        let sql = "INSERT INTO progress VALUES (1, ?1, ?2, ?3, ?4, ?5, MAX(?6, 0)) ON CONFLICT DO UPDATE SET \
             segment = excluded.segment, offset = excluded.offset, record = excluded.record, \
             next_order = excluded.next_order, newest_us = MAX(newest_us, excluded.newest_us), \
             gone_us = MAX(gone_us, ?6) RETURNING gone_us";
        let gone_us: i64 = sqlx::query_scalar(sql)
            .bind(progress.position.segment.cast_signed())
            .bind(progress.position.offset.cast_signed())
            .bind(progress.record.cast_signed())
            .bind(progress.next_order.cast_signed())
            .bind(progress.newest_us)
            .bind(gone)
            .fetch_one(&mut *self.connection)
            .await?;
        Ok(Retired { segments: retired.iter().map(|(number, _)| number.cast_unsigned()).collect(), gone_us })
    }
}
