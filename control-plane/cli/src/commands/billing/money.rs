//! Amounts in minor units as people read and write them. Whole numbers only; no digit is ever rounded.

use creto_billing::MAX_MINOR;
use creto_rating::Currency;

/// The decimal digits of an amount, with as many decimals as the currency's minor unit has.
pub(in crate::commands) fn digits(minor: i64, currency: Currency) -> String {
    let places = usize::from(currency.digits());
    let sign = if minor < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", minor.unsigned_abs(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    if places == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// The amount with its currency.
pub(in crate::commands) fn amount(minor: i64, currency: Currency) -> String {
    format!("{} {currency}", digits(minor, currency))
}

/// The amount with the currency of a code; minor units, told as such, where the code is not known here.
pub(in crate::commands) fn amount_of(minor: i64, code: &str) -> String {
    code.parse().map_or_else(|_| format!("{minor} minor units of {code}"), |currency| amount(minor, currency))
}

/// The digits of [`amount_of`].
pub(in crate::commands) fn digits_of(minor: i64, code: &str) -> Option<String> {
    code.parse().ok().map(|currency| digits(minor, currency))
}

/// Minor units of a decimal such as 24.99.
///
/// # Errors
/// What is wrong with it.
pub(in crate::commands) fn minor(text: &str, currency: Currency) -> Result<i64, String> {
    let places = usize::from(currency.digits());
    let example = digits(123_456, currency);
    let wrong = || format!("`{text}` is no amount in {currency}: write it such as {example}");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) || text.ends_with('.') {
        return Err(wrong());
    }
    if fraction.len() > places {
        return Err(format!("`{text}` has {} decimals, {currency} has {places}", fraction.len()));
    }
    let minor: i64 = format!("{whole}{fraction:0<places$}").parse().map_err(|_| wrong())?;
    if minor > MAX_MINOR { Err(wrong()) } else { Ok(minor) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(code: &str) -> Currency {
        code.parse().unwrap()
    }

    #[test]
    fn each_currency_has_its_own_decimals() {
        for (minor, code, text) in [
            (0, "EUR", "0.00"),
            (5, "EUR", "0.05"),
            (-5, "EUR", "-0.05"),
            (2_499, "USD", "24.99"),
            (2_499, "JPY", "2499"),
            (2_499, "KWD", "2.499"),
            (2_499, "CLF", "0.2499"),
            (i64::MIN, "EUR", "-92233720368547758.08"),
        ] {
            assert_eq!(digits(minor, of(code)), text);
        }
        assert_eq!(amount_of(2_499, "EUR"), "24.99 EUR");
        assert_eq!(amount_of(2_499, "XXX"), "2499 minor units of XXX");
    }

    #[test]
    fn what_is_no_amount_is_refused_and_nothing_is_rounded() {
        assert_eq!(minor("24.9", of("EUR")), Ok(2_490));
        assert_eq!(minor("7", of("KWD")), Ok(7_000));
        for text in
            ["", ".", ".5", "5.", "-1", "+1", "1e3", "1,00", " 1", "24.999", "٣", "9".repeat(40).as_str()]
        {
            assert!(minor(text, of("EUR")).is_err(), "{text}");
        }
        assert!(minor("90071992547409.92", of("EUR")).is_err(), "beyond what an invoice has");
        assert!(minor("1.5", of("JPY")).unwrap_err().contains("JPY has 0"));
    }

    proptest! {
        #[test]
        fn an_amount_that_is_shown_is_read_as_the_same(units in 0..=MAX_MINOR, code in 0..4_usize) {
            let currency = of(["JPY", "EUR", "KWD", "CLF"][code]);
            prop_assert_eq!(minor(&digits(units, currency), currency), Ok(units));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,24}") {
            let _ = minor(&text, of("EUR"));
        }
    }
}
