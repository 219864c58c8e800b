//! What can go wrong with keeping things.

use std::path::PathBuf;

use thiserror::Error;

/// Why the store did not do it.
#[derive(Debug, Error)]
pub enum StoreError {
    /// No such thing in the namespace.
    #[error("there is no such thing in this namespace")]
    NotFound,
    /// The name is in use, or was.
    #[error("the name is in use, or was: choose another")]
    NameTaken,
    /// The key is in use, or was.
    #[error("the key is in use, or was: make a new key")]
    KeyTaken,
    /// The agent is revoked, which does not end.
    #[error("the agent is revoked: create another under another name")]
    AgentRevoked,
    /// The thing changed since it was read.
    #[error("it changed in the meantime: read it again")]
    Changed,
    /// An enrolment token that is unknown, used or expired.
    #[error("the enrolment token is unknown, used or expired")]
    TokenSpent,
    /// The namespace holds as many as it may.
    #[error("the namespace holds {limit} {kind} already, which is the limit: delete some")]
    Full {
        /// What of.
        kind: &'static str,
        /// How many.
        limit: u64,
    },
    /// The file was written by a later version of Creto.
    #[error(
        "{path} has schema version {found}, this control plane knows up to {known}: run the newer control plane again, or restore a backup"
    )]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// No space, or no leave to write.
    #[error(
        "the data folder cannot be written (disk full, read-only or out of quota): free space there; nothing was committed"
    )]
    Unwritable,
    /// The file is not what it should be.
    #[error("the database is damaged ({0}): stop the control plane and restore a backup")]
    Damaged(String),
    /// The database's folder or file cannot be opened.
    #[error("{path} cannot be opened ({cause}): check that the folder is there and belongs to this user")]
    Open {
        /// The database.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// Anything else the engine said.
    #[error("the database failed")]
    Engine(#[source] sqlx::Error),
}

/// SQLite's primary result codes (its own documentation, "Result and Error Codes").
const READ_ONLY: i32 = 8;
const IO_ERROR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const NOT_A_DATABASE: i32 = 26;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if matches!(error, sqlx::Error::RowNotFound) {
            return Self::NotFound;
        }
        let code = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .and_then(|code| code.parse::<i32>().ok());
        match code.map(|extended| extended & 0xff) {
            Some(READ_ONLY | IO_ERROR | FULL) => Self::Unwritable,
            Some(CORRUPT | NOT_A_DATABASE) => Self::Damaged(error.to_string()),
            _ => Self::Engine(error),
        }
    }
}
