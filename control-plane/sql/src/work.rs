//! What a database must do.

use async_trait::async_trait;

use crate::{Given, Row, SqlError};

/// A transaction. Dropped without [`Work::commit`], nothing of it happened.
#[async_trait]
pub trait Work: Send {
    /// Runs a statement (placeholders `$1`, `$2`, ...); returns how many rows it changed.
    async fn run(&mut self, statement: &'static str, given: Vec<Given>) -> Result<u64, SqlError>;
    /// The rows of a statement.
    async fn rows(&mut self, statement: &'static str, given: Vec<Given>) -> Result<Vec<Row>, SqlError>;
    /// The first row of a statement, if there is one.
    async fn row(&mut self, statement: &'static str, given: Vec<Given>) -> Result<Option<Row>, SqlError> {
        Ok(self.rows(statement, given).await?.into_iter().next())
    }
    /// Makes it last: it is on disk when this returns.
    async fn commit(self: Box<Self>) -> Result<(), SqlError>;
}

/// A database.
#[async_trait]
pub(crate) trait Engine: Send + Sync {
    /// Where it is, without passwords.
    fn place(&self) -> String;
    /// A transaction that may write.
    async fn begin(&self) -> Result<Box<dyn Work>, SqlError>;
    /// A transaction that only reads.
    async fn read(&self) -> Result<Box<dyn Work>, SqlError>;
    /// Closes its connections.
    async fn close(&self);
}

/// A [`Work`] over a transaction of one database; the type that means a whole number has another name in each.
macro_rules! transaction {
    ($name:ident, $database:ty, $number:literal) => {
        pub(crate) struct $name(pub(crate) sqlx::Transaction<'static, $database>);

        #[async_trait::async_trait]
        impl $crate::Work for $name {
            async fn run(
                &mut self,
                statement: &'static str,
                given: Vec<$crate::Given>,
            ) -> Result<u64, $crate::SqlError> {
                let done = $crate::work::bound!(statement, given).execute(&mut *self.0).await;
                Ok(done.map_err(|error| $crate::error::away(&error))?.rows_affected())
            }

            async fn rows(
                &mut self,
                statement: &'static str,
                given: Vec<$crate::Given>,
            ) -> Result<Vec<$crate::Row>, $crate::SqlError> {
                let rows = $crate::work::bound!(statement, given).fetch_all(&mut *self.0).await;
                let rows = rows.map_err(|error| $crate::error::away(&error))?;
                rows.iter().map(|row| $crate::work::cells!(row, $number)).collect()
            }

            async fn commit(self: Box<Self>) -> Result<(), $crate::SqlError> {
                self.0.commit().await.map_err(|error| $crate::error::away(&error))
            }
        }
    };
}
pub(crate) use transaction;

/// Binds what was given, in order.
macro_rules! bound {
    ($statement:expr, $given:expr) => {{
        let mut query = sqlx::query($statement);
        for value in $given {
            query = match value {
                $crate::row::Given::Text(text) => query.bind(text),
                $crate::row::Given::Number(number) => query.bind(number),
            };
        }
        query
    }};
}
pub(crate) use bound;

/// Reads a row's cells; the type that means a whole number has another name in each database.
macro_rules! cells {
    ($row:expr, $number:literal) => {{
        use sqlx::{Row as _, TypeInfo as _, ValueRef as _};
        use $crate::row::Cell;
        let cell = |place: usize| -> Result<Cell, sqlx::Error> {
            let value = $row.try_get_raw(place)?;
            if value.is_null() {
                return Ok(Cell::Nothing);
            }
            match value.type_info().name() {
                $number => $row.try_get(place).map(Cell::Number),
                _ => $row.try_get(place).map(Cell::Text),
            }
        };
        let cells: Result<Vec<Cell>, sqlx::Error> = (0..$row.len()).map(cell).collect();
        cells.map($crate::Row::new).map_err(|error| $crate::error::away(&error))
    }};
}
pub(crate) use cells;
