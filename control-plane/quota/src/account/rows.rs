//! What is kept of one limit, as rows. The script for Redis keeps the same.

use std::collections::BTreeSet;

use crate::{Level, Usage};

/// Epoch and id: names a lease of a limit, and orders them.
pub(crate) type LeaseKey = (u64, u64);

/// The limit itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) unit: String,
    /// Period and clock.
    pub(crate) cycle: String,
    pub(crate) revision: u64,
    pub(crate) amount: u64,
    /// Of leases granted now. Rises with each window and each loss, and is never below the start of its window: so it
    /// says of a lease nothing else is known of which window it was granted in.
    pub(crate) epoch: u64,
    /// Of the next lease in this epoch.
    pub(crate) next_id: u64,
    /// Start of the current window; never falls.
    pub(crate) window_ms: u64,
    /// When data was last lost; 0 for never.
    pub(crate) learned_ms: u64,
    /// Leases of earlier epochs, if not known, free nothing any more.
    pub(crate) trusted_epoch: u64,
    /// The last hour that was a spike; hours since 1970.
    pub(crate) spike_hour: u64,
    /// The first hour of use; 0 before it.
    pub(crate) first_hour: u64,
}

/// The account of a window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WindowRow {
    pub(crate) end_ms: u64,
    pub(crate) spent: u64,
    pub(crate) overrun: u64,
    pub(crate) overage: u64,
    pub(crate) leased: u64,
    pub(crate) stranded: u64,
    pub(crate) lost: u64,
    pub(crate) assumed: u64,
    /// One more than the amount when data was lost, which a raise does not lift; 0 for none.
    pub(crate) cap: u64,
    /// Until then, in milliseconds since 1970, holders are asked to give back.
    pub(crate) scarce_until_ms: u64,
    /// Levels people were told of: [`flag`]s.
    pub(crate) told: u64,
}

/// One holder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HolderRow {
    /// The last report taken in.
    pub(crate) sequence: u64,
    /// The last request granted.
    pub(crate) request: u64,
    /// The lease it got.
    pub(crate) lease: LeaseKey,
    /// Its leases that are not fully reported.
    pub(crate) held: BTreeSet<LeaseKey>,
    /// Last heard of, in milliseconds since 1970.
    pub(crate) seen_ms: u64,
    /// [`Head::learned_ms`] + 1 when `sequence` became known for sure; 0 while it is not: then the next report may
    /// have been taken in before data was lost.
    pub(crate) era: u64,
}

/// One lease that is not fully reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeaseRow {
    pub(crate) holder: String,
    /// Start of its window.
    pub(crate) window_ms: u64,
    pub(crate) amount: u64,
    /// Neither spent nor given back yet.
    pub(crate) open: u64,
    /// In milliseconds since 1970, whole seconds.
    pub(crate) end_ms: u64,
    pub(crate) stranded: bool,
}

/// The bit of a level in [`WindowRow::told`].
pub(crate) fn flag(level: Level) -> u64 {
    match level {
        Level::Warning => 1,
        Level::Exhausted => 2,
        Level::DataLost => 4,
        Level::Spike => 8,
    }
}

impl WindowRow {
    /// All that cannot be granted.
    pub(crate) fn committed(&self) -> u64 {
        self.usage(0).used().saturating_add(self.leased)
    }

    /// What can be granted of an amount.
    pub(crate) fn available(&self, amount: u64) -> u64 {
        let ceiling = self.cap.checked_sub(1).map_or(amount, |cap| amount.min(cap));
        ceiling.saturating_sub(self.committed())
    }

    pub(crate) fn usage(&self, amount: u64) -> Usage {
        let &Self { spent, overrun, overage, leased, stranded, lost, assumed, .. } = self;
        Usage { amount, spent, overrun, overage, leased, stranded, lost, assumed, available: 0 }
    }

    /// The account as people see it.
    pub(crate) fn public(&self, amount: u64) -> Usage {
        Usage { available: self.available(amount), ..self.usage(amount) }
    }
}
