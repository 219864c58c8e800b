//! Why a quota does not cover a call.

use thiserror::Error;

/// Why no lease covers the amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No lease was granted, or the last one was revoked or has ended.
    NothingGranted,
    /// The lease is past its end.
    Expired,
    /// What is left of the lease is less than the amount.
    Spent,
    /// The whole lease, untouched, would be less than the amount: ask the issuer for a larger one.
    LargerThanLease,
    /// The quota was given back: the process is going down.
    Closed,
}

impl Reason {
    /// One clause for people: why.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NothingGranted => "nothing is granted",
            Self::Expired => "the lease has expired",
            Self::Spent => "the lease is spent",
            Self::LargerThanLease => "the amount is larger than the lease",
            Self::Closed => "the quota was given back",
        }
    }
}

/// A call a quota does not cover. Nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{amount} units were asked for and {left} are left: {}", reason.as_str())]
pub struct Short {
    /// Why.
    pub reason: Reason,
    /// Units asked for.
    pub amount: u64,
    /// Units left of the lease at that moment; 0 without a valid one.
    pub left: u64,
    /// The first to find this lease wanting, as [`crate::Reservation::signals_refill`].
    pub signals_refill: bool,
}
