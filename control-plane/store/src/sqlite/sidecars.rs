//! Sidecars in SQLite.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::statement::statements;
use super::{SqliteStore, integer, unsigned};
use crate::{KeptSidecar, KeptSidecarEvent, SidecarNote, SidecarStore, StoreError};

statements! {
    BY_FINGERPRINT = "SELECT * FROM sidecars WHERE fingerprint = ?1";
    PAGE = "SELECT * FROM sidecars WHERE namespace = ?1 AND sidecar_id > ?2 ORDER BY sidecar_id LIMIT ?3";
    EPOCH = "INSERT INTO policy_epochs (namespace, epoch) VALUES (?1, 1) \
             ON CONFLICT (namespace) DO UPDATE SET epoch = epoch + 1 RETURNING epoch";
    // Materialized, or every sidecar of the namespace is compared with every note.
    NOTE = "WITH note AS MATERIALIZED (SELECT value ->> 0 AS id, value ->> 1 AS offered, value ->> 2 AS applied, \
            value ->> 3 AS rejection, value ->> 4 AS seen FROM json_each(?2)) \
            UPDATE sidecars SET offered_epoch = note.offered, applied_epoch = note.applied, \
            rejection = note.rejection, last_seen_ms = note.seen FROM note \
            WHERE sidecars.namespace = ?1 AND sidecars.sidecar_id = note.id";
    LAST_EVENT = "SELECT COALESCE(MAX(number), 0) FROM sidecar_events WHERE namespace = ?1";
    ADD_EVENT = "INSERT INTO sidecar_events (namespace, number, sidecar_id, agent_name, at_ms, kept_at_ms, kind, \
                 epoch, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    DROP_OLD_EVENTS = "DELETE FROM sidecar_events WHERE namespace = ?1 AND sidecar_id = ?2 AND number <= \
                       COALESCE((SELECT number FROM sidecar_events WHERE namespace = ?1 AND sidecar_id = ?2 \
                       ORDER BY number DESC LIMIT 1 OFFSET ?3), 0)";
    EVENTS = "SELECT * FROM sidecar_events WHERE namespace = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3";
    EVENTS_OF = "SELECT * FROM sidecar_events WHERE namespace = ?1 AND sidecar_id = ?2 AND number < ?3 \
                 ORDER BY number DESC LIMIT ?4";
}

fn sidecar(row: &SqliteRow) -> Result<KeptSidecar, StoreError> {
    Ok(KeptSidecar {
        namespace: row.try_get("namespace")?,
        sidecar_id: row.try_get("sidecar_id")?,
        agent_name: row.try_get("agent_name")?,
        offered_epoch: unsigned(row.try_get("offered_epoch")?),
        applied_epoch: unsigned(row.try_get("applied_epoch")?),
        rejection: row.try_get("rejection")?,
        last_seen_ms: row.try_get("last_seen_ms")?,
    })
}

fn event(row: &SqliteRow) -> Result<KeptSidecarEvent, StoreError> {
    Ok(KeptSidecarEvent {
        namespace: row.try_get("namespace")?,
        number: unsigned(row.try_get("number")?),
        sidecar_id: row.try_get("sidecar_id")?,
        agent_name: row.try_get("agent_name")?,
        at_ms: row.try_get("at_ms")?,
        kept_at_ms: row.try_get("kept_at_ms")?,
        kind: row.try_get("kind")?,
        epoch: unsigned(row.try_get("epoch")?),
        detail: row.try_get("detail")?,
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

    async fn next_policy_epoch(&self, namespace: &str) -> Result<u64, StoreError> {
        let epoch: i64 = sqlx::query_scalar(EPOCH).bind(namespace).fetch_one(&self.writer).await?;
        Ok(unsigned(epoch))
    }

    async fn note_sidecars(&self, notes: &[SidecarNote]) -> Result<(), StoreError> {
        // One statement a namespace: each is a turn of the writer's thread.
        let mut by_namespace: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for note in notes {
            let (offered, applied) = (integer(note.offered_epoch), integer(note.applied_epoch));
            let columns = (&note.sidecar_id, offered, applied, &note.rejection, note.last_seen_ms);
            by_namespace.entry(&note.namespace).or_default().push(columns);
        }
        let mut transaction = self.begin().await?;
        for (namespace, notes) in by_namespace {
            let notes = serde_json::to_string(&notes)
                .map_err(|error| StoreError::Damaged(format!("notes do not encode: {error}")))?;
            sqlx::query(NOTE).bind(namespace).bind(notes).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    async fn add_sidecar_events(&self, events: &[KeptSidecarEvent], max_each: u32) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        for event in events {
            let last: i64 =
                sqlx::query_scalar(LAST_EVENT).bind(&event.namespace).fetch_one(&mut *transaction).await?;
            sqlx::query(ADD_EVENT)
                .bind(&event.namespace)
                .bind(last.saturating_add(1))
                .bind(&event.sidecar_id)
                .bind(&event.agent_name)
                .bind(event.at_ms)
                .bind(event.kept_at_ms)
                .bind(event.kind)
                .bind(integer(event.epoch))
                .bind(&event.detail)
                .execute(&mut *transaction)
                .await?;
        }
        let of: BTreeSet<_> = events.iter().map(|event| (&event.namespace, &event.sidecar_id)).collect();
        for (namespace, sidecar_id) in of {
            sqlx::query(DROP_OLD_EVENTS)
                .bind(namespace)
                .bind(sidecar_id)
                .bind(max_each)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    async fn sidecar_events(
        &self,
        namespace: &str,
        sidecar_id: Option<&str>,
        before: u64,
        limit: u32,
    ) -> Result<Vec<KeptSidecarEvent>, StoreError> {
        let query = match sidecar_id {
            None => sqlx::query(EVENTS).bind(namespace),
            Some(id) => sqlx::query(EVENTS_OF).bind(namespace).bind(id),
        };
        let rows = query.bind(integer(before)).bind(limit).fetch_all(&self.readers).await?;
        rows.iter().map(event).collect()
    }
}
