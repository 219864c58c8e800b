//! Points and lengths of time: reading, writing, arithmetic and calendar.

use std::fmt::Write;

use crate::{Duration, Timestamp};

const NANOS: i64 = 1_000_000_000;
const DAY: i64 = 86_400;

impl Duration {
    /// Reads `1h30m`, `1.5s`, `-20ms`: numbers with units h, m, s, ms, us (or µs), ns.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (negative, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if rest == "0" {
            return Some(Self { nanos: 0 });
        }
        if rest.is_empty() {
            return None;
        }
        let mut total: i128 = 0;
        while !rest.is_empty() {
            let (part, after) = part(rest)?;
            total = total.checked_add(part)?;
            rest = after;
        }
        let total = if negative { -total } else { total };
        i64::try_from(total).ok().map(|nanos| Self { nanos })
    }

    pub(crate) fn checked_add(self, other: Self) -> Option<Self> {
        self.nanos.checked_add(other.nanos).map(Self::from_nanos)
    }

    pub(crate) fn checked_sub(self, other: Self) -> Option<Self> {
        self.nanos.checked_sub(other.nanos).map(Self::from_nanos)
    }

    /// Writes seconds with their fraction: `5400s`, `1.5s`.
    pub(crate) fn write(self, out: &mut impl Write) -> std::fmt::Result {
        let sign = if self.nanos < 0 { "-" } else { "" };
        let nanos = self.nanos.unsigned_abs();
        let (seconds, fraction) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
        write!(out, "{sign}{seconds}")?;
        write_fraction(out, fraction)?;
        out.write_char('s')
    }
}

/// One number with its unit, in nanoseconds, and what follows.
fn part(text: &str) -> Option<(i128, &str)> {
    let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let whole = text.get(..digits(text))?;
    let mut rest = text.get(whole.len()..)?;
    let mut fraction = "";
    if let Some(after) = rest.strip_prefix('.') {
        fraction = after.get(..digits(after))?;
        rest = after.get(fraction.len()..)?;
    }
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    const UNITS: &[(&str, i128)] = &[
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("μs", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    let (after, unit) = UNITS.iter().find_map(|(name, unit)| Some((rest.strip_prefix(name)?, *unit)))?;
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()?.into() };
    // Digits beyond the twelfth are below a nanosecond of any unit's tenth.
    let shown = fraction.get(..fraction.len().min(15))?;
    let scale = 10i128.pow(u32::try_from(shown.len()).ok()?);
    let below: i128 = if shown.is_empty() { 0 } else { shown.parse().ok()? };
    Some((whole.checked_mul(unit)?.checked_add(below * unit / scale)?, after))
}

/// `.` and the digits of so many nanoseconds without trailing zeros, or nothing.
fn write_fraction(out: &mut impl Write, nanos: u64) -> std::fmt::Result {
    if nanos == 0 {
        return Ok(());
    }
    let (mut digits, mut value) = (9, nanos);
    while value % 10 == 0 {
        value /= 10;
        digits -= 1;
    }
    write!(out, ".{value:0digits$}")
}

/// The parts of a point in time, as accessors give them.
pub(crate) struct Calendar {
    pub(crate) year: i64,
    /// From 1.
    pub(crate) month: i64,
    /// From 1.
    pub(crate) day: i64,
    /// From 0.
    pub(crate) day_of_year: i64,
    /// From 0, a Sunday.
    pub(crate) day_of_week: i64,
    pub(crate) hours: i64,
    pub(crate) minutes: i64,
    pub(crate) seconds: i64,
    pub(crate) milliseconds: i64,
}

/// Days from 1970-01-01 to a day of the Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let shifted = (month + 9) % 12;
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of so many days after 1970-01-01.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

impl Timestamp {
    /// Reads RFC 3339: `2009-02-13T23:31:30.5Z`, or an offset in the place of `Z`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let number = |from: usize, to: usize| -> Option<i64> {
            let digits = text.get(from..to)?;
            digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        let sign = |at: usize, wanted: &[u8]| bytes.get(at).filter(|b| wanted.contains(b)).map(|_| ());
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        sign(4, b"-")?;
        sign(7, b"-")?;
        sign(10, b"Tt")?;
        sign(13, b":")?;
        sign(16, b":")?;
        let days = days_from_civil(year, month, day);
        let exists = (1..=12).contains(&month) && civil_from_days(days) == (year, month, day);
        if !exists || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let mut rest = text.get(19..)?;
        let mut nanos = 0u32;
        if let Some(after) = rest.strip_prefix('.') {
            let count = after.bytes().take_while(u8::is_ascii_digit).count();
            if count == 0 {
                return None;
            }
            for at in 0..9 {
                let digit =
                    after.as_bytes().get(at).filter(|_| at < count).map_or(0, |b| u32::from(b - b'0'));
                nanos = nanos * 10 + digit;
            }
            rest = after.get(count..)?;
        }
        let offset = match rest {
            "Z" | "z" => 0,
            rest => offset(rest).filter(|_| rest.starts_with(['+', '-']))?,
        };
        Self::new(days * DAY + hour * 3_600 + minute * 60 + second - offset, nanos)
    }

    fn from_nanos(nanos: i128) -> Option<Self> {
        let seconds = i64::try_from(nanos.div_euclid(NANOS.into())).ok()?;
        Self::new(seconds, u32::try_from(nanos.rem_euclid(NANOS.into())).ok()?)
    }

    fn as_nanos(self) -> i128 {
        i128::from(self.seconds) * i128::from(NANOS) + i128::from(self.nanos)
    }

    pub(crate) fn checked_add(self, length: Duration) -> Option<Self> {
        Self::from_nanos(self.as_nanos() + i128::from(length.nanos))
    }

    pub(crate) fn checked_sub(self, length: Duration) -> Option<Self> {
        Self::from_nanos(self.as_nanos() - i128::from(length.nanos))
    }

    pub(crate) fn since(self, other: Self) -> Option<Duration> {
        i64::try_from(self.as_nanos() - other.as_nanos()).ok().map(Duration::from_nanos)
    }

    /// Its parts so many seconds east of UTC.
    pub(crate) fn calendar(self, offset: i64) -> Calendar {
        let local = self.seconds + offset;
        let (days, of_day) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        let (year, month, day) = civil_from_days(days);
        Calendar {
            year,
            month,
            day,
            day_of_year: days - days_from_civil(year, 1, 1),
            day_of_week: (days + 4).rem_euclid(7),
            hours: of_day / 3_600,
            minutes: of_day / 60 % 60,
            seconds: of_day % 60,
            milliseconds: i64::from(self.nanos / 1_000_000),
        }
    }

    /// Writes RFC 3339 in UTC.
    pub(crate) fn write(self, out: &mut impl Write) -> std::fmt::Result {
        let Calendar { year, month, day, hours, minutes, seconds, .. } = self.calendar(0);
        write!(out, "{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}")?;
        write_fraction(out, self.nanos.into())?;
        out.write_char('Z')
    }
}

/// Seconds east of UTC: `UTC`, `+02:00`, `-09:30`, `02:00`. Names of places are not known here.
pub(crate) fn offset(zone: &str) -> Option<i64> {
    if zone == "UTC" {
        return Some(0);
    }
    let (sign, clock) = match zone.strip_prefix('-') {
        Some(clock) => (-1, clock),
        None => (1, zone.strip_prefix('+').unwrap_or(zone)),
    };
    let (hours, minutes) = clock.split_once(':')?;
    let number = |text: &str, below: i64| -> Option<i64> {
        let two = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        two.then(|| text.parse().ok())?.filter(|value| *value < below)
    };
    Some(sign * (number(hours, 24)? * 3_600 + number(minutes, 60)? * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_is_found_again() {
        // The first of January of the year 1 was a Monday.
        for (weekday, days) in (1..).zip(-719_162..=2_932_896) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
            let stamp = Timestamp::new(days * DAY, 0).unwrap();
            assert_eq!(stamp.calendar(0).day_of_week, weekday % 7);
        }
        assert_eq!(civil_from_days(-719_162), (1, 1, 1));
        assert_eq!(civil_from_days(2_932_896), (9999, 12, 31));
    }

    #[test]
    fn lengths_of_time_are_read_as_go_reads_them() {
        for (text, nanos) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("1s", Some(NANOS)),
            ("1.5s", Some(NANOS * 3 / 2)),
            (".5s", Some(NANOS / 2)),
            ("5.s", Some(NANOS * 5)),
            ("-1h30m", Some(-5_400 * NANOS)),
            ("1ms2us3ns", Some(1_002_003)),
            ("1µs", Some(1_000)),
            ("+1m", Some(60 * NANOS)),
            ("0.000000000000000000001h", Some(0)),
            ("", None),
            ("-", None),
            ("1", None),
            (".s", None),
            ("1d", None),
            ("1s ", None),
            ("1s-1s", None),
            ("9223372036854775808ns", None),
            ("99999999999999999999h", None),
            ("-320000000000s", None),
        ] {
            assert_eq!(Duration::parse(text).map(|d| d.nanos), nanos, "{text}");
        }
    }

    #[test]
    fn points_in_time_are_read_as_rfc_3339_says() {
        for text in [
            "2009-02-13T23:31:30Z",
            "1969-12-31T23:59:59.5Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999999Z",
            "2000-02-29T00:00:00Z",
        ] {
            let mut out = String::new();
            Timestamp::parse(text).unwrap().write(&mut out).unwrap();
            assert_eq!(out, text);
        }
        let same = |a: &str, b: &str| assert_eq!(Timestamp::parse(a).unwrap(), Timestamp::parse(b).unwrap());
        same("2009-02-13T23:31:30+02:00", "2009-02-13T21:31:30Z");
        same("2009-02-13t23:31:30.1234567899z", "2009-02-13T23:31:30.123456789Z");
        for text in [
            "",
            "2009-02-13",
            "2009-02-13 23:31:30Z",
            "2009-02-13T23:31:30",
            "2009-02-30T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2009-13-01T00:00:00Z",
            "2009-00-01T00:00:00Z",
            "2009-01-00T00:00:00Z",
            "2009-02-13T24:00:00Z",
            "2009-02-13T23:60:00Z",
            "2009-02-13T23:31:60Z",
            "2009-02-13T23:31:30.Z",
            "2009-02-13T23:31:30UTC",
            "0000-01-01T00:00:00Z",
            "10000-01-01T00:00:00Z",
            "2009-02-13T23:31:30Zé",
            "200é-02-13T23:31:30Z",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }
}
