//! What a limit is.

use creto_quota::Action;
use thiserror::Error;

use crate::bounds::{
    DEFAULT_LEASE_MS, MAX_LEASE_MS, MAX_NAME_BYTES, MAX_NAMESPACE_BYTES, MAX_SPIKE_HOURS, MAX_UNITS,
    MIN_LEASE_MS,
};
use crate::{Period, PeriodError, Window, Zone};

/// So many units in each window of a period. Unit and period stay for the life of the name; the rest may change, with
/// a higher revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaLimit {
    /// The namespace it belongs to.
    pub namespace: Box<str>,
    /// Its name, unique in the namespace.
    pub name: Box<str>,
    /// The unit of all amounts (`token`, `byte`, `nanodollar`).
    pub unit: Box<str>,
    /// Rises with every change; the issuer goes by the highest it has seen.
    pub revision: u64,
    /// Units a window, up to [`MAX_UNITS`].
    pub amount: u64,
    /// How often it starts over.
    pub period: Period,
    /// The clock the period goes by.
    pub zone: Zone,
    /// What holders do with a call no lease covers. The issuer grants no more than the amount under any of them.
    pub action: Action,
    /// Percent of the amount from which people are warned, 1 to 100.
    pub warn_percent: u8,
    /// When an hour counts as a spike; none: never.
    pub spike: Option<Spike>,
    /// How leases are cut.
    pub leases: LeaseTerms,
}

/// When an hour's use is a spike: above `percent` of the mean of the completed hours before it. Hours are those of UTC
/// in which use was reported; the hour under way is looked at with every report, so people learn of it while it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spike {
    /// Percent of the mean that has to be exceeded, from 100.
    pub percent: u32,
    /// How many hours the mean goes over, 1 to [`MAX_SPIKE_HOURS`]; hours without use count as 0.
    pub hours: u32,
    /// How many there must be at least, 1 to `hours`.
    pub minimum_hours: u32,
    /// Units of an hour below which it is never a spike.
    pub floor: u64,
}

impl Default for Spike {
    fn default() -> Self {
        Self { percent: 120, hours: 24, minimum_hours: 3, floor: 1 }
    }
}

/// How leases are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTerms {
    /// How long they last, in milliseconds, [`MIN_LEASE_MS`] to [`MAX_LEASE_MS`]; a lease ends with its window at the latest.
    pub life_ms: u64,
    /// Units no lease is cut below while there are as many, from 1.
    pub minimum: u64,
}

impl Default for LeaseTerms {
    fn default() -> Self {
        Self { life_ms: DEFAULT_LEASE_MS, minimum: 1 }
    }
}

/// What is wrong with a [`QuotaLimit`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LimitError {
    /// A namespace that is none.
    #[error("a limit is of namespace {0:?}; use 1 to {MAX_NAMESPACE_BYTES} of a-z, 0-9 and -")]
    Namespace(String),
    /// A name that is empty, too long, or holds a space, a control character or anything beyond ASCII.
    #[error("the {field} of a limit is {text:?}; use 1 to {MAX_NAME_BYTES} visible ASCII characters")]
    Name {
        /// Which of the names.
        field: &'static str,
        /// How it begins.
        text: String,
    },
    /// A number out of range.
    #[error("the {field} of a limit is {value}; use {least} to {most}")]
    Number {
        /// Which of them.
        field: &'static str,
        /// What it is.
        value: u64,
        /// The least it may be.
        least: u64,
        /// The most it may be.
        most: u64,
    },
    /// No such period.
    #[error(transparent)]
    Period(#[from] PeriodError),
}

impl QuotaLimit {
    /// Warned from here unless said otherwise, in percent.
    pub const DEFAULT_WARN_PERCENT: u8 = 80;

    /// A limit that blocks, warns at 80%, looks for spikes and goes by UTC.
    #[must_use]
    pub fn new(namespace: &str, name: &str, unit: &str, amount: u64, period: Period) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
            unit: unit.into(),
            revision: 1,
            amount,
            period,
            zone: Zone::UTC,
            action: Action::Block,
            warn_percent: Self::DEFAULT_WARN_PERCENT,
            spike: Some(Spike::default()),
            leases: LeaseTerms::default(),
        }
    }

    /// The window a moment is in.
    ///
    /// # Errors
    /// [`PeriodError`] for a moment beyond the calendar.
    pub fn window_at(&self, now_ms: u64) -> Result<Window, PeriodError> {
        self.period.window_at(&self.zone, now_ms)
    }

    /// Period and clock, as they are compared with what was kept.
    pub(crate) fn cycle(&self) -> String {
        match self.period {
            Period::Custom { .. } => self.period.to_string(),
            _ => format!("{}@{}", self.period, self.zone.name()),
        }
    }

    /// A limit as it is kept: `cycle` is what [`QuotaLimit::cycle`] says. None for a cycle that this version does not know.
    pub(crate) fn kept(
        (namespace, name): (&str, &str),
        unit: &str,
        cycle: &str,
        (revision, amount): (u64, u64),
    ) -> Option<Self> {
        let (period, zone) = match cycle.split_once('@') {
            Some((period, zone)) => (period.parse().ok()?, Zone::named(zone).ok()?),
            None => (cycle.parse().ok()?, Zone::UTC),
        };
        let limit = Self { revision, zone, ..Self::new(namespace, name, unit, amount, period) };
        limit.check().is_ok().then_some(limit)
    }

    /// Says the first thing that is wrong.
    ///
    /// # Errors
    /// [`LimitError`].
    pub fn check(&self) -> Result<(), LimitError> {
        check_namespace(&self.namespace)?;
        plain("name", &self.name)?;
        plain("unit", &self.unit)?;
        self.period.check()?;
        let spike = self.spike.unwrap_or_default();
        let hours = u64::from(MAX_SPIKE_HOURS);
        for (field, value, least, most) in [
            ("revision", self.revision, 1, MAX_UNITS),
            ("amount", self.amount, 0, MAX_UNITS),
            ("warning percent", u64::from(self.warn_percent), 1, 100),
            ("spike percent", u64::from(spike.percent), 100, 10_000),
            ("spike hours", u64::from(spike.hours), 1, hours),
            ("spike minimum hours", u64::from(spike.minimum_hours), 1, u64::from(spike.hours)),
            ("spike floor", spike.floor, 0, MAX_UNITS),
            ("lease life in ms", self.leases.life_ms, MIN_LEASE_MS, MAX_LEASE_MS),
            ("least lease", self.leases.minimum, 1, creto_quota::MAX_LEASE_AMOUNT),
        ] {
            if !(least..=most).contains(&value) {
                return Err(LimitError::Number { field, value, least, most });
            }
        }
        Ok(())
    }
}

/// # Errors
/// [`LimitError::Namespace`].
pub(crate) fn check_namespace(namespace: &str) -> Result<(), LimitError> {
    let plain =
        namespace.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if namespace.is_empty() || namespace.len() > MAX_NAMESPACE_BYTES || !plain {
        return Err(LimitError::Namespace(namespace.chars().take(MAX_NAMESPACE_BYTES).collect()));
    }
    Ok(())
}

/// # Errors
/// [`LimitError::Name`].
pub(crate) fn plain(field: &'static str, text: &str) -> Result<(), LimitError> {
    if text.is_empty() || text.len() > MAX_NAME_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(LimitError::Name { field, text: text.chars().take(MAX_NAME_BYTES).collect() });
    }
    Ok(())
}
