//! Delegations in SQLite.

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::agents::bump_epoch;
use super::statement::statements;
use super::{SqliteStore, digest, integer, refuse_when_full, unsigned};
use crate::{DelegationStore, EndedDelegation, KeptDelegation, StoreError};

statements! {
    COUNT = "SELECT COUNT(*) FROM delegations WHERE namespace = ?1";
    INSERT = "INSERT INTO delegations (namespace, delegation_id, holder_id, holder_name, expires_at_s, revoked, \
              created_at_ms, links) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7)";
    INSERT_LINK = "INSERT INTO delegation_links (namespace, delegation_id, position, link_id, delegator_id, agent_id) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    ONE = "SELECT * FROM delegations WHERE namespace = ?1 AND delegation_id = ?2";
    PAGE = "SELECT * FROM delegations WHERE namespace = ?1 AND delegation_id > ?2 ORDER BY delegation_id LIMIT ?3";
    PAGE_OF = "SELECT * FROM delegations WHERE namespace = ?1 AND holder_name = ?4 AND delegation_id > ?2 \
               ORDER BY delegation_id LIMIT ?3";
    // The index is named, or the whole namespace is read for the order.
    LIVE = "SELECT * FROM delegations INDEXED BY delegations_by_holder WHERE namespace = ?1 AND holder_name = ?2 \
            AND revoked = 0 AND expires_at_s > ?3 ORDER BY created_at_ms DESC, delegation_id LIMIT ?4";
    END = "UPDATE delegations SET revoked = 1 WHERE namespace = ?1 AND delegation_id IN \
           (SELECT delegation_id FROM delegation_links WHERE namespace = ?1 AND link_id = ?2)";
    // A cross join, or the whole namespace is read for what is distinct.
    HOLDERS = "SELECT DISTINCT ended.holder_name FROM delegation_links AS link CROSS JOIN delegations AS ended \
               ON ended.delegation_id = link.delegation_id AND ended.namespace = ?1 \
               WHERE link.namespace = ?1 AND link.link_id = ?2 LIMIT 1000";
    KEY_ID = "SELECT key_id FROM chain_keys WHERE namespace = ?1";
    NEXT_KEY = "INSERT INTO chain_keys (namespace, key_id) VALUES (?1, 2) \
                ON CONFLICT (namespace) DO UPDATE SET key_id = key_id + 1 RETURNING key_id";
    DELEGATOR_NOTED = "SELECT COUNT(*) FROM minted_delegators WHERE namespace = ?1 AND agent_id = ?2";
    NOTE_DELEGATOR = "INSERT INTO minted_delegators (namespace, agent_id) VALUES (?1, ?2) \
                      ON CONFLICT (namespace, agent_id) DO NOTHING";
    KEEP_REVOKED = "INSERT INTO revoked_links (namespace, link_id) VALUES (?1, ?2) \
                    ON CONFLICT (namespace, link_id) DO NOTHING";
    LINK_REVOKED = "SELECT COUNT(*) FROM revoked_links WHERE namespace = ?1 AND link_id = ?2";
}

fn delegation(row: &SqliteRow) -> Result<KeptDelegation, StoreError> {
    Ok(KeptDelegation {
        namespace: row.try_get("namespace")?,
        delegation_id: digest(row.try_get("delegation_id")?, "delegations.delegation_id")?,
        holder_id: digest(row.try_get("holder_id")?, "delegations.holder_id")?,
        holder_name: row.try_get("holder_name")?,
        expires_at_s: unsigned(row.try_get("expires_at_s")?),
        revoked: row.try_get("revoked")?,
        created_at_ms: row.try_get("created_at_ms")?,
        encoded_links: row.try_get("links")?,
        links: Vec::new(),
    })
}

fn key_id(number: i64) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|_| StoreError::Damaged("chain_keys.key_id is no key id".into()))
}

#[async_trait]
impl DelegationStore for SqliteStore {
    async fn add_delegation(&self, kept: &KeptDelegation, limit: u64) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let (namespace, id) = (kept.namespace.as_str(), kept.delegation_id.as_slice());
        for link in &kept.links {
            let revoked: i64 = sqlx::query_scalar(LINK_REVOKED)
                .bind(namespace)
                .bind(link.link_id.as_slice())
                .fetch_one(&mut *transaction)
                .await?;
            if revoked > 0 {
                return Err(StoreError::Changed);
            }
        }
        if sqlx::query(ONE).bind(namespace).bind(id).fetch_optional(&mut *transaction).await?.is_some() {
            return Ok(());
        }
        refuse_when_full(&mut transaction, COUNT, namespace, ("delegations", limit)).await?;
        sqlx::query(INSERT)
            .bind(namespace)
            .bind(id)
            .bind(kept.holder_id.as_slice())
            .bind(&kept.holder_name)
            .bind(integer(kept.expires_at_s))
            .bind(kept.created_at_ms)
            .bind(&kept.encoded_links)
            .execute(&mut *transaction)
            .await?;
        for (position, link) in (0_i64..).zip(&kept.links) {
            sqlx::query(INSERT_LINK)
                .bind(namespace)
                .bind(id)
                .bind(position)
                .bind(link.link_id.as_slice())
                .bind(link.delegator_id.as_slice())
                .bind(link.agent_id.as_slice())
                .execute(&mut *transaction)
                .await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn delegation(&self, namespace: &str, id: &[u8; 32]) -> Result<KeptDelegation, StoreError> {
        let row = sqlx::query(ONE).bind(namespace).bind(id.as_slice()).fetch_one(&self.readers).await?;
        delegation(&row)
    }

    async fn delegations(
        &self,
        namespace: &str,
        holder_name: Option<&str>,
        after: &[u8],
        limit: u32,
    ) -> Result<Vec<KeptDelegation>, StoreError> {
        let query = sqlx::query(if holder_name.is_some() { PAGE_OF } else { PAGE });
        let query = query.bind(namespace).bind(after).bind(limit);
        let query = match holder_name {
            Some(name) => query.bind(name),
            None => query,
        };
        query.fetch_all(&self.readers).await?.iter().map(delegation).collect()
    }

    async fn live_delegations(
        &self,
        namespace: &str,
        holder_name: &str,
        now_s: u64,
        limit: u32,
    ) -> Result<Vec<KeptDelegation>, StoreError> {
        let rows = sqlx::query(LIVE)
            .bind(namespace)
            .bind(holder_name)
            .bind(integer(now_s))
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(delegation).collect()
    }

    async fn revoke_delegation(&self, namespace: &str, id: &[u8; 32]) -> Result<EndedDelegation, StoreError> {
        let mut transaction = self.begin().await?;
        let row = sqlx::query(ONE).bind(namespace).bind(id.as_slice()).fetch_one(&mut *transaction).await?;
        let before = delegation(&row)?;
        sqlx::query(KEEP_REVOKED).bind(namespace).bind(id.as_slice()).execute(&mut *transaction).await?;
        sqlx::query(END).bind(namespace).bind(id.as_slice()).execute(&mut *transaction).await?;
        let holders = sqlx::query_scalar(HOLDERS)
            .bind(namespace)
            .bind(id.as_slice())
            .fetch_all(&mut *transaction)
            .await?;
        bump_epoch(&mut transaction, namespace).await?;
        transaction.commit().await?;
        Ok(EndedDelegation { delegation: KeptDelegation { revoked: true, ..before }, holders })
    }

    async fn chain_key_id(&self, namespace: &str) -> Result<u32, StoreError> {
        let id: Option<i64> =
            sqlx::query_scalar(KEY_ID).bind(namespace).fetch_optional(&self.readers).await?;
        id.map_or(Ok(1), key_id)
    }

    async fn rotate_chain_keys(&self, namespace: &str, void_earlier: bool) -> Result<u32, StoreError> {
        let mut transaction = self.begin().await?;
        let id = sqlx::query_scalar(NEXT_KEY).bind(namespace).fetch_one(&mut *transaction).await?;
        if void_earlier {
            bump_epoch(&mut transaction, namespace).await?;
        }
        transaction.commit().await?;
        key_id(id)
    }

    async fn note_delegators(&self, namespace: &str, agent_ids: &[[u8; 32]]) -> Result<(), StoreError> {
        for id in agent_ids {
            let query = sqlx::query_scalar(DELEGATOR_NOTED).bind(namespace).bind(id.as_slice());
            let noted: i64 = query.fetch_one(&self.readers).await?;
            if noted == 0 {
                sqlx::query(NOTE_DELEGATOR).bind(namespace).bind(id.as_slice()).execute(&self.writer).await?;
            }
        }
        Ok(())
    }

    async fn any_link_revoked(&self, namespace: &str, link_ids: &[[u8; 32]]) -> Result<bool, StoreError> {
        for id in link_ids {
            let revoked: i64 = sqlx::query_scalar(LINK_REVOKED)
                .bind(namespace)
                .bind(id.as_slice())
                .fetch_one(&self.readers)
                .await?;
            if revoked > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
