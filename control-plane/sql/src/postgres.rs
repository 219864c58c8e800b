//! PostgreSQL.

use std::str::FromStr as _;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Postgres};

use crate::error::away;
use crate::work::{Engine, transaction};
use crate::{Schema, SqlError, Work};

/// Connections.
const CONNECTIONS: u32 = 8;
/// How long a query waits for a connection before it fails.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a statement may take, lock waits included, in milliseconds.
const STATEMENT_TIMEOUT: &str = "30000";

pub(crate) struct PostgresEngine {
    pool: PgPool,
    place: String,
}

impl PostgresEngine {
    pub(crate) async fn connect(url: &str, schema: &Schema) -> Result<Self, SqlError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| away(&error))?
            .application_name(&format!("creto-{}", schema.name))
            .options([("statement_timeout", STATEMENT_TIMEOUT), ("synchronous_commit", "on")]);
        let place = format!("{}:{}", options.get_host(), options.get_port());
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options)
            .await
            .map_err(|error| away(&error))?;
        let engine = Self { pool, place };
        match engine.migrate(schema).await.map_err(|error| away(&error))? {
            found if found > schema.version() => {
                Err(SqlError::NewerSchema { place: engine.place, found, known: schema.version() })
            }
            _ => Ok(engine),
        }
    }

    /// Brings the tables up to date; returns the version that was found.
    async fn migrate(&self, schema: &Schema) -> Result<i64, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(schema.lock())
            .execute(&mut *transaction)
            .await?;
        // The name is the program's own.
        let name = schema.name;
        let script = format!("CREATE TABLE IF NOT EXISTS {name}_schema (version BIGINT NOT NULL)");
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut *transaction).await?;
        let script = format!("SELECT COALESCE(MAX(version), 0) FROM {name}_schema");
        let found: i64 = sqlx::query_scalar(AssertSqlSafe(script)).fetch_one(&mut *transaction).await?;
        for step in schema.after(found) {
            for script in [step.tables, step.postgres] {
                sqlx::raw_sql(script).execute(&mut *transaction).await?;
            }
        }
        if found < schema.version() {
            let script = format!("INSERT INTO {name}_schema VALUES ($1)");
            sqlx::query(AssertSqlSafe(script)).bind(schema.version()).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(found)
    }
}

#[async_trait]
impl Engine for PostgresEngine {
    fn place(&self) -> String {
        self.place.clone()
    }

    async fn begin(&self) -> Result<Box<dyn Work>, SqlError> {
        Ok(Box::new(PostgresWork(self.pool.begin().await.map_err(|error| away(&error))?)))
    }

    async fn read(&self) -> Result<Box<dyn Work>, SqlError> {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
        Ok(Box::new(PostgresWork(self.pool.begin_with(begin).await.map_err(|error| away(&error))?)))
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

transaction!(PostgresWork, Postgres, "INT8");
