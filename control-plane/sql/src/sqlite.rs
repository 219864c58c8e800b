//! SQLite: one file, write-ahead log, `synchronous=FULL`. One connection writes, under `BEGIN IMMEDIATE`.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::Sqlite;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use crate::error::away;
use crate::work::{Engine, transaction};
use crate::{Schema, SqlError, Work};

/// Connections that only read.
const READERS: u32 = 4;
/// How long a query waits for a connection before it fails.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait for another process to let go of the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The write-ahead log is cut back to this after a checkpoint, in bytes.
const LOG_LIMIT: &str = "67108864";

pub(crate) struct SqliteEngine {
    writer: SqlitePool,
    readers: SqlitePool,
    place: String,
}

impl SqliteEngine {
    pub(crate) async fn open(path: &Path, schema: &Schema) -> Result<Self, SqlError> {
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path)
            .and_then(|file| file.set_permissions(Permissions::from_mode(0o600)))
            .map_err(|error| SqlError::Open { path: path.into(), cause: error.to_string() })?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .pragma("trusted_schema", "OFF")
            .pragma("temp_store", "MEMORY")
            .pragma("journal_size_limit", LOG_LIMIT);
        let pool = |most| SqlitePoolOptions::new().max_connections(most).acquire_timeout(ACQUIRE_TIMEOUT);
        let writer = pool(1).connect_with(options.clone()).await.map_err(|error| away(&error))?;
        let place = path.display().to_string();
        migrate(&writer, &place, schema).await?;
        let readers =
            pool(READERS).connect_with(options.read_only(true)).await.map_err(|error| away(&error))?;
        Ok(Self { writer, readers, place })
    }
}

async fn migrate(writer: &SqlitePool, place: &str, schema: &Schema) -> Result<(), SqlError> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(|error| away(&error))?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *transaction)
        .await
        .map_err(|error| away(&error))?;
    if found > schema.version() {
        let place = place.to_owned();
        return Err(SqlError::NewerSchema { place, found, known: schema.version() });
    }
    for step in schema.after(found) {
        for script in [step.tables, step.sqlite] {
            sqlx::raw_sql(script).execute(&mut *transaction).await.map_err(|error| away(&error))?;
        }
    }
    // Setting it writes a page, even to what it was: a start that changes nothing must not need the disk.
    if found < schema.version() {
        // A pragma takes no placeholder; the number is ours.
        let version = format!("PRAGMA user_version = {}", schema.version());
        sqlx::raw_sql(sqlx::AssertSqlSafe(version))
            .execute(&mut *transaction)
            .await
            .map_err(|error| away(&error))?;
    }
    transaction.commit().await.map_err(|error| away(&error))
}

#[async_trait]
impl Engine for SqliteEngine {
    fn place(&self) -> String {
        self.place.clone()
    }

    async fn begin(&self) -> Result<Box<dyn Work>, SqlError> {
        let transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(|error| away(&error))?;
        Ok(Box::new(SqliteWork(transaction)))
    }

    async fn read(&self) -> Result<Box<dyn Work>, SqlError> {
        Ok(Box::new(SqliteWork(self.readers.begin().await.map_err(|error| away(&error))?)))
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

transaction!(SqliteWork, Sqlite, "INTEGER");
