//! What single keys say.

use toml::{Table, Value};

use super::{Field, Fields};
use crate::commands::policy::target::Target;

/// What holds where a key is left out.
const DEFAULTS: [(&str, &str); 6] = [
    ("private", "false"),
    ("plain_http", "false"),
    ("tls", "inspect"),
    ("tools_changed", "refuse"),
    ("port", "443, 80"),
    ("inline", "50s"),
];

/// What holds without a key, for people.
pub(in super::super) fn default_of(key: &str) -> &'static str {
    match DEFAULTS.iter().find(|(known, _)| *known == key) {
        Some((_, default)) => default,
        None if key.starts_with("staleness.") => "not said",
        None if matches!(key, "base" | "scope" | "placeholder") => "default",
        None => "any",
    }
}

/// Adds what a key says; a table becomes a field for each of its keys.
pub(super) fn add(fields: &mut Fields, key: &str, value: &Value) {
    let field = match (key, value) {
        ("when", Value::String(text)) => Field::One(condensed(text)),
        ("to", Value::String(url)) => Field::One(upstream(url)),
        ("from", Value::Table(table)) => Field::One(plain(table)),
        (_, Value::Table(table)) if is_condition(key, table) => Field::One(plain(table)),
        (_, Value::Table(table)) => {
            for (inner, value) in table {
                add(fields, &format!("{key}.{inner}"), value);
            }
            return;
        }
        (_, Value::String(text)) if key.starts_with("staleness.") || key == "inline" => {
            Field::One(time(text))
        }
        (_, Value::String(text)) if is_list(key) => Field::any_of([text]),
        (_, Value::Array(array)) => Field::any_of(array.iter().map(text_of)),
        (_, value) => Field::One(text_of(value)),
    };
    fields.insert(key.to_owned(), field);
}

/// Keys whose meaning is told by what was read from them.
pub(super) fn is_told_otherwise(key: &str) -> bool {
    matches!(
        key,
        "name"
            | "host"
            | "port"
            | "approvers"
            | "quorum"
            | "wait"
            | "escalate"
            | "uses"
            | "holds_for"
            | "cost_over"
    )
}

/// Removes what holds anyway.
pub(super) fn drop_defaults(fields: &mut Fields, name: &str) {
    for (key, default) in DEFAULTS {
        if fields.get(key).is_some_and(|field| field.to_string() == default) {
            fields.remove(key);
        }
    }
    if matches!(fields.get("method"), Some(Field::AnyOf(all)) if all.contains("*")) {
        fields.remove("method");
    }
    if matches!(fields.get("placeholder"), Some(Field::One(text)) if *text == format!("creto-placeholder-{name}"))
    {
        fields.remove("placeholder");
    }
}

/// A key of `arguments` whose table is a condition; others there are texts, lists, numbers and truths.
fn is_condition(key: &str, _: &Table) -> bool {
    key.starts_with("arguments.")
}

/// Keys for which one text is a list of one.
fn is_list(key: &str) -> bool {
    key.starts_with("arguments.")
        || key.starts_with("agents.") && !key.starts_with("agents.labels.")
        || matches!(
            key,
            "method"
                | "path"
                | "provider"
                | "model"
                | "mcp_server"
                | "mcp_method"
                | "tool"
                | "a2a_agent"
                | "skill"
                | "reversibility"
        )
}

/// `{ max = 100, min = 1 }`, the keys in order; lists in it in order too.
fn plain(table: &Table) -> String {
    let mut parts: Vec<String> = table
        .iter()
        .map(|(key, value)| match value {
            Value::Array(array) => {
                let mut all: Vec<String> = array.iter().map(ToString::to_string).collect();
                all.sort();
                all.dedup();
                format!("{key} {}", all.join(" or "))
            }
            value => format!("{key} {}", text_of(value)),
        })
        .collect();
    parts.sort();
    parts.join(", ")
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Scheme, host, port and path as they count.
fn upstream(url: &str) -> String {
    Target::of(url).map_or_else(
        |_| url.to_owned(),
        |target| {
            let path = target.path.trim_end_matches('/');
            format!("{}://{}:{}{path}", target.scheme.as_str(), target.host.as_str(), target.port)
        },
    )
}

/// An expression with one space where any stand, outside of texts; as it is where comments, escapes or long texts make it
/// hard to say what is outside.
fn condensed(text: &str) -> String {
    if ["//", "\\", "\"\"\"", "'''"].iter().any(|hard| text.contains(hard)) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut quote = None;
    for letter in text.trim().chars() {
        match quote {
            Some(open) => {
                quote = (letter != open).then_some(open);
                out.push(letter);
            }
            None if letter.is_whitespace() => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            None => {
                if matches!(letter, '"' | '\'') {
                    quote = Some(letter);
                }
                out.push(letter);
            }
        }
    }
    out
}

/// A length of time in the largest unit that fits: `60m` is `1h`.
fn time(text: &str) -> String {
    let unit = |text: &str| {
        let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return None,
        };
        digits.parse::<u64>().ok()?.checked_mul(seconds)
    };
    let Some(seconds) = unit(text) else { return text.to_owned() };
    let (count, unit) = [(86_400, 'd'), (3600, 'h'), (60, 'm')]
        .into_iter()
        .find(|(length, _)| seconds > 0 && seconds % length == 0)
        .map_or((seconds, 's'), |(length, unit)| (seconds / length, unit));
    format!("{count}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_count_in_texts_of_expressions_only() {
        assert_eq!(condensed("  a\n  ==  \"b  c\" "), "a == \"b  c\"");
        assert_eq!(condensed("a == 'x  \"y'   && b"), "a == 'x  \"y' && b");
        for hard in ["a // x\n  && b", r#"a == r"\"  + "  ""#, "a == '''  b'''"] {
            assert_eq!(condensed(hard), hard);
        }
    }

    #[test]
    fn times_are_told_in_their_largest_unit() {
        for (text, told) in [("60m", "1h"), ("90s", "90s"), ("24h", "1d"), ("never", "never"), ("0s", "0s")] {
            assert_eq!(time(text), told);
        }
    }
}
