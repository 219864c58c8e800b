//! The embedded store: one SQLite file.
//!
//! Write-ahead log, `synchronous=FULL`: what is acknowledged is on disk. One connection writes, each time under
//! `BEGIN IMMEDIATE`, so writers queue instead of failing; a few others only read.

mod agents;
mod calls;
mod delegations;
mod enrollment;
mod migration;
mod policies;
mod secrets;
mod sidecars;
mod statement;
mod tokens;

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};

use crate::StoreError;

/// Connections that only read.
const READERS: u32 = 4;
/// How long a query waits for a connection before it fails.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long SQLite waits for a lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The write-ahead log is cut back to this after a checkpoint, in bytes.
const LOG_LIMIT: &str = "67108864";
/// Page cache of a connection, in KiB (negative: SQLite's way to say KiB).
const PAGE_CACHE: &str = "-8000";

/// The embedded store.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteStore {
    /// Opens the file, makes it (mode 0600) if it is not there, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`] for a file of a later version, else why it cannot be opened.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let opened = |cause: std::io::Error| StoreError::Open { path: path.into(), cause: cause.to_string() };
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path)
            .and_then(|file| file.set_permissions(Permissions::from_mode(0o600)))
            .map_err(opened)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .pragma("trusted_schema", "OFF")
            .pragma("temp_store", "MEMORY")
            .pragma("cache_size", PAGE_CACHE)
            .pragma("journal_size_limit", LOG_LIMIT);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options.clone())
            .await?;
        migration::run(&writer, path).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options.pragma("query_only", "ON"))
            .await?;
        Ok(Self { writer, readers })
    }

    /// Waits for the last query and closes the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }
}

/// A count or time as SQLite keeps it. Values past 2^63 do not occur; they are held at the end of the range.
fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The way back; a negative value does not occur and reads as 0.
fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// 32 bytes out of a column.
fn digest(bytes: Vec<u8>, column: &str) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Damaged(format!("{column} is not 32 bytes")))
}

/// Refuses one more when the namespace is full.
async fn refuse_when_full(
    transaction: &mut Transaction<'_, Sqlite>,
    count: &'static str,
    namespace: &str,
    (kind, limit): (&'static str, u64),
) -> Result<(), StoreError> {
    let held: i64 = sqlx::query_scalar(count).bind(namespace).fetch_one(&mut **transaction).await?;
    if unsigned(held) >= limit { Err(StoreError::Full { kind, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
