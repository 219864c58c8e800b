//! Events in words, with the figures.

use creto_quota_issuer::{Level, QuotaEvent};

/// What happened, for people.
pub(super) fn detail(event: &QuotaEvent, unit: &str) -> String {
    let (used, measure) = (amount(event.used, unit), amount(event.measure, unit));
    match event.level {
        Level::Warning => format!("{used} of {measure} are used"),
        Level::Exhausted => format!("a request for more could not be met: {used} of {measure} are used"),
        Level::Spike => {
            let mean = event.measure / u64::from(event.hours.max(1));
            let mean = amount(mean, unit);
            format!("{used} in this hour, above the mean of {mean} over the {} hours before", event.hours)
        }
        Level::DataLost => format!(
            "what was granted is not known any more: of {measure} nothing is granted until the window ends"
        ),
    }
}

/// An amount with its unit; money in dollars.
fn amount(units: u64, unit: &str) -> String {
    if unit == "nanodollar" {
        let (whole, rest) = (units / 1_000_000_000, units % 1_000_000_000);
        let digits = format!("{rest:09}");
        return format!("${whole}.{:0<2}", digits.trim_end_matches('0'));
    }
    let plural = match (units, unit) {
        (1, _) => "",
        (_, "sandbox") => "es",
        _ => "s",
    };
    format!("{units} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use creto_quota_issuer::Window;

    use super::*;

    #[test]
    fn events_are_told_in_units_and_in_dollars() {
        let event = |level, used, measure, hours| QuotaEvent {
            sequence: 1,
            limit: "p/q/policy".into(),
            level,
            window: Window { start_ms: 0, end_ms: 1_000 },
            at_ms: 5,
            used,
            measure,
            hours,
        };
        let warning = event(Level::Warning, 800, 1_000, 0);
        assert_eq!(detail(&warning, "token"), "800 tokens of 1000 tokens are used");
        let exhausted = event(Level::Exhausted, 1_500_000_000, 250_000_000_000, 0);
        let told = "a request for more could not be met: $1.50 of $250.00 are used";
        assert_eq!(detail(&exhausted, "nanodollar"), told);
        let spike = event(Level::Spike, 90, 60, 3);
        let told = "90 calls in this hour, above the mean of 20 calls over the 3 hours before";
        assert_eq!(detail(&spike, "call"), told);
    }
}
