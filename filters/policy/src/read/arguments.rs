//! Reading `arguments`: conditions on the arguments of a tool or prompt.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeInteger, DeValue},
};

use super::{
    conditions::glob,
    shorten,
    values::{Table, boolean, list, string},
};
use crate::{
    MAX_ARGUMENTS, MAX_TEXT_GLOB,
    arguments::{ArgumentCondition, ArgumentTest, Literal, Number},
    problem::Collector,
    text_glob::TextGlob,
};

/// Most names in a key.
const MAX_DEPTH: usize = 16;
/// Longest key, in bytes.
const MAX_KEY: usize = 256;
const TEST_KEYS: &[&str] = &["min", "max", "in", "absent"];

pub(super) fn arguments(
    value: &Spanned<DeValue<'_>>,
    findings: &mut Collector<'_>,
) -> Vec<ArgumentCondition> {
    let Some(table) = value.get_ref().as_table() else {
        findings.add_help(
            value.span(),
            "`arguments` is a table",
            "write `arguments = { repo = \"acme/*\", limit = { max = 100 } }`",
        );
        return Vec::new();
    };
    if table.is_empty() {
        findings.add_help(value.span(), "`arguments` asks nothing", "leave it out, or name an argument");
    }
    if table.len() > MAX_ARGUMENTS {
        findings.add(value.span(), format!("a rule has at most {MAX_ARGUMENTS} conditions on arguments"));
        return Vec::new();
    }
    let mut out = Vec::new();
    for (key, value) in table {
        let written: &str = key.get_ref();
        if let Some(wrong) = wrong_key(written) {
            findings.add_help(
                key.span(),
                format!("`{}` names no argument: {wrong}", shorten(written)),
                "write the argument's name, and for one inside another \"outer.inner\" in quotes",
            );
            continue;
        }
        let test = test(written, value, findings);
        out.extend(test.map(|test| ArgumentCondition { key: written.to_owned(), test }));
    }
    out
}

fn wrong_key(key: &str) -> Option<&'static str> {
    if key.len() > MAX_KEY {
        return Some("it is longer than 256 bytes");
    }
    if key.split('.').any(str::is_empty) {
        return Some("a name in it is empty");
    }
    (key.split('.').count() > MAX_DEPTH).then_some("it has more than 16 names")
}

fn test(key: &str, value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Option<ArgumentTest> {
    match value.get_ref() {
        DeValue::String(_) | DeValue::Array(_) => {
            let mut globs: Vec<TextGlob> = Vec::new();
            for entry in list(value, key, findings) {
                match entry.get_ref() {
                    DeValue::String(text) => globs.extend(glob(text, entry.span(), findings)),
                    _ => findings.add_help(
                        entry.span(),
                        format!("a list in `{}` holds texts only", shorten(key)),
                        format!("write `{{ in = [...] }}` for other values of `{}`", shorten(key)),
                    ),
                }
            }
            Some(ArgumentTest::Text(globs))
        }
        DeValue::Boolean(_) | DeValue::Integer(_) => literal(value, findings).map(ArgumentTest::Equal),
        DeValue::Table(table) => {
            if let Some((inner, _)) = table.iter().next()
                && !TEST_KEYS.contains(&inner.get_ref().as_ref())
                && table.len() == 1
                && creto_expression::spelling::nearest(inner.get_ref(), TEST_KEYS).is_none()
            {
                let (key, inner) = (shorten(key), shorten(inner.get_ref()));
                findings.add_help(
                    table.iter().next().map_or(value.span(), |(inner, _)| inner.span()),
                    format!("`{inner}` is no condition; known are `min`, `max`, `in` and `absent`"),
                    format!("for the argument `{inner}` inside `{key}` write \"{key}.{inner}\" in quotes"),
                );
                return None;
            }
            let table = Table::open(table, value.span(), "a condition on an argument", TEST_KEYS, findings);
            conditions_of(&table, value.span(), findings)
        }
        _ => {
            findings.add_help(
                value.span(),
                format!("`{}` cannot be compared with this {}", shorten(key), value.get_ref().type_str()),
                "write a text, a list of texts, a whole number, true or false, or { min, max, in, absent }",
            );
            None
        }
    }
}

fn conditions_of(
    table: &Table<'_, '_>,
    span: Range<usize>,
    findings: &mut Collector<'_>,
) -> Option<ArgumentTest> {
    let min = table.get("min").map(|value| number(value, "min", findings));
    let max = table.get("max").map(|value| number(value, "max", findings));
    let one_of = match table.get("in") {
        Some(value) => {
            let literals = list(value, "in", findings);
            literals.into_iter().filter_map(|entry| literal(entry, findings)).collect()
        }
        None => Vec::new(),
    };
    let absent = table.get("absent").map(|value| boolean(value, "absent", findings));
    let asks = min.is_some() || max.is_some() || table.get("in").is_some();
    if !asks && absent.is_none() {
        findings.add_help(span, "this condition asks nothing", "write `min`, `max`, `in` or `absent` in it");
        return None;
    }
    if asks && absent == Some(Some(true)) {
        findings.add_help(
            span,
            "an argument that is absent has no value to compare",
            "leave out `absent = true` or the rest",
        );
        return None;
    }
    if let (Some(Some(min)), Some(Some(max))) = (min, max)
        && more(min, max)
    {
        findings.add_help(span, "`min` is above `max`, so nothing matches", "swap them");
        return None;
    }
    Some(ArgumentTest::Table { min: min.flatten(), max: max.flatten(), one_of, absent: absent.flatten() })
}

fn more(one: Number, other: Number) -> bool {
    match (one, other) {
        (Number::Whole(one), Number::Whole(other)) => one > other,
        (one, other) => real(one) > real(other),
    }
}

fn real(number: Number) -> f64 {
    match number {
        Number::Whole(whole) => whole as f64,
        Number::Real(real) => real,
    }
}

/// A text, boolean or whole number to be equal to.
fn literal(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Option<Literal> {
    match value.get_ref() {
        DeValue::String(_) => {
            let text = string(value, "in", findings)?;
            if text.len() > MAX_TEXT_GLOB {
                findings.add(
                    value.span(),
                    format!("a text to compare with is at most {MAX_TEXT_GLOB} bytes long"),
                );
                return None;
            }
            Some(Literal::Text(text.to_owned()))
        }
        DeValue::Boolean(answer) => Some(Literal::Bool(*answer)),
        DeValue::Integer(integer) => {
            let whole = whole(integer);
            if whole.is_none() {
                findings.add(value.span(), "this number does not fit in 64 bits");
            }
            whole.map(|whole| Literal::Number(Number::Whole(whole)))
        }
        other => {
            findings.add_help(
                value.span(),
                format!("nothing is compared with this {}", other.type_str()),
                "write texts, whole numbers, true or false",
            );
            None
        }
    }
}

fn whole(integer: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn number(value: &Spanned<DeValue<'_>>, key: &str, findings: &mut Collector<'_>) -> Option<Number> {
    let number = match value.get_ref() {
        DeValue::Integer(integer) => whole(integer).map(Number::Whole),
        DeValue::Float(float) => {
            float.as_str().parse().ok().filter(|real: &f64| real.is_finite()).map(Number::Real)
        }
        _ => None,
    };
    if number.is_none() {
        findings.add_help(
            value.span(),
            format!("`{key}` is a number"),
            "write it without quotes, as in `max = 100`",
        );
    }
    number
}
