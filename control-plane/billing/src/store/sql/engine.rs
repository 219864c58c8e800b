//! What a database must do for the store.

use async_trait::async_trait;

use super::row::{Given, Row};
use crate::BillingError;

/// A transaction. Dropped without [`Work::commit`], nothing of it happened.
#[async_trait]
pub(super) trait Work: Send {
    /// Runs a statement; returns how many rows it changed.
    async fn run(&mut self, statement: &'static str, given: Vec<Given>) -> Result<u64, BillingError>;
    /// The rows of a statement.
    async fn rows(&mut self, statement: &'static str, given: Vec<Given>) -> Result<Vec<Row>, BillingError>;
    /// The first row of a statement, if there is one.
    async fn row(&mut self, statement: &'static str, given: Vec<Given>) -> Result<Option<Row>, BillingError> {
        Ok(self.rows(statement, given).await?.into_iter().next())
    }
    /// Makes it last: it is on disk when this returns.
    async fn commit(self: Box<Self>) -> Result<(), BillingError>;
}

/// A database.
#[async_trait]
pub(super) trait Engine: Send + Sync {
    /// Where it is, without passwords.
    fn place(&self) -> String;
    /// Lets go of the database; whoever asks later is told that it is away.
    async fn close(&self);
    /// A transaction that may write.
    async fn begin(&self) -> Result<Box<dyn Work>, BillingError>;
    /// A transaction that only reads, all of it as of one instant.
    async fn read(&self) -> Result<Box<dyn Work>, BillingError>;
}

pub(super) fn away(error: &sqlx::Error) -> BillingError {
    BillingError::Away(error.to_string())
}

/// Binds what was given, in order.
macro_rules! bound {
    ($statement:expr, $given:expr) => {{
        let mut query = sqlx::query($statement);
        for value in $given {
            query = match value {
                $crate::store::sql::row::Given::Text(text) => query.bind(text),
                $crate::store::sql::row::Given::Number(number) => query.bind(number),
            };
        }
        query
    }};
}
pub(super) use bound;
