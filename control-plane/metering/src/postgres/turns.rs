//! Who may use the connections: some are for those who write, some for those who read, so that long answers do not keep
//! events out.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::options::MAX_REQUESTS;
use crate::StoreError;

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To take events in, or define meters.
    Write,
    /// To know something.
    Read,
}

/// Places at the connections, and in front of them.
#[derive(Debug)]
pub(super) struct Turns {
    requests: Semaphore,
    writers: Semaphore,
    readers: Semaphore,
}

/// A place at a connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'t> {
    _request: SemaphorePermit<'t>,
    _connection: SemaphorePermit<'t>,
}

impl Turns {
    /// For so many connections, two at least: half of them for readers.
    pub(super) fn new(connections: u32) -> Self {
        let connections = connections as usize;
        let readers = (connections / 2).max(1);
        Self {
            requests: Semaphore::new(MAX_REQUESTS),
            writers: Semaphore::new(connections.saturating_sub(readers).max(1)),
            readers: Semaphore::new(readers),
        }
    }

    /// How many write at once.
    pub(super) fn most_writers(&self) -> usize {
        self.writers.available_permits()
    }

    /// Waits for a place.
    pub(super) async fn wait(&self, purpose: Purpose) -> Result<Turn<'_>, StoreError> {
        let request = self.request()?;
        let connection = self.connection(purpose).await?;
        Ok(Turn { _request: request, _connection: connection })
    }

    /// A place among the requests; none is waited for.
    pub(super) fn request(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        self.requests.try_acquire().map_err(|_| full())
    }

    /// Waits for a place at a connection, for a request that has its own.
    pub(super) async fn connection(&self, purpose: Purpose) -> Result<SemaphorePermit<'_>, StoreError> {
        let places = if purpose == Purpose::Read { &self.readers } else { &self.writers };
        places.acquire().await.map_err(|_| full())
    }
}

fn full() -> StoreError {
    StoreError::Away(format!("PostgreSQL: {MAX_REQUESTS} requests are waiting already"))
}
