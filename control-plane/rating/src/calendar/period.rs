//! A billing period.

use serde::{Deserialize, Serialize};

use super::{Moment, Zone};

/// What one invoice covers: from an instant up to another, which is not in it, in the customer's time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Period {
    from: Moment,
    to: Moment,
    zone: Zone,
}

/// A period that covers nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a billing period from {from} to {to} covers no time: its end must lie after its start")]
pub struct PeriodError {
    /// Its start.
    pub from: Moment,
    /// Its end.
    pub to: Moment,
}

#[derive(Serialize, Deserialize)]
struct Written {
    from: Moment,
    to: Moment,
    zone: Zone,
}

impl Period {
    /// The period `[from, to)`.
    ///
    /// # Errors
    ///
    /// [`PeriodError`] unless `from` lies before `to`.
    pub fn new(from: Moment, to: Moment, zone: Zone) -> Result<Self, PeriodError> {
        if from < to { Ok(Self { from, to, zone }) } else { Err(PeriodError { from, to }) }
    }

    /// Its first instant.
    #[must_use]
    pub const fn from(&self) -> Moment {
        self.from
    }

    /// The first instant after it.
    #[must_use]
    pub const fn to(&self) -> Moment {
        self.to
    }

    /// The customer's time zone.
    #[must_use]
    pub const fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Whether it covers an instant.
    #[must_use]
    pub fn contains(&self, moment: Moment) -> bool {
        (self.from..self.to).contains(&moment)
    }

    /// The customer's days it touches, first and last included. A day of 23 or 25 hours is one day.
    #[must_use]
    pub fn days(&self) -> i64 {
        self.zone.day(self.to.just_before()) - self.zone.day(self.from) + 1
    }

    /// Its length in microseconds, as clocks run.
    #[must_use]
    pub const fn micros(&self) -> i64 {
        self.to.micros() - self.from.micros()
    }
}

impl TryFrom<Written> for Period {
    type Error = PeriodError;
    fn try_from(written: Written) -> Result<Self, PeriodError> {
        Self::new(written.from, written.to, written.zone)
    }
}

impl From<Period> for Written {
    fn from(period: Period) -> Self {
        Self { from: period.from, to: period.to, zone: period.zone }
    }
}
