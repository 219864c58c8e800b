//! Several quotas at once, all or nothing.

use std::{fmt, ops::Deref, sync::Arc};

use thiserror::Error;

use crate::{Quota, Reason, Settlement, Short, quota::Take};

/// Most quotas in a set.
pub const MAX_SET: usize = 8;

/// The quotas that apply to a call (agent, parent, customer, model, meter), resolved at load, in a fixed order.
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
    /// More than [`MAX_SET`].
    #[error("{0} quotas apply at once and at most {MAX_SET} can; merge some or narrow whom they are for")]
    TooMany(usize),
    /// The same one twice.
    #[error("quota {0} is listed twice; list it once")]
    Twice(Box<str>),
}

/// Why a set does not cover a call. Nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SetRefusal {
    /// One of the quotas is short.
    #[error("quota number {index} of the set is short: {short}")]
    Short {
        /// Its place in the set.
        index: usize,
        /// What it says.
        short: Short,
    },
    /// Not one amount for each quota.
    #[error("{amounts} amounts were given for a set of {quotas} quotas; give one for each")]
    Amounts {
        /// Amounts given.
        amounts: usize,
        /// Quotas in the set.
        quotas: usize,
    },
}

impl QuotaSet {
    /// A set of these quotas, in this order; with none, every call is covered.
    ///
    /// # Errors
    /// [`SetError`] when there are too many or one is there twice.
    pub fn new(quotas: Vec<Arc<Quota>>) -> Result<Self, SetError> {
        if quotas.len() > MAX_SET {
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

    /// Takes an amount from each quota, or nothing. Amounts stand in the order of the quotas; time is seconds since
    /// 1970. One atomic step a quota, no lock, no allocation.
    ///
    /// # Errors
    /// [`SetRefusal`], with the first quota that is short.
    #[inline]
    pub fn reserve(&self, amounts: &[u64], now_s: u64) -> Result<SetReservation<&Self>, SetRefusal> {
        let takes = self.take(amounts, now_s)?;
        Ok(SetReservation { set: self, takes })
    }

    /// As [`QuotaSet::reserve`], holding the set: for a call that outlives the one who asks.
    ///
    /// # Errors
    /// As [`QuotaSet::reserve`].
    #[inline]
    pub fn reserve_owned(
        self: &Arc<Self>,
        amounts: &[u64],
        now_s: u64,
    ) -> Result<OwnedSetReservation, SetRefusal> {
        let takes = self.take(amounts, now_s)?;
        Ok(SetReservation { set: Arc::clone(self), takes })
    }

    #[inline]
    fn take(&self, amounts: &[u64], now_s: u64) -> Result<[Option<Take>; MAX_SET], SetRefusal> {
        let quotas = self.quotas.len();
        if amounts.len() != quotas {
            return Err(SetRefusal::Amounts { amounts: amounts.len(), quotas });
        }
        let mut takes = [None; MAX_SET];
        for (index, ((quota, amount), place)) in self.quotas.iter().zip(amounts).zip(&mut takes).enumerate() {
            match quota.take(*amount, now_s) {
                Ok(take) => *place = Some(take),
                Err(short) => {
                    self.release(&takes);
                    return Err(SetRefusal::Short { index, short });
                }
            }
        }
        Ok(takes)
    }

    #[cold]
    fn release(&self, takes: &[Option<Take>; MAX_SET]) {
        for (quota, take) in self.quotas.iter().zip(takes).rev() {
            if let Some(take) = take {
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

/// Units held for one call in every quota of a set, until each is settled.
///
/// What is not settled when it is dropped settles at what was reserved.
#[must_use = "dropped, the reservation is settled as used in full"]
pub struct SetReservation<S: Deref<Target = QuotaSet>> {
    set: S,
    /// None once settled, and beyond the quotas of the set.
    takes: [Option<Take>; MAX_SET],
}

/// A [`SetReservation`] that holds its set.
pub type OwnedSetReservation = SetReservation<Arc<QuotaSet>>;

impl<S: Deref<Target = QuotaSet>> SetReservation<S> {
    /// Units reserved in the quota at this place, while it is not settled.
    #[must_use]
    pub fn amount(&self, index: usize) -> Option<u64> {
        self.open(index).map(|take| take.amount)
    }

    /// Why no lease is behind the units of the quota at this place, where its action lets the call go on.
    #[must_use]
    pub fn overage(&self, index: usize) -> Option<Reason> {
        self.open(index).and_then(|take| take.overage)
    }

    /// As [`crate::Reservation::signals_refill`], of the quota at this place.
    #[must_use]
    pub fn signals_refill(&self, index: usize) -> bool {
        self.open(index).is_some_and(|take| take.signals_refill)
    }

    /// Settles the quota at this place at what the call used; none when there is no such quota or it is settled.
    pub fn settle_one(&mut self, index: usize, actual: u64) -> Option<Settlement> {
        let take = self.takes.get_mut(index)?.take()?;
        Some(self.set.quotas.get(index)?.settle(take, actual))
    }

    /// Settles every quota at what the call used, in their order. One without an amount settles at what was reserved.
    #[inline]
    pub fn settle(mut self, actual: &[u64]) {
        for (index, actual) in actual.iter().enumerate() {
            self.settle_one(index, *actual);
        }
    }

    fn open(&self, index: usize) -> Option<&Take> {
        self.takes.get(index)?.as_ref()
    }
}

impl<S: Deref<Target = QuotaSet>> Drop for SetReservation<S> {
    #[inline]
    fn drop(&mut self) {
        for (quota, take) in self.set.quotas.iter().zip(&mut self.takes) {
            if let Some(take) = take.take() {
                quota.settle(take, take.amount);
            }
        }
    }
}

impl<S: Deref<Target = QuotaSet>> fmt::Debug for SetReservation<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.takes.iter().filter(|take| take.is_some()).count();
        f.debug_struct("SetReservation").field("set", &&*self.set).field("open", &open).finish()
    }
}
