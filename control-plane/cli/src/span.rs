//! Spans of time as people write them: `45s`, `30m`, `8h`, `7d`.

use std::str::FromStr;
use std::time::Duration;

/// A span of time from the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(Duration);

impl Span {
    /// Whole seconds.
    #[must_use]
    pub(crate) fn seconds(self) -> u64 {
        self.0.as_secs()
    }

    /// Whole milliseconds.
    #[must_use]
    pub(crate) fn millis(self) -> i64 {
        i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let wrong = || format!("'{text}' is no span of time: write 45s, 30m, 8h or 7d");
        let count: u64 = digits.parse().map_err(|_| wrong())?;
        let unit = match &text[digits.len()..] {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err(wrong()),
        };
        let seconds = count.checked_mul(unit).filter(|seconds| *seconds <= 3650 * 86_400);
        seconds
            .map(|seconds| Self(Duration::from_secs(seconds)))
            .ok_or_else(|| format!("'{text}' is over ten years"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans_are_read_with_their_unit() {
        for (text, seconds) in [("45s", 45), ("30m", 1800), ("8h", 28_800), ("7d", 604_800), ("0s", 0)] {
            assert_eq!(text.parse::<Span>().unwrap().seconds(), seconds);
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in ["", "8", "h", "-1h", "1.5h", "8 h", "8H", "99999999d", "18446744073709551615d", "é"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,12}") {
            let _ = text.parse::<Span>();
        }
    }
}
