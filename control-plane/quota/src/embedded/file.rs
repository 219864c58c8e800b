//! The file of the embedded issuer.
//!
//! One connection with the file to itself (`locking_mode=EXCLUSIVE`), write-ahead log, `synchronous=FULL`: a commit is
//! on disk when it returns, and a second process cannot grant from the same file.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _};

use super::mark::Mark;
use crate::IssuerError;

/// How long to wait for another process to let go of the file: one that is being replaced is on its way out.
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);
/// The write-ahead log is cut back to this after a checkpoint, in bytes.
const LOG_LIMIT: &str = "67108864";

/// The steps of the schema, in order; each is applied once, in a transaction of its own.
const STEPS: &[(i64, &str)] = &[
    (1, include_str!("../../migrations/0001_first.sql")),
    (2, include_str!("../../migrations/0002_drawn_and_counted.sql")),
];
const CREATE_VERSIONS: &str =
    "CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL)";
const CURRENT: &str = "SELECT COALESCE(MAX(version), 0) FROM schema_migrations";
const COUNT: &str = "SELECT count FROM quota_transactions";
/// Windows that were begun before now are closed, and the count goes on from where it was.
const WENT_BACK: [&str; 2] = [
    "UPDATE quota_transactions SET count = ?1",
    "UPDATE quota_namespaces SET lost_ms = MAX(lost_ms + 1, ?1)",
];
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

/// Opens the file, makes it (mode 0600) if it is not there, and brings its schema up to date. With its mark, and the
/// count of its transactions.
pub(super) async fn open(path: &Path) -> Result<(SqliteConnection, Mark, u64), IssuerError> {
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
    let mark = Mark::read(path)
        .map_err(|error| IssuerError::Open { path: path.with_extension("mark"), cause: error.to_string() })?;
    let count = heed(&mut connection, &mark).await.map_err(|error| away(&error))?;
    Ok((connection, mark, count))
}

/// Notes that data was lost where the file is older than its mark; says how many transactions there were.
async fn heed(connection: &mut SqliteConnection, mark: &Mark) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query_scalar(COUNT).fetch_one(&mut *connection).await?;
    let count = u64::try_from(count).unwrap_or(0);
    let Some(reached) = mark.went_back(count) else { return Ok(count) };
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for (sql, value) in WENT_BACK.into_iter().zip([u128::from(reached), now_ms]) {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        sqlx::query(sql).bind(value).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(reached)
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
