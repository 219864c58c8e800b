//! What came in from whom.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::applied::NOTHING_RETIRED;
use crate::{ProducerAccount, RejectCode};

/// What an account is of; the number is kept in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Of {
    /// An epoch of a producer with a sequence.
    Epoch = 0,
    /// A source of named events.
    Source = 1,
    /// The epochs of a producer that are not held any more, added up.
    Retired = 2,
}

impl Of {
    pub(super) const fn number(self) -> i64 {
        self as i64
    }

    pub(super) const fn from_number(number: i64) -> Self {
        match number {
            0 => Self::Epoch,
            1 => Self::Source,
            _ => Self::Retired,
        }
    }
}

/// Whose account it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct AccountKey {
    pub(super) namespace: Arc<str>,
    pub(super) of: Of,
    pub(super) producer: Arc<str>,
    pub(super) epoch: u64,
}

impl AccountKey {
    /// Where an epoch of the same producer goes when it is retired.
    pub(super) fn retired(&self) -> Self {
        Self { of: Of::Retired, epoch: 0, ..self.clone() }
    }
}

/// Counts, or what they change by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    /// Of retired epochs: how many there are.
    pub(super) mark: u64,
    pub(super) sent: u64,
    pub(super) accepted: u64,
    pub(super) duplicate: u64,
    /// By number of the code.
    pub(super) rejected: BTreeMap<u8, u64>,
    pub(super) seen_us: i64,
    /// Events up to then are not taken in: they may have been counted in an epoch that was retired.
    pub(super) from_us: i64,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            mark: 0,
            sent: 0,
            accepted: 0,
            duplicate: 0,
            rejected: BTreeMap::new(),
            seen_us: 0,
            from_us: NOTHING_RETIRED,
        }
    }
}

impl Account {
    pub(super) fn reject(&mut self, code: u8, events: u64) {
        *self.rejected.entry(code).or_default() += events;
    }

    pub(super) fn merge(&mut self, more: &Self) {
        self.mark = self.mark.max(more.mark);
        self.add(more);
        self.from_us = self.from_us.max(more.from_us);
    }

    /// Adds the counts of a retired epoch; `epochs` says of how many.
    pub(super) fn absorb(&mut self, more: &Self, epochs: u64) {
        self.mark += epochs;
        self.add(more);
    }

    fn add(&mut self, more: &Self) {
        self.sent += more.sent;
        self.accepted += more.accepted;
        self.duplicate += more.duplicate;
        for (code, events) in &more.rejected {
            self.reject(*code, *events);
        }
        self.seen_us = self.seen_us.max(more.seen_us);
    }

    pub(super) fn shown(&self, key: &AccountKey) -> ProducerAccount {
        let by_code = self.rejected.iter().filter_map(|(code, events)| {
            Some((Arc::from(RejectCode::from_number(*code)?.as_str()), *events))
        });
        let is_retired = key.of == Of::Retired;
        ProducerAccount {
            producer: Arc::clone(&key.producer),
            epoch: key.epoch,
            retired_epochs: if is_retired { self.mark } else { 0 },
            highest_sequence: if is_retired { 0 } else { self.mark },
            sent: self.sent,
            accepted: self.accepted,
            duplicate: self.duplicate,
            rejected: self.rejected.values().sum(),
            rejected_by_code: by_code.collect(),
            last_seen_us: self.seen_us,
        }
    }
}
