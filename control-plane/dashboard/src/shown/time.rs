//! Times for people: instants in UTC, and lengths in their two largest parts.

use jiff::Timestamp;

/// `2026-11-22 09:30:00 UTC`.
pub(crate) fn instant(ms: u64) -> String {
    let at = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    at.map_or_else(|| "later than can be written".to_owned(), |at| at.strftime("%F %T UTC").to_string())
}

/// `4 min 10 s`.
pub(crate) fn duration(ms: u64) -> String {
    let seconds = ms / 1_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds % 60, "s")];
    let Some(first) = parts.iter().position(|(number, _)| *number > 0) else { return "0 s".to_owned() };
    let shown = parts[first..].iter().take(2).filter(|(number, _)| *number > 0);
    shown.map(|(number, unit)| format!("{number} {unit}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short_and_say_their_zone() {
        assert_eq!(instant(1_790_000_000_000), "2026-09-21 14:13:20 UTC");
        for (ms, text) in [
            (0, "0 s"),
            (999, "0 s"),
            (250_000, "4 min 10 s"),
            (3_600_000, "1 h"),
            (3_605_000, "1 h"),
            (90_061_000, "1 d 1 h"),
            (14 * 86_400_000, "14 d"),
        ] {
            assert_eq!(duration(ms), text);
        }
        assert_eq!(instant(u64::MAX), "later than can be written");
    }
}
