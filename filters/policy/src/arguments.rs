//! Conditions on the arguments of a tool or prompt.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use crate::text_glob::{Case, TextGlob};
use crate::truth::Truth;

/// One entry of a rule's `arguments`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ArgumentCondition {
    /// As written: names with dots between them.
    pub(crate) key: String,
    pub(crate) test: ArgumentTest,
}

/// What an argument must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ArgumentTest {
    /// A text that one of the globs matches.
    Text(Vec<TextGlob>),
    /// Equal to a boolean or whole number.
    Equal(Literal),
    /// What its table asks; all of it.
    Table { min: Option<Number>, max: Option<Number>, one_of: Vec<Literal>, absent: Option<bool> },
}

/// A value to be equal to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Literal {
    Text(String),
    Bool(bool),
    Number(Number),
}

/// A number as a document says it; never NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Whole(i64),
    Real(f64),
}

impl Eq for Number {}

/// What stands at the place that a key names.
enum Found<'v> {
    Missing,
    /// Something on the way is no object, so that the place does not exist; a server may read it otherwise.
    Elsewhere,
    Here(&'v Value),
}

impl ArgumentCondition {
    /// Whether the arguments meet it. A value of another type is unknown, a missing one is not what is asked for.
    pub(crate) fn truth(&self, arguments: Option<&Value>) -> Truth {
        let absent = match self.test {
            ArgumentTest::Table { absent, .. } => absent,
            _ => None,
        };
        let value = match find(arguments, &self.key) {
            Found::Elsewhere => return Truth::Unknown,
            Found::Missing => return Truth::of(absent == Some(true)),
            // Some servers take null for missing, some do not.
            Found::Here(Value::Null) => return Truth::Unknown,
            Found::Here(value) => value,
        };
        if absent == Some(true) {
            return Truth::False;
        }
        match &self.test {
            ArgumentTest::Text(globs) => match value {
                Value::String(text) => TextGlob::any(globs, text, Case::Counts),
                _ => Truth::Unknown,
            },
            ArgumentTest::Equal(literal) => literal.equals(value),
            ArgumentTest::Table { min, max, one_of, .. } => {
                let at_least = min.map_or(Truth::True, |min| bound(value, min, Ordering::is_ge));
                let at_most = max.map_or(Truth::True, |max| bound(value, max, Ordering::is_le));
                let listed = match one_of.is_empty() {
                    true => Truth::True,
                    false => one_of_them(one_of, value),
                };
                at_least.min(at_most).min(listed)
            }
        }
    }
}

/// Equal to one of them; unknown if none of them is even of its type.
fn one_of_them(literals: &[Literal], value: &Value) -> Truth {
    let mut comparable = false;
    for literal in literals {
        match literal.equals(value) {
            Truth::True => return Truth::True,
            Truth::False => comparable = true,
            Truth::Unknown => {}
        }
    }
    if comparable { Truth::False } else { Truth::Unknown }
}

fn bound(value: &Value, bound: Number, holds: fn(Ordering) -> bool) -> Truth {
    let Value::Number(number) = value else { return Truth::Unknown };
    compare(number, bound).map_or(Truth::Unknown, |ordering| Truth::of(holds(ordering)))
}

impl Literal {
    fn equals(&self, value: &Value) -> Truth {
        match (self, value) {
            (Self::Text(wanted), Value::String(text)) => Truth::of(wanted == text),
            (Self::Bool(wanted), Value::Bool(given)) => Truth::of(wanted == given),
            (Self::Number(wanted), Value::Number(number)) => {
                compare(number, *wanted).map_or(Truth::Unknown, |ordering| Truth::of(ordering.is_eq()))
            }
            _ => Truth::Unknown,
        }
    }
}

/// How a number of JSON compares; exact, also where one is whole and the other is not.
fn compare(number: &serde_json::Number, bound: Number) -> Option<Ordering> {
    let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    match (whole, bound) {
        (Some(whole), Number::Whole(bound)) => Some(whole.cmp(&i128::from(bound))),
        (Some(whole), Number::Real(bound)) => compare_real(bound, whole).map(Ordering::reverse),
        (None, Number::Whole(bound)) => compare_real(number.as_f64()?, i128::from(bound)),
        (None, Number::Real(bound)) => number.as_f64()?.partial_cmp(&bound),
    }
}

/// Compares without turning the whole number into one that it is not.
fn compare_real(real: f64, whole: i128) -> Option<Ordering> {
    if real.is_nan() {
        return None;
    }
    // The cast saturates, and whole numbers of 64 bits stay far from its ends.
    let floor = real.floor();
    let ordering = (floor as i128).cmp(&whole);
    Some(if ordering.is_eq() && real > floor { Ordering::Greater } else { ordering })
}

fn find<'v>(arguments: Option<&'v Value>, key: &str) -> Found<'v> {
    let Some(mut value) = arguments else { return Found::Missing };
    for name in key.split('.') {
        let Some(object) = object(value) else { return Found::Elsewhere };
        match object.get(name) {
            Some(inner) => value = inner,
            None => return Found::Missing,
        }
    }
    Found::Here(value)
}

fn object(value: &Value) -> Option<&Map<String, Value>> {
    match value {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn truth(key: &str, test: ArgumentTest, arguments: &Value) -> Truth {
        ArgumentCondition { key: key.to_owned(), test }.truth(Some(arguments))
    }

    fn between(min: Option<Number>, max: Option<Number>) -> ArgumentTest {
        ArgumentTest::Table { min, max, one_of: Vec::new(), absent: None }
    }

    #[test]
    fn numbers_compare_exactly() {
        use Truth::{False, True, Unknown};
        for (value, max, expected) in [
            (json!(100), Number::Whole(100), True),
            (json!(101), Number::Whole(100), False),
            (json!(100.5), Number::Whole(100), False),
            (json!(99.5), Number::Whole(100), True),
            (json!(-1.5), Number::Whole(-2), False),
            (json!(-2.5), Number::Whole(-2), True),
            (json!(1e300), Number::Whole(i64::MAX), False),
            (json!(-1e300), Number::Whole(i64::MIN), True),
            (json!(u64::MAX), Number::Whole(i64::MAX), False),
            (json!(9_007_199_254_740_993_i64), Number::Real(9_007_199_254_740_992.0), False),
            (json!(1), Number::Real(0.5), False),
            (json!("100"), Number::Whole(100), Unknown),
            (json!(null), Number::Whole(100), Unknown),
            (json!(true), Number::Whole(100), Unknown),
        ] {
            assert_eq!(
                truth("n", between(None, Some(max)), &json!({"n": value})),
                expected,
                "{value} at most {max:?}"
            );
        }
        assert_eq!(
            truth("n", ArgumentTest::Equal(Literal::Number(Number::Whole(5))), &json!({"n": 5.0})),
            True
        );
        assert_eq!(
            truth("n", ArgumentTest::Equal(Literal::Number(Number::Whole(5))), &json!({"n": 5.5})),
            False
        );
    }

    #[test]
    fn a_key_names_a_place_and_missing_is_not_the_same_as_of_another_type() {
        let open = || ArgumentTest::Text(vec![TextGlob::new("open")]);
        for (arguments, expected) in [
            (json!({"filter": {"state": "open"}}), Truth::True),
            (json!({"filter": {"state": "closed"}}), Truth::False),
            (json!({"filter": {}}), Truth::False),
            (json!({}), Truth::False),
            (json!({"filter": "open"}), Truth::Unknown),
            (json!({"filter": {"state": ["open"]}}), Truth::Unknown),
            (json!({"filter": {"state": null}}), Truth::Unknown),
            (json!({"filter.state": "open"}), Truth::False),
            (json!(["open"]), Truth::Unknown),
        ] {
            assert_eq!(truth("filter.state", open(), &arguments), expected, "{arguments}");
        }
    }

    #[test]
    fn absent_means_missing_and_null_is_neither() {
        let absent =
            |wanted| ArgumentTest::Table { min: None, max: None, one_of: Vec::new(), absent: Some(wanted) };
        for (arguments, wanted, expected) in [
            (json!({}), true, Truth::True),
            (json!({"t": 1}), true, Truth::False),
            (json!({"t": null}), true, Truth::Unknown),
            (json!({}), false, Truth::False),
            (json!({"t": 1}), false, Truth::True),
            (json!({"t": null}), false, Truth::Unknown),
        ] {
            assert_eq!(truth("t", absent(wanted), &arguments), expected, "{arguments}, absent = {wanted}");
        }
        let condition = ArgumentCondition { key: "t".to_owned(), test: absent(true) };
        assert_eq!(condition.truth(None), Truth::True);
    }

    #[test]
    fn one_of_a_list_is_equal_not_alike() {
        let list = || ArgumentTest::Table {
            min: None,
            max: None,
            one_of: vec![Literal::Text("a*".into()), Literal::Bool(true)],
            absent: None,
        };
        for (value, expected) in [
            (json!("a*"), Truth::True),
            (json!("ab"), Truth::False),
            (json!(true), Truth::True),
            (json!(false), Truth::False),
            (json!(1), Truth::Unknown),
        ] {
            assert_eq!(truth("x", list(), &json!({"x": value})), expected, "{value}");
        }
    }
}
