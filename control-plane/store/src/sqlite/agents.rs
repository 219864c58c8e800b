//! Agents in SQLite.

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, Sqlite, Transaction};

use super::statement::statements;
use super::{SqliteStore, digest, refuse_when_full};
use crate::{AgentStore, AgentSummary, KeptAgent, KeptState, StateSet, StoreError};

statements! {
    COUNT = "SELECT COUNT(*) FROM agents WHERE namespace = ?1";
    NAME_TAKEN = "SELECT COUNT(*) FROM agents WHERE namespace = ?1 AND name = ?2";
    KEY_TAKEN = "SELECT COUNT(*) FROM agent_keys WHERE namespace = ?1 AND agent_id = ?2";
    INSERT = "INSERT INTO agents (namespace, name, agent_id, public_key, tier, trust_level, state, labels, root, \
              created_at_ms, updated_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    INSERT_KEY = "INSERT INTO agent_keys (namespace, agent_id, name) VALUES (?1, ?2, ?3)";
    ONE = "SELECT * FROM agents WHERE namespace = ?1 AND name = ?2";
    BY_KEY = "SELECT a.name, a.public_key, a.state, a.root FROM agent_keys k \
              JOIN agents a ON a.namespace = ?1 AND a.name = k.name AND a.agent_id = k.agent_id \
              WHERE k.namespace = ?1 AND k.agent_id = ?2";
    PAGE = "SELECT * FROM agents WHERE namespace = ?1 AND name > ?2 ORDER BY name LIMIT ?3";
    SET_KEY = "UPDATE agents SET agent_id = ?3, public_key = ?4, updated_at_ms = ?5 WHERE namespace = ?1 AND name = ?2";
    SET_STATE = "UPDATE agents SET state = ?3, updated_at_ms = ?4 WHERE namespace = ?1 AND name = ?2";
    EPOCH = "SELECT epoch FROM revocation_epochs WHERE namespace = ?1";
    BUMP = "INSERT INTO revocation_epochs (namespace, epoch) VALUES (?1, 2) \
            ON CONFLICT (namespace) DO UPDATE SET epoch = epoch + 1";
    DELEGATES = "SELECT EXISTS (SELECT 1 FROM delegation_links WHERE namespace = ?1 AND delegator_id = ?2) \
                 + EXISTS (SELECT 1 FROM minted_delegators WHERE namespace = ?1 AND agent_id = ?2)";
    END_DELEGATIONS = "UPDATE delegations SET revoked = 1 WHERE namespace = ?1 AND delegation_id IN \
                       (SELECT delegation_id FROM delegation_links WHERE namespace = ?1 AND delegator_id = ?2 \
                        UNION SELECT delegation_id FROM delegation_links WHERE namespace = ?1 AND agent_id = ?2)";
}

const ACTIVE: i64 = 1;
const SUSPENDED: i64 = 2;
const REVOKED: i64 = 3;

fn number(state: KeptState) -> i64 {
    match state {
        KeptState::Active => ACTIVE,
        KeptState::Suspended => SUSPENDED,
        KeptState::Revoked => REVOKED,
    }
}

fn state(number: i64) -> Result<KeptState, StoreError> {
    match number {
        ACTIVE => Ok(KeptState::Active),
        SUSPENDED => Ok(KeptState::Suspended),
        REVOKED => Ok(KeptState::Revoked),
        other => Err(StoreError::Damaged(format!("agents.state is {other}"))),
    }
}

fn agent(row: &SqliteRow) -> Result<KeptAgent, StoreError> {
    let labels: String = row.try_get("labels")?;
    Ok(KeptAgent {
        namespace: row.try_get("namespace")?,
        name: row.try_get("name")?,
        agent_id: digest(row.try_get("agent_id")?, "agents.agent_id")?,
        public_key: digest(row.try_get("public_key")?, "agents.public_key")?,
        tier: row.try_get("tier")?,
        trust_level: row.try_get("trust_level")?,
        state: state(row.try_get("state")?)?,
        labels: serde_json::from_str(&labels)
            .map_err(|_| StoreError::Damaged("agents.labels is no JSON object".into()))?,
        root: row.try_get("root")?,
        created_at_ms: row.try_get("created_at_ms")?,
        updated_at_ms: row.try_get("updated_at_ms")?,
    })
}

/// The namespace's next revocation epoch; everything minted before is void from here on.
pub(super) async fn bump_epoch(
    transaction: &mut Transaction<'_, Sqlite>,
    namespace: &str,
) -> Result<(), StoreError> {
    sqlx::query(BUMP).bind(namespace).execute(&mut **transaction).await?;
    Ok(())
}

async fn read(
    transaction: &mut Transaction<'_, Sqlite>,
    namespace: &str,
    name: &str,
) -> Result<KeptAgent, StoreError> {
    agent(&sqlx::query(ONE).bind(namespace).bind(name).fetch_one(&mut **transaction).await?)
}

async fn count(
    transaction: &mut Transaction<'_, Sqlite>,
    sql: &'static str,
    namespace: &str,
    id: &[u8; 32],
) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar(sql).bind(namespace).bind(id.as_slice()).fetch_one(&mut **transaction).await?)
}

#[async_trait]
impl AgentStore for SqliteStore {
    async fn create_agent(&self, agent: &KeptAgent, limit: u64) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        refuse_when_full(&mut transaction, COUNT, &agent.namespace, ("agents", limit)).await?;
        let names: i64 = sqlx::query_scalar(NAME_TAKEN)
            .bind(&agent.namespace)
            .bind(&agent.name)
            .fetch_one(&mut *transaction)
            .await?;
        if names > 0 {
            return Err(StoreError::NameTaken);
        }
        if count(&mut transaction, KEY_TAKEN, &agent.namespace, &agent.agent_id).await? > 0 {
            return Err(StoreError::KeyTaken);
        }
        let labels = serde_json::to_string(&agent.labels)
            .map_err(|error| StoreError::Damaged(format!("labels do not encode: {error}")))?;
        sqlx::query(INSERT)
            .bind(&agent.namespace)
            .bind(&agent.name)
            .bind(agent.agent_id.as_slice())
            .bind(agent.public_key.as_slice())
            .bind(agent.tier)
            .bind(agent.trust_level)
            .bind(number(agent.state))
            .bind(labels)
            .bind(agent.root)
            .bind(agent.created_at_ms)
            .bind(agent.updated_at_ms)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(INSERT_KEY)
            .bind(&agent.namespace)
            .bind(agent.agent_id.as_slice())
            .bind(&agent.name)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    async fn agent(&self, namespace: &str, name: &str) -> Result<KeptAgent, StoreError> {
        agent(&sqlx::query(ONE).bind(namespace).bind(name).fetch_one(&self.readers).await?)
    }

    async fn agent_by_id(
        &self,
        namespace: &str,
        agent_id: &[u8; 32],
    ) -> Result<Option<AgentSummary>, StoreError> {
        let row = sqlx::query(BY_KEY)
            .bind(namespace)
            .bind(agent_id.as_slice())
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(AgentSummary {
            name: row.try_get("name")?,
            public_key: digest(row.try_get("public_key")?, "agents.public_key")?,
            state: state(row.try_get("state")?)?,
            root: row.try_get("root")?,
        }))
    }

    async fn agents(&self, namespace: &str, after: &str, limit: u32) -> Result<Vec<KeptAgent>, StoreError> {
        let rows = sqlx::query(PAGE).bind(namespace).bind(after).bind(limit).fetch_all(&self.readers).await?;
        rows.iter().map(agent).collect()
    }

    async fn rotate_agent_key(
        &self,
        namespace: &str,
        name: &str,
        old_id: &[u8; 32],
        (new_id, new_key): (&[u8; 32], &[u8; 32]),
        now_ms: i64,
    ) -> Result<KeptAgent, StoreError> {
        let mut transaction = self.begin().await?;
        let before = read(&mut transaction, namespace, name).await?;
        if before.state == KeptState::Revoked {
            return Err(StoreError::AgentRevoked);
        }
        if before.agent_id != *old_id {
            return Err(StoreError::Changed);
        }
        if count(&mut transaction, KEY_TAKEN, namespace, new_id).await? > 0 {
            return Err(StoreError::KeyTaken);
        }
        sqlx::query(SET_KEY)
            .bind(namespace)
            .bind(name)
            .bind(new_id.as_slice())
            .bind(new_key.as_slice())
            .bind(now_ms)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(INSERT_KEY)
            .bind(namespace)
            .bind(new_id.as_slice())
            .bind(name)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(END_DELEGATIONS)
            .bind(namespace)
            .bind(old_id.as_slice())
            .execute(&mut *transaction)
            .await?;
        bump_epoch(&mut transaction, namespace).await?;
        let after = read(&mut transaction, namespace, name).await?;
        transaction.commit().await?;
        Ok(after)
    }

    async fn set_agent_state(
        &self,
        namespace: &str,
        name: &str,
        state: KeptState,
        now_ms: i64,
    ) -> Result<StateSet, StoreError> {
        let mut transaction = self.begin().await?;
        let before = read(&mut transaction, namespace, name).await?;
        if before.state == state {
            return Ok(StateSet { agent: before, concerns_others: false });
        }
        if before.state == KeptState::Revoked {
            return Err(StoreError::AgentRevoked);
        }
        sqlx::query(SET_STATE)
            .bind(namespace)
            .bind(name)
            .bind(number(state))
            .bind(now_ms)
            .execute(&mut *transaction)
            .await?;
        if state == KeptState::Revoked {
            sqlx::query(END_DELEGATIONS)
                .bind(namespace)
                .bind(before.agent_id.as_slice())
                .execute(&mut *transaction)
                .await?;
        }
        let concerns_others = count(&mut transaction, DELEGATES, namespace, &before.agent_id).await? > 0;
        if concerns_others && state != KeptState::Active {
            bump_epoch(&mut transaction, namespace).await?;
        }
        let agent = read(&mut transaction, namespace, name).await?;
        transaction.commit().await?;
        Ok(StateSet { agent, concerns_others })
    }

    async fn revocation_epoch(&self, namespace: &str) -> Result<u32, StoreError> {
        let epoch: Option<i64> =
            sqlx::query_scalar(EPOCH).bind(namespace).fetch_optional(&self.readers).await?;
        Ok(epoch.map_or(1, |epoch| u32::try_from(epoch).unwrap_or(u32::MAX)))
    }
}
