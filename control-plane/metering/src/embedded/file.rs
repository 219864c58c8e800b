//! The database of the embedded store: what the log has come to. One serial writer; readers see whole checkpoints.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _};

use super::options::MAX_READERS;
use crate::StoreError;

/// How long to wait for another connection to let go of the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// SQLite's write-ahead log is cut back to this after a checkpoint of its own, in bytes.
const LOG_LIMIT: &str = "67108864";
/// Memory for pages of the writer, in kibibytes, negative as SQLite wants it (256 MiB).
const CACHE: &str = "-262144";

/// The steps of the schema, in order; each is applied once, in a transaction of its own.
const STEPS: &[(i64, &str)] =
    &[(1, include_str!("migrations/0001_first.sql")), (2, include_str!("migrations/0002_bounds.sql"))];
const CREATE_VERSIONS: &str =
    "CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL)";
const CURRENT: &str = "SELECT COALESCE(MAX(version), 0) FROM schema_migrations";
const APPLIED: &str = "INSERT INTO schema_migrations (version, applied_at) VALUES (?1, datetime('now'))";

/// SQLite's primary result codes (its own documentation, "Result and Error Codes").
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const NOT_A_DATABASE: i32 = 26;

/// Where the database lies.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join("events.db")
}

/// Bytes the database takes on disk, as far as it can be seen.
pub(super) fn bytes(folder: &Path) -> u64 {
    let files = ["events.db", "events.db-wal"];
    files.iter().filter_map(|name| std::fs::metadata(folder.join(name)).ok()).map(|file| file.len()).sum()
}

/// What went wrong with the database.
pub(super) fn away(folder: &Path, error: &sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<i32>().ok());
    match code.map(|extended| extended & 0xff) {
        Some(CORRUPT | NOT_A_DATABASE) => damaged(folder, error.to_string()),
        Some(FULL) => StoreError::DiskFull(format!("{}: {error}", path(folder).display())),
        _ => StoreError::Away(format!("{}: {error}", path(folder).display())),
    }
}

/// The database does not hold what was written.
pub(super) fn damaged(folder: &Path, what: impl Into<String>) -> StoreError {
    StoreError::Damaged { segment: path(folder), offset: 0, what: what.into() }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // A checkpoint that is lost is made again from the log; one that is half there never is.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("trusted_schema", "OFF")
        .pragma("temp_store", "MEMORY")
        .pragma("journal_size_limit", LOG_LIMIT)
}

/// Opens the database for writing, makes it (mode 0600) if it is not there, and brings its schema up to date.
pub(super) async fn open(folder: &Path) -> Result<SqliteConnection, StoreError> {
    let path = path(folder);
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .and_then(|file| file.set_permissions(Permissions::from_mode(0o600)))
        .map_err(|error| StoreError::Open { path: path.clone(), cause: error.to_string() })?;
    let away = |error: sqlx::Error| away(folder, &error);
    let mut connection = options(&path).pragma("cache_size", CACHE).connect().await.map_err(away)?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(away)?;
    sqlx::query(CREATE_VERSIONS).execute(&mut *transaction).await.map_err(away)?;
    let found: i64 = sqlx::query_scalar(CURRENT).fetch_one(&mut *transaction).await.map_err(away)?;
    let known = STEPS.last().map_or(0, |(version, _)| *version);
    if found > known {
        return Err(StoreError::NewerSchema { path, found, known });
    }
    for (version, sql) in STEPS.iter().filter(|(version, _)| *version > found) {
        sqlx::raw_sql(*sql).execute(&mut *transaction).await.map_err(away)?;
        sqlx::query(APPLIED).bind(version).execute(&mut *transaction).await.map_err(away)?;
    }
    transaction.commit().await.map_err(away)?;
    Ok(connection)
}

/// Connections that only read.
pub(super) fn readers(folder: &Path) -> SqlitePool {
    let options = options(&path(folder)).read_only(true);
    SqlitePoolOptions::new()
        .max_connections(MAX_READERS)
        .acquire_timeout(BUSY_TIMEOUT)
        .connect_lazy_with(options)
}
