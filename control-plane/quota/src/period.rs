//! Periods, and the windows they cut time into.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use thiserror::Error;

use crate::bounds::{MAX_CUSTOM_S, MAX_TIME_MS, MIN_CUSTOM_S};

const SECOND_MS: i64 = 1_000;
const HOUR_MS: i64 = 3_600_000;

/// How often a limit starts over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// When the minute hand of the zone's clock is at 0.
    Hourly,
    /// When the zone's day begins, which is not midnight where the clock skips it.
    Daily,
    /// When the zone's Monday begins.
    Weekly,
    /// When the first of the zone's month begins.
    Monthly,
    /// Every so many seconds, whatever the zone.
    Custom {
        /// Length in seconds, [`MIN_CUSTOM_S`] to [`MAX_CUSTOM_S`].
        seconds: u64,
        /// A moment a window begins, in milliseconds since 1970; whole seconds.
        anchor_ms: u64,
    },
}

/// The clock a limit goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// A zone of the IANA database (`Europe/Berlin`), as built into this program: every replica of one version cuts
    /// the same windows.
    ///
    /// # Errors
    /// [`PeriodError::Zone`] for a name the database does not have.
    pub fn named(name: &str) -> Result<Self, PeriodError> {
        TimeZone::get(name).map(Self).map_err(|_| PeriodError::Zone(name.chars().take(64).collect()))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hourly => f.write_str("hourly"),
            Self::Daily => f.write_str("daily"),
            Self::Weekly => f.write_str("weekly"),
            Self::Monthly => f.write_str("monthly"),
            Self::Custom { seconds, anchor_ms } => write!(f, "every-{seconds}s-from-{anchor_ms}"),
        }
    }
}

impl FromStr for Period {
    type Err = ();

    /// Of what `to_string` gives.
    fn from_str(text: &str) -> Result<Self, ()> {
        Ok(match text {
            "hourly" => Self::Hourly,
            "daily" => Self::Daily,
            "weekly" => Self::Weekly,
            "monthly" => Self::Monthly,
            custom => {
                let rest = custom.strip_prefix("every-").ok_or(())?;
                let (seconds, anchor_ms) = rest.split_once("s-from-").ok_or(())?;
                let number = |text: &str| text.parse().map_err(|_| ());
                Self::Custom { seconds: number(seconds)?, anchor_ms: number(anchor_ms)? }
            }
        })
    }
}

/// One stretch of time a limit holds for: from its start up to, not including, its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window {
    /// Milliseconds since 1970, whole seconds.
    pub start_ms: u64,
    /// Milliseconds since 1970, whole seconds: where the next window starts.
    pub end_ms: u64,
}

/// Why there is no window.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PeriodError {
    /// Not a name of the time zone database.
    #[error("there is no time zone {0:?}; use a name of the IANA database, such as Europe/Berlin, or UTC")]
    Zone(String),
    /// A custom period that is too short, too long, or begins between two seconds.
    #[error(
        "a period of {seconds} s from {anchor_ms} ms is none; use {MIN_CUSTOM_S} to {MAX_CUSTOM_S} s, from a whole second"
    )]
    Custom {
        /// Its length.
        seconds: u64,
        /// Where it begins.
        anchor_ms: u64,
    },
    /// A moment beyond the calendar.
    #[error("{0} ms since 1970 is beyond the calendar; correct the clock")]
    Time(u64),
}

impl Period {
    /// # Errors
    /// [`PeriodError::Custom`].
    pub(crate) fn check(&self) -> Result<(), PeriodError> {
        let &Self::Custom { seconds, anchor_ms } = self else { return Ok(()) };
        let good = (MIN_CUSTOM_S..=MAX_CUSTOM_S).contains(&seconds)
            && anchor_ms.is_multiple_of(1_000)
            && anchor_ms <= MAX_TIME_MS;
        if good { Ok(()) } else { Err(PeriodError::Custom { seconds, anchor_ms }) }
    }

    /// The window a moment is in.
    ///
    /// # Errors
    /// [`PeriodError`] for a custom period that is none and a moment beyond the calendar.
    pub fn window_at(&self, zone: &Zone, now_ms: u64) -> Result<Window, PeriodError> {
        self.check()?;
        let beyond = || PeriodError::Time(now_ms);
        let at_ms = i64::try_from(now_ms).ok().filter(|_| now_ms <= MAX_TIME_MS).ok_or_else(beyond)?;
        let (start_ms, end_ms) = match *self {
            Self::Hourly => hour(&zone.0, at_ms).ok_or_else(beyond)?,
            Self::Daily => {
                days(&zone.0, at_ms, |date| date, |date| date.tomorrow().ok()).ok_or_else(beyond)?
            }
            Self::Weekly => {
                days(&zone.0, at_ms, monday, |date| date.checked_add(1.week()).ok()).ok_or_else(beyond)?
            }
            Self::Monthly => {
                days(&zone.0, at_ms, Date::first_of_month, |date| date.checked_add(1.month()).ok())
                    .ok_or_else(beyond)?
            }
            Self::Custom { seconds, anchor_ms } => {
                let (length, anchor) = (seconds.cast_signed() * SECOND_MS, anchor_ms.cast_signed());
                let start = at_ms - (at_ms - anchor).rem_euclid(length);
                (start, start + length)
            }
        };
        // A window that began before 1970 is cut there.
        Ok(Window {
            start_ms: u64::try_from(start_ms).unwrap_or(0),
            end_ms: u64::try_from(end_ms).map_err(|_| beyond())?,
        })
    }
}

fn monday(date: Date) -> Date {
    let since = i32::from(date.weekday().to_monday_zero_offset());
    date.checked_sub(since.days()).unwrap_or(date)
}

/// The stretch between two days' beginnings that holds a moment.
fn days(
    zone: &TimeZone,
    at_ms: i64,
    first: impl Fn(Date) -> Date,
    next: impl Fn(Date) -> Option<Date>,
) -> Option<(i64, i64)> {
    let begins = |date: Date| {
        let day = date.to_zoned(zone.clone()).and_then(|day| day.start_of_day()).ok()?;
        Some(day.timestamp().as_millisecond())
    };
    let mut from = first(Timestamp::from_millisecond(at_ms).ok()?.to_zoned(zone.clone()).date());
    loop {
        let to = next(from)?;
        let (start, end) = (begins(from)?, begins(to)?);
        // Where a clock goes back over midnight, a day is shown again after the next has begun.
        if at_ms < end {
            return Some((start, end));
        }
        from = to;
    }
}

/// The stretch between two moments at which the zone's clock shows a full hour. Where the clock is changed by a part
/// of an hour, or to the middle of one, the hour it happens in is longer or shorter.
fn hour(zone: &TimeZone, at_ms: i64) -> Option<(i64, i64)> {
    let offset_ms = |at_ms: i64| {
        Some(i64::from(zone.to_offset(Timestamp::from_millisecond(at_ms).ok()?).seconds()) * SECOND_MS)
    };
    let past_hour = |at_ms: i64| Some((at_ms + offset_ms(at_ms)?).rem_euclid(HOUR_MS));
    let change_before = |at_ms: i64| {
        let at = Timestamp::from_millisecond(at_ms).ok()?;
        zone.preceding(at).next().map(|change| change.timestamp().as_millisecond())
    };
    let change_after = |at_ms: i64| {
        let at = Timestamp::from_millisecond(at_ms).ok()?;
        zone.following(at).next().map(|change| change.timestamp().as_millisecond())
    };
    let mut from = at_ms;
    let start = loop {
        let full = from - past_hour(from)?;
        // Changes strictly before `from + 1`: the one at `from` itself has happened.
        match change_before(from + 1).filter(|change| *change > full) {
            None => break full,
            Some(change) if past_hour(change)? == 0 => break change,
            Some(change) => from = change - 1,
        }
    };
    let mut from = at_ms;
    let end = loop {
        let full = from + HOUR_MS - past_hour(from)?;
        match change_after(from).filter(|change| *change <= full) {
            None => break full,
            Some(change) if past_hour(change)? == 0 => break change,
            Some(change) => from = change,
        }
    };
    Some((start, end))
}
