//! The open streams: one a sidecar, not more than there may be, and what each sidecar runs.

use std::collections::HashMap;
use std::sync::Arc;

use creto_identity::now_ms;
use creto_store::{SidecarNote, Store, StoreError};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{SidecarIdentity, SyncEnd};

/// Streams taken when nothing else is configured.
pub const DEFAULT_MAX_STREAMS: usize = 20_000;
/// Notes written in one transaction: the writer is free for others in between.
const NOTES_AT_ONCE: usize = 1_000;

type Key = (String, String);

/// What a sidecar runs, as its stream knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Runs {
    pub(crate) offered_epoch: u64,
    pub(crate) applied_epoch: u64,
    pub(crate) rejection: String,
}

struct Open {
    number: u64,
    replaced: Arc<Notify>,
    /// None until the sidecar said what it runs.
    runs: Option<Runs>,
    noted: bool,
}

#[derive(Default)]
struct Table {
    next: u64,
    open: HashMap<Key, Open>,
    /// Of streams that ended, not yet written.
    ended: Vec<SidecarNote>,
}

/// The open streams.
#[derive(Clone)]
pub(crate) struct Fleet {
    table: Arc<Mutex<Table>>,
    limit: usize,
}

/// One open stream; closed when dropped.
pub(crate) struct Seat {
    fleet: Fleet,
    key: Key,
    number: u64,
    /// Told when the same sidecar opens another.
    pub(crate) replaced: Arc<Notify>,
}

impl Fleet {
    pub(crate) fn new(limit: usize) -> Self {
        Self { table: Arc::default(), limit }
    }

    /// Opens a stream; one that the sidecar has open already is told to end.
    pub(crate) fn open(&self, sidecar: &SidecarIdentity) -> Result<Seat, SyncEnd> {
        let key = (sidecar.namespace.clone(), sidecar.sidecar_id.clone());
        let replaced = Arc::new(Notify::new());
        let mut table = self.table.lock();
        if !table.open.contains_key(&key) && table.open.len() >= self.limit {
            return Err(SyncEnd::TooMany(self.limit));
        }
        table.next += 1;
        let number = table.next;
        let open = Open { number, replaced: Arc::clone(&replaced), runs: None, noted: true };
        if let Some(before) = table.open.insert(key.clone(), open) {
            before.replaced.notify_one();
        }
        drop(table);
        Ok(Seat { fleet: self.clone(), key, number, replaced })
    }

    /// Whether a sidecar's stream is open, and what it runs as far as it said.
    pub(crate) fn runs(&self, namespace: &str, sidecar_id: &str) -> Option<Option<Runs>> {
        let key = (namespace.to_owned(), sidecar_id.to_owned());
        self.table.lock().open.get(&key).map(|open| open.runs.clone())
    }

    /// Writes what changed since the last time. What cannot be written is tried again the next time.
    pub(crate) async fn write_notes(&self, store: &dyn Store) -> Result<(), StoreError> {
        loop {
            let notes = self.take_notes();
            if notes.is_empty() {
                return Ok(());
            }
            if let Err(error) = store.note_sidecars(&notes).await {
                self.put_back(notes);
                return Err(error);
            }
        }
    }

    fn take_notes(&self) -> Vec<SidecarNote> {
        let mut table = self.table.lock();
        let from_ended = table.ended.len().min(NOTES_AT_ONCE);
        let mut notes: Vec<SidecarNote> = table.ended.drain(..from_ended).collect();
        for (key, open) in table.open.iter_mut().filter(|(_, open)| !open.noted) {
            if notes.len() >= NOTES_AT_ONCE {
                break;
            }
            notes.extend(open.runs.as_ref().map(|runs| note(key, runs)));
            open.noted = true;
        }
        notes
    }

    fn put_back(&self, notes: Vec<SidecarNote>) {
        let mut table = self.table.lock();
        let Table { open, ended, .. } = &mut *table;
        for note in notes {
            match open.get_mut(&(note.namespace.clone(), note.sidecar_id.clone())) {
                Some(open) => open.noted = false,
                // Bounded by the streams there may be: what does not fit was seen a moment ago and is only shown.
                None if ended.len() < self.limit => ended.push(note),
                None => {}
            }
        }
    }
}

impl Seat {
    /// Says what the sidecar runs.
    pub(crate) fn note(&self, change: impl FnOnce(&mut Runs)) {
        let mut table = self.fleet.table.lock();
        if let Some(open) = table.open.get_mut(&self.key).filter(|open| open.number == self.number) {
            change(open.runs.get_or_insert_default());
            open.noted = false;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut table = self.fleet.table.lock();
        if table.open.get(&self.key).is_some_and(|open| open.number == self.number)
            && let Some(runs) = table.open.remove(&self.key).and_then(|open| open.runs)
            && table.ended.len() < self.fleet.limit
        {
            table.ended.push(note(&self.key, &runs));
        }
    }
}

fn note((namespace, sidecar_id): &Key, runs: &Runs) -> SidecarNote {
    SidecarNote {
        namespace: namespace.clone(),
        sidecar_id: sidecar_id.clone(),
        offered_epoch: runs.offered_epoch,
        applied_epoch: runs.applied_epoch,
        rejection: runs.rejection.clone(),
        last_seen_ms: now_ms(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sidecar(id: &str) -> SidecarIdentity {
        SidecarIdentity { namespace: "a".into(), sidecar_id: id.into(), agent_name: "one".into() }
    }

    #[tokio::test]
    async fn a_second_stream_of_a_sidecar_replaces_the_first() {
        let fleet = Fleet::new(1);
        let first = fleet.open(&sidecar("s")).unwrap();
        let second = fleet.open(&sidecar("s")).unwrap();
        first.replaced.notified().await;
        first.note(|runs| runs.applied_epoch = 9);
        drop(first);
        assert_eq!(fleet.runs("a", "s"), Some(None), "the first no longer speaks for the sidecar");
        assert!(matches!(fleet.open(&sidecar("t")), Err(SyncEnd::TooMany(1))));
        drop(second);
        assert_eq!(fleet.runs("a", "s"), None);
        assert!(fleet.open(&sidecar("t")).is_ok());
    }

    #[test]
    fn what_changed_is_noted_once_and_again_when_it_could_not_be_written() {
        let fleet = Fleet::new(10);
        let seat = fleet.open(&sidecar("s")).unwrap();
        assert!(fleet.take_notes().is_empty());
        seat.note(|runs| runs.applied_epoch = 3);
        let notes = fleet.take_notes();
        assert_eq!(notes[0].applied_epoch, 3);
        assert!(fleet.take_notes().is_empty());
        fleet.put_back(notes);
        assert_eq!(fleet.take_notes().len(), 1);
        drop(seat);
        assert_eq!(fleet.take_notes()[0].applied_epoch, 3, "the end of a stream is noted too");
    }
}
