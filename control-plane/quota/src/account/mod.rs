//! The account of one limit: all its rules, in memory, without a clock or a disk.
//!
//! One request after the other changes it and notes which rows changed; whoever owns it writes them before answering.

mod expire;
mod grant;
mod holders;
mod report;
mod rows;
mod spike;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use rows::{Head, HolderRow, LeaseKey, LeaseRow, WindowRow, flag};

use crate::bounds::{ACTIVE_LIVES, MAX_UNITS};
use crate::{IssuerError, Level, QuotaEvent, QuotaLimit, Window};

/// One request's circumstances.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn<'a> {
    pub(crate) limit: &'a QuotaLimit,
    /// The window `now_ms` is in.
    pub(crate) window: Window,
    pub(crate) now_ms: u64,
    /// When the namespace's data was lost; 0 for never.
    pub(crate) lost_ms: u64,
    /// Whether a lease is asked for: else it does not matter of which revision the limit is.
    pub(crate) grants: bool,
}

/// Rows changed since they were last written.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    pub(crate) head: bool,
    pub(crate) windows: BTreeSet<u64>,
    pub(crate) holders: BTreeSet<String>,
    pub(crate) leases: BTreeSet<LeaseKey>,
    pub(crate) hours: BTreeSet<u64>,
    /// Without their numbers, which the namespace gives.
    pub(crate) events: Vec<QuotaEvent>,
}

/// The account of one limit.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) head: Head,
    /// By start.
    pub(crate) windows: BTreeMap<u64, WindowRow>,
    /// By name; the processes of a sidecar are beside each other.
    pub(crate) holders: BTreeMap<String, HolderRow>,
    pub(crate) leases: BTreeMap<LeaseKey, LeaseRow>,
    /// Units used in an hour, by hours since 1970.
    pub(crate) hours: BTreeMap<u64, u64>,
    /// When something is to be done about a lease.
    due: BTreeSet<(u64, LeaseKey)>,
    /// Holders by when they were last heard of.
    seen: BTreeSet<(u64, String)>,
    /// Of those, the ones heard of lately.
    active: BTreeSet<(u64, String)>,
    pub(crate) changed: Changed,
}

/// Adds, and stops at the largest number kept.
pub(crate) fn add(total: &mut u64, units: u64) {
    *total = total.saturating_add(units).min(MAX_UNITS);
}

/// Takes at most `units`, and says how many.
pub(crate) fn take(total: &mut u64, units: u64) -> u64 {
    let taken = units.min(*total);
    *total -= taken;
    taken
}

impl Account {
    /// What was kept, put together again.
    pub(crate) fn restore(
        head: Head,
        windows: BTreeMap<u64, WindowRow>,
        mut holders: BTreeMap<String, HolderRow>,
        leases: BTreeMap<LeaseKey, LeaseRow>,
        hours: BTreeMap<u64, u64>,
    ) -> Self {
        for (key, lease) in &leases {
            if let Some(holder) = holders.get_mut(&lease.holder) {
                holder.held.insert(*key);
            }
        }
        let due = leases.iter().map(|(key, lease)| (lease.due_ms(), *key)).collect();
        let seen: BTreeSet<_> = holders.iter().map(|(name, holder)| (holder.seen_ms, name.clone())).collect();
        Self {
            head,
            windows,
            holders,
            leases,
            hours,
            due,
            active: seen.clone(),
            seen,
            changed: Changed::default(),
        }
    }

    /// Whether a limit was ever entered here.
    pub(crate) fn is_new(&self) -> bool {
        self.head.revision == 0
    }

    /// Whether rows are there and the limit they belong to is not: a loss, and no beginning.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_new() && !(self.windows.is_empty() && self.holders.is_empty() && self.leases.is_empty())
    }

    /// Turns to the window of now, and to the terms of the limit.
    pub(crate) fn enter(&mut self, turn: &Turn<'_>) -> Result<(), IssuerError> {
        let &Turn { limit, window, now_ms, lost_ms, grants } = turn;
        let mut gone = self.is_gone();
        let head = &mut self.head;
        if gone {
            // No number is given twice, and no window begun again.
            head.window_ms = self.windows.last_key_value().map_or(0, |(start_ms, _)| *start_ms);
            head.epoch = self.leases.last_key_value().map_or(0, |((epoch, _), _)| *epoch);
        }
        if head.revision == 0 {
            head.unit = limit.unit.to_string();
            head.cycle = limit.cycle();
        } else if *head.unit != *limit.unit || head.cycle != limit.cycle() {
            let (unit, cycle) = (head.unit.clone(), head.cycle.clone());
            return Err(IssuerError::Changed { limit: limit.name.clone(), unit, cycle });
        }
        // Control planes number the same change by clocks of their own: who says the same is not outdated.
        if grants && limit.revision <= head.revision && limit.amount != head.amount {
            let (revision, amount) = (head.revision, head.amount);
            return Err(IssuerError::Outdated { limit: limit.name.clone(), revision, amount });
        }
        if window.start_ms < head.window_ms {
            let window_ms = head.window_ms;
            return Err(IssuerError::ClockBehind { limit: limit.name.clone(), now_ms, window_ms });
        }
        if limit.revision > head.revision {
            (head.revision, head.amount) = (limit.revision, limit.amount);
            self.changed.head = true;
        }
        let begins = !self.windows.contains_key(&window.start_ms);
        if begins {
            gone |= head.window_ms == window.start_ms;
            head.window_ms = window.start_ms;
            head.epoch = window.start_ms.max(head.epoch + 1);
            head.next_id = 1;
            self.changed.head = true;
            self.windows.insert(window.start_ms, WindowRow { end_ms: window.end_ms, ..WindowRow::default() });
            self.changed.windows.insert(window.start_ms);
        }
        // A clock that is behind another's begins windows that the other may have used before the loss.
        if lost_ms >= window.start_ms && lost_ms > 0 && (begins || lost_ms > self.head.learned_ms) {
            self.learn(turn, lost_ms);
        } else if gone {
            self.learn(turn, now_ms);
        }
        Ok(())
    }

    /// Data was lost: whatever could have been granted in this window counts as used, until it ends or `settle_loss`.
    /// What holders say of leases that are not kept frees nothing: anybody could say it.
    fn learn(&mut self, turn: &Turn<'_>, at_ms: u64) {
        let amount = self.head.amount;
        self.head.learned_ms = at_ms.max(self.head.learned_ms + 1);
        self.head.epoch = at_ms.max(self.head.epoch + 1);
        self.head.next_id = 1;
        self.changed.head = true;
        let row = self.current();
        let rest = amount.saturating_sub(row.committed());
        add(&mut row.assumed, rest);
        row.cap = amount + 1;
        self.tell(turn, turn.window.start_ms, Level::DataLost);
    }

    /// The row of the current window, to be changed.
    fn current(&mut self) -> &mut WindowRow {
        self.window(self.head.window_ms)
    }

    /// The row of a window, to be changed.
    fn window(&mut self, start_ms: u64) -> &mut WindowRow {
        self.changed.windows.insert(start_ms);
        self.windows.entry(start_ms).or_default()
    }

    /// Tells people, once for a window and level.
    fn tell(&mut self, turn: &Turn<'_>, start_ms: u64, level: Level) {
        let Some(row) = self.windows.get_mut(&start_ms).filter(|row| row.told & flag(level) == 0) else {
            return;
        };
        row.told |= flag(level);
        self.changed.windows.insert(start_ms);
        self.changed.events.push(QuotaEvent {
            sequence: 0,
            limit: turn.limit.name.clone(),
            level,
            window: Window { start_ms, end_ms: row.end_ms },
            at_ms: turn.now_ms,
            used: row.usage(0).used().min(MAX_UNITS),
            measure: self.head.amount,
            hours: 0,
        });
    }

    /// Tells people when a window's use has reached the warning.
    fn warn(&mut self, turn: &Turn<'_>, start_ms: u64) {
        let Some(row) = self.windows.get(&start_ms) else { return };
        let used = row.usage(0).used();
        let reached =
            u128::from(used) * 100 >= u128::from(self.head.amount) * u128::from(turn.limit.warn_percent);
        if used > 0 && reached {
            self.tell(turn, start_ms, Level::Warning);
        }
    }

    /// When something is to be done next about a lease.
    pub(crate) fn next_ms(&self) -> Option<u64> {
        self.due.first().map(|(due_ms, _)| *due_ms)
    }

    /// Notes that a holder was heard of. It has a row.
    fn heard(&mut self, name: &str, now_ms: u64) {
        let Some(row) = self.holders.get_mut(name) else { return };
        self.changed.holders.insert(name.to_owned());
        let before = (row.seen_ms, name.to_owned());
        row.seen_ms = now_ms.max(row.seen_ms);
        let now = (row.seen_ms, before.1.clone());
        self.seen.remove(&before);
        self.active.remove(&before);
        self.seen.insert(now.clone());
        self.active.insert(now);
    }

    /// How many holders were heard of lately.
    fn active(&mut self, turn: &Turn<'_>) -> u64 {
        let since = turn.now_ms.saturating_sub(turn.limit.leases.life_ms * ACTIVE_LIVES);
        while self.active.first().is_some_and(|(seen_ms, _)| *seen_ms < since) {
            self.active.pop_first();
        }
        self.active.len() as u64
    }

    /// Forgets a lease that is accounted for.
    fn close(&mut self, key: LeaseKey) {
        let Some(lease) = self.leases.remove(&key) else { return };
        self.changed.leases.insert(key);
        self.due.remove(&(lease.due_ms(), key));
        if let Some(holder) = self.holders.get_mut(&lease.holder) {
            holder.held.remove(&key);
            self.changed.holders.insert(lease.holder);
        }
    }
}
