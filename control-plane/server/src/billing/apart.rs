//! Work that reads and rates many events: away from the threads that answer calls.

use std::future::Future;

use tokio::runtime::Handle;
use tokio::task::{JoinError, spawn_blocking};

/// Does work that computes for long between waits on a thread of its own.
///
/// # Errors
/// That it came to no end.
pub(super) async fn apart<T, W>(work: impl FnOnce() -> W + Send + 'static) -> Result<T, JoinError>
where
    T: Send + 'static,
    W: Future<Output = T>,
{
    let runtime = Handle::current();
    spawn_blocking(move || runtime.block_on(work())).await
}
