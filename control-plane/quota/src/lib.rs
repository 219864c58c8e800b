//! The issuer of quotas: holds each limit and hands out leases on it, so that what many sidecars spend together never
//! exceeds it, by one unit.
//!
//! A [`QuotaLimit`] is an amount for each [`Window`] of a [`Period`]. A [`Holder`] (one run of a sidecar's process)
//! asks an [`Issuer`] for a lease, spends it with `creto_quota::Quota`, and reports. Two issuers do the same, shown by
//! one suite (`conformance`): [`EmbeddedIssuer`] in a SQLite file of the control plane, and [`RedisIssuer`] with one
//! script a request, for a control plane of many replicas.
//!
//! What becomes of the units of a window:
//!
//! | kind | is | becomes |
//! |---|---|---|
//! | available | granted to nobody | leased |
//! | leased | in a lease before its end | spent or available, by report; stranded, by time |
//! | stranded | in a lease past its end, not told of | spent or available, by report; lost, a day later |
//! | lost | written off: counts as used for good | spent, should its holder come back within the window |
//! | spent | used, as reported | stays |
//! | assumed | counted as used since the store lost data | spent, by report; available, by `settle_loss` |
//!
//! A sidecar is not trusted with anything but its own leases. What it says of a lease it was never granted is refused;
//! what it says of one that is not kept any more frees nothing; that data was lost is found out by the store, never
//! from a report. A report says of its sender only: with a number left out, what that one gives back counts as used.
//!
//! A process that dies strands at most its leases that were not reported. They count as used in the window they were
//! granted in, and no other. Leases end with their window, by the holder's clock: a holder whose clock is behind by d
//! spends units of the old window for d longer; each window still pays for its own units only.
#![forbid(unsafe_code)]

mod account;
#[cfg(test)]
mod backends;
mod bounds;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod embedded;
mod error;
mod event;
mod holder;
mod issuer;
mod limit;
mod period;
mod redis;
mod sizing;
mod usage;

pub use bounds::*;
pub use embedded::EmbeddedIssuer;
pub use error::IssuerError;
pub use event::{Level, QuotaEvent};
pub use holder::{Answer, Ask, AskError, Granted, Holder, Reported};
pub use issuer::Issuer;
pub use limit::{LeaseTerms, LimitError, QuotaLimit, Spike};
pub use period::{Period, PeriodError, Window, Zone};
pub use redis::{RedisIssuer, RedisOptions};
pub use sizing::wanted_at_rate;
pub use usage::{Expired, Swept, Usage, WindowUsage};
