//! Terms over borrowed facts that need no machine: what most expressions are made of.
//!
//! [`Fast::answer`] either says what the plan would say or leaves it to the plan: attributes and keys that are not there
//! or not known, values of another type, and long texts. Terms are asked in the order of the plan, and a term that is not
//! of a simple kind leaves the whole to it, so that budgets end the same evaluations.

use regex::Regex;

use crate::{
    Slot, Value, View,
    plan::{Node, Order, Place, Set, Step},
    value::{Constant, Entry, Key, Number},
};

/// Longest text that is looked at here, in bytes. As many terms as a source holds over texts of this length stay far
/// below the budget of steps, so none of them would end in the plan.
const MAX_TEXT: usize = 1024;

/// What an expression comes to without the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    True,
    False,
    /// An error or not known, which another term may still make up for.
    Open,
    /// Only the plan can tell.
    Plan,
}

impl Answer {
    pub(crate) fn of(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }

    fn negated(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            other => other,
        }
    }
}

/// An expression, as far as it is simple.
#[derive(Debug)]
pub(crate) enum Fast {
    All(Box<[Fast]>),
    Any(Box<[Fast]>),
    Not(Box<Fast>),
    /// An attribute that is true or false itself.
    Flag(Slot),
    /// Whether there is such an attribute.
    There(Slot),
    /// A test of a text.
    Text(Slot, Test),
    /// An attribute that is a whole number, compared.
    Whole(Slot, Order, i64),
    /// The same for equality.
    WholeEqual(Slot, i64),
    /// Whether a map from text to text has a key.
    Entry(Slot, Key),
    /// A test of what it has there.
    EntryText(Slot, Key, Test),
    Plan,
}

/// What a text is asked.
#[derive(Debug)]
pub(crate) enum Test {
    Equal(Box<str>),
    Starts(Box<str>),
    Ends(Box<str>),
    Contains(Box<str>),
    Among(Set),
    Matches(Regex),
}

impl Test {
    #[inline]
    fn answer(&self, text: &str) -> Answer {
        if text.len() > MAX_TEXT {
            return Answer::Plan;
        }
        Answer::of(match self {
            Self::Equal(wanted) => *text == **wanted,
            Self::Starts(part) => text.starts_with(&**part),
            Self::Ends(part) => text.ends_with(&**part),
            Self::Contains(part) => text.contains(&**part),
            Self::Among(set) => set.has_text(text),
            Self::Matches(pattern) => pattern.is_match(text),
        })
    }
}

impl Fast {
    /// The simple form of a plan; none where its first term already needs the plan.
    pub(crate) fn of(plan: &Step) -> Option<Self> {
        let fast = simple(plan);
        fast.begins_here().then_some(fast)
    }

    fn begins_here(&self) -> bool {
        match self {
            Self::All(terms) | Self::Any(terms) => terms.first().is_some_and(Self::begins_here),
            Self::Not(term) => term.begins_here(),
            Self::Plan => false,
            _ => true,
        }
    }

    /// What it says of a call. As deep as the plan.
    pub(crate) fn answer<V: View + ?Sized>(&self, view: &V) -> Answer {
        match self {
            Self::All(terms) => row(terms, view, Answer::False, Answer::True),
            Self::Any(terms) => row(terms, view, Answer::True, Answer::False),
            Self::Not(term) => term.answer(view).negated(),
            Self::Text(slot, test) => match view.get(*slot) {
                Value::Str(text) => test.answer(text),
                other => aside(other),
            },
            Self::EntryText(slot, key, test) => match view.entry(*slot, key) {
                Entry::Text(text) => test.answer(text),
                Entry::Missing | Entry::NoText => Answer::Open,
                Entry::NoMap => Answer::Plan,
            },
            Self::Entry(slot, key) => match view.entry(*slot, key) {
                Entry::Text(_) | Entry::NoText => Answer::True,
                Entry::Missing => Answer::False,
                Entry::NoMap => Answer::Plan,
            },
            Self::Flag(slot) => match view.get(*slot) {
                Value::Bool(value) => Answer::of(value),
                other => aside(other),
            },
            Self::There(slot) => match view.get(*slot) {
                Value::Unknown => Answer::Open,
                value => Answer::of(!matches!(value, Value::Absent)),
            },
            Self::Whole(slot, order, bound) => match view.get(*slot) {
                Value::Int(value) => Answer::of(order.holds(value.cmp(bound))),
                other => aside(other),
            },
            Self::WholeEqual(slot, wanted) => match view.get(*slot) {
                Value::Int(value) => Answer::of(value == *wanted),
                other => aside(other),
            },
            Self::Plan => Answer::Plan,
        }
    }
}

/// What a value comes to that is not of the kind asked for.
fn aside(value: Value<'_>) -> Answer {
    match value {
        Value::Absent | Value::Unknown => Answer::Open,
        _ => Answer::Plan,
    }
}

#[inline]
fn row<V: View + ?Sized>(terms: &[Fast], view: &V, decides: Answer, else_: Answer) -> Answer {
    let mut all = else_;
    for term in terms {
        match term.answer(view) {
            Answer::Plan => return Answer::Plan,
            Answer::Open => all = Answer::Open,
            answer if answer == decides => return decides,
            _ => {}
        }
    }
    all
}

fn simple(step: &Step) -> Fast {
    let rows = |steps: &[Step]| steps.iter().map(simple).collect();
    match &step.node {
        Node::And(steps) => Fast::All(rows(steps)),
        Node::Or(steps) => Fast::Any(rows(steps)),
        Node::Not(of) => Fast::Not(Box::new(simple(of))),
        Node::Attribute(slot) => Fast::Flag(*slot),
        Node::HasAttribute(slot) => Fast::There(*slot),
        Node::Has { of, key } => match of.node {
            Node::Attribute(slot) => Fast::Entry(slot, Key::new(key)),
            _ => Fast::Plan,
        },
        Node::In(sides) => match (&sides[0].node, &sides[1].node) {
            (Node::Constant(Constant::Text(key)), Node::Attribute(slot)) => Fast::Entry(*slot, Key::new(key)),
            _ => Fast::Plan,
        },
        Node::Equal { sides, negated } => {
            let equal = either_way(sides, |of, constant| match constant {
                Constant::Text(text) => text_of(of, || Test::Equal(text.clone())),
                Constant::Int(wanted) => attribute(of).map(|slot| Fast::WholeEqual(slot, *wanted)),
                _ => None,
            });
            match equal {
                Some(equal) if *negated => Fast::Not(Box::new(equal)),
                other => other.unwrap_or(Fast::Plan),
            }
        }
        Node::Compare { sides, order } => match (attribute(&sides[0]), sides[1].constant()) {
            (Some(slot), Some(constant)) => match constant.value().number() {
                Some(Number::Int(bound)) => Fast::Whole(slot, *order, bound),
                _ => Fast::Plan,
            },
            _ => Fast::Plan,
        },
        Node::Among { of, set } => text_of(of, || Test::Among(set.clone())).unwrap_or(Fast::Plan),
        Node::Matches { of, pattern } => text_of(of, || Test::Matches(pattern.clone())).unwrap_or(Fast::Plan),
        Node::Find { sides, place } => match sides[1].constant().and_then(Constant::text) {
            Some(part) => text_of(&sides[0], || match place {
                Place::Start => Test::Starts(part.into()),
                Place::End => Test::Ends(part.into()),
                Place::Anywhere => Test::Contains(part.into()),
            })
            .unwrap_or(Fast::Plan),
            None => Fast::Plan,
        },
        _ => Fast::Plan,
    }
}

fn attribute(step: &Step) -> Option<Slot> {
    match step.node {
        Node::Attribute(slot) => Some(slot),
        _ => None,
    }
}

/// A test of a text that is an attribute, or stands under a literal key of one.
fn text_of(of: &Step, test: impl FnOnce() -> Test) -> Option<Fast> {
    match &of.node {
        Node::Attribute(slot) => Some(Fast::Text(*slot, test())),
        Node::Index { of, key } => {
            let key = key.constant().and_then(Constant::text)?;
            attribute(of).map(|slot| Fast::EntryText(slot, Key::new(key), test()))
        }
        _ => None,
    }
}

fn either_way(sides: &[Step; 2], of: impl Fn(&Step, &Constant) -> Option<Fast>) -> Option<Fast> {
    let [left, right] = sides;
    match (left.constant(), right.constant()) {
        (None, Some(constant)) => of(left, constant),
        (Some(constant), None) => of(right, constant),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::BTreeMap};

    use proptest::{prelude::*, sample::select};

    use super::*;
    use crate::{KnownTerms, Program, Schema, Type, Verdict, evaluate::verdict};

    const NAMES: [&str; 5] = ["a.text", "a.whole", "a.flag", "a.map", "a.any"];

    #[derive(Debug)]
    struct Call {
        values: Vec<Given>,
        map: BTreeMap<String, String>,
    }

    #[derive(Clone, Copy, Debug)]
    enum Given {
        Text(&'static str),
        Whole(i64),
        Flag(bool),
        Map,
        Absent,
        Unknown,
    }

    impl View for Call {
        fn get<'v>(&'v self, slot: Slot) -> Value<'v> {
            match self.values[usize::from(slot.0)] {
                Given::Text(text) => Value::Str(text),
                Given::Whole(value) => Value::Int(value),
                Given::Flag(value) => Value::Bool(value),
                Given::Map => Value::Lookup(&self.map),
                Given::Absent => Value::Absent,
                Given::Unknown => Value::Unknown,
            }
        }
    }

    fn schema() -> Schema {
        let kinds = [Type::String, Type::Int, Type::Bool, Type::string_map(), Type::Dyn];
        Schema::new(NAMES.into_iter().zip(kinds).zip(0..).map(|((name, kind), n)| (name, kind, Slot(n))))
            .unwrap()
    }

    fn term() -> impl Strategy<Value = String> {
        let text = || select(vec!["a.text", "a.any", "a.map['k']", "a.any['k']", "a.map.none"]);
        prop_oneof![
            (text(), select(vec!["==", "!="]), select(vec!["x", "xy", ""]))
                .prop_map(|(of, sign, word)| format!("{of} {sign} '{word}'")),
            (select(vec!["x", "y"]), text()).prop_map(|(word, of)| format!("'{word}' == {of}")),
            (
                text(),
                select(vec!["startsWith", "endsWith", "contains", "matches"]),
                select(vec!["x", "y", ""])
            )
                .prop_map(|(of, function, word)| format!("{of}.{function}('{word}')")),
            (text(), select(vec!["['x', 'xy']", "['z']"])).prop_map(|(of, list)| format!("{of} in {list}")),
            (select(vec!["k", "n"]), select(vec!["a.map", "a.any"]))
                .prop_map(|(key, of)| format!("'{key}' in {of}")),
            select(vec!["has(a.map.k)", "has(a.map.n)", "has(a.text)", "has(a.any.k)", "a.flag", "a.any"])
                .prop_map(str::to_owned),
            (select(vec!["a.whole", "a.any"]), select(vec!["==", "<", ">=", "!="]), -1_i64..3)
                .prop_map(|(of, sign, value)| format!("{of} {sign} {value}")),
            Just("a.whole / 0 == 1".to_owned()),
            Just("a.text + 'x' == 'xx'".to_owned()),
        ]
    }

    fn source() -> impl Strategy<Value = String> {
        term().prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 2..5)
                    .prop_map(|all| format!("({})", all.join(" && "))),
                proptest::collection::vec(inner.clone(), 2..4)
                    .prop_map(|any| format!("({})", any.join(" || "))),
                inner.prop_map(|term| format!("!({term})")),
            ]
        })
    }

    fn call() -> impl Strategy<Value = Call> {
        let given = prop_oneof![
            4 => select(vec!["x", "xy", "y", ""]).prop_map(Given::Text),
            2 => (0_i64..2).prop_map(Given::Whole),
            2 => any::<bool>().prop_map(Given::Flag),
            2 => Just(Given::Map),
            1 => Just(Given::Absent),
            1 => Just(Given::Unknown),
        ];
        let own = |kind: usize, given: Given| match (kind, given) {
            (_, Given::Absent | Given::Unknown) | (4, _) => given,
            (0, Given::Text(_)) | (1, Given::Whole(_)) | (2, Given::Flag(_)) | (3, Given::Map) => given,
            (0, _) => Given::Text("xy"),
            (1, _) => Given::Whole(1),
            (2, _) => Given::Flag(true),
            _ => Given::Map,
        };
        (proptest::collection::vec(given, 5), proptest::option::of(select(vec!["x", "xy"]))).prop_map(
            move |(values, entry)| Call {
                values: values.into_iter().enumerate().map(|(kind, given)| own(kind, given)).collect(),
                map: entry.map(|entry| ("k".to_owned(), entry.to_owned())).into_iter().collect(),
            },
        )
    }

    /// Values of terms by their texts.
    struct Remembered<'r> {
        terms: Vec<String>,
        values: &'r RefCell<BTreeMap<String, bool>>,
    }

    impl KnownTerms for Remembered<'_> {
        fn get(&self, number: usize) -> Option<bool> {
            self.values.borrow().get(&self.terms[number]).copied()
        }

        fn set(&self, number: usize, value: bool) {
            self.values.borrow_mut().insert(self.terms[number].clone(), value);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        #[test]
        fn the_simple_form_says_what_the_plan_says(sources in proptest::collection::vec(source(), 1..5), call in call()) {
            let schema = schema();
            let values = RefCell::default();
            for source in sources {
                // Some do not hold together: a text that is asked for its entries.
                let Ok(program) = Program::compile(&source, &schema) else { continue };
                let expected = verdict(program.plan(), &call);
                prop_assert_eq!(program.evaluate(&call), expected, "{}", source);
                let known = Remembered { terms: program.terms().collect(), values: &values };
                prop_assert_eq!(program.evaluate_among(&call, &known), expected, "{}", source);
            }
        }
    }

    #[test]
    fn what_most_expressions_are_made_of_needs_no_plan() {
        let call = Call {
            values: vec![Given::Text("xy"), Given::Whole(1), Given::Flag(true), Given::Map, Given::Absent],
            map: [("k".to_owned(), "x".to_owned())].into(),
        };
        for source in [
            "a.text == 'xy' && a.whole < 5 && a.flag && a.map['k'] == 'x' && 'k' in a.map && !('n' in a.map)",
            "a.text.startsWith('x') && a.text.matches('^x') && a.text in ['x', 'xy'] && has(a.map.k)",
            "a.any == 'x' || a.text == 'xy'",
        ] {
            let program = Program::compile(source, &schema()).unwrap();
            let fast = Fast::of(program.plan()).unwrap();
            assert_eq!(fast.answer(&call), Answer::True, "{source}");
            assert_eq!(program.evaluate(&call), Verdict::True);
        }
    }

    #[test]
    fn keys_share_their_short_form_only_with_themselves() {
        let keys = ["", "a", "a\0", "a\0\0", "abcdefgh", "abcdefghi", "x-a-header-of-23-letters", "ab"];
        for (at, one) in keys.iter().enumerate() {
            for (beside, other) in keys.iter().enumerate() {
                let same =
                    Key::new(one).short().is_some() && Key::new(one).short() == Key::new(other).short();
                assert_eq!(same, at == beside && one.len() <= 23, "{one:?} {other:?}");
            }
        }
    }
}
