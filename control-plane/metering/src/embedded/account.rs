//! What came in from whom.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{ProducerAccount, RejectCode};

/// Whose account it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct AccountKey {
    pub(super) namespace: Arc<str>,
    /// Of a source of named events, not of a producer with a sequence.
    pub(super) named: bool,
    pub(super) producer: Arc<str>,
    pub(super) epoch: u64,
}

/// Counts, or what they change by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) mark: u64,
    pub(super) sent: u64,
    pub(super) accepted: u64,
    pub(super) duplicate: u64,
    /// By number of the code.
    pub(super) rejected: BTreeMap<u8, u64>,
    pub(super) seen_us: i64,
}

impl Account {
    pub(super) fn reject(&mut self, code: u8, events: u64) {
        *self.rejected.entry(code).or_default() += events;
    }

    pub(super) fn merge(&mut self, more: &Self) {
        self.mark = self.mark.max(more.mark);
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
        ProducerAccount {
            producer: Arc::clone(&key.producer),
            epoch: key.epoch,
            highest_sequence: self.mark,
            sent: self.sent,
            accepted: self.accepted,
            duplicate: self.duplicate,
            rejected: self.rejected.values().sum(),
            rejected_by_code: by_code.collect(),
            last_seen_us: self.seen_us,
        }
    }
}
