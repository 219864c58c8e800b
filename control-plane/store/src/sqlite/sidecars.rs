//! Sidecars in SQLite.

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::statement::statements;
use super::{SqliteStore, integer, unsigned};
use crate::{KeptSidecar, SidecarStore, StoreError};

statements! {
    BY_FINGERPRINT = "SELECT * FROM sidecars WHERE fingerprint = ?1";
    PAGE = "SELECT * FROM sidecars WHERE namespace = ?1 AND sidecar_id > ?2 ORDER BY sidecar_id LIMIT ?3";
    OFFERED = "SELECT offered_epoch, offered_version FROM sidecars WHERE namespace = ?1 AND sidecar_id = ?2";
    OFFER = "UPDATE sidecars SET offered_epoch = ?3, offered_version = ?4, rejection = '', last_seen_ms = ?5 \
             WHERE namespace = ?1 AND sidecar_id = ?2";
    APPLIED = "UPDATE sidecars SET applied_epoch = ?3, rejection = '', last_seen_ms = ?4 \
               WHERE namespace = ?1 AND sidecar_id = ?2";
    REJECTED = "UPDATE sidecars SET rejection = ?3, last_seen_ms = ?4 WHERE namespace = ?1 AND sidecar_id = ?2";
    SEEN = "UPDATE sidecars SET last_seen_ms = ?3 WHERE namespace = ?1 AND sidecar_id = ?2";
}

fn sidecar(row: &SqliteRow) -> Result<KeptSidecar, StoreError> {
    Ok(KeptSidecar {
        namespace: row.try_get("namespace")?,
        sidecar_id: row.try_get("sidecar_id")?,
        agent_name: row.try_get("agent_name")?,
        offered_epoch: unsigned(row.try_get("offered_epoch")?),
        offered_version: row.try_get("offered_version")?,
        applied_epoch: unsigned(row.try_get("applied_epoch")?),
        rejection: row.try_get("rejection")?,
        last_seen_ms: row.try_get("last_seen_ms")?,
    })
}

#[async_trait]
impl SidecarStore for SqliteStore {
    async fn sidecar_by_fingerprint(
        &self,
        fingerprint: &[u8; 32],
    ) -> Result<Option<KeptSidecar>, StoreError> {
        let row =
            sqlx::query(BY_FINGERPRINT).bind(fingerprint.as_slice()).fetch_optional(&self.readers).await?;
        row.as_ref().map(sidecar).transpose()
    }

    async fn sidecars(
        &self,
        namespace: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<KeptSidecar>, StoreError> {
        let rows = sqlx::query(PAGE).bind(namespace).bind(after).bind(limit).fetch_all(&self.readers).await?;
        rows.iter().map(sidecar).collect()
    }

    async fn offer_bundle(
        &self,
        namespace: &str,
        sidecar_id: &str,
        version: &str,
        own_epoch: u64,
        now_ms: i64,
    ) -> Result<u64, StoreError> {
        let row = sqlx::query(OFFERED).bind(namespace).bind(sidecar_id).fetch_one(&self.readers).await?;
        let (epoch, known) =
            (unsigned(row.try_get("offered_epoch")?), row.try_get::<String, _>("offered_version")?);
        if known == version && epoch >= own_epoch {
            return Ok(epoch);
        }
        // Read again under the write lock: two streams of one sidecar must not take one epoch for two versions.
        let mut transaction = self.begin().await?;
        let row = sqlx::query(OFFERED).bind(namespace).bind(sidecar_id).fetch_one(&mut *transaction).await?;
        let (epoch, known) =
            (unsigned(row.try_get("offered_epoch")?), row.try_get::<String, _>("offered_version")?);
        if known == version && epoch >= own_epoch {
            return Ok(epoch);
        }
        let next = epoch.max(own_epoch).saturating_add(1);
        sqlx::query(OFFER)
            .bind(namespace)
            .bind(sidecar_id)
            .bind(integer(next))
            .bind(version)
            .bind(now_ms)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(next)
    }

    async fn note_answer(
        &self,
        namespace: &str,
        sidecar_id: &str,
        epoch: u64,
        rejection: Option<&str>,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let query = match rejection {
            None => sqlx::query(APPLIED).bind(namespace).bind(sidecar_id).bind(integer(epoch)),
            Some(reason) => sqlx::query(REJECTED).bind(namespace).bind(sidecar_id).bind(reason),
        };
        query.bind(now_ms).execute(&self.writer).await?;
        Ok(())
    }

    async fn note_seen(&self, namespace: &str, sidecar_id: &str, now_ms: i64) -> Result<(), StoreError> {
        sqlx::query(SEEN).bind(namespace).bind(sidecar_id).bind(now_ms).execute(&self.writer).await?;
        Ok(())
    }
}
