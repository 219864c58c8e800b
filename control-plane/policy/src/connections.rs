//! Which sidecars have a stream open: one each, and not more than there may be.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::SyncEnd;

/// Streams taken when nothing else is configured.
pub const DEFAULT_MAX_STREAMS: usize = 20_000;

type Key = (String, String);

struct Open {
    number: u64,
    replaced: Arc<Notify>,
}

#[derive(Default)]
struct Table {
    next: u64,
    open: HashMap<Key, Open>,
}

/// The open streams.
#[derive(Clone)]
pub(crate) struct Connections {
    table: Arc<Mutex<Table>>,
    limit: usize,
}

/// One open stream; closed when dropped.
pub(crate) struct Connection {
    connections: Connections,
    key: Key,
    number: u64,
    /// Told when the same sidecar opens another.
    pub(crate) replaced: Arc<Notify>,
}

impl Connections {
    pub(crate) fn new(limit: usize) -> Self {
        Self { table: Arc::default(), limit }
    }

    /// Opens a stream; one that the sidecar has open already is told to end.
    pub(crate) fn open(&self, namespace: &str, sidecar_id: &str) -> Result<Connection, SyncEnd> {
        let key = (namespace.to_owned(), sidecar_id.to_owned());
        let replaced = Arc::new(Notify::new());
        let mut table = self.table.lock();
        if !table.open.contains_key(&key) && table.open.len() >= self.limit {
            return Err(SyncEnd::TooMany(self.limit));
        }
        table.next += 1;
        let number = table.next;
        if let Some(before) = table.open.insert(key.clone(), Open { number, replaced: Arc::clone(&replaced) })
        {
            before.replaced.notify_one();
        }
        drop(table);
        Ok(Connection { connections: self.clone(), key, number, replaced })
    }

    pub(crate) fn is_open(&self, namespace: &str, sidecar_id: &str) -> bool {
        self.table.lock().open.contains_key(&(namespace.to_owned(), sidecar_id.to_owned()))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut table = self.connections.table.lock();
        if table.open.get(&self.key).is_some_and(|open| open.number == self.number) {
            table.open.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_stream_of_a_sidecar_replaces_the_first() {
        let connections = Connections::new(1);
        let first = connections.open("a", "s").unwrap();
        let second = connections.open("a", "s").unwrap();
        first.replaced.notified().await;
        drop(first);
        assert!(connections.is_open("a", "s"));
        assert!(matches!(connections.open("a", "t"), Err(SyncEnd::TooMany(1))));
        drop(second);
        assert!(!connections.is_open("a", "s"));
        assert!(connections.open("a", "t").is_ok());
    }
}
