//! The suite on both databases.

use std::sync::Arc;

use creto_billing::{BillingError, BillingStore, SqlStore};
use tempfile::TempDir;

use crate::conformance;
use crate::world::World;
use creto_test_services::PostgresServer;

#[tokio::test]
async fn sqlite_does_all_a_store_must() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("billing.db");
    let open = || async { Arc::new(SqlStore::sqlite(&path).await.unwrap()) as Arc<dyn BillingStore> };
    conformance::all(&open).await;
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn postgresql_does_all_a_store_must() {
    let server = PostgresServer::start().await;
    let url = server.url();
    let open = || async { Arc::new(SqlStore::postgres(&url).await.unwrap()) as Arc<dyn BillingStore> };
    conformance::all(&open).await;
}

#[tokio::test]
async fn what_was_issued_survives_a_postgresql_that_is_killed() {
    let mut server = PostgresServer::start().await;
    let store = Arc::new(SqlStore::postgres(&server.url()).await.unwrap());
    let world = World::on(store, "default").await;
    world.acme().await;
    let report = world.run("2026-02-01T00:00:00Z").await;
    let id = &report.drafts[0].id;
    let signed = world.try_finalize(id, "key", "2026-02-01T00:00:00Z").await.unwrap();
    server.kill9();
    assert!(matches!(world.store.invoice("default", id).await, Err(BillingError::Away(_))));
    server.run().await;
    assert_eq!(world.invoice(id).await.signed(), Some(&signed));
    assert_eq!(world.try_finalize(id, "key", "2026-02-02T00:00:00Z").await.unwrap(), signed);
}

/// What the database itself refuses, should a program ever try.
const FORBIDDEN: [&str; 8] = [
    "UPDATE billing_invoices SET document = '{}'",
    "UPDATE billing_invoices SET sequence = 7",
    "UPDATE billing_invoices SET state = 'draft', sequence = NULL, document = NULL, draft = '{}'",
    "DELETE FROM billing_invoices",
    "UPDATE billing_plans SET document = '{}'",
    "UPDATE billing_wallet_ledger SET minor = 1",
    "DELETE FROM billing_wallet_ledger",
    "UPDATE billing_wallet_credits SET left_minor = -1",
];

async fn issued(world: &World) {
    world.acme().await;
    world.topped_up(500).await;
    world.billed("2026-02-01T00:00:00Z").await;
}

#[tokio::test]
async fn sqlite_refuses_to_edit_what_was_issued() {
    use sqlx::Connection as _;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("billing.db");
    issued(&World::on(Arc::new(SqlStore::sqlite(&path).await.unwrap()), "default").await).await;
    let url = format!("sqlite://{}", path.display());
    let mut raw = sqlx::sqlite::SqliteConnection::connect(&url).await.unwrap();
    for statement in FORBIDDEN {
        assert!(sqlx::query(statement).execute(&mut raw).await.is_err(), "{statement} went through");
    }
}

#[tokio::test]
async fn postgresql_refuses_to_edit_what_was_issued() {
    use sqlx::Connection as _;
    let server = PostgresServer::start().await;
    issued(&World::on(Arc::new(SqlStore::postgres(&server.url()).await.unwrap()), "default").await).await;
    let mut raw = sqlx::postgres::PgConnection::connect(&server.url()).await.unwrap();
    for statement in FORBIDDEN {
        assert!(sqlx::query(statement).execute(&mut raw).await.is_err(), "{statement} went through");
    }
}

#[tokio::test]
async fn a_database_of_a_later_version_is_left_alone() {
    use sqlx::Connection as _;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("billing.db");
    drop(SqlStore::sqlite(&path).await.unwrap());
    let mut raw =
        sqlx::sqlite::SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::query("PRAGMA user_version = 4").execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();
    let refused = SqlStore::sqlite(&path).await.unwrap_err();
    assert!(matches!(refused, BillingError::NewerSchema { found: 4, known: 3, .. }), "{refused}");
}

#[tokio::test]
async fn a_file_of_the_first_version_is_brought_up_to_date() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("billing.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    for script in [
        include_str!("../../migrations/0001_tables.sql"),
        include_str!("../../migrations/0001_guards_sqlite.sql"),
        "INSERT INTO billing_namespaces (namespace, revision, next_invoice, next_credit_note, next_entry) \
         VALUES ('old', 3, 1, 1, 1); PRAGMA user_version = 1",
    ] {
        sqlx::raw_sql(script).execute(&pool).await.unwrap();
    }
    pool.close().await;
    for _ in 0..2 {
        let store: Arc<dyn BillingStore> = Arc::new(SqlStore::sqlite(&path).await.unwrap());
        assert_eq!(store.namespaces("").await.unwrap(), ["old"]);
        assert_eq!(store.cursor("old", "events").await.unwrap(), 0);
        store.close().await;
        assert!(matches!(store.namespaces("").await, Err(BillingError::Away(_))));
    }
}

#[tokio::test]
async fn a_server_of_the_first_version_is_brought_up_to_date() {
    use sqlx::Connection as _;
    let server = PostgresServer::start().await;
    let mut raw = sqlx::postgres::PgConnection::connect(&server.url()).await.unwrap();
    for script in [
        "CREATE TABLE billing_schema (version BIGINT NOT NULL)",
        include_str!("../../migrations/0001_tables.sql"),
        include_str!("../../migrations/0001_guards_postgres.sql"),
        "INSERT INTO billing_schema VALUES (1)",
        "INSERT INTO billing_namespaces (namespace, revision, next_invoice, next_credit_note, next_entry) \
         VALUES ('old', 3, 1, 1, 1)",
    ] {
        sqlx::raw_sql(script).execute(&mut raw).await.unwrap();
    }
    for _ in 0..2 {
        let store: Arc<dyn BillingStore> = Arc::new(SqlStore::postgres(&server.url()).await.unwrap());
        assert_eq!(store.namespaces("").await.unwrap(), ["old"]);
        assert_eq!(store.cursor("old", "events").await.unwrap(), 0);
        store.close().await;
    }
}
