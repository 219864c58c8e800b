//! PostgreSQL. Changes of one namespace go one after the other: each takes the lock of the namespace's row first.

use std::str::FromStr as _;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::{Postgres, Row as _, Transaction, TypeInfo as _, ValueRef as _};

use super::engine::{Engine, Work, away, bound};
use super::row::{Cell, Given, Row};
use crate::BillingError;

/// Connections.
const CONNECTIONS: u32 = 8;
/// How long a query waits for a connection before it fails.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a statement may take, lock waits included, in milliseconds.
const STATEMENT_TIMEOUT: &str = "30000";
/// The schema this program knows.
const SCHEMA: i64 = 2;
/// Number of the lock programs take while they bring the schema up to date: `creto_bi` in ASCII.
const MIGRATION_LOCK: i64 = 0x6372_6574_6f5f_6269;

const TABLES: &str = include_str!("../../../migrations/0001_tables.sql");
const GUARDS: &str = include_str!("../../../migrations/0001_guards_postgres.sql");
const CURSORS: &str = include_str!("../../../migrations/0002_cursors.sql");

pub(super) struct PostgresEngine {
    pool: PgPool,
    place: String,
}

impl PostgresEngine {
    pub(super) async fn connect(url: &str) -> Result<Self, BillingError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| away(&error))?
            .application_name("creto-billing")
            .options([("statement_timeout", STATEMENT_TIMEOUT), ("synchronous_commit", "on")]);
        let place = format!("{}:{}", options.get_host(), options.get_port());
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options)
            .await
            .map_err(|error| away(&error))?;
        migrate(&pool, &place).await.map_err(|failed| match failed {
            Ok(error) => error,
            Err(error) => away(&error),
        })?;
        Ok(Self { pool, place })
    }
}

async fn migrate(pool: &PgPool, place: &str) -> Result<(), Result<BillingError, sqlx::Error>> {
    let mut transaction = pool.begin().await.map_err(Err)?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(MIGRATION_LOCK)
        .execute(&mut *transaction)
        .await
        .map_err(Err)?;
    sqlx::raw_sql("CREATE TABLE IF NOT EXISTS billing_schema (version BIGINT NOT NULL)")
        .execute(&mut *transaction)
        .await
        .map_err(Err)?;
    let found: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM billing_schema")
        .fetch_one(&mut *transaction)
        .await
        .map_err(Err)?;
    if found > SCHEMA {
        return Err(Ok(BillingError::NewerSchema { place: place.to_owned(), found, known: SCHEMA }));
    }
    let steps: [&[&'static str]; 2] = [
        &[TABLES, GUARDS, "INSERT INTO billing_schema VALUES (1)"],
        &[CURSORS, "INSERT INTO billing_schema VALUES (2)"],
    ];
    let done = usize::try_from(found).unwrap_or_default();
    for script in steps.into_iter().skip(done).flatten() {
        sqlx::raw_sql(*script).execute(&mut *transaction).await.map_err(Err)?;
    }
    transaction.commit().await.map_err(Err)
}

#[async_trait]
impl Engine for PostgresEngine {
    fn place(&self) -> String {
        self.place.clone()
    }

    async fn close(&self) {
        self.pool.close().await;
    }

    async fn begin(&self) -> Result<Box<dyn Work>, BillingError> {
        Ok(Box::new(PostgresWork(self.pool.begin().await.map_err(|error| away(&error))?)))
    }

    async fn read(&self) -> Result<Box<dyn Work>, BillingError> {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
        Ok(Box::new(PostgresWork(self.pool.begin_with(begin).await.map_err(|error| away(&error))?)))
    }
}

struct PostgresWork(Transaction<'static, Postgres>);

#[async_trait]
impl Work for PostgresWork {
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

fn row(row: &PgRow) -> Result<Row, BillingError> {
    let cell = |place: usize| -> Result<Cell, sqlx::Error> {
        let value = row.try_get_raw(place)?;
        if value.is_null() {
            return Ok(Cell::Nothing);
        }
        match value.type_info().name() {
            "INT8" => row.try_get(place).map(Cell::Number),
            _ => row.try_get(place).map(Cell::Text),
        }
    };
    let cells: Result<Vec<Cell>, sqlx::Error> = (0..row.len()).map(cell).collect();
    Ok(Row::new(cells.map_err(|error| away(&error))?))
}
