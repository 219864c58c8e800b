//! Which epochs of producers are held, and how many there may be.
//!
//! An epoch that is not held counts as new, so forgetting one must not let its events count again: one that was silent
//! for longer than events may be late is forgotten (its events would be too old), and one that is retired for its
//! producer's newer ones leaves behind a time up to which no epoch begun later takes events in.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::account::{AccountKey, Of};
use super::applied::NOTHING_RETIRED;
use crate::bounds::{EpochBounds, MIN_IDLE_US};
use crate::{Acceptance, StoreError};

/// How long after silent epochs were looked for they are again, in microseconds: there may be a million.
const SWEEP_EVERY_US: u64 = 60_000_000;

/// A producer's mark in an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Up to this sequence everything is on disk or rejected.
    pub(super) sequence: u64,
    /// When it last sent something, in microseconds since 1970.
    pub(super) seen_us: i64,
    /// Events up to then are not taken in: they may have been counted in an epoch that was retired.
    pub(super) from_us: i64,
}

/// Of one producer in one namespace.
#[derive(Debug)]
struct Held {
    /// By epoch.
    marks: Vec<(u64, Mark)>,
    /// Events up to then may have been counted in an epoch that was retired, in microseconds since 1970.
    retired_us: i64,
}

/// Whether an epoch may begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// As it is.
    Free,
    /// Once this one is retired: events up to then, in microseconds since 1970, may have been counted in it.
    Retire(AccountKey, i64),
}

#[derive(Debug, Default)]
pub(super) struct Epochs {
    /// By namespace and producer.
    producers: HashMap<(Arc<str>, Arc<str>), Held, RandomState>,
    /// Epochs held of each namespace.
    namespaces: HashMap<Arc<str>, usize, RandomState>,
    all: usize,
    swept_us: i64,
}

impl Epochs {
    fn producer(key: &AccountKey) -> (Arc<str>, Arc<str>) {
        (Arc::clone(&key.namespace), Arc::clone(&key.producer))
    }

    /// The mark, when the epoch is held.
    pub(super) fn get(&self, key: &AccountKey) -> Option<Mark> {
        let held = self.producers.get(&Self::producer(key))?;
        let at = held.marks.binary_search_by_key(&key.epoch, |(epoch, _)| *epoch).ok()?;
        held.marks.get(at).map(|(_, mark)| *mark)
    }

    /// Holds an epoch, or changes its mark.
    pub(super) fn set(&mut self, key: &AccountKey, mark: Mark) {
        let new = || Held { marks: Vec::with_capacity(1), retired_us: NOTHING_RETIRED };
        let held = self.producers.entry(Self::producer(key)).or_insert_with(new);
        match held.marks.binary_search_by_key(&key.epoch, |(epoch, _)| *epoch) {
            Ok(at) => held.marks[at].1 = mark,
            Err(at) => {
                held.marks.insert(at, (key.epoch, mark));
                *self.namespaces.entry(Arc::clone(&key.namespace)).or_default() += 1;
                self.all += 1;
            }
        }
    }

    /// Does not hold an epoch any more.
    pub(super) fn remove(&mut self, key: &AccountKey) {
        let producer = Self::producer(key);
        let Some(held) = self.producers.get_mut(&producer) else { return };
        let Ok(at) = held.marks.binary_search_by_key(&key.epoch, |(epoch, _)| *epoch) else { return };
        held.marks.remove(at);
        if held.marks.is_empty() && held.retired_us == NOTHING_RETIRED {
            self.producers.remove(&producer);
        }
        self.leave(&key.namespace, 1);
    }

    fn leave(&mut self, namespace: &Arc<str>, epochs: usize) {
        self.all = self.all.saturating_sub(epochs);
        if let Some(held) = self.namespaces.get_mut(namespace) {
            *held = held.saturating_sub(epochs);
            if *held == 0 {
                self.namespaces.remove(namespace);
            }
        }
    }

    /// Up to when events may have been counted in a retired epoch of the producer, in microseconds since 1970.
    pub(super) fn retired_us(&self, key: &AccountKey) -> i64 {
        self.producers.get(&Self::producer(key)).map_or(NOTHING_RETIRED, |held| held.retired_us)
    }

    /// Sets it: what it was before is given back by a write that failed.
    pub(super) fn set_retired_us(&mut self, key: &AccountKey, until_us: i64) {
        let new = || Held { marks: Vec::new(), retired_us: NOTHING_RETIRED };
        self.producers.entry(Self::producer(key)).or_insert_with(new).retired_us = until_us;
    }

    /// Holds an epoch no more, and remembers up to when events may have been counted in it.
    pub(super) fn retire(&mut self, key: &AccountKey, until_us: i64) {
        let until_us = until_us.max(self.retired_us(key));
        self.set_retired_us(key, until_us);
        self.remove(key);
    }

    /// Whether an epoch that is not held may begin.
    ///
    /// # Errors
    /// [`StoreError::Full`] when there are too many of the producer, the namespace, or all.
    pub(super) fn room(
        &mut self,
        key: &AccountKey,
        now_us: i64,
        bounds: &EpochBounds,
        acceptance: &Acceptance,
    ) -> Result<Room, StoreError> {
        if let Some(room) = self.try_room(key, now_us, bounds, acceptance)? {
            return Ok(room);
        }
        // A clock that ran ahead for a moment makes nothing old.
        let now_us = now_us.min(crate::time::now_us());
        if now_us.abs_diff(self.swept_us) >= SWEEP_EVERY_US {
            self.swept_us = now_us;
            let late_us = acceptance.max_age_us.saturating_add(acceptance.max_ahead_us);
            self.forget(now_us.saturating_sub(late_us));
            if let Some(room) = self.try_room(key, now_us, bounds, acceptance)? {
                return Ok(room);
            }
        }
        let of_namespace = self.namespaces.get(&key.namespace).copied().unwrap_or(0);
        if self.of_producer(key) >= bounds.of_producer {
            return Err(StoreError::epochs("epochs of this producer that sent lately", bounds.of_producer));
        }
        if of_namespace >= bounds.of_namespace {
            return Err(StoreError::epochs("epochs of producers of this namespace", bounds.of_namespace));
        }
        Err(StoreError::epochs("epochs of producers", bounds.all))
    }

    fn of_producer(&self, key: &AccountKey) -> usize {
        self.producers.get(&Self::producer(key)).map_or(0, |held| held.marks.len())
    }

    fn try_room(
        &self,
        key: &AccountKey,
        now_us: i64,
        bounds: &EpochBounds,
        acceptance: &Acceptance,
    ) -> Result<Option<Room>, StoreError> {
        let of_namespace = self.namespaces.get(&key.namespace).copied().unwrap_or(0);
        let own = self.of_producer(key);
        if own < bounds.of_producer && of_namespace < bounds.of_namespace && self.all < bounds.all {
            return Ok(Some(Room::Free));
        }
        // Only one of its own makes room: nobody takes another's.
        let held = self.producers.get(&Self::producer(key));
        let oldest = held.and_then(|held| held.marks.iter().min_by_key(|(_, mark)| mark.seen_us));
        Ok(oldest.filter(|(_, mark)| mark.seen_us <= now_us.saturating_sub(MIN_IDLE_US)).map(
            |(epoch, mark)| {
                let until_us = mark.seen_us.saturating_add(acceptance.max_ahead_us);
                Room::Retire(AccountKey { of: Of::Epoch, epoch: *epoch, ..key.clone() }, until_us)
            },
        ))
    }

    /// Forgets epochs that were silent since `before_us`, and what was retired before.
    fn forget(&mut self, before_us: i64) {
        let mut left: Vec<(Arc<str>, usize)> = Vec::new();
        self.producers.retain(|(namespace, _), held| {
            let before = held.marks.len();
            held.marks.retain(|(_, mark)| mark.seen_us >= before_us);
            if held.retired_us < before_us {
                held.retired_us = NOTHING_RETIRED;
            }
            left.push((Arc::clone(namespace), before - held.marks.len()));
            !held.marks.is_empty() || held.retired_us != NOTHING_RETIRED
        });
        for (namespace, epochs) in left.into_iter().filter(|(_, epochs)| *epochs > 0) {
            self.leave(&namespace, epochs);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_US: i64 = 1_791_973_200_000_000;
    const BOUNDS: EpochBounds = EpochBounds { of_producer: 3, of_namespace: 5, all: 7 };

    fn key(namespace: &str, producer: &str, epoch: u64) -> AccountKey {
        AccountKey { namespace: namespace.into(), of: Of::Epoch, producer: producer.into(), epoch }
    }

    fn begin(epochs: &mut Epochs, key: &AccountKey, now_us: i64) -> Result<Room, StoreError> {
        let room = epochs.room(key, now_us, &BOUNDS, &Acceptance::default())?;
        if let Room::Retire(oldest, until_us) = &room {
            epochs.retire(oldest, *until_us);
        }
        let from_us = epochs.retired_us(key);
        epochs.set(key, Mark { sequence: 1, seen_us: now_us, from_us });
        Ok(room)
    }

    #[test]
    fn a_producer_makes_room_for_itself_and_for_nobody_else() {
        let mut epochs = Epochs::default();
        for epoch in 1..=3 {
            assert_eq!(begin(&mut epochs, &key("a", "p", epoch), NOW_US + epoch as i64), Ok(Room::Free));
        }
        // All of them sent just now.
        assert!(matches!(
            begin(&mut epochs, &key("a", "p", 4), NOW_US + 4),
            Err(StoreError::Full { most: 3, .. })
        ));
        let later = NOW_US + MIN_IDLE_US + 1;
        let until_us = NOW_US + 1 + Acceptance::default().max_ahead_us;
        let retired = Room::Retire(key("a", "p", 1), until_us);
        assert_eq!(begin(&mut epochs, &key("a", "p", 4), later), Ok(retired));
        assert_eq!(epochs.get(&key("a", "p", 1)), None);
        assert_eq!(epochs.get(&key("a", "p", 4)).map(|mark| mark.from_us), Some(until_us));
        // The namespace is full for a producer that is new to it.
        for producer in ["q", "r"] {
            begin(&mut epochs, &key("a", producer, 1), later).unwrap();
        }
        assert!(matches!(
            begin(&mut epochs, &key("a", "s", 1), later),
            Err(StoreError::Full { most: 5, .. })
        ));
        // Others have room, up to the bound over all.
        begin(&mut epochs, &key("b", "p", 1), later).unwrap();
        begin(&mut epochs, &key("c", "p", 1), later).unwrap();
        assert!(matches!(
            begin(&mut epochs, &key("d", "p", 1), later),
            Err(StoreError::Full { most: 7, .. })
        ));
    }

    #[test]
    fn what_is_too_old_to_come_in_again_is_forgotten() {
        let mut epochs = Epochs::default();
        for producer in 0..5 {
            begin(&mut epochs, &key("a", &producer.to_string(), 1), NOW_US - 100 * 86_400_000_000).unwrap();
        }
        assert_eq!(begin(&mut epochs, &key("a", "new", 1), NOW_US), Ok(Room::Free));
        assert_eq!((epochs.all, epochs.producers.len()), (1, 1));
    }
}
