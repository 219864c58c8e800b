//! Several quotas at once, all or nothing.

use std::{fmt, ops::Deref, sync::Arc};

use thiserror::Error;

use crate::{Quota, Reason, Settlement, Short, quota::Take};

/// Most quotas that one reservation takes from.
pub const MAX_SET: usize = 8;
/// Most quotas to choose from in a set.
pub const MAX_SET_QUOTAS: usize = 256;

/// Units of one quota of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The quota's place in the set.
    pub quota: usize,
    /// Units to take.
    pub amount: u64,
}

/// The quotas that may apply to calls (agent, parent, customer, model, meter), resolved at load, in a fixed order. Each
/// call takes from those that do apply to it.
///
/// A reservation takes from one after the other and puts back what it took when one is short. In between, others may
/// find a quota shorter than it turns out to be and be refused; nobody is admitted beyond a lease, and as nothing
/// waits, nothing can wait for each other.
pub struct QuotaSet {
    quotas: Box<[Arc<Quota>]>,
}

/// Why quotas do not make a set.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SetError {
    /// More than [`MAX_SET_QUOTAS`].
    #[error(
        "{0} quotas apply to one agent and at most {MAX_SET_QUOTAS} can; merge some or narrow whom they are for"
    )]
    TooMany(usize),
    /// The same one twice.
    #[error("quota {0} is listed twice; list it once")]
    Twice(Box<str>),
}

/// Why a set does not cover a call. Nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SetRefusal {
    /// One of the quotas is short.
    #[error("share number {index} is short: {short}")]
    Short {
        /// Its place among the shares.
        index: usize,
        /// What it says.
        short: Short,
    },
    /// More than [`MAX_SET`] apply to one call.
    #[error(
        "{0} quotas apply to one call and at most {MAX_SET} can; merge some or narrow which calls they count"
    )]
    TooMany(usize),
    /// A share of no quota.
    #[error("the set has no quota in place {0}")]
    NoQuota(usize),
}

impl QuotaSet {
    /// A set of these quotas, in this order.
    ///
    /// # Errors
    /// [`SetError`] when there are too many or one is there twice.
    pub fn new(quotas: Vec<Arc<Quota>>) -> Result<Self, SetError> {
        if quotas.len() > MAX_SET_QUOTAS {
            return Err(SetError::TooMany(quotas.len()));
        }
        for (at, quota) in quotas.iter().enumerate() {
            if quotas[..at].iter().any(|other| Arc::ptr_eq(other, quota)) {
                return Err(SetError::Twice(quota.spec().name.clone()));
            }
        }
        Ok(Self { quotas: quotas.into() })
    }

    /// The quotas, in their order.
    #[must_use]
    pub fn quotas(&self) -> &[Arc<Quota>] {
        &self.quotas
    }

    /// Takes every share, or nothing; no shares are always covered. Time is seconds since 1970. One atomic step a quota,
    /// no lock, no allocation.
    ///
    /// # Errors
    /// [`SetRefusal`], with the first quota that is short.
    #[inline]
    pub fn reserve(&self, shares: &[Share], now_s: u64) -> Result<SetReservation<&Self>, SetRefusal> {
        let takes = self.take(shares, now_s)?;
        Ok(SetReservation { set: self, takes })
    }

    /// As [`QuotaSet::reserve`], holding the set: for a call that outlives the one who asks.
    ///
    /// # Errors
    /// As [`QuotaSet::reserve`].
    #[inline]
    pub fn reserve_owned(
        self: &Arc<Self>,
        shares: &[Share],
        now_s: u64,
    ) -> Result<OwnedSetReservation, SetRefusal> {
        let takes = self.take(shares, now_s)?;
        Ok(SetReservation { set: Arc::clone(self), takes })
    }

    #[inline]
    fn take(&self, shares: &[Share], now_s: u64) -> Result<Takes, SetRefusal> {
        if shares.len() > MAX_SET {
            return Err(SetRefusal::TooMany(shares.len()));
        }
        let mut takes = [None; MAX_SET];
        for (index, (share, place)) in shares.iter().zip(&mut takes).enumerate() {
            let taken = match self.quotas.get(share.quota) {
                Some(quota) => {
                    quota.take(share.amount, now_s).map_err(|short| SetRefusal::Short { index, short })
                }
                None => Err(SetRefusal::NoQuota(share.quota)),
            };
            match taken {
                Ok(take) => *place = Some((share.quota, take)),
                Err(refusal) => {
                    self.release(&takes);
                    return Err(refusal);
                }
            }
        }
        Ok(takes)
    }

    #[cold]
    fn release(&self, takes: &Takes) {
        for (quota, take) in takes.iter().rev().flatten() {
            if let Some(quota) = self.quotas.get(*quota) {
                quota.release(*take);
            }
        }
    }
}

impl fmt::Debug for QuotaSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.quotas).finish()
    }
}

/// What a reservation took, share by share: the quota's place in the set, and the units.
type Takes = [Option<(usize, Take)>; MAX_SET];

/// Units held for one call in quotas of a set, until each share is settled.
///
/// What is not settled when it is dropped settles at what was reserved.
#[must_use = "dropped, the reservation is settled as used in full"]
pub struct SetReservation<S: Deref<Target = QuotaSet>> {
    set: S,
    /// None once settled, and beyond the shares.
    takes: Takes,
}

/// A [`SetReservation`] that holds its set.
pub type OwnedSetReservation = SetReservation<Arc<QuotaSet>>;

impl<S: Deref<Target = QuotaSet>> SetReservation<S> {
    /// Units reserved for the share at this place, while it is not settled.
    #[must_use]
    pub fn amount(&self, index: usize) -> Option<u64> {
        self.open(index).map(|take| take.amount)
    }

    /// Why no lease is behind the share at this place, where its quota's action lets the call go on.
    #[must_use]
    pub fn overage(&self, index: usize) -> Option<Reason> {
        self.open(index).and_then(|take| take.overage)
    }

    /// As [`crate::Reservation::signals_refill`], of any share.
    #[must_use]
    pub fn signals_refill(&self) -> bool {
        self.takes.iter().flatten().any(|(_, take)| take.signals_refill)
    }

    /// Settles the share at this place at what the call used; none when there is no such share or it is settled.
    pub fn settle_one(&mut self, index: usize, actual: u64) -> Option<Settlement> {
        let (quota, take) = self.takes.get_mut(index)?.take()?;
        Some(self.set.quotas.get(quota)?.settle(take, actual))
    }

    /// Settles every share at what the call used, in their order. One without an amount settles at what was reserved.
    #[inline]
    pub fn settle(mut self, actual: &[u64]) {
        for (index, actual) in actual.iter().enumerate() {
            self.settle_one(index, *actual);
        }
    }

    /// The call never was: everything goes back, and nothing counts as admitted.
    pub fn release(mut self) {
        let takes = std::mem::take(&mut self.takes);
        self.set.release(&takes);
    }

    fn open(&self, index: usize) -> Option<&Take> {
        self.takes.get(index)?.as_ref().map(|(_, take)| take)
    }
}

impl<S: Deref<Target = QuotaSet>> Drop for SetReservation<S> {
    #[inline]
    fn drop(&mut self) {
        for (quota, take) in self.takes.iter_mut().filter_map(Option::take) {
            if let Some(quota) = self.set.quotas.get(quota) {
                quota.settle(take, take.amount);
            }
        }
    }
}

impl<S: Deref<Target = QuotaSet>> fmt::Debug for SetReservation<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.takes.iter().flatten().count();
        f.debug_struct("SetReservation").field("set", &&*self.set).field("open", &open).finish()
    }
}
