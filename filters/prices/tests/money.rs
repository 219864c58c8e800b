//! Money is exact, in one currency, and rounds half up.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use creto_prices::{Amount, AmountError, Currency, Money, MoneyError};
use proptest::prelude::*;

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

#[test]
fn amounts_of_public_lists_are_held_exactly() {
    for (text, count) in [
        ("0", 0),
        ("0.000000546875", 546_875_000),
        ("0.000000019", 19_000_000),
        ("0.000000000000001", 1),
        ("-0.5", -500_000_000_000_000),
        ("12", 12_000_000_000_000_000),
        ("170141183460469231731687.303715884105727", i128::MAX),
        ("-170141183460469231731687.303715884105728", i128::MIN),
    ] {
        let amount: Amount = text.parse().unwrap();
        assert_eq!((amount.count(), amount.to_string()), (count, text.to_owned()));
    }
    assert_eq!("007.500".parse::<Amount>().unwrap().to_string(), "7.5");
    assert_eq!("0.1000000000000000000".parse::<Amount>().unwrap().to_string(), "0.1");
    assert_eq!("-0".parse::<Amount>().unwrap(), Amount::ZERO);
}

#[test]
fn what_is_no_decimal_is_refused() {
    for text in
        ["", "-", ".", ".5", "5.", "+1", "1e3", "1,5", "NaN", "inf", "1.2.3", " 1", "1 ", "--1", "1.-2", "٣"]
    {
        assert_eq!(text.parse::<Amount>(), Err(AmountError::NotDecimal), "{text:?}");
    }
    assert_eq!("0.0000000000000001".parse::<Amount>(), Err(AmountError::TooPrecise));
    for text in ["170141183460469231731687.303715884105728", "999999999999999999999999", &"1".repeat(65)] {
        assert_eq!(text.parse::<Amount>(), Err(AmountError::TooLarge), "{text}");
    }
}

#[test]
fn a_half_of_the_minor_unit_goes_away_from_zero() {
    for (exact, rounded, units) in [
        ("0.005 USD", "0.01 USD", 1),
        ("0.004999999999999 USD", "0 USD", 0),
        ("-0.005 USD", "-0.01 USD", -1),
        ("-0.004999999999999 USD", "0 USD", 0),
        ("1.015 USD", "1.02 USD", 102),
        ("123.456 USD", "123.46 USD", 12_346),
        ("0.5 JPY", "1 JPY", 1),
        ("1234.499999999999999 JPY", "1234 JPY", 1_234),
        ("0.0005 KWD", "0.001 KWD", 1),
        ("0.0015 KWD", "0.002 KWD", 2),
        ("2.675 EUR", "2.68 EUR", 268),
    ] {
        assert_eq!(
            (money(exact).rounded().unwrap(), money(exact).minor_units()),
            (money(rounded), units),
            "{exact}"
        );
    }
}

#[test]
fn currencies_are_never_mixed() {
    let (dollars, euros) = (money("1 USD"), money("1 EUR"));
    let mixed = MoneyError::MixedCurrencies { left: Currency::USD, right: Currency::EUR };
    assert_eq!(dollars.checked_add(&euros), Err(mixed.clone()));
    assert_eq!(dollars.checked_sub(&euros), Err(mixed.clone()));
    assert_eq!(dollars.checked_cmp(&euros), Err(mixed));
    assert_ne!(dollars, euros);
}

#[test]
fn an_overflow_is_an_error_and_never_wraps() {
    let most = Money::new(Amount::from_count(i128::MAX), Currency::USD);
    let least = Money::new(Amount::from_count(i128::MIN), Currency::USD);
    let grain = Money::new(Amount::from_count(1), Currency::USD);
    assert_eq!(most.checked_add(&grain), Err(MoneyError::TooLarge));
    assert_eq!(least.checked_sub(&grain), Err(MoneyError::TooLarge));
    assert_eq!(most.checked_mul(2), Err(MoneyError::TooLarge));
    assert_eq!(Money::from_minor_units(i128::MAX, Currency::USD), Err(MoneyError::TooLarge));
    // Rounding the extremes does not overflow inside; only the result may be too large.
    assert_eq!(most.minor_units(), i128::MAX / 10_i128.pow(13));
    assert_eq!(
        Money::new(Amount::from_count(i128::MAX), Currency::JPY).minor_units(),
        i128::MAX / 10_i128.pow(15)
    );
    assert_eq!(least.minor_units(), i128::MIN / 10_i128.pow(13));
}

#[test]
fn serde_has_the_amount_as_a_decimal_string_and_refuses_a_number() {
    let sum = money("0.054399 USD");
    let text = serde_json::to_string(&sum).unwrap();
    assert_eq!(text, r#"{"amount":"0.054399","currency":"USD"}"#);
    assert_eq!(serde_json::from_str::<Money>(&text).unwrap(), sum);
    for wrong in [
        r#"{"amount":0.054399,"currency":"USD"}"#,
        r#"{"amount":"0.05","currency":"usd"}"#,
        r#"{"amount":"0.05"}"#,
        r#"{"amount":"0.05","currency":"USD","more":1}"#,
    ] {
        assert!(serde_json::from_str::<Money>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn text_without_a_currency_is_no_money() {
    assert_eq!("1.5".parse::<Money>(), Err(MoneyError::NotMoney));
    assert!("1.5 usd".parse::<Money>().is_err());
    assert!("x USD".parse::<Money>().is_err());
}

proptest! {
    #[test]
    fn what_is_written_reads_back_the_same(count in any::<i128>(), place in 0_usize..84) {
        let currency = Currency::all().nth(place).unwrap_or(Currency::USD);
        let sum = Money::new(Amount::from_count(count), currency);
        prop_assert_eq!(sum.to_string().parse::<Money>().unwrap(), sum);
        let text = serde_json::to_string(&sum).unwrap();
        prop_assert_eq!(serde_json::from_str::<Money>(&text).unwrap(), sum);
    }

    #[test]
    fn reading_any_text_never_panics_and_what_it_reads_is_written_alike(text in "[-0-9.]{0,70}") {
        if let Ok(amount) = text.parse::<Amount>() {
            prop_assert_eq!(amount.to_string().parse::<Amount>().unwrap(), amount);
        }
    }

    #[test]
    fn rounding_moves_by_half_a_minor_unit_at_most(count in any::<i64>(), exponent in 0_u8..=3) {
        let amount = Amount::from_count(i128::from(count));
        let step = 10_i128.pow(15 - u32::from(exponent));
        let rounded = amount.half_up(exponent) * step;
        prop_assert!((rounded - amount.count()).abs() * 2 <= step);
        prop_assert_eq!(Amount::from_count(-i128::from(count)).half_up(exponent), -amount.half_up(exponent));
    }

    #[test]
    fn adding_and_taking_away_again_changes_nothing(a in any::<i64>(), b in any::<i64>()) {
        let [a, b] = [a, b].map(|count| Money::new(Amount::from_count(i128::from(count) << 40), Currency::JPY));
        prop_assert_eq!(a.checked_add(&b).unwrap().checked_sub(&b).unwrap(), a);
    }
}

proptest! {
    #[test]
    fn a_product_is_exact_or_rounded_up(count in -(1_i128 << 60)..1 << 60, times in 0_i128..1 << 60) {
        const ONE: i128 = 1_000_000_000_000_000;
        let product = Amount::from_count(count).checked_mul_up(Amount::from_count(times)).unwrap();
        // What was added to the exact product is less than the smallest amount.
        let added = product.count() * ONE - count * times;
        prop_assert!((0..ONE).contains(&added), "{added}");
    }

    #[test]
    fn a_product_too_large_is_refused(count in any::<i128>(), times in 0_i128..200_000_000_000_000_000) {
        let factor = Amount::from_count(times);
        if let Some(product) = Amount::from_count(count).checked_mul_up(factor) {
            let (down, up) = (factor.count() / 1_000_000_000_000_000, factor.count() / 1_000_000_000_000_000 + 1);
            let between = [count.saturating_mul(down), count.saturating_mul(up)];
            prop_assert!((between[0].min(between[1])..=between[0].max(between[1])).contains(&product.count()));
        }
    }
}
