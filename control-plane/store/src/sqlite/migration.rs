//! Bringing the schema up to date, forward only.

use std::path::Path;

use sqlx::SqlitePool;

use crate::StoreError;

/// The steps, in order; each is applied once, in a transaction of its own.
pub(super) const STEPS: &[(i64, &str)] = &[
    (1, include_str!("../../migrations/0001_first.sql")),
    (2, include_str!("../../migrations/0002_secrets.sql")),
    (3, include_str!("../../migrations/0003_usage.sql")),
    (4, include_str!("../../migrations/0004_push.sql")),
    (5, include_str!("../../migrations/0005_service_tier.sql")),
    (6, include_str!("../../migrations/0006_ended_code.sql")),
    (7, include_str!("../../migrations/0007_metering.sql")),
];

const CREATE_VERSIONS: &str =
    "CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL)";
const CURRENT: &str = "SELECT COALESCE(MAX(version), 0) FROM schema_migrations";
const APPLIED: &str = "INSERT INTO schema_migrations (version, applied_at) VALUES (?1, datetime('now'))";

/// Applies what is missing; refuses a file from a later version.
pub(super) async fn run(writer: &SqlitePool, path: &Path) -> Result<(), StoreError> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query(CREATE_VERSIONS).execute(&mut *transaction).await?;
    let found: i64 = sqlx::query_scalar(CURRENT).fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    let known = STEPS.last().map_or(0, |(version, _)| *version);
    if found > known {
        return Err(StoreError::NewerSchema { path: path.into(), found, known });
    }
    for (version, sql) in STEPS.iter().filter(|(version, _)| *version > found) {
        let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::raw_sql(*sql).execute(&mut *transaction).await?;
        sqlx::query(APPLIED).bind(version).execute(&mut *transaction).await?;
        transaction.commit().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SqliteStore;

    #[test]
    fn versions_grow_by_one() {
        for (at, (version, _)) in STEPS.iter().enumerate() {
            assert_eq!(*version, i64::try_from(at).unwrap() + 1);
        }
    }

    #[tokio::test]
    async fn an_empty_file_is_brought_up_to_date_and_a_second_start_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("creto.db");
        let dump = "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_schema ORDER BY name)";
        let mut seen = Vec::new();
        for _ in 0..2 {
            let store = SqliteStore::open(&path).await.unwrap();
            let schema: String = sqlx::query_scalar(dump).fetch_one(&store.readers).await.unwrap();
            let version: i64 = sqlx::query_scalar(CURRENT).fetch_one(&store.readers).await.unwrap();
            seen.push((schema, version));
            store.close().await;
        }
        assert_eq!(seen[0], seen[1]);
        assert_eq!(seen[0].1, STEPS.last().unwrap().0);
    }

    #[tokio::test]
    async fn a_file_of_a_later_version_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("creto.db");
        let store = SqliteStore::open(&path).await.unwrap();
        sqlx::query(APPLIED).bind(9000).execute(&store.writer).await.unwrap();
        store.close().await;
        let error = SqliteStore::open(&path).await.unwrap_err();
        assert!(matches!(error, StoreError::NewerSchema { found: 9000, .. }), "{error}");
        assert!(error.to_string().contains("run the newer control plane again"));
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("creto.db");
        std::fs::write(&path, vec![b'x'; 8192]).unwrap();
        assert!(matches!(SqliteStore::open(&path).await, Err(StoreError::Damaged(_))));
    }
}
