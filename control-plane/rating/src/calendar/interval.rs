//! How often a plan bills, and the period an instant falls in.

use std::fmt;

use jiff::civil::Date;
use jiff::{Span, ToSpan, Unit};
use serde::{Deserialize, Serialize};

use super::{Moment, Period, Zone};

/// Days a custom interval may have.
const MAX_CUSTOM_DAYS: u16 = 3_660;

/// How often a plan bills. Every interval but [`Interval::Custom`] follows the customer's calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    /// Each hour of the clock.
    Hourly,
    /// Each day.
    Daily,
    /// Monday to Sunday.
    Weekly,
    /// The calendar month.
    Monthly,
    /// The calendar year.
    Yearly,
    /// So many days, counted from 1970-01-01.
    Custom {
        /// Days, from 1 to 3,660.
        days: u16,
    },
}

/// Why an instant has no period.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntervalError {
    /// A custom interval of no days, or of too many.
    #[error("an interval of {0} days is out of range: between 1 and {MAX_CUSTOM_DAYS}")]
    Days(u16),
    /// At the end of the calendar.
    #[error("no billing period around {0}: it would leave the calendar")]
    OutOfCalendar(Moment),
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hourly => f.write_str("hourly"),
            Self::Daily => f.write_str("daily"),
            Self::Weekly => f.write_str("weekly"),
            Self::Monthly => f.write_str("monthly"),
            Self::Yearly => f.write_str("yearly"),
            Self::Custom { days } => write!(f, "every {days} days"),
        }
    }
}

impl Interval {
    /// The period around an instant.
    ///
    /// # Errors
    ///
    /// [`IntervalError`] for a custom interval out of range, and at the ends of the calendar.
    pub fn period_at(self, moment: Moment, zone: &Zone) -> Result<Period, IntervalError> {
        let out = || IntervalError::OutOfCalendar(moment);
        if self == Self::Hourly {
            // In microseconds of the clock: the hour that comes twice in autumn is two periods.
            let offset = i64::from(zone.rules().to_offset(moment.timestamp()).seconds()) * 1_000_000;
            let hour = 3_600_000_000;
            let start = (moment.micros() + offset).div_euclid(hour) * hour - offset;
            // Where clocks change by less than an hour, the hour ends or starts at the change.
            let just_after = moment.timestamp().checked_add(1.microsecond()).map_err(|_| out())?;
            let before =
                zone.rules().preceding(just_after).next().map(|change| change.timestamp().as_microsecond());
            let after = zone
                .rules()
                .following(moment.timestamp())
                .next()
                .map(|change| change.timestamp().as_microsecond());
            let from = before.map_or(start, |change| change.max(start));
            let to = after.map_or(start + hour, |change| change.min(start + hour));
            return period(from, to, zone).ok_or_else(out);
        }
        let today = zone.date(moment);
        let (first, length): (Date, Span) = match self {
            Self::Hourly | Self::Daily => (today, 1.day()),
            Self::Weekly => {
                let since_monday = i64::from(today.weekday().to_monday_zero_offset());
                (today.checked_sub(since_monday.days()).map_err(|_| out())?, 1.week())
            }
            Self::Monthly => (today.first_of_month(), 1.month()),
            Self::Yearly => (today.first_of_year(), 1.year()),
            Self::Custom { days } => {
                if !(1..=MAX_CUSTOM_DAYS).contains(&days) {
                    return Err(IntervalError::Days(days));
                }
                let epoch = Date::constant(1970, 1, 1);
                let elapsed = epoch.until((Unit::Day, today)).map_err(|_| out())?.get_days();
                let into = i64::from(elapsed).rem_euclid(i64::from(days));
                (today.checked_sub(into.days()).map_err(|_| out())?, i64::from(days).days())
            }
        };
        let last = first.checked_add(length).map_err(|_| out())?;
        match (zone.start_of(first), zone.start_of(last)) {
            (Some(from), Some(to)) => {
                period(from.as_microsecond(), to.as_microsecond(), zone).ok_or_else(out)
            }
            _ => Err(out()),
        }
    }
}

fn period(from: i64, to: i64, zone: &Zone) -> Option<Period> {
    Period::new(Moment::from_micros(from).ok()?, Moment::from_micros(to).ok()?, zone.clone()).ok()
}
