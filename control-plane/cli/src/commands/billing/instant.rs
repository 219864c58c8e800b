//! Instants as people write them and as the API has them: microseconds since 1970.

use std::str::FromStr;

use creto_rating::Moment;

/// An instant from the command line: RFC 3339 with its offset, or `now`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands) struct Instant(i64);

impl Instant {
    /// Microseconds since 1970.
    pub(in crate::commands) fn micros(self) -> i64 {
        self.0
    }
}

impl FromStr for Instant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "now" { Ok(Self(now())) } else { read(text).map(Self) }
    }
}

/// RFC 3339, with an offset: a time without one is another instant in every zone.
///
/// # Errors
/// What is wrong, with an example.
pub(in crate::commands) fn read(text: &str) -> Result<i64, String> {
    let moment = text.parse::<jiff::Timestamp>().ok().and_then(|at| Moment::try_from(at).ok());
    moment.map(Moment::micros).ok_or_else(|| {
        let text: String = text.chars().take(40).collect();
        format!("`{text}` is no time such as 2026-01-01T00:00:00Z or 2026-01-01T00:00:00+01:00")
    })
}

/// This second, so that what is defaulted reads well.
pub(in crate::commands) fn now() -> i64 {
    jiff::Timestamp::now().as_second().saturating_mul(1_000_000)
}

/// Microseconds since 1970 as RFC 3339 in UTC, to the microsecond.
pub(in crate::commands) fn shown(micros: i64) -> String {
    Moment::from_micros(micros).map_or_else(|_| micros.to_string(), |moment| moment.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_needs_its_offset() {
        assert_eq!(read("2026-01-01T01:00:00+01:00"), read("2026-01-01T00:00:00Z"));
        for text in ["2026-01-01", "2026-01-01T00:00:00", "soon", "", "99999-01-01T00:00:00Z"] {
            assert!(text.parse::<Instant>().is_err(), "{text}");
        }
        assert!("now".parse::<Instant>().unwrap().micros() > read("2026-01-01T00:00:00Z").unwrap());
    }

    #[test]
    fn what_is_shown_is_read_again() {
        for text in ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000001Z", "1969-12-31T23:59:59.5Z"] {
            assert_eq!(shown(read(text).unwrap()), text);
        }
    }
}
