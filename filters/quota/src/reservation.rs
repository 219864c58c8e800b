//! Units held for one call.

use std::{fmt, ops::Deref, sync::Arc};

use crate::{Quota, Reason, quota::Take};

/// Units held for one call, until it is settled.
///
/// Dropped without being settled, it settles at what was reserved: unknown usage is never taken for none. A call that
/// did not leave settles at 0.
#[must_use = "dropped, the reservation is settled as used in full"]
pub struct Reservation<Q: Deref<Target = Quota>> {
    quota: Q,
    /// None once settled.
    take: Option<Take>,
    amount: u64,
}

/// A [`Reservation`] that holds its quota.
pub type OwnedReservation = Reservation<Arc<Quota>>;

/// Where the units of a settled reservation went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settlement {
    /// Used, out of the lease.
    pub spent: u64,
    /// Reserved and not used: back in the lease or, where that has ended, with the issuer.
    pub given_back: u64,
    /// Used above what was reserved.
    pub overrun: u64,
    /// Used with no lease behind it.
    pub overage: u64,
}

impl<Q: Deref<Target = Quota>> Reservation<Q> {
    #[inline]
    pub(crate) fn new(quota: Q, take: Take) -> Self {
        Self { quota, amount: take.amount, take: Some(take) }
    }

    /// Units reserved.
    #[must_use]
    pub fn amount(&self) -> u64 {
        self.amount
    }

    /// Why no lease is behind this, where the action of the quota lets the call go on all the same.
    #[must_use]
    pub fn overage(&self) -> Option<Reason> {
        self.take.and_then(|take| take.overage)
    }

    /// True for the first call that brought its lease down to half or found it short: time to ask the issuer for the
    /// next. One for each lease, whether it was admitted or not.
    #[must_use]
    pub fn signals_refill(&self) -> bool {
        self.take.is_some_and(|take| take.signals_refill)
    }

    /// Settles at what the call used.
    #[inline]
    pub fn settle(mut self, actual: u64) -> Settlement {
        match self.take.take() {
            Some(take) => self.quota.settle(take, actual),
            None => Settlement::default(),
        }
    }
}

impl<Q: Deref<Target = Quota>> Drop for Reservation<Q> {
    #[inline]
    fn drop(&mut self) {
        if let Some(take) = self.take.take() {
            self.quota.settle(take, take.amount);
        }
    }
}

impl<Q: Deref<Target = Quota>> fmt::Debug for Reservation<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation")
            .field("quota", &self.quota.spec().name)
            .field("amount", &self.amount)
            .finish()
    }
}
