//! One database for stores that speak the SQL that SQLite and PostgreSQL have in common.
//!
//! A [`Schema`] says what tables there are, [`Database`] opens a file or a server with them, and [`Work`] is a transaction:
//! dropped without [`Work::commit`], nothing of it happened; committed, it is on disk. Values are texts and whole numbers,
//! nothing else: documents are kept as JSON, bytes as hexadecimal digits, so that one statement does for both.
#![forbid(unsafe_code)]

mod error;
mod postgres;
mod row;
mod schema;
mod sqlite;
mod work;

use std::path::Path;
use std::sync::Arc;

pub use error::SqlError;
pub use row::{Given, Row};
pub use schema::{Schema, Step};
pub use work::Work;

use work::Engine;

/// A database that is open.
#[derive(Clone)]
pub struct Database {
    engine: Arc<dyn Engine>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Database({})", self.engine.place())
    }
}

impl Database {
    /// A file, which is made (mode 0600) if it is not there: write-ahead log, every commit on disk, one writer.
    ///
    /// # Errors
    /// [`SqlError::Open`], [`SqlError::NewerSchema`] or [`SqlError::Away`].
    pub async fn sqlite(path: &Path, schema: &Schema) -> Result<Self, SqlError> {
        Ok(Self { engine: Arc::new(sqlite::SqliteEngine::open(path, schema).await?) })
    }

    /// A server, at a URL such as `postgres://user@host/database`. Programs that bring the schema up to date at once wait
    /// for each other.
    ///
    /// # Errors
    /// [`SqlError::NewerSchema`] or [`SqlError::Away`].
    pub async fn postgres(url: &str, schema: &Schema) -> Result<Self, SqlError> {
        Ok(Self { engine: Arc::new(postgres::PostgresEngine::connect(url, schema).await?) })
    }

    /// A transaction that may write. In SQLite they go one after the other.
    ///
    /// # Errors
    /// [`SqlError::Away`].
    pub async fn begin(&self) -> Result<Box<dyn Work>, SqlError> {
        self.engine.begin().await
    }

    /// A transaction that only reads, all of it as of one instant.
    ///
    /// # Errors
    /// [`SqlError::Away`].
    pub async fn read(&self) -> Result<Box<dyn Work>, SqlError> {
        self.engine.read().await
    }

    /// Closes it; what was committed is kept without.
    pub async fn close(&self) {
        self.engine.close().await;
    }
}
