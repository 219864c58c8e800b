//! What went wrong between us and the server.

use crate::StoreError;

/// Why a transaction ended.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server or the way there.
    Sql(sqlx::Error),
    /// What was asked for.
    Store(StoreError),
    /// What was remembered of the server is not so any more: forget it, and try again.
    Outdated,
}

/// The server's codes (its manual, appendix A).
const SERIALIZATION_FAILURE: &str = "40001";
const DEADLOCK: &str = "40P01";
const CHECK_VIOLATION: &str = "23514";
const DISK_FULL: &str = "53100";

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        match code(&error).as_deref() {
            // No partition takes the row: one that was there is gone.
            Some(CHECK_VIOLATION) => Self::Outdated,
            _ => Self::Sql(error),
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}

impl Fault {
    /// Whether the transaction was broken off, for sure, and may succeed when it is done again.
    pub(super) fn may_be_repeated(&self) -> bool {
        match self {
            Self::Outdated => true,
            Self::Sql(error) => {
                matches!(code(error).as_deref(), Some(SERIALIZATION_FAILURE | DEADLOCK))
            }
            Self::Store(_) => false,
        }
    }
}

impl Fault {
    /// Whether it may be for the sake of what was sent, so that a part of it may be had: not when the server is away, has no
    /// room, or may have kept it.
    pub(super) fn is_of_what_was_sent(&self) -> bool {
        match self {
            Self::Store(error) => !matches!(error, StoreError::Away(_)),
            Self::Outdated => true,
            // Classes of what befalls the server: its connections, its room, its operator, its system.
            Self::Sql(error) => code(error)
                .is_some_and(|code| !["08", "53", "57", "58"].iter().any(|class| code.starts_with(class))),
        }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Store(error) => error,
            Fault::Outdated => Self::Away("PostgreSQL: tables or meters keep changing".into()),
            Fault::Sql(error) => match code(&error).as_deref() {
                Some(DISK_FULL) => Self::DiskFull(format!("PostgreSQL: {error}")),
                _ => Self::Away(format!("PostgreSQL: {error}")),
            },
        }
    }
}
