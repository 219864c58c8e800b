//! Numbers: what is read, what is refused, how it is rounded.

use creto_rating::{Currency, Exact, Fee, Quantity, QuantityError, Rounding, RoundingFunction, Total};
use proptest::prelude::*;

use crate::speech::{exact, q};

fn refused(text: &str) -> QuantityError {
    text.parse::<Quantity>().unwrap_err()
}

#[test]
fn decimals_and_exponents_are_read_exactly() {
    assert_eq!(q("5.46875e-07").to_string(), "0.000000546875");
    assert_eq!(q("1.9E-8").atto(), 19_000_000_000);
    assert_eq!(
        (q("-0").to_string(), q("+12.50").to_string(), q("3e2").to_string()),
        ("0".into(), "12.5".into(), "300".into())
    );
    assert_eq!(q("000000000000000000000001.10000000000000000000000"), q("1.1"));
    assert_eq!(
        q("999999999999999999.999999999999999999").to_string(),
        "999999999999999999.999999999999999999"
    );
    assert_eq!(q("0e60"), Quantity::ZERO);
}

#[test]
fn what_is_not_finite_is_refused_as_such() {
    for text in ["NaN", "nan", "-inf", "Infinity", "+INF"] {
        assert_eq!(refused(text), QuantityError::NotFinite(text.into()));
    }
}

#[test]
fn what_is_no_number_is_refused_with_its_place() {
    assert_eq!(refused(""), QuantityError::Empty);
    for (text, at) in [
        ("-", 1),
        (".5", 0),
        ("5.", 2),
        ("1e", 2),
        ("1e+", 3),
        ("1,000", 1),
        ("12 ", 2),
        ("0x10", 1),
        ("--1", 1),
    ] {
        assert_eq!(refused(text), QuantityError::Malformed { text: text.into(), at });
    }
    assert_eq!(refused("١"), QuantityError::Malformed { text: "١".into(), at: 0 });
}

#[test]
fn what_is_out_of_range_is_refused_and_never_cut() {
    assert_eq!(refused("1e65"), QuantityError::ExponentOutOfRange("1e65".into()));
    assert_eq!(refused("1e-99999999999"), QuantityError::ExponentOutOfRange("1e-99999999999".into()));
    assert_eq!(refused("1e18"), QuantityError::TooLarge("1e18".into()));
    assert_eq!(refused("1e-19"), QuantityError::TooManyDecimals("1e-19".into()));
    assert_eq!(
        refused("0.0000000000000000001"),
        QuantityError::TooManyDecimals("0.0000000000000000001".into())
    );
    assert_eq!(refused(&"1".repeat(65)), QuantityError::TooLong(65));
}

#[test]
fn a_bare_decimal_in_json_is_refused_because_it_went_through_a_float() {
    let refused = serde_json::from_str::<Quantity>("0.1").unwrap_err().to_string();
    assert!(refused.contains("in quotes"), "{refused}");
    assert_eq!(serde_json::from_str::<Quantity>("\"0.1\"").unwrap(), q("0.1"));
    assert_eq!(serde_json::from_str::<Quantity>("-7").unwrap(), q("-7"));
    assert!(serde_json::from_str::<Quantity>("18446744073709551615").is_err());
}

#[test]
fn v21_units_are_rounded_by_function_and_precision() {
    let rounded = |function| {
        [2, 0, -2].map(|precision| Rounding { function, precision }.apply(&exact("123.456")).to_string())
    };
    assert_eq!(rounded(RoundingFunction::Round), ["123.46", "123", "100"]);
    assert_eq!(rounded(RoundingFunction::Ceil), ["123.46", "124", "200"]);
    assert_eq!(rounded(RoundingFunction::Floor), ["123.45", "123", "100"]);
}

#[test]
fn a_fee_is_rounded_half_up_once_and_keeps_its_precise_amount() {
    let minor =
        |amount: &str, currency: &str| Fee::rounded(exact(amount), currency.parse().unwrap()).unwrap().minor;
    assert_eq!([minor("1.005", "USD"), minor("1.00499999", "USD"), minor("-1.005", "USD")], [101, 100, -101]);
    assert_eq!([minor("0.5", "JPY"), minor("1.0005", "KWD"), minor("1.00005", "CLF")], [1, 1_001, 10_001]);
    let fee = Fee::rounded(Exact::ratio(1, 3).unwrap(), Currency::EUR).unwrap();
    assert_eq!((fee.to_string(), fee.precise.to_string(), fee.minor), ("EUR 0.33".into(), "1/3".into(), 33));
    assert!(Fee::rounded(exact("99999999999999999999"), Currency::USD).is_err());
}

#[test]
fn a_code_that_is_no_currency_is_refused() {
    for code in ["usd", "US", "XXX", "USDT", "", "DEM"] {
        assert!(code.parse::<Currency>().is_err(), "{code}");
    }
}

proptest! {
    #[test]
    fn a_quantity_is_written_as_it_is_read(atto in -(10_i128.pow(36) - 1)..10_i128.pow(36)) {
        let quantity = Quantity::from_atto(atto).unwrap();
        prop_assert_eq!(q(&quantity.to_string()), quantity);
        prop_assert_eq!(Exact::from(quantity).to_quantity(), Some(quantity));
    }

    #[test]
    fn any_text_is_a_quantity_or_a_clear_refusal(text in "[-+0-9.eE naif]{0,70}") {
        if let Ok(quantity) = text.parse::<Quantity>() {
            prop_assert_eq!(q(&quantity.to_string()), quantity);
        }
    }

    #[test]
    fn an_exact_number_is_written_as_it_is_read(n in any::<i128>(), d in 1..i128::MAX) {
        let number = Exact::ratio(n, d).unwrap();
        prop_assert_eq!(exact(&number.to_string()), number);
    }

    #[test]
    fn a_total_never_overflows(values in prop::collection::vec((-(10_i128.pow(36) - 1)..10_i128.pow(36), any::<i64>()), 0..200)) {
        let mut total = Total::default();
        let mut expected = Exact::zero();
        for (atto, times) in values {
            let quantity = Quantity::from_atto(atto).unwrap();
            total.add_times(quantity, times);
            total.add(quantity);
            expected = expected + Exact::from(quantity) * (Exact::from(times) + Exact::from(1));
        }
        prop_assert_eq!(total.exact(), expected);
    }

    #[test]
    fn rounding_moves_a_number_by_less_than_a_step(n in any::<i64>(), d in 1..10_000_i64, precision in -6..=6_i8) {
        let number = Exact::ratio(n.into(), d.into()).unwrap();
        let step = Exact::from(1).times_ten_to(-i32::from(precision));
        let apply = |function| Rounding { function, precision }.apply(&number);
        let (down, near, up) = (apply(RoundingFunction::Floor), apply(RoundingFunction::Round), apply(RoundingFunction::Ceil));
        prop_assert!(down <= number && number <= up && down <= near && near <= up);
        prop_assert!(&up - &down <= step);
    }
}
