//! What was counted since the last checkpoint: everything a checkpoint writes, and nothing else.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::account::{Account, AccountKey, Of};
use super::applied::{ACCEPTED, Applied, DUPLICATE, What};
use super::segment::{Position, Sealed};
use super::space::Space;
use crate::Catalog;

/// How far the log is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Where the next record begins.
    pub(super) position: Position,
    /// The last record.
    pub(super) record: u64,
    /// The number the next event gets in the order of ingestion.
    pub(super) next_order: u64,
    /// The latest time anything came in, in microseconds since 1970.
    pub(super) newest_us: i64,
}

/// Times of a segment, in microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    /// Of the first event; above `to_us` when there is none.
    pub(super) from_us: i64,
    /// Of the last event.
    pub(super) to_us: i64,
    /// When something last came in.
    pub(super) newest_us: i64,
}

impl Times {
    pub(super) const NONE: Self = Self { from_us: i64::MAX, to_us: i64::MIN, newest_us: i64::MIN };

    pub(super) fn widen(&mut self, other: &Self) {
        self.from_us = self.from_us.min(other.from_us);
        self.to_us = self.to_us.max(other.to_us);
        self.newest_us = self.newest_us.max(other.newest_us);
    }
}

/// A named event to be remembered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remembered {
    pub(super) key: [u8; 32],
    pub(super) digest: [u8; 32],
    pub(super) seen_us: i64,
    pub(super) record: u64,
}

/// The meters of every namespace that has any but the built-in ones, or events.
pub(super) type Catalogs = HashMap<Arc<str>, Arc<Catalog>, RandomState>;

#[derive(Debug, Default)]
pub(super) struct Generation {
    pub(super) progress: Progress,
    pub(super) spaces: HashMap<Arc<str>, Space, RandomState>,
    /// Meters of the namespaces that occur, as they are at its end.
    pub(super) catalogs: Catalogs,
    /// What they change by since they were retired, where they were.
    pub(super) accounts: HashMap<AccountKey, Account, RandomState>,
    /// Epochs that are not held any more: what the database has of them goes to the retired ones of their producer.
    pub(super) retired: Vec<AccountKey>,
    /// Bytes of the log, by segment and namespace.
    pub(super) usage: HashMap<(u64, Arc<str>), u64, RandomState>,
    /// Segments nothing is written into any more.
    pub(super) sealed: BTreeMap<u64, Sealed>,
    pub(super) named: Vec<Remembered>,
    pub(super) segments: BTreeMap<u64, Times>,
    /// Bytes of the log since the last checkpoint.
    pub(super) log_bytes: u64,
    /// Records counted.
    pub(super) records: u64,
}

impl Generation {
    /// The one after `progress`.
    pub(super) fn after(progress: Progress) -> Self {
        Self { progress, ..Self::default() }
    }

    /// Memory it takes, about, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let spaces: usize = self.spaces.values().map(Space::bytes).sum();
        spaces
            + self.accounts.len() * 320
            + self.retired.len() * 80
            + self.named.len() * size_of::<Remembered>()
    }

    /// Counts a record. `catalog` is that of its namespace, the record's own meter included.
    pub(super) fn count(&mut self, applied: &Applied, catalog: &Arc<Catalog>) {
        let Applied { record, first_order, now_us, events, end, bytes, from_us, namespace, what } = applied;
        let mut times = Times { newest_us: *now_us, ..Times::NONE };
        if let Some((from, to)) = applied.times() {
            times.from_us = from;
            times.to_us = to;
        }
        self.segments.entry(end.segment).or_insert(Times::NONE).widen(&times);
        if self.progress.position.segment == end.segment {
            self.log_bytes += end.offset.saturating_sub(self.progress.position.offset);
        } else {
            self.log_bytes += end.offset;
        }
        self.progress = Progress {
            position: *end,
            record: *record,
            next_order: first_order + u64::from(*events),
            newest_us: self.progress.newest_us.max(*now_us),
        };
        self.records += 1;
        *self.usage.entry((end.segment, Arc::clone(namespace))).or_default() += bytes;
        self.catalogs.insert(Arc::clone(namespace), Arc::clone(catalog));
        match what {
            What::Frame { frame, left } => {
                let space = self.spaces.entry(Arc::clone(namespace)).or_default();
                space.count_frame(catalog, frame, left.keeps(), *first_order);
                let account = self.account(namespace, Of::Epoch, frame.producer(), frame.epoch(), *now_us);
                account.from_us = *from_us;
                account.mark = account.mark.max(frame.last_sequence());
                account.sent += frame.len() as u64;
                account.duplicate += u64::from(left.known);
                account.accepted += (frame.len() - left.known as usize - left.rejected.len()) as u64;
                left.rejected.iter().for_each(|(_, code)| account.reject(code.number(), 1));
            }
            What::Named { events, counts } => {
                let space = self.spaces.entry(Arc::clone(namespace)).or_default();
                for (entry, order) in events.iter().zip(*first_order..) {
                    space.count_event(catalog, &entry.event, order);
                    let (key, digest) = (entry.key, entry.digest);
                    self.named.push(Remembered { key, digest, seen_us: *now_us, record: *record });
                }
                for count in counts {
                    let account = self.account(namespace, Of::Source, &count.account, 0, *now_us);
                    account.sent += count.events;
                    match count.code {
                        ACCEPTED => account.accepted += count.events,
                        DUPLICATE => account.duplicate += count.events,
                        code => account.reject(code as u8, count.events),
                    }
                }
            }
            What::Meter(_) => {
                if let Some(space) = self.spaces.get_mut(namespace) {
                    space.forget_places();
                }
            }
            What::Repeated { producer, epoch, events } => {
                let account = self.account(namespace, Of::Epoch, producer, *epoch, *now_us);
                account.sent += events;
                account.duplicate += events;
            }
            What::Refused { producer, epoch, mark, known, codes } => {
                let account = self.account(namespace, Of::Epoch, producer, *epoch, *now_us);
                account.from_us = *from_us;
                account.mark = account.mark.max(*mark);
                account.sent += known + codes.iter().map(|(_, events)| events).sum::<u64>();
                account.duplicate += known;
                codes.iter().for_each(|(code, events)| account.reject(*code, *events));
            }
            What::Retired { producer, epoch, until_us } => {
                let (namespace, producer) = (Arc::clone(namespace), Arc::clone(producer));
                let key = AccountKey { namespace, of: Of::Epoch, producer, epoch: *epoch };
                let retired = self.accounts.remove(&key).unwrap_or_default();
                let sum = self.accounts.entry(key.retired()).or_default();
                sum.absorb(&retired, 1);
                sum.from_us = sum.from_us.max(*until_us);
                self.retired.push(key);
            }
        }
    }

    fn account(
        &mut self,
        namespace: &Arc<str>,
        of: Of,
        producer: &Arc<str>,
        epoch: u64,
        now_us: i64,
    ) -> &mut Account {
        let (namespace, producer) = (Arc::clone(namespace), Arc::clone(producer));
        let account = self.accounts.entry(AccountKey { namespace, of, producer, epoch }).or_default();
        account.seen_us = account.seen_us.max(now_us);
        account
    }
}
