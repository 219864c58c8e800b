//! Quotas: what a call may use, reserved before it leaves and settled when it has ended.
//!
//! [`LeaseDesk`] has the leases of this process; `plane/leases.rs` gets them from the control plane. A [`QuotaBook`] is what
//! one generation of policy says of them. [`reach`] says how far a call can go, [`most`] bounds what a call can use, [`QuotaHold`] is what was reserved for it, and
//! rides on its record.

mod book;
mod desk;
mod egress;
mod hold;
mod line;
mod most;
mod reach;
#[cfg(test)]
mod tests;

pub(crate) use book::{QuotaAsk, QuotaBook};
pub(crate) use desk::LeaseDesk;
pub(crate) use egress::{EgressRoom, Sending};
pub(crate) use hold::{QuotaHold, Used};
pub(crate) use line::{QuotaLine, Said};
pub(crate) use most::Most;
pub(crate) use reach::{Bound, Reach};
