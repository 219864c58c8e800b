//! What the issuer grants.

use thiserror::Error;

use crate::slot::MAX_OPEN_LEASES;

/// Largest lease, in units of its quota: 48 bits, so that amount and lease fit one atomic word.
/// In billionths of a dollar that is 281,474 dollars; the issuer splits what is larger.
pub const MAX_LEASE_AMOUNT: u64 = (1 << 48) - 1;

/// A part of a quota's limit that one holder may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Names the lease; rises with each lease of the quota within an epoch.
    pub id: u64,
    /// The issuer's epoch; never falls.
    pub epoch: u64,
    /// Units granted, 1 to [`MAX_LEASE_AMOUNT`].
    pub amount: u64,
    /// Seconds since 1970. The lease is spent while the clock shows less, so nothing is spent at or after that
    /// moment. The issuer subtracts the clock skew it allows.
    pub not_after_s: u64,
}

impl Lease {
    /// What later leases must be above.
    pub(crate) fn order(&self) -> (u64, u64) {
        (self.epoch, self.id)
    }
}

/// Why a lease was not taken. None of it was or will be spent, also when it is sent again: the next report gives it
/// back whole, unless it is out of order, and with that told before. The lease in hand stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum GrantError {
    /// Amount above [`MAX_LEASE_AMOUNT`].
    #[error(
        "lease {id} grants {amount} units and a lease holds at most {MAX_LEASE_AMOUNT}; grant it in parts"
    )]
    TooLarge {
        /// The lease.
        id: u64,
        /// What it grants.
        amount: u64,
    },
    /// Amount zero.
    #[error("lease {id} grants nothing; answer a request that cannot be met without a lease")]
    Empty {
        /// The lease.
        id: u64,
    },
    /// Past its end when it came.
    #[error(
        "lease {id} ended at {not_after_s} and it is {now_s}; compare the clocks of issuer and holder, or grant for longer"
    )]
    Expired {
        /// The lease.
        id: u64,
        /// Its end, seconds since 1970.
        not_after_s: u64,
        /// The holder's clock.
        now_s: u64,
    },
    /// Not above the last one: sent twice, overtaken, or of an issuer that was replaced.
    #[error(
        "lease {id} of epoch {epoch} does not follow lease {last_id} of epoch {last_epoch}; it was sent twice or by an issuer that was replaced"
    )]
    OutOfOrder {
        /// The lease.
        id: u64,
        /// Its epoch.
        epoch: u64,
        /// Last lease taken.
        last_id: u64,
        /// The epoch of that.
        last_epoch: u64,
    },
    /// All [`MAX_OPEN_LEASES`] places are held by earlier leases with open reservations or unreported use.
    #[error(
        "{MAX_OPEN_LEASES} earlier leases have open reservations or are not reported yet; send the report, settle open calls, or grant larger leases"
    )]
    TooManyOpen,
    /// [`crate::Quota::give_back`] was called.
    #[error("the quota was given back; lease {id} is not needed any more")]
    Closed {
        /// The lease.
        id: u64,
    },
}
