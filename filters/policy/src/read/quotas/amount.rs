//! Reading limits: whole units, and money.

use toml::{Spanned, de::DeValue};

use super::super::shorten;
use crate::{MAX_LIMIT_UNITS, problem::Collector, quota::dollars};

/// Billionths in one.
const BILLION: u64 = 1_000_000_000;
/// Most digits after the point: what a billionth has.
const MAX_DIGITS: usize = 9;

/// A whole number of units.
pub(super) fn whole(value: &Spanned<DeValue<'_>>, key: &str, findings: &mut Collector<'_>) -> Option<u64> {
    let number = integer(value);
    let limit = number.filter(|limit| *limit <= MAX_LIMIT_UNITS);
    if limit.is_none() {
        findings.add_help(
            value.span(),
            format!("`{key}` is a whole number from 0 to {MAX_LIMIT_UNITS}"),
            "write it without quotes, point or sign, as in `limit = 2_000_000`",
        );
    }
    limit
}

/// The value of a whole number that is not below 0.
pub(in crate::read) fn integer(value: &Spanned<DeValue<'_>>) -> Option<u64> {
    let number = value.get_ref().as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// Dollars as billionths: an exact decimal in quotes, or a whole number.
pub(super) fn money(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Option<u64> {
    let read = match value.get_ref() {
        DeValue::Integer(_) => {
            integer(value).and_then(|dollars| dollars.checked_mul(BILLION)).ok_or(Wrong::TooLarge)
        }
        DeValue::String(text) => decimal(text),
        _ => Err(Wrong::NoDecimal),
    };
    let read = read.and_then(|units| if units > MAX_LIMIT_UNITS { Err(Wrong::TooLarge) } else { Ok(units) });
    let shown = value.get_ref().as_str().map(shorten).unwrap_or_default();
    let (message, help) = match read {
        Ok(units) => return Some(units),
        Err(Wrong::NoDecimal) => (
            "a budget's limit is an exact amount of money".to_owned(),
            "write digits with a point, in quotes, as in `limit = \"250.00\"`".to_owned(),
        ),
        Err(Wrong::TooFine) => (
            format!("`{shown}` has more than {MAX_DIGITS} digits after the point"),
            "money is counted in billionths of a dollar; write fewer digits".to_owned(),
        ),
        Err(Wrong::TooLarge) => (
            "this is no amount from 0 to nine million dollars".to_owned(),
            format!(
                "the largest is `\"{}\"`; use a shorter period, or several budgets",
                dollars(MAX_LIMIT_UNITS)
            ),
        ),
    };
    findings.add_help(value.span(), message, help);
    None
}

/// Billionths in an exact decimal of dollars; none for what no limit of a budget can be.
pub(crate) fn read_dollars(text: &str) -> Option<u64> {
    decimal(text).ok().filter(|units| *units <= MAX_LIMIT_UNITS)
}

/// What is wrong with an amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    NoDecimal,
    TooFine,
    TooLarge,
}

fn decimal(text: &str) -> Result<u64, Wrong> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(rest) {
        return Err(Wrong::NoDecimal);
    }
    if rest.len() > MAX_DIGITS {
        return Err(Wrong::TooFine);
    }
    let whole: u64 = whole.parse().map_err(|_| Wrong::TooLarge)?;
    // At most nine digits, filled up to nine.
    let rest: u64 = format!("{rest:0<MAX_DIGITS$}").parse().map_err(|_| Wrong::NoDecimal)?;
    whole.checked_mul(BILLION).and_then(|units| units.checked_add(rest)).ok_or(Wrong::TooLarge)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn money_is_read_exactly_or_not_at_all() {
        for (text, expected) in [
            ("250.00", Ok(250_000_000_000)),
            ("0.000000001", Ok(1)),
            ("0.1", Ok(100_000_000)),
            ("7", Ok(7_000_000_000)),
            ("007.50", Ok(7_500_000_000)),
            ("0.0000000001", Err(Wrong::TooFine)),
            ("1.", Err(Wrong::NoDecimal)),
            (".5", Err(Wrong::NoDecimal)),
            ("", Err(Wrong::NoDecimal)),
            ("-1", Err(Wrong::NoDecimal)),
            ("+1", Err(Wrong::NoDecimal)),
            ("1e3", Err(Wrong::NoDecimal)),
            ("1,000.00", Err(Wrong::NoDecimal)),
            ("$5", Err(Wrong::NoDecimal)),
            ("1.2.3", Err(Wrong::NoDecimal)),
            ("99999999999999999999", Err(Wrong::TooLarge)),
        ] {
            assert_eq!(decimal(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(units in 0..=MAX_LIMIT_UNITS) {
            prop_assert_eq!(decimal(&dollars(units)), Ok(units));
        }
    }
}
