//! Secrets in SQLite.

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::statement::statements;
use super::{SqliteStore, integer, refuse_when_full, unsigned};
use crate::{KeptSecret, SealedValue, SecretStore, SecretSummary, StoreError};

statements! {
    COUNT = "SELECT COUNT(*) FROM secrets WHERE namespace = ?1";
    VERSION = "SELECT version FROM secrets WHERE namespace = ?1 AND name = ?2";
    PUT = "INSERT INTO secrets (namespace, name, version, created_at_ms, updated_at_ms, schema, key_id, nonce, \
           ciphertext) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (namespace, name) DO UPDATE SET \
           version = ?3, updated_at_ms = ?5, schema = ?6, key_id = ?7, nonce = ?8, ciphertext = ?9";
    ONE = "SELECT * FROM secrets WHERE namespace = ?1 AND name = ?2";
    PAGE = "SELECT namespace, name, version, created_at_ms, updated_at_ms FROM secrets \
            WHERE namespace = ?1 AND name > ?2 ORDER BY name LIMIT ?3";
    DELETE = "DELETE FROM secrets WHERE namespace = ?1 AND name = ?2";
    ANY = "SELECT EXISTS (SELECT 1 FROM secrets)";
    OF_OTHER_KEYS = "SELECT * FROM secrets WHERE (namespace, name) > (?1, ?2) AND key_id <> ?3 \
                     ORDER BY namespace, name LIMIT ?4";
    RESEAL = "UPDATE secrets SET schema = ?4, key_id = ?5, nonce = ?6, ciphertext = ?7 \
              WHERE namespace = ?1 AND name = ?2 AND version = ?3";
}

fn summary(row: &SqliteRow) -> Result<SecretSummary, StoreError> {
    Ok(SecretSummary {
        namespace: row.try_get("namespace")?,
        name: row.try_get("name")?,
        version: unsigned(row.try_get("version")?),
        created_at_ms: row.try_get("created_at_ms")?,
        updated_at_ms: row.try_get("updated_at_ms")?,
    })
}

fn secret(row: &SqliteRow) -> Result<KeptSecret, StoreError> {
    // A value of the wrong size cannot be opened: it reads as zeros, and whoever opens it says which secret it is.
    fn sized<const N: usize>(bytes: Vec<u8>) -> [u8; N] {
        bytes.try_into().unwrap_or([0; N])
    }
    Ok(KeptSecret {
        summary: summary(row)?,
        sealed: SealedValue {
            schema: u32::try_from(row.try_get::<i64, _>("schema")?).unwrap_or(u32::MAX),
            key_id: sized(row.try_get("key_id")?),
            nonce: sized(row.try_get("nonce")?),
            ciphertext: row.try_get("ciphertext")?,
        },
    })
}

#[async_trait]
impl SecretStore for SqliteStore {
    async fn put_secret(&self, kept: &KeptSecret, limit: u64) -> Result<SecretSummary, StoreError> {
        let KeptSecret { summary: put, sealed } = kept;
        let mut transaction = self.begin().await?;
        let before: Option<i64> = sqlx::query_scalar(VERSION)
            .bind(&put.namespace)
            .bind(&put.name)
            .fetch_optional(&mut *transaction)
            .await?;
        if put.version != unsigned(before.unwrap_or(0)).saturating_add(1) {
            return Err(StoreError::Changed);
        }
        if before.is_none() {
            refuse_when_full(&mut transaction, COUNT, &put.namespace, ("secrets", limit)).await?;
        }
        sqlx::query(PUT)
            .bind(&put.namespace)
            .bind(&put.name)
            .bind(integer(put.version))
            .bind(put.created_at_ms)
            .bind(put.updated_at_ms)
            .bind(i64::from(sealed.schema))
            .bind(sealed.key_id.as_slice())
            .bind(sealed.nonce.as_slice())
            .bind(&sealed.ciphertext)
            .execute(&mut *transaction)
            .await?;
        let row = sqlx::query(ONE).bind(&put.namespace).bind(&put.name).fetch_one(&mut *transaction).await?;
        let stored = summary(&row)?;
        transaction.commit().await?;
        Ok(stored)
    }

    async fn secret(&self, namespace: &str, name: &str) -> Result<KeptSecret, StoreError> {
        secret(&sqlx::query(ONE).bind(namespace).bind(name).fetch_one(&self.readers).await?)
    }

    async fn secrets(
        &self,
        namespace: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<SecretSummary>, StoreError> {
        let rows = sqlx::query(PAGE).bind(namespace).bind(after).bind(limit).fetch_all(&self.readers).await?;
        rows.iter().map(summary).collect()
    }

    async fn delete_secret(&self, namespace: &str, name: &str) -> Result<(), StoreError> {
        let done = sqlx::query(DELETE).bind(namespace).bind(name).execute(&self.writer).await?;
        if done.rows_affected() == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }

    async fn any_secret(&self) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar(ANY).fetch_one(&self.readers).await?)
    }

    async fn secrets_of_other_keys(
        &self,
        key_id: &[u8; 8],
        (namespace, name): (&str, &str),
        limit: u32,
    ) -> Result<Vec<KeptSecret>, StoreError> {
        let rows = sqlx::query(OF_OTHER_KEYS)
            .bind(namespace)
            .bind(name)
            .bind(key_id.as_slice())
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(secret).collect()
    }

    async fn reseal_secrets(&self, resealed: &[KeptSecret]) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        for KeptSecret { summary, sealed } in resealed {
            sqlx::query(RESEAL)
                .bind(&summary.namespace)
                .bind(&summary.name)
                .bind(integer(summary.version))
                .bind(i64::from(sealed.schema))
                .bind(sealed.key_id.as_slice())
                .bind(sealed.nonce.as_slice())
                .bind(&sealed.ciphertext)
                .execute(&mut *transaction)
                .await?;
        }
        Ok(transaction.commit().await?)
    }
}
