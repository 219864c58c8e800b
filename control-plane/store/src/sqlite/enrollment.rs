//! Enrolment tokens in SQLite.

use async_trait::async_trait;
use sqlx::Row as _;

use super::statement::statements;
use super::{SqliteStore, digest, refuse_when_full};
use crate::{EnrollmentStore, KeptEnrollmentToken, NewSidecar, StoreError};

// State 3 is that of a revoked agent.
statements! {
    COUNT = "SELECT COUNT(*) FROM enrollment_tokens WHERE namespace = ?1";
    PURGE = "DELETE FROM enrollment_tokens WHERE namespace = ?1 AND expires_at_ms <= ?2";
    INSERT = "INSERT INTO enrollment_tokens (namespace, digest, agent_name, expires_at_ms) \
              SELECT ?1, ?2, ?3, ?4 FROM agents WHERE namespace = ?1 AND name = ?3 AND state <> 3";
    BY_DIGEST = "SELECT namespace, digest, agent_name, expires_at_ms FROM enrollment_tokens \
                 WHERE digest = ?1 AND used_at_ms IS NULL AND expires_at_ms > ?2";
    USE = "UPDATE enrollment_tokens SET used_at_ms = ?3 WHERE namespace = ?1 AND digest = ?2 \
           AND used_at_ms IS NULL AND expires_at_ms > ?3";
    ADD_SIDECAR = "INSERT INTO sidecars (namespace, sidecar_id, agent_name, public_key, fingerprint, created_at_ms, \
                   offered_epoch, applied_epoch, rejection, last_seen_ms) \
                   SELECT ?1, ?2, ?3, ?4, ?5, ?6, 0, 0, '', ?6 FROM agents \
                   WHERE namespace = ?1 AND name = ?3 AND state <> 3";
}

#[async_trait]
impl EnrollmentStore for SqliteStore {
    async fn add_enrollment_token(
        &self,
        token: &KeptEnrollmentToken,
        now_ms: i64,
        limit: u64,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query(PURGE).bind(&token.namespace).bind(now_ms).execute(&mut *transaction).await?;
        refuse_when_full(&mut transaction, COUNT, &token.namespace, ("enrolment tokens", limit)).await?;
        let added = sqlx::query(INSERT)
            .bind(&token.namespace)
            .bind(token.digest.as_slice())
            .bind(&token.agent_name)
            .bind(token.expires_at_ms)
            .execute(&mut *transaction)
            .await?;
        if added.rows_affected() == 0 {
            return Err(StoreError::NotFound);
        }
        Ok(transaction.commit().await?)
    }

    async fn enrollment_token(
        &self,
        token_digest: &[u8; 32],
        now_ms: i64,
    ) -> Result<KeptEnrollmentToken, StoreError> {
        let row = sqlx::query(BY_DIGEST)
            .bind(token_digest.as_slice())
            .bind(now_ms)
            .fetch_optional(&self.readers)
            .await?
            .ok_or(StoreError::TokenSpent)?;
        Ok(KeptEnrollmentToken {
            namespace: row.try_get("namespace")?,
            digest: digest(row.try_get("digest")?, "enrollment_tokens.digest")?,
            agent_name: row.try_get("agent_name")?,
            expires_at_ms: row.try_get("expires_at_ms")?,
        })
    }

    async fn redeem_enrollment_token(
        &self,
        token: &KeptEnrollmentToken,
        sidecar: &NewSidecar,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let used = sqlx::query(USE)
            .bind(&token.namespace)
            .bind(token.digest.as_slice())
            .bind(now_ms)
            .execute(&mut *transaction)
            .await?;
        if used.rows_affected() == 0 {
            return Err(StoreError::TokenSpent);
        }
        let added = sqlx::query(ADD_SIDECAR)
            .bind(&token.namespace)
            .bind(&sidecar.sidecar_id)
            .bind(&token.agent_name)
            .bind(sidecar.public_key.as_slice())
            .bind(sidecar.fingerprint.as_slice())
            .bind(now_ms)
            .execute(&mut *transaction)
            .await?;
        if added.rows_affected() == 0 {
            return Err(StoreError::AgentRevoked);
        }
        Ok(transaction.commit().await?)
    }
}
