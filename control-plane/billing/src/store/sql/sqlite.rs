//! SQLite: one file, write-ahead log, `synchronous=FULL`. One connection writes, under `BEGIN IMMEDIATE`.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Row as _, Sqlite, Transaction, TypeInfo as _, ValueRef as _};

use super::engine::{Engine, Work, away, bound};
use super::row::{Cell, Given, Row};
use crate::BillingError;

/// Connections that only read.
const READERS: u32 = 4;
/// How long a query waits for a connection before it fails.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait for another process to let go of the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The write-ahead log is cut back to this after a checkpoint, in bytes.
const LOG_LIMIT: &str = "67108864";
/// The schema this program knows.
const SCHEMA: i64 = 2;

const TABLES: &str = include_str!("../../../migrations/0001_tables.sql");
const GUARDS: &str = include_str!("../../../migrations/0001_guards_sqlite.sql");
const CURSORS: &str = include_str!("../../../migrations/0002_cursors.sql");

pub(super) struct SqliteEngine {
    writer: SqlitePool,
    readers: SqlitePool,
    place: String,
}

impl SqliteEngine {
    pub(super) async fn open(path: &Path) -> Result<Self, BillingError> {
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path)
            .and_then(|file| file.set_permissions(Permissions::from_mode(0o600)))
            .map_err(|error| BillingError::Open { path: path.into(), cause: error.to_string() })?;
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
        migrate(&writer, &place).await?;
        let readers =
            pool(READERS).connect_with(options.read_only(true)).await.map_err(|error| away(&error))?;
        Ok(Self { writer, readers, place })
    }
}

async fn migrate(writer: &SqlitePool, place: &str) -> Result<(), BillingError> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(|error| away(&error))?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *transaction)
        .await
        .map_err(|error| away(&error))?;
    if found > SCHEMA {
        return Err(BillingError::NewerSchema { place: place.to_owned(), found, known: SCHEMA });
    }
    let steps: [&[&'static str]; 2] = [&[TABLES, GUARDS], &[CURSORS, "PRAGMA user_version = 2"]];
    let done = usize::try_from(found).unwrap_or_default();
    for script in steps.into_iter().skip(done).flatten() {
        sqlx::raw_sql(*script).execute(&mut *transaction).await.map_err(|error| away(&error))?;
    }
    transaction.commit().await.map_err(|error| away(&error))
}

#[async_trait]
impl Engine for SqliteEngine {
    fn place(&self) -> String {
        self.place.clone()
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    async fn begin(&self) -> Result<Box<dyn Work>, BillingError> {
        let transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(|error| away(&error))?;
        Ok(Box::new(SqliteWork(transaction)))
    }

    async fn read(&self) -> Result<Box<dyn Work>, BillingError> {
        Ok(Box::new(SqliteWork(self.readers.begin().await.map_err(|error| away(&error))?)))
    }
}

struct SqliteWork(Transaction<'static, Sqlite>);

#[async_trait]
impl Work for SqliteWork {
    async fn run(&mut self, statement: &'static str, given: Vec<Given>) -> Result<u64, BillingError> {
        let done = bound!(statement, given).execute(&mut *self.0).await.map_err(|error| away(&error))?;
        Ok(done.rows_affected())
    }

    async fn rows(&mut self, statement: &'static str, given: Vec<Given>) -> Result<Vec<Row>, BillingError> {
        let rows = bound!(statement, given).fetch_all(&mut *self.0).await.map_err(|error| away(&error))?;
        rows.iter().map(row).collect()
    }

    async fn commit(self: Box<Self>) -> Result<(), BillingError> {
        self.0.commit().await.map_err(|error| away(&error))
    }
}

fn row(row: &SqliteRow) -> Result<Row, BillingError> {
    let cell = |place: usize| -> Result<Cell, sqlx::Error> {
        let value = row.try_get_raw(place)?;
        if value.is_null() {
            return Ok(Cell::Nothing);
        }
        match value.type_info().name() {
            "INTEGER" => row.try_get(place).map(Cell::Number),
            _ => row.try_get(place).map(Cell::Text),
        }
    };
    let cells: Result<Vec<Cell>, sqlx::Error> = (0..row.len()).map(cell).collect();
    Ok(Row::new(cells.map_err(|error| away(&error))?))
}
