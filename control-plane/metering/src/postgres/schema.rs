//! The schema, brought up to date by whichever replica comes first.

use std::path::PathBuf;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};

use super::fault::Fault;
use crate::StoreError;

/// The lock that one replica at a time migrates under: "cretoev1" in ASCII.
const MIGRATION_LOCK: i64 = 0x6372_6574_6f65_7631;
/// The steps of the schema, in order; each is applied once.
const STEPS: &[(i64, &str)] = &[
    (1, include_str!("migrations/0001_first.sql")),
    (2, include_str!("migrations/0002_bounds.sql")),
    (3, include_str!("migrations/0003_series.sql")),
];

const HAS_SCHEMA: &str = "SELECT to_regnamespace('creto_events') IS NOT NULL";
const CREATE_SCHEMA: &str = "CREATE SCHEMA creto_events";
const CREATE_VERSIONS: &str = "CREATE TABLE IF NOT EXISTS creto_events.schema_migrations (
    version bigint PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())";
const CURRENT: &str = "SELECT COALESCE(MAX(version), 0) FROM creto_events.schema_migrations";
const APPLIED: &str = "INSERT INTO creto_events.schema_migrations (version) VALUES ($1)";

/// The columns of the table of events. Times are microseconds since 1970; exactly one of the two identities is there.
const EVENT_COLUMNS: &str = "
    namespace text COLLATE \"C\" NOT NULL,
    at_us bigint NOT NULL,
    logical bigint NOT NULL,
    ordinal bigint NOT NULL,
    event_type text COLLATE \"C\" NOT NULL,
    agent text COLLATE \"C\" NOT NULL,
    customer text COLLATE \"C\" NOT NULL,
    subscription text COLLATE \"C\" NOT NULL,
    delegation text NOT NULL,
    producer text,
    epoch bigint,
    sequence bigint,
    source text,
    id text,
    properties json NOT NULL,
    signature bytea";
const EVENT_INDEXES: &str = "
    CREATE INDEX events_by_order ON creto_events.events (namespace, ordinal);
    CREATE INDEX events_by_time ON creto_events.events USING brin (at_us) WITH (pages_per_range = 32)";
const HAS_TIMESCALE: &str = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')";
/// A chunk of 31 days.
const CREATE_HYPERTABLE: &str = "SELECT create_hypertable('creto_events.events', 'at_us',
    chunk_time_interval => 2678400000000::bigint, create_default_indexes => false)";
const IS_PARTITIONED: &str = "SELECT relkind = 'p' FROM pg_class WHERE oid = 'creto_events.events'::regclass";
const FSYNC: &str = "SELECT current_setting('fsync') = 'on'";

/// How the server keeps the table of events in pieces that can be given up whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partitioning {
    /// PostgreSQL's own: a partition a month, made by us.
    Months,
    /// A hypertable of TimescaleDB, which makes its chunks itself.
    Hypertable,
}

/// How a server is called in messages: without user and password.
pub(super) fn address(options: &PgConnectOptions) -> PathBuf {
    let database = options.get_database().unwrap_or("postgres");
    format!("postgres://{}:{}/{database}", options.get_host(), options.get_port()).into()
}

/// Brings the schema up to date. Safe to call from any number of replicas at once.
pub(super) async fn migrate(
    connection: &mut PgConnection,
    options: &PgConnectOptions,
) -> Result<Partitioning, StoreError> {
    if !sqlx::query_scalar::<_, bool>(FSYNC).fetch_one(&mut *connection).await.map_err(Fault::from)? {
        let cause = "fsync is off, so a crash loses events that were acknowledged: turn it on".into();
        return Err(StoreError::Open { path: address(options), cause });
    }
    match apply(connection).await.map_err(|error| opened(options, &error))? {
        Ok(partitioning) => Ok(partitioning),
        Err(found) => {
            let known = STEPS.last().map_or(0, |(version, _)| *version);
            Err(StoreError::NewerSchema { path: address(options), found, known })
        }
    }
}

pub(super) fn opened(options: &PgConnectOptions, error: &sqlx::Error) -> StoreError {
    StoreError::Open { path: address(options), cause: error.to_string() }
}

/// The outer error is the server's; the inner one is a version that is not known here.
async fn apply(connection: &mut PgConnection) -> Result<Result<Partitioning, i64>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(MIGRATION_LOCK).execute(&mut *transaction).await?;
    // The right to make schemas is needed once only.
    if !sqlx::query_scalar::<_, bool>(HAS_SCHEMA).fetch_one(&mut *transaction).await? {
        sqlx::raw_sql(CREATE_SCHEMA).execute(&mut *transaction).await?;
    }
    sqlx::raw_sql(CREATE_VERSIONS).execute(&mut *transaction).await?;
    let found: i64 = sqlx::query_scalar(CURRENT).fetch_one(&mut *transaction).await?;
    if STEPS.last().is_some_and(|(known, _)| found > *known) {
        return Ok(Err(found));
    }
    if found == 0 {
        create_events(&mut transaction).await?;
    }
    for (version, sql) in STEPS.iter().filter(|(version, _)| *version > found) {
        sqlx::raw_sql(*sql).execute(&mut *transaction).await?;
        sqlx::query(APPLIED).bind(version).execute(&mut *transaction).await?;
    }
    let partitioned: bool = sqlx::query_scalar(IS_PARTITIONED).fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(Ok(if partitioned { Partitioning::Months } else { Partitioning::Hypertable }))
}

async fn create_events(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let timescale: bool = sqlx::query_scalar(HAS_TIMESCALE).fetch_one(&mut *connection).await?;
    let partitions = if timescale { "" } else { " PARTITION BY RANGE (at_us)" };
    let table = format!("CREATE TABLE creto_events.events ({EVENT_COLUMNS}){partitions}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(table)).execute(&mut *connection).await?;
    if timescale {
        sqlx::raw_sql(CREATE_HYPERTABLE).execute(&mut *connection).await?;
    }
    sqlx::raw_sql(EVENT_INDEXES).execute(&mut *connection).await?;
    Ok(())
}
