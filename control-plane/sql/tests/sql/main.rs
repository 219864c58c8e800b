//! What a database does for a store, told in sentences.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::path::Path;

use creto_sql::{Database, Schema, SqlError, Step};
use creto_test_services::PostgresServer;
use tempfile::TempDir;

const FIRST: Step = Step {
    tables: "CREATE TABLE shop_things (name TEXT PRIMARY KEY, pieces BIGINT)",
    sqlite: "",
    postgres: "",
};
const SECOND: Step =
    Step { tables: "ALTER TABLE shop_things ADD COLUMN colour TEXT", sqlite: "", postgres: "" };
const OLD: Schema = Schema { name: "shop", steps: &[FIRST] };
const NEW: Schema = Schema { name: "shop", steps: &[FIRST, SECOND] };

async fn keeps_and_forgets(database: &Database) {
    const PUT: &str = "INSERT INTO shop_things (name, pieces) VALUES ($1, $2)";
    const GET: &str = "SELECT pieces, name FROM shop_things ORDER BY name";
    let mut work = database.begin().await.unwrap();
    assert_eq!(work.run(PUT, vec!["nail".into(), 7_i64.into()]).await.unwrap(), 1);
    assert_eq!(work.run(PUT, vec!["screw".into(), None::<i64>.into()]).await.unwrap(), 1);
    work.commit().await.unwrap();
    let mut dropped = database.begin().await.unwrap();
    dropped.run(PUT, vec!["lost".into(), 1_i64.into()]).await.unwrap();
    drop(dropped);
    let mut rows = database.read().await.unwrap().rows(GET, Vec::new()).await.unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].number().unwrap(), rows[0].text().unwrap()), (7, "nail".to_owned()));
    assert_eq!(rows[1].optional_number().unwrap(), None);
    let text = rows[1].number();
    assert!(matches!(text, Err(SqlError::Damaged(_))), "{text:?}");
    let mut read = database.read().await.unwrap();
    let refused = read.run(PUT, vec!["sly".into(), 1_i64.into()]).await;
    assert!(matches!(refused, Err(SqlError::Away(_))), "{refused:?}");
}

#[tokio::test]
async fn sqlite_keeps_what_was_committed_and_forgets_what_was_dropped() {
    let folder = TempDir::new().unwrap();
    keeps_and_forgets(&Database::sqlite(&folder.path().join("shop.db"), &NEW).await.unwrap()).await;
}

#[tokio::test]
async fn postgresql_keeps_what_was_committed_and_forgets_what_was_dropped() {
    let server = PostgresServer::start().await;
    keeps_and_forgets(&Database::postgres(&server.url(), &NEW).await.unwrap()).await;
}

#[tokio::test]
async fn a_file_is_brought_up_to_date_once_and_an_older_program_leaves_it_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("shop.db");
    for schema in [&OLD, &NEW, &NEW] {
        Database::sqlite(&path, schema).await.unwrap().close().await;
    }
    let refused = Database::sqlite(&path, &OLD).await.unwrap_err();
    assert!(matches!(refused, SqlError::NewerSchema { found: 2, known: 1, .. }), "{refused}");
}

#[tokio::test]
async fn a_server_is_brought_up_to_date_once_by_however_many_and_an_older_program_leaves_it_alone() {
    let server = PostgresServer::start().await;
    Database::postgres(&server.url(), &OLD).await.unwrap().close().await;
    let url = server.url();
    let (one, other) = tokio::join!(Database::postgres(&url, &NEW), Database::postgres(&url, &NEW));
    one.unwrap();
    let database = other.unwrap();
    const VERSIONS: &str = "SELECT version FROM shop_schema ORDER BY version";
    let rows = database.read().await.unwrap().rows(VERSIONS, Vec::new()).await.unwrap();
    let versions: Vec<i64> = rows.into_iter().map(|mut row| row.number().unwrap()).collect();
    assert_eq!(versions, [1, 2]);
    let refused = Database::postgres(&url, &OLD).await.unwrap_err();
    assert!(matches!(refused, SqlError::NewerSchema { found: 2, known: 1, .. }), "{refused}");
}

#[tokio::test]
async fn a_start_that_changes_nothing_writes_nothing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("shop.db");
    // Kept open, so that the log of the first start is not emptied by its close.
    let first = Database::sqlite(&path, &NEW).await.unwrap();
    let written = |path: &Path| std::fs::metadata(path.with_extension("db-wal")).unwrap().len();
    let before = written(&path);
    assert!(before > 0);
    let second = Database::sqlite(&path, &NEW).await.unwrap();
    assert_eq!(written(&path), before);
    second.close().await;
    first.close().await;
}
