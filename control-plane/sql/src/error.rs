//! Why a database does not do what it is told.

use std::path::PathBuf;

/// Why a database does not do what it is told.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// The file cannot be made or opened.
    #[error("{} cannot be opened: {cause}", path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// It does not answer, or refuses.
    #[error("the database does not answer or refuses: {0}")]
    Away(String),
    /// A newer program was here.
    #[error("{place} has tables of version {found}, this program knows {known}: upgrade the program")]
    NewerSchema {
        /// The file or server, without passwords.
        place: String,
        /// As found.
        found: i64,
        /// As known.
        known: i64,
    },
    /// A row is not what was written.
    #[error("a row is damaged: {0}")]
    Damaged(String),
}

pub(crate) fn away(error: &sqlx::Error) -> SqlError {
    SqlError::Away(error.to_string())
}
