//! The store in SQL: statements that SQLite and PostgreSQL both take.

pub(crate) mod carried;
mod catalogue;
mod credit_notes;
mod draft;
mod finalize;
mod invoices;
mod moments;
mod operations;
mod outbox;
mod settle;
mod subscriptions;
mod triggers;
mod upkeep;
mod wallets;

use std::path::Path;

use creto_sql::{Database, Schema, Step, Work};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::BillingError;

const SCHEMA: Schema = Schema {
    name: "billing",
    steps: &[
        Step {
            tables: include_str!("../../../migrations/0001_tables.sql"),
            sqlite: include_str!("../../../migrations/0001_guards_sqlite.sql"),
            postgres: include_str!("../../../migrations/0001_guards_postgres.sql"),
        },
        Step { tables: include_str!("../../../migrations/0002_cursors.sql"), sqlite: "", postgres: "" },
        Step { tables: include_str!("../../../migrations/0003_carried.sql"), sqlite: "", postgres: "" },
    ],
};

/// Billing in SQLite or PostgreSQL.
#[derive(Clone, Debug)]
pub struct SqlStore {
    database: Database,
}

impl SqlStore {
    /// A store in a file, which is made (mode 0600) if it is not there.
    ///
    /// # Errors
    /// [`BillingError::Open`], [`BillingError::NewerSchema`] or [`BillingError::Away`].
    pub async fn sqlite(path: &Path) -> Result<Self, BillingError> {
        Ok(Self { database: Database::sqlite(path, &SCHEMA).await? })
    }

    /// A store in PostgreSQL, at a URL such as `postgres://user@host/database`. Its tables begin with `billing_`.
    ///
    /// # Errors
    /// [`BillingError::NewerSchema`] or [`BillingError::Away`].
    pub async fn postgres(url: &str) -> Result<Self, BillingError> {
        Ok(Self { database: Database::postgres(url, &SCHEMA).await? })
    }

    /// A transaction that may change a namespace. Until it ends no other does.
    async fn work(&self, namespace: &str) -> Result<Box<dyn Work>, BillingError> {
        const MAKE: &str = "INSERT INTO billing_namespaces (namespace, revision, next_invoice, next_credit_note, \
             next_entry) VALUES ($1, 0, 1, 1, 1) ON CONFLICT (namespace) DO NOTHING";
        // Takes the row's lock in PostgreSQL; SQLite has one writer.
        const LOCK: &str = "UPDATE billing_namespaces SET revision = revision + 1 WHERE namespace = $1";
        let mut work = self.database.begin().await?;
        work.run(MAKE, vec![namespace.into()]).await?;
        work.run(LOCK, vec![namespace.into()]).await?;
        Ok(work)
    }

    async fn read(&self) -> Result<Box<dyn Work>, BillingError> {
        Ok(self.database.read().await?)
    }
}

fn written<T: Serialize>(what: &'static str, value: &T) -> Result<String, BillingError> {
    serde_json::to_string(value).map_err(|error| BillingError::Damaged { what, cause: error.to_string() })
}

fn parsed<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, BillingError> {
    serde_json::from_str(text).map_err(|error| BillingError::Damaged { what, cause: error.to_string() })
}

fn missing(namespace: &str, what: &'static str, id: &str) -> BillingError {
    let shown = |text: &str| text.chars().take(128).collect();
    BillingError::NotFound { namespace: shown(namespace), what, id: shown(id) }
}
