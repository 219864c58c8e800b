//! What came of a lease's reservations, counted where no newer lease gets in the way.

use crate::sync::{AtomicU64, Ordering};

/// Most leases of one quota that are current, have open reservations, or have something to report.
#[cfg(not(test))]
pub const MAX_OPEN_LEASES: usize = 256;
/// Few enough that every one is used again within a test that tries all interleavings.
#[cfg(test)]
pub const MAX_OPEN_LEASES: usize = 4;

/// Totals of one lease; they only rise until the slot is used again.
///
/// A slot is used again when spent + returned + what was left at the end make up the grant: then no reservation is
/// open. So whoever settles adds overruns first, and touches nothing of the slot after the units that may complete it.
#[derive(Default)]
#[repr(align(32))]
pub(crate) struct Slot {
    /// Units settled as used, out of reservations.
    spent: AtomicU64,
    /// Units given back after the lease had ended.
    returned: AtomicU64,
    /// Units used above reservations.
    overrun: AtomicU64,
}

/// Totals of one lease at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) spent: u64,
    pub(crate) given_back: u64,
    pub(crate) overrun: u64,
}

impl Slot {
    pub(crate) fn add_spent(&self, units: u64) {
        self.spent.fetch_add(units, Ordering::Release);
    }

    pub(crate) fn add_returned(&self, units: u64) {
        self.returned.fetch_add(units, Ordering::Release);
    }

    pub(crate) fn add_overrun(&self, units: u64) {
        add_saturating(&self.overrun, units);
    }

    /// The totals, with `left` units given back when the lease ended.
    pub(crate) fn totals(&self, left: u64) -> Totals {
        // Overruns last: when the units are complete, every overrun is visible.
        let spent = self.spent.load(Ordering::Acquire);
        let returned = self.returned.load(Ordering::Acquire);
        let overrun = self.overrun.load(Ordering::Relaxed);
        Totals { spent, given_back: left + returned, overrun }
    }

    pub(crate) fn clear(&self) {
        self.spent.store(0, Ordering::Relaxed);
        self.returned.store(0, Ordering::Relaxed);
        self.overrun.store(0, Ordering::Relaxed);
    }
}

/// Adds what came from outside and may be any number: stops at the largest one instead of starting over at zero.
pub(crate) fn add_saturating(total: &AtomicU64, units: u64) {
    let mut seen = total.load(Ordering::Relaxed);
    while let Err(now) =
        total.compare_exchange(seen, seen.saturating_add(units), Ordering::Relaxed, Ordering::Relaxed)
    {
        seen = now;
    }
}
