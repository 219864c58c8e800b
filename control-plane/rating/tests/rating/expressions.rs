//! The expression language: values, and mistakes shown where they stand.

use creto_rating::{EvaluationError, Expression, MAX_DEPTH, MAX_NODES, MAX_SOURCE_BYTES};
use proptest::prelude::*;

use crate::speech::{august, event, number, text};

fn value(source: &str) -> Result<String, EvaluationError> {
    let properties = [
        ("input.tokens", number("1200")),
        ("output", number("-3.5")),
        ("model", text("large")),
        ("written", text("2.5")),
        ("cached", creto_rating::Value::Flag(true)),
    ];
    let event = event(1, august().from(), &properties);
    Expression::parse(source)
        .unwrap_or_else(|error| panic!("{error}"))
        .value(&event)
        .map(|value| value.to_string())
}

#[test]
fn operators_and_functions_have_their_usual_meaning() {
    let cases = [
        ("1 + 2 * 3 - 4 / 2", "5"),
        ("-(1 + 2) * -2", "6"),
        ("10 / 3 * 3", "10"),
        ("min(3, output, 7) + max(1, 2)", "-1.5"),
        ("ceil(output) + floor(output)", "-7"),
        ("round(2.345, 2) + round(2.5)", "5.35"),
        ("if(model == \"large\" and not input.tokens < 1000, 2, 1)", "2"),
        ("if(model != \"large\" or written >= 2.5, 2, 1)", "2"),
        ("default(tool_calls, 7) + default(written, 0)", "9.5"),
        ("if(cached == \"true\", 1, 0)", "1"),
        ("1e-3 * input.tokens", "1.2"),
        ("1 / 3", "0.333333333333333333"),
    ];
    for (source, expected) in cases {
        assert_eq!(value(source), Ok(expected.to_owned()), "{source}");
    }
}

#[test]
fn a_value_that_cannot_be_is_an_error_and_never_zero() {
    assert_eq!(value("missing * 2"), Err(EvaluationError::Missing("missing".into())));
    assert_eq!(value("1 / (output + 3.5)"), Err(EvaluationError::DivisionByZero));
    assert_eq!(value("cached + 1"), Err(EvaluationError::NotANumber("cached".into())));
    assert!(matches!(value("model * 2"), Err(EvaluationError::Unreadable { .. })));
    assert_eq!(value("1e17 * 10"), Err(EvaluationError::OutOfRange));
    // Only the branch that is taken is worked out.
    assert_eq!(value("if(output < 0, 1, missing)"), Ok("1".to_owned()));
}

#[test]
fn mistakes_are_shown_with_a_caret_under_their_place() {
    let shown = |source: &str| Expression::parse(source).unwrap_err().to_string();
    assert_eq!(
        shown("tokens * (2 +"),
        "the expression ends too early: expected a number or a property\n1 | tokens * (2 +\n                 ^"
    );
    assert_eq!(shown("a +\n  b c"), "the expression should end here\n2 |   b c\n        ^");
    let cases = [
        ("a > 1", "expected a number, found a condition", 1),
        ("if(a, 1, 2)", "expected a condition such as `a > 1`, found a property", 4),
        ("\"x\" + 1", "expected a number, found a text", 1),
        ("a == \"x\" + 1", "expected a number, found a text", 6),
        ("sqrt(a)", "there is no function `sqrt`: known are min, max, ceil, floor, round, if and default", 1),
        ("ceil(1, 2)", "`ceil` takes 1 arguments, found 2", 1),
        ("min()", "`min` takes one or more arguments, found 0", 1),
        ("round(a, b)", "expected a whole number of places, 0 to 18", 10),
        ("default(1, 2)", "expected the name of a property", 9),
        ("a $ b", "`$` means nothing here", 3),
        ("\"open", "this text never ends: close it with a double quote", 1),
        ("1e99", "the exponent of `1e99` is out of range: at most 64 either way", 1),
        ("and 1", "expected a number or a property before `and`", 1),
    ];
    for (source, problem, column) in cases {
        let error = Expression::parse(source).unwrap_err();
        assert_eq!((error.problem(), error.place()), (problem, (1, column)), "{source}");
    }
}

#[test]
fn size_and_depth_are_bounded() {
    let nested = |depth| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Expression::parse(&nested(MAX_DEPTH)).is_ok());
    assert!(Expression::parse(&nested(MAX_DEPTH + 1)).unwrap_err().problem().contains("nested too deeply"));
    assert!(
        Expression::parse(&"-".repeat(MAX_SOURCE_BYTES)).unwrap_err().problem().contains("nested too deeply")
    );
    let chain = vec!["1"; MAX_NODES].join("+");
    assert!(Expression::parse(&chain).unwrap_err().problem().contains("too many parts"));
    let long = format!("1{}", " ".repeat(MAX_SOURCE_BYTES));
    assert!(Expression::parse(&long).unwrap_err().problem().contains("too long"));
}

proptest! {
    #[test]
    fn any_source_parses_or_is_refused_at_a_place_within_it(source in "[a-c0-9 ()+*/<=>!,.\"\nmixfé-]{0,60}") {
        match Expression::parse(&source) {
            Ok(expression) => {
                let _ = expression.value(&event(1, august().from(), &[("a", number("2"))]));
                prop_assert_eq!(expression.source(), source.as_str());
            }
            Err(error) => {
                let (line, column) = error.place();
                let shown = source.split('\n').nth(line - 1).unwrap_or_default();
                prop_assert!(column <= shown.chars().count() + 1, "{}", error);
            }
        }
    }
}
