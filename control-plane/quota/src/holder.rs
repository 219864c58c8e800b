//! Who holds leases, and what it asks.

use std::fmt;

use creto_quota::{Lease, MAX_LEASE_AMOUNT, Report};
use thiserror::Error;

use crate::bounds::{MAX_NAME_BYTES, MAX_REPORT_LEASES, MAX_UNITS};
use crate::limit::plain;

/// One run of a sidecar's process. After a restart the same sidecar is another holder: what the run before did not
/// report is not known to the new one, and counts as used.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Holder {
    /// The sidecar.
    pub sidecar: Box<str>,
    /// Names the run of its process; never the same twice for one sidecar.
    pub process: u64,
}

impl Holder {
    /// The holder of this name and run.
    #[must_use]
    pub fn new(sidecar: &str, process: u64) -> Self {
        Self { sidecar: sidecar.into(), process }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.sidecar, self.process)
    }
}

/// What a holder asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Number of the request, from 1, rising with each lease got by this holder on this limit. Asked again under the
    /// number of a lease that was granted, the same lease is the answer: an answer that is lost strands nothing.
    pub request: u64,
    /// Units that would be of use: see [`crate::wanted_at_rate`].
    pub wanted: u64,
    /// Units below which a lease is of no use, since a call waits for as many; 0 when none waits.
    pub needed: u64,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The lease, or why there is none.
    pub answer: Answer,
    /// What came of the report that was sent along.
    pub reported: Option<Reported>,
}

/// A lease, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Units the holder may spend; it is on disk that it has them.
    Lease(Lease),
    /// More units are needed at once than a whole window has: no use to ask again before the amount is raised. Nobody is
    /// told, and nobody is asked to give back.
    Impossible {
        /// Units a window.
        amount: u64,
    },
    /// Fewer units are left than are needed.
    Exhausted {
        /// When the next window begins, in milliseconds since 1970.
        window_ends_ms: u64,
        /// Units that can be granted.
        available: u64,
        /// Units others hold and may give back before the window ends: with some, it is worth to ask again.
        leased: u64,
    },
}

/// What came of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reported {
    /// The number up to which reports are taken in: confirm this one.
    pub acknowledged: u64,
    /// It had been taken in before; nothing was counted again.
    pub duplicate: bool,
    /// Epoch and id of a lease the holder should give back now, since others go without: `Quota::revoke` it, and send
    /// the next report.
    pub revoke: Option<(u64, u64)>,
}

/// What is wrong with a request or a report.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AskError {
    /// The name of the sidecar.
    #[error("sidecar {0:?} is no name; use 1 to {MAX_NAME_BYTES} visible ASCII characters")]
    Sidecar(String),
    /// A request without a number.
    #[error("requests are numbered from 1 to {MAX_UNITS}; this one is {0}")]
    Request(u64),
    /// Needs more than a lease holds.
    #[error(
        "{needed} units are needed at once and a lease holds at most {MAX_LEASE_AMOUNT}; choose a larger unit"
    )]
    TooLarge {
        /// Units needed.
        needed: u64,
    },
    /// Reports are numbered from 1.
    #[error("reports are numbered from 1 to {MAX_UNITS}; this one is {0}")]
    Sequence(u64),
    /// Too many leases at once.
    #[error("a report tells of {0} leases and may of {MAX_REPORT_LEASES}; report more often")]
    ReportSize(usize),
    /// A lease that cannot be.
    #[error("a report tells of lease {id} of epoch {epoch}, and no lease has such numbers")]
    NoLease {
        /// Its id.
        id: u64,
        /// Its epoch.
        epoch: u64,
    },
}

pub(crate) fn check_holder(holder: &Holder) -> Result<(), AskError> {
    plain("sidecar", &holder.sidecar)
        .map_err(|_| AskError::Sidecar(holder.sidecar.chars().take(MAX_NAME_BYTES).collect()))
}

pub(crate) fn check_ask(ask: &Ask) -> Result<(), AskError> {
    if !(1..=MAX_UNITS).contains(&ask.request) {
        return Err(AskError::Request(ask.request));
    }
    if ask.needed > MAX_LEASE_AMOUNT {
        return Err(AskError::TooLarge { needed: ask.needed });
    }
    Ok(())
}

pub(crate) fn check_report(report: &Report) -> Result<(), AskError> {
    if !(1..=MAX_UNITS).contains(&report.sequence) {
        return Err(AskError::Sequence(report.sequence));
    }
    if report.leases.len() > MAX_REPORT_LEASES {
        return Err(AskError::ReportSize(report.leases.len()));
    }
    let numbers = 1..=MAX_UNITS;
    match report.leases.iter().find(|line| !numbers.contains(&line.id) || !numbers.contains(&line.epoch)) {
        Some(line) => Err(AskError::NoLease { id: line.id, epoch: line.epoch }),
        None => Ok(()),
    }
}
