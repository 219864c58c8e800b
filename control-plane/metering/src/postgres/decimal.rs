//! Numbers as PostgreSQL's `numeric` writes and reads them: plain decimals, every digit.

use creto_rating::{Exact, MAX_FRACTION_DIGITS, Quantity};
use num_bigint::BigInt;

use crate::{StoreError, Wide};

/// A quantity in units of 10^-18.
pub(super) fn of_atto(atto: i128) -> String {
    match Quantity::from_atto(atto) {
        Some(quantity) => quantity.to_string(),
        None => of_big(&BigInt::from(atto)),
    }
}

/// A sum in units of 10^-18.
pub(super) fn of_wide(wide: Wide) -> String {
    match wide.small() {
        Some(atto) => of_atto(atto),
        None => of_big(&wide.big()),
    }
}

fn of_big(atto: &BigInt) -> String {
    let digits = MAX_FRACTION_DIGITS as usize;
    let text = atto.to_string();
    let (sign, magnitude) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let padded = format!("{magnitude:0>width$}", width = digits + 1);
    let (whole, fraction) = padded.split_at(padded.len() - digits);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// What the server wrote.
pub(super) fn exact(text: &str) -> Result<Exact, StoreError> {
    let fraction = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let digits: String = text.chars().filter(|character| *character != '.').collect();
    let scale = i32::try_from(fraction).ok();
    match (digits.parse::<BigInt>(), scale) {
        (Ok(number), Some(scale)) => Ok(Exact::from(number).times_ten_to(-scale)),
        _ => Err(StoreError::Away(format!("PostgreSQL answered {text:?} where a number was expected"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sums_come_back(parts in proptest::collection::vec(any::<i128>(), 0..5), times in any::<i64>()) {
            let mut wide = Wide::ZERO;
            for part in parts {
                wide.add(part);
                wide.add_times(part, times);
            }
            prop_assert_eq!(exact(&of_wide(wide)).unwrap(), wide.exact());
        }

        #[test]
        fn quantities_come_back(atto in any::<i128>()) {
            let written = of_atto(atto);
            let unit = -(MAX_FRACTION_DIGITS as i32);
            prop_assert_eq!(exact(&written).unwrap(), Exact::from(BigInt::from(atto)).times_ten_to(unit));
        }
    }

    #[test]
    fn numbers_are_plain_decimals() {
        assert_eq!(of_atto(0), "0");
        assert_eq!(of_atto(-1_500_000_000_000_000_000), "-1.5");
        assert_eq!(of_atto(i128::MIN), "-170141183460469231731.687303715884105728");
        assert!(exact("NaN").is_err());
    }
}
