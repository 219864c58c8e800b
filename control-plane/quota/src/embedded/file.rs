//! The file of the embedded issuer.
//!
//! One connection with the file to itself (`locking_mode=EXCLUSIVE`), write-ahead log, `synchronous=FULL`: a commit is
//! on disk when it returns, and a second process cannot grant from the same file.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::IssuerError;

/// How long to wait for another process to let go of the file: one that is being replaced is on its way out.
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);
/// The write-ahead log is cut back to this after a checkpoint, in bytes.
const LOG_LIMIT: &str = "67108864";

/// The steps of the schema, in order; each is applied once, in a transaction of its own.
const STEPS: &[(i64, &str)] = &[(1, include_str!("../../migrations/0001_first.sql"))];
const CREATE_VERSIONS: &str =
    "CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL)";
const CURRENT: &str = "SELECT COALESCE(MAX(version), 0) FROM schema_migrations";
const APPLIED: &str = "INSERT INTO schema_migrations (version, applied_at) VALUES (?1, datetime('now'))";

/// SQLite's primary result codes (its own documentation, "Result and Error Codes").
const BUSY: i32 = 5;
const CORRUPT: i32 = 11;
const NOT_A_DATABASE: i32 = 26;

fn code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    code.parse::<i32>().ok().map(|extended| extended & 0xff)
}

/// What went wrong with a file that was open.
pub(super) fn away(error: &sqlx::Error) -> IssuerError {
    match code(error) {
        Some(CORRUPT | NOT_A_DATABASE) => IssuerError::Damaged(error.to_string()),
        _ => IssuerError::Away(error.to_string()),
    }
}

/// Opens the file, makes it (mode 0600) if it is not there, and brings its schema up to date.
pub(super) async fn open(path: &Path) -> Result<SqliteConnection, IssuerError> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .and_then(|file| file.set_permissions(Permissions::from_mode(0o600)))
        .map_err(|error| IssuerError::Open { path: path.into(), cause: error.to_string() })?;
    let opened = |error: sqlx::Error| match code(&error) {
        Some(BUSY) => IssuerError::InUse(path.into()),
        _ => away(&error),
    };
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .locking_mode(SqliteLockingMode::Exclusive)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("trusted_schema", "OFF")
        .pragma("temp_store", "MEMORY")
        .pragma("journal_size_limit", LOG_LIMIT)
        .connect()
        .await
        .map_err(opened)?;
    migrate(&mut connection, path).await.map_err(|failed| match failed {
        Ok(error) => error,
        Err(error) => opened(error),
    })?;
    Ok(connection)
}

async fn migrate(
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<(), Result<IssuerError, sqlx::Error>> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(Err)?;
    sqlx::query(CREATE_VERSIONS).execute(&mut *transaction).await.map_err(Err)?;
    let found: i64 = sqlx::query_scalar(CURRENT).fetch_one(&mut *transaction).await.map_err(Err)?;
    let known = STEPS.last().map_or(0, |(version, _)| *version);
    if found > known {
        return Err(Ok(IssuerError::NewerSchema { path: path.into(), found, known }));
    }
    for (version, sql) in STEPS.iter().filter(|(version, _)| *version > found) {
        sqlx::raw_sql(*sql).execute(&mut *transaction).await.map_err(Err)?;
        sqlx::query(APPLIED).bind(version).execute(&mut *transaction).await.map_err(Err)?;
    }
    transaction.commit().await.map_err(Err)
}
