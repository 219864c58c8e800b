//! Why an issuer did not do it.

use std::path::PathBuf;

use thiserror::Error;

use crate::bounds::{MAX_HOLDERS, MAX_LEASES, MAX_LIMITS, MAX_OPEN_LEASES};
use crate::{AskError, LimitError, PeriodError};

/// Why an issuer did not do it. Nothing was granted that a repeated request would not find again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IssuerError {
    /// The limit itself is wrong.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The clock is beyond the calendar.
    #[error(transparent)]
    Time(#[from] PeriodError),
    /// The request or the report is wrong.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The name is that of a limit with another unit or period.
    #[error(
        "limit {limit} was first used with unit {unit} and period {cycle}; give one that counts otherwise another name"
    )]
    Changed {
        /// The name.
        limit: Box<str>,
        /// Its unit.
        unit: String,
        /// Its period and clock.
        cycle: String,
    },
    /// Another amount is in force, of a revision that is not lower.
    #[error(
        "limit {limit} has revision {revision} already, of {amount} units; read it again, and raise the number with every change"
    )]
    Outdated {
        /// The name.
        limit: Box<str>,
        /// The revision in force.
        revision: u64,
        /// Its amount.
        amount: u64,
    },
    /// A report of a lease that this holder was never granted.
    #[error(
        "lease {id} of epoch {epoch} was never granted to this process on this limit, so nothing of the report counts; restart the sidecar"
    )]
    NotGranted {
        /// Its id, as reported.
        id: u64,
        /// Its epoch, as reported.
        epoch: u64,
    },
    /// The window of this moment is over for the issuer.
    #[error(
        "it is {now_ms} here and limit {limit} has begun the window of {window_ms} already; correct the clock"
    )]
    ClockBehind {
        /// The name.
        limit: Box<str>,
        /// What the clock shows, in milliseconds since 1970.
        now_ms: u64,
        /// Where the current window starts.
        window_ms: u64,
    },
    /// As many as may be.
    #[error("there are {most} {kind} already, which is the limit; {next_step}")]
    Full {
        /// What of.
        kind: &'static str,
        /// How many.
        most: u64,
        /// What helps.
        next_step: &'static str,
    },
    /// A request before the last one that was granted.
    #[error("request {request} of {holder} comes after request {last} was granted; number requests upwards")]
    Stale {
        /// Whose.
        holder: String,
        /// Its number.
        request: u64,
        /// The last one that was granted.
        last: u64,
    },
    /// Leases from before the loss may still be in use.
    #[error(
        "leases from before the data was lost may be spent until {until_ms}; say what was used after that"
    )]
    TooEarly {
        /// In milliseconds since 1970.
        until_ms: u64,
    },
    /// The file was written by a later version.
    #[error(
        "{path} has schema version {found}, this control plane knows up to {known}: run the newer control plane again, or restore a backup"
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// Another process has the file.
    #[error("{0} is in use by another control plane: stop it, or give this one another data folder")]
    InUse(PathBuf),
    /// The file cannot be opened.
    #[error("{path} cannot be opened ({cause}): check that the folder is there and belongs to this user")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// What is kept is not what was written.
    #[error("what is kept of quotas is damaged ({0}): restore a backup")]
    Damaged(String),
    /// Redis does not keep what it answers.
    #[error("Redis at {address} is not durable: {why}; {next_step}")]
    NotDurable {
        /// Which.
        address: String,
        /// What is missing.
        why: String,
        /// What helps.
        next_step: &'static str,
    },
    /// The store is away; whether the request was carried out is not known, and repeating it is safe.
    #[error("quotas cannot be kept now ({0}); nothing is granted until they can")]
    Away(String),
}

impl IssuerError {
    /// Whether it is about what was asked, and may be told to whoever asked: with no address, file or setting in it.
    #[must_use]
    pub fn concerns_the_asker(&self) -> bool {
        match self {
            Self::Limit(_)
            | Self::Time(_)
            | Self::Ask(_)
            | Self::Changed { .. }
            | Self::Outdated { .. }
            | Self::NotGranted { .. }
            | Self::ClockBehind { .. }
            | Self::Full { .. }
            | Self::Stale { .. }
            | Self::TooEarly { .. } => true,
            Self::NewerSchema { .. }
            | Self::InUse(_)
            | Self::Open { .. }
            | Self::Damaged(_)
            | Self::NotDurable { .. }
            | Self::Away(_) => false,
        }
    }

    pub(crate) fn limits_full() -> Self {
        let next_step = "merge limits, or use another namespace";
        Self::Full { kind: "limits in this namespace", most: MAX_LIMITS, next_step }
    }

    pub(crate) fn holders_full() -> Self {
        let next_step = "split the limit, or wait a day for processes that are gone to be forgotten";
        Self::Full { kind: "holders of this limit", most: MAX_HOLDERS, next_step }
    }

    pub(crate) fn open_leases_full() -> Self {
        let next_step = "send the report, settle open calls, or ask for more at once";
        Self::Full { kind: "open leases of this holder", most: MAX_OPEN_LEASES, next_step }
    }

    pub(crate) fn leases_full() -> Self {
        let next_step = "split the limit, or raise its least lease";
        Self::Full { kind: "open leases of this limit", most: MAX_LEASES, next_step }
    }
}
