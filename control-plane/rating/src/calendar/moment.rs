//! An instant.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An instant, in microseconds since the Unix epoch, between the years 1 and 9998.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Moment(i64);

/// Year 1 and year 9999, in microseconds: within these every zone has a date for every instant.
const FIRST: i64 = -62_135_596_800_000_000;
const LAST: i64 = 253_370_764_800_000_000;

/// An instant that no calendar holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time of {0} microseconds since 1970 is out of range: check the producer's clock and its unit")]
pub struct MomentError(pub i64);

impl Moment {
    /// From microseconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// [`MomentError`] outside the years 1 to 9998.
    pub const fn from_micros(micros: i64) -> Result<Self, MomentError> {
        if micros < FIRST || micros >= LAST { Err(MomentError(micros)) } else { Ok(Self(micros)) }
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    pub(crate) fn timestamp(self) -> Timestamp {
        // Always in range; see the bounds.
        Timestamp::from_microsecond(self.0).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// The microsecond before, for the last instant of a half-open span.
    pub(crate) const fn just_before(self) -> Self {
        Self(if self.0 > FIRST { self.0 - 1 } else { FIRST })
    }
}

impl TryFrom<i64> for Moment {
    type Error = MomentError;
    fn try_from(micros: i64) -> Result<Self, MomentError> {
        Self::from_micros(micros)
    }
}

impl From<Moment> for i64 {
    fn from(moment: Moment) -> Self {
        moment.0
    }
}

impl TryFrom<Timestamp> for Moment {
    type Error = MomentError;
    fn try_from(timestamp: Timestamp) -> Result<Self, MomentError> {
        Self::from_micros(timestamp.as_microsecond())
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.timestamp())
    }
}
