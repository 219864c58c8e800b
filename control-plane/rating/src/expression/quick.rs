//! The value of a tree in 128 bits, where every step of it is exact there: what nearly all events come to. Anything else
//! (a quotient, more than 18 decimals, a number too large, an event without the property) has no quick value and is
//! worked out with fractions.

use super::evaluate::{self, property};
use super::node::{Arithmetic, Comparison, Node};
use crate::UsageEvent;

const UNIT: i128 = 10_i128.pow(18);
const HALF: i128 = 10_i128.pow(9);

/// In units of 10^-18.
pub(super) fn atto(node: &Node, event: &UsageEvent) -> Option<i128> {
    match node {
        Node::Number(quantity) => Some(quantity.atto()),
        Node::Property(name) => Some(property(event, name).ok()?.atto()),
        Node::Negate(inner) => atto(inner, event)?.checked_neg(),
        Node::Arithmetic(arithmetic, left, right) => {
            let (left, right) = (atto(left, event)?, atto(right, event)?);
            match arithmetic {
                Arithmetic::Add => left.checked_add(right),
                Arithmetic::Subtract => left.checked_sub(right),
                Arithmetic::Multiply => product(left, right),
                Arithmetic::Divide => None,
            }
        }
        Node::Least(nodes) => extreme(nodes, event, i128::min),
        Node::Greatest(nodes) => extreme(nodes, event, i128::max),
        Node::If(test, then, otherwise) => atto(if holds(test, event)? { then } else { otherwise }, event),
        Node::Default(name, otherwise) => {
            if event.properties.contains_key(name) {
                Some(property(event, name).ok()?.atto())
            } else {
                atto(otherwise, event)
            }
        }
        _ => None,
    }
}

/// The product where it has no more than 18 decimals and fits.
fn product(left: i128, right: i128) -> Option<i128> {
    if left % HALF == 0 && right % HALF == 0 {
        return (left / HALF).checked_mul(right / HALF);
    }
    if left % UNIT == 0 {
        return (left / UNIT).checked_mul(right);
    }
    if right % UNIT == 0 {
        return left.checked_mul(right / UNIT);
    }
    let product = left.checked_mul(right)?;
    (product % UNIT == 0).then_some(product / UNIT)
}

fn extreme(nodes: &[Node], event: &UsageEvent, better: fn(i128, i128) -> i128) -> Option<i128> {
    let (first, others) = nodes.split_first()?;
    others.iter().try_fold(atto(first, event)?, |best, node| Some(better(best, atto(node, event)?)))
}

fn holds(node: &Node, event: &UsageEvent) -> Option<bool> {
    match node {
        Node::Not(inner) => Some(!holds(inner, event)?),
        Node::And(left, right) => Some(holds(left, event)? && holds(right, event)?),
        Node::Or(left, right) => Some(holds(left, event)? || holds(right, event)?),
        Node::Compare(_, left, right)
            if matches!((&**left, &**right), (Node::Text(_), _) | (_, Node::Text(_))) =>
        {
            evaluate::holds(node, event).ok()
        }
        Node::Compare(comparison, left, right) => {
            let (left, right) = (atto(left, event)?, atto(right, event)?);
            Some(match comparison {
                Comparison::Less => left < right,
                Comparison::AtMost => left <= right,
                Comparison::More => left > right,
                Comparison::AtLeast => left >= right,
                Comparison::Equal => left == right,
                Comparison::Unequal => left != right,
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::{Expression, evaluate};
    use super::atto;
    use crate::{Exact, Moment, Order, Quantity, UsageEvent, Value};

    fn event(numbers: &[(&str, Quantity)]) -> UsageEvent {
        let mut properties: BTreeMap<String, Value> =
            numbers.iter().map(|(name, number)| ((*name).to_owned(), Value::Number(*number))).collect();
        properties.insert("region".to_owned(), Value::Text("eu".to_owned()));
        UsageEvent {
            id: "e".to_owned(),
            meter: "m".to_owned(),
            order: Order { at: Moment::from_micros(0).unwrap(), sequence: 1 },
            agent: "a".to_owned(),
            properties,
        }
    }

    fn source() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("a".to_owned()),
            Just("b".to_owned()),
            Just("absent".to_owned()),
            Just("default(absent, 3)".to_owned()),
            (0_u32..1_000).prop_map(|number| number.to_string()),
            (0_u64..1_000_000_000_000).prop_map(|number| format!(
                "{}.{:06}",
                number / 1_000_000,
                number % 1_000_000
            )),
            Just("0.000000000000000001".to_owned()),
            Just("999999999999999999".to_owned()),
        ];
        leaf.prop_recursive(4, 24, 3, |inner| {
            let two = (inner.clone(), inner.clone());
            prop_oneof![
                (two.clone(), prop::sample::select(vec!["+", "-", "*", "/"]))
                    .prop_map(|((a, b), sign)| format!("({a} {sign} {b})")),
                two.clone().prop_map(|(a, b)| format!("min({a}, {b})")),
                two.clone().prop_map(|(a, b)| format!("max({a}, {b})")),
                inner.clone().prop_map(|a| format!("ceil({a})")),
                (two.clone(), two, prop::sample::select(vec!["<", "<=", ">", ">=", "==", "!="])).prop_map(
                    |((a, b), (c, d), sign)| format!("if({a} {sign} {b} and region == \"eu\", {c}, {d})")
                ),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_has_a_quick_value_has_that_value(
            source in source(),
            a in -10_i128.pow(36) + 1..10_i128.pow(36),
            b in -10_i128.pow(20)..10_i128.pow(20),
        ) {
            let event = event(&[("a", Quantity::from_atto(a).unwrap()), ("b", Quantity::from_atto(b).unwrap())]);
            let expression = Expression::parse(&source).unwrap();
            if let Some(quick) = atto(&expression.root, &event) {
                let exact = evaluate::number(&expression.root, &event).unwrap();
                prop_assert_eq!(exact, Exact::from(quick).times_ten_to(-18), "{}", source);
            }
        }
    }

    #[test]
    fn prices_of_every_day_have_a_quick_value() {
        let number = |text: &str| text.parse::<Quantity>().unwrap();
        let event = event(&[("seconds", number("90.125")), ("gigabytes", number("2.999999"))]);
        for (source, expected) in [
            ("max(seconds, 10) * 1.5 + default(penalty, 0)", "135.1875"),
            ("if(region == \"eu\", gigabytes * 0.02, 0.01)", "0.05999998"),
            ("if(seconds > 100 or not (region == \"us\"), -seconds, 1)", "-90.125"),
        ] {
            let expression = Expression::parse(source).unwrap();
            assert_eq!(atto(&expression.root, &event), Some(number(expected).atto()), "{source}");
            assert_eq!(expression.value(&event), Ok(number(expected)), "{source}");
        }
    }
}
