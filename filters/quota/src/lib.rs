//! Quota: the part of a budget this process may spend without asking.
//!
//! An issuer holds the limit and hands out [`Lease`]s; a [`Quota`] spends the one it holds. [`Quota::reserve`] takes
//! an upper bound before the call leaves, with one atomic step; [`Reservation::settle`] gives back what was not
//! used. A reservation that is dropped unsettled counts as used in full, never as nothing. [`QuotaSet`] takes from
//! several quotas at once, all or nothing.
//!
//! What holds, whatever the interleaving of reservations, settlements, grants, revocations and reports:
//!
//! - Of a lease, never more is admitted than it grants, by one unit.
//! - Every unit granted is, at every moment, spent, reserved, left, or given back, and only one of these.
//! - A lease that was replaced, revoked or given back admits nothing more; what its open reservations give back later
//!   goes to the issuer, never into a newer lease.
//! - [`Quota::take_report`] tells each unit spent or given back exactly once. What is never reported, because the
//!   process died, the issuer counts as spent: a crash can strand budget, it cannot overshoot one.
//!
//! Without a lease that is valid and large enough a quota that blocks admits nothing: it fails closed. The crate has
//! no clock, no sockets and no threads; time comes in as seconds.
//!
//! ```
//! use creto_quota::{Lease, QuotaSpec, Quotas};
//!
//! let quotas = Quotas::new();
//! let tokens = quotas.resolve(QuotaSpec::new("researcher/tokens", "llm.tokens", "token"))?;
//! let now_s = 1_800_000_000;
//! tokens.grant(&Lease { id: 1, epoch: 1, amount: 10_000, not_after_s: now_s + 60 }, now_s)?;
//!
//! let reservation = tokens.reserve(4_096, now_s)?;
//! let settled = reservation.settle(1_200);
//! assert_eq!((settled.spent, settled.given_back, tokens.left()), (1_200, 2_896, 8_800));
//!
//! let report = tokens.take_report(now_s).ok_or("nothing to tell")?;
//! assert_eq!((report.sequence, report.leases[0].spent), (1, 1_200));
//! tokens.confirm_report(report.sequence);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod action;
mod counts;
mod directory;
#[cfg(test)]
mod interleavings;
mod lease;
mod ledger;
mod line;
mod quota;
mod report;
mod reservation;
mod set;
mod short;
mod slot;
mod spec;
mod sync;
mod word;

pub use action::{Action, UnknownAction};
pub use counts::Counts;
pub use directory::{MAX_QUOTAS, Quotas, ResolveError};
pub use lease::{GrantError, Lease, MAX_LEASE_AMOUNT};
pub use quota::Quota;
pub use report::{LeaseReport, Report};
pub use reservation::{OwnedReservation, Reservation, Settlement};
pub use set::{
    MAX_SET, MAX_SET_QUOTAS, OwnedSetReservation, QuotaSet, SetError, SetRefusal, SetReservation, Share,
};
pub use short::{Reason, Short};
pub use slot::MAX_OPEN_LEASES;
pub use spec::{MAX_NAME_BYTES, QuotaSpec, SpecError};
