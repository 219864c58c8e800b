//! Writes what was counted since the last checkpoint into the database, all in one transaction.

mod accounts;
mod rollups;
mod series;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use foldhash::fast::RandomState;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _};

use super::file;
use super::generation::Generation;
use super::options::{EmbeddedOptions, MAX_CACHED_SERIES};
use crate::StoreError;

/// Rows of one statement.
const ROWS: usize = 256;

/// A layout as the database knows it.
#[derive(Clone, Copy, Debug)]
struct LayoutRow {
    id: i64,
    /// The number the next series gets.
    next_series: i64,
}

/// Writes checkpoints.
#[derive(Debug)]
pub(super) struct Checkpointer {
    folder: PathBuf,
    connection: SqliteConnection,
    retention_us: i64,
    layouts: HashMap<(Arc<str>, Arc<str>, String), LayoutRow, RandomState>,
    /// By layout and names.
    series: HashMap<(i64, String), i64, RandomState>,
    /// Series of a namespace that are kept apart by all they say.
    most_series: u64,
    /// When was last said that there are more.
    warned: Option<Instant>,
}

/// What a checkpoint took away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Retired {
    /// Segments nothing needs any more.
    pub(super) segments: Vec<u64>,
    /// Events before this are not all kept any more, in microseconds since 1970.
    pub(super) gone_us: i64,
}

impl Checkpointer {
    pub(super) fn new(folder: PathBuf, connection: SqliteConnection, options: &EmbeddedOptions) -> Self {
        Self {
            folder,
            connection,
            retention_us: options.retention_us,
            layouts: HashMap::default(),
            series: HashMap::default(),
            most_series: options.series,
            warned: None,
        }
    }

    /// Lets go of the database: when this returns nothing of it is open.
    pub(super) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the database of events did not close");
        }
    }

    /// Writes it. After an error nothing of it is there.
    pub(super) async fn write(&mut self, generation: &Generation) -> Result<Retired, StoreError> {
        let written = self.try_write(generation).await;
        if written.is_err() {
            // They may name rows that were rolled back.
            self.layouts.clear();
            self.series.clear();
        }
        written.map_err(|error| match error {
            Failure::Database(error) => file::away(&self.folder, &error),
            Failure::Damaged(what) => file::damaged(&self.folder, what),
        })
    }

    async fn try_write(&mut self, generation: &Generation) -> Result<Retired, Failure> {
        if self.series.len() > MAX_CACHED_SERIES {
            self.series.clear();
        }
        let Self { connection, layouts, series, retention_us, most_series, warned, .. } = self;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let most_series = *most_series;
        let wholes = HashMap::default();
        let mut writer =
            Writer { connection: &mut transaction, layouts, series, wholes, most_series, warned };
        for (namespace, catalog) in &generation.catalogs {
            writer.meters(namespace, catalog).await?;
        }
        for (namespace, space) in &generation.spaces {
            if let Some(catalog) = generation.catalogs.get(namespace) {
                writer.space(namespace, catalog, space).await?;
            }
        }
        writer.accounts(generation).await?;
        writer.named(generation).await?;
        let retired = writer.progress(generation, *retention_us).await?;
        transaction.commit().await?;
        Ok(retired)
    }
}

/// Why a checkpoint was not made.
#[derive(Debug)]
enum Failure {
    Database(sqlx::Error),
    Damaged(String),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// `(?,?),(?,?)`, numbered by SQLite as they come.
fn places(rows: usize, columns: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(","));
    vec![row; rows].join(",")
}

fn json(names: impl Iterator<Item = impl AsRef<str>>) -> String {
    let names: Vec<serde_json::Value> = names.map(|name| name.as_ref().into()).collect();
    serde_json::Value::Array(names).to_string()
}

type Query = sqlx::query::Query<'static, sqlx::Sqlite, SqliteArguments>;

fn query(sql: String) -> Query {
    sqlx::query(AssertSqlSafe(sql))
}

struct Writer<'c> {
    connection: &'c mut SqliteConnection,
    layouts: &'c mut HashMap<(Arc<str>, Arc<str>, String), LayoutRow, RandomState>,
    series: &'c mut HashMap<(i64, String), i64, RandomState>,
    /// What series are part of that are not kept apart, by layout and names.
    wholes: HashMap<(i64, [String; 4]), i64, RandomState>,
    most_series: u64,
    warned: &'c mut Option<Instant>,
}
