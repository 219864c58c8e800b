//! Operator tokens in SQLite.

use async_trait::async_trait;
use sqlx::Row as _;

use super::statement::statements;
use super::{SqliteStore, digest, refuse_when_full};
use crate::{KeptOperatorToken, StoreError, TokenStore};

statements! {
    COUNT = "SELECT COUNT(*) FROM operator_tokens WHERE namespace = ?1";
    NAME_TAKEN = "SELECT COUNT(*) FROM operator_tokens WHERE namespace = ?1 AND name = ?2";
    INSERT = "INSERT INTO operator_tokens (namespace, name, digest, admin, created_at_ms, producer) \
              VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    BY_DIGEST = "SELECT * FROM operator_tokens WHERE digest = ?1";
    DELETE = "DELETE FROM operator_tokens WHERE namespace = ?1 AND name = ?2";
}

#[async_trait]
impl TokenStore for SqliteStore {
    async fn add_operator_token(&self, token: &KeptOperatorToken, limit: u64) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        refuse_when_full(&mut transaction, COUNT, &token.namespace, ("operator tokens", limit)).await?;
        let names: i64 = sqlx::query_scalar(NAME_TAKEN)
            .bind(&token.namespace)
            .bind(&token.name)
            .fetch_one(&mut *transaction)
            .await?;
        if names > 0 {
            return Err(StoreError::NameTaken);
        }
        sqlx::query(INSERT)
            .bind(&token.namespace)
            .bind(&token.name)
            .bind(token.digest.as_slice())
            .bind(token.admin)
            .bind(token.created_at_ms)
            .bind(token.producer)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    async fn operator_token(&self, token_digest: &[u8; 32]) -> Result<Option<KeptOperatorToken>, StoreError> {
        let row = sqlx::query(BY_DIGEST).bind(token_digest.as_slice()).fetch_optional(&self.readers).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(KeptOperatorToken {
            namespace: row.try_get("namespace")?,
            name: row.try_get("name")?,
            digest: digest(row.try_get("digest")?, "operator_tokens.digest")?,
            admin: row.try_get("admin")?,
            producer: row.try_get("producer")?,
            created_at_ms: row.try_get("created_at_ms")?,
        }))
    }

    async fn delete_operator_token(&self, namespace: &str, name: &str) -> Result<(), StoreError> {
        let done = sqlx::query(DELETE).bind(namespace).bind(name).execute(&self.writer).await?;
        if done.rows_affected() == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }
}
