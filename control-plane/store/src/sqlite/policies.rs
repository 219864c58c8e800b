//! Policy documents in SQLite.

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::statement::statements;
use super::{SqliteStore, unsigned};
use crate::{KeptPolicy, PolicyDocumentStore, StoreError};

statements! {
    OTHERS = "SELECT COUNT(*), COALESCE(SUM(LENGTH(CAST(document AS BLOB))), 0) FROM policies \
              WHERE namespace = ?1 AND name <> ?2";
    PUT = "INSERT INTO policies (namespace, name, document, version, revision, updated_at_ms) \
           VALUES (?1, ?2, ?3, ?4, 1, ?5) ON CONFLICT (namespace, name) DO UPDATE SET \
           document = ?3, version = ?4, revision = revision + 1, updated_at_ms = ?5";
    ONE = "SELECT * FROM policies WHERE namespace = ?1 AND name = ?2";
    PAGE = "SELECT * FROM policies WHERE namespace = ?1 AND name > ?2 ORDER BY name LIMIT ?3";
    DELETE = "DELETE FROM policies WHERE namespace = ?1 AND name = ?2";
}

fn policy(row: &SqliteRow) -> Result<KeptPolicy, StoreError> {
    Ok(KeptPolicy {
        namespace: row.try_get("namespace")?,
        name: row.try_get("name")?,
        document: row.try_get("document")?,
        version: row.try_get("version")?,
        revision: unsigned(row.try_get("revision")?),
        updated_at_ms: row.try_get("updated_at_ms")?,
    })
}

#[async_trait]
impl PolicyDocumentStore for SqliteStore {
    async fn put_policy(
        &self,
        kept: &KeptPolicy,
        max_count: u64,
        max_bytes: u64,
    ) -> Result<KeptPolicy, StoreError> {
        let mut transaction = self.begin().await?;
        let (count, bytes): (i64, i64) = sqlx::query_as(OTHERS)
            .bind(&kept.namespace)
            .bind(&kept.name)
            .fetch_one(&mut *transaction)
            .await?;
        if unsigned(count) >= max_count {
            return Err(StoreError::Full { kind: "policies", limit: max_count });
        }
        if unsigned(bytes).saturating_add(kept.document.len() as u64) > max_bytes {
            return Err(StoreError::Full { kind: "bytes of policies", limit: max_bytes });
        }
        sqlx::query(PUT)
            .bind(&kept.namespace)
            .bind(&kept.name)
            .bind(&kept.document)
            .bind(&kept.version)
            .bind(kept.updated_at_ms)
            .execute(&mut *transaction)
            .await?;
        let row =
            sqlx::query(ONE).bind(&kept.namespace).bind(&kept.name).fetch_one(&mut *transaction).await?;
        let stored = policy(&row)?;
        transaction.commit().await?;
        Ok(stored)
    }

    async fn policy(&self, namespace: &str, name: &str) -> Result<KeptPolicy, StoreError> {
        policy(&sqlx::query(ONE).bind(namespace).bind(name).fetch_one(&self.readers).await?)
    }

    async fn policies(
        &self,
        namespace: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<KeptPolicy>, StoreError> {
        let rows = sqlx::query(PAGE).bind(namespace).bind(after).bind(limit).fetch_all(&self.readers).await?;
        rows.iter().map(policy).collect()
    }

    async fn delete_policy(&self, namespace: &str, name: &str) -> Result<(), StoreError> {
        let done = sqlx::query(DELETE).bind(namespace).bind(name).execute(&self.writer).await?;
        if done.rows_affected() == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }
}
