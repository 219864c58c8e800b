//! Windows of UTC time.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::{Timestamp, tz::TimeZone};

use crate::Window;

/// A minute, in microseconds.
pub(crate) const MINUTE_US: i64 = 60_000_000;
const HOUR_US: i64 = 60 * MINUTE_US;
const DAY_US: i64 = 24 * HOUR_US;
/// The latest time that is asked for: the start of the year 9998, in microseconds since 1970.
pub(crate) const LAST_US: i64 = 253_339_228_800_000_000;

/// The clock of this machine, in microseconds since 1970.
pub(crate) fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

impl Window {
    /// Where the window that `at_us` falls in starts, in microseconds since 1970.
    #[must_use]
    pub fn start_us(self, at_us: i64) -> i64 {
        let floor = |width: i64| at_us.div_euclid(width) * width;
        match self {
            Self::Minute => floor(MINUTE_US),
            Self::Hour => floor(HOUR_US),
            Self::Day => floor(DAY_US),
            Self::Month => {
                let days = at_us.div_euclid(DAY_US);
                (days - i64::from(day_of_month(days)) + 1) * DAY_US
            }
        }
    }

    /// Where the window that `at_us` falls in ends, in microseconds since 1970.
    #[must_use]
    pub fn end_us(self, at_us: i64) -> i64 {
        let start = self.start_us(at_us);
        match self {
            Self::Minute => start + MINUTE_US,
            Self::Hour => start + HOUR_US,
            Self::Day => start + DAY_US,
            Self::Month => self.start_us(start + 31 * DAY_US),
        }
    }
}

/// The day of the month, from 1, of a day since 1970 (the proleptic Gregorian calendar; days to civil, in integers).
fn day_of_month(days_since_1970: i64) -> u32 {
    let instant = Timestamp::from_second(days_since_1970.saturating_mul(86_400));
    let date = instant.map(|instant| instant.to_zoned(TimeZone::UTC).date());
    date.map_or(1, |date| u32::from(date.day().unsigned_abs()))
}
