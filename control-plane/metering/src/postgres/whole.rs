//! Whether a connection still answers what it is asked.
//!
//! A request may be given up in the middle: whoever sent it went away, or its time was over. When that happens within a
//! `COPY`, the driver does not count the answer that is still to come, and from then on every question would be given the
//! answer to the one before. Such a connection is closed, not used again.

use std::sync::atomic::{AtomicI64, Ordering};

use sqlx::PgConnection;

/// Asks for a number that nobody was told before, and looks whether it is that which comes.
pub(super) async fn is_whole(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    static ASKED: AtomicI64 = AtomicI64::new(0);
    let number = ASKED.fetch_add(1, Ordering::Relaxed);
    let answer: i64 = sqlx::query_scalar("SELECT $1").bind(number).fetch_one(connection).await?;
    Ok(answer == number)
}
