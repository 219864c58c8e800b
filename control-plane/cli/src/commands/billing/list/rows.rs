//! A row a document. Fields that are not there leave their cell empty.

use serde_json::Value;

use super::Listed;
use crate::commands::billing::{instant, money};

/// Fields of documents that hold an instant, in microseconds.
const INSTANTS: [&str; 11] = [
    "export_usage_from",
    "effective_from",
    "started_at",
    "ended_at",
    "from",
    "to",
    "created_at",
    "received_at",
    "expires_at",
    "at",
    "due_at",
];

/// The cells of a document.
type Row = fn(&Value) -> Vec<String>;

/// The heading and the row of each kind.
pub(super) fn of(what: Listed) -> (&'static [&'static str], Row) {
    match what {
        Listed::Settings => (&["issuer", "invoices", "credit notes", "days to pay", "to stripe"], settings),
        Listed::Plans => (&["code", "version", "from", "bills", "fee", "charges"], plan),
        Listed::Customers => (&["id", "name", "currency", "zone", "stripe"], customer),
        Listed::Subscriptions => {
            (&["id", "customer", "status", "plan", "open period from", "to", "ends"], subscription)
        }
        Listed::Wallets => (&["id", "customer", "left", "credits", "pays for"], wallet),
        Listed::Credits => {
            (&["number", "at", "credit", "movement", "minor units", "invoice", "line"], credit)
        }
    }
}

/// The document with its instants as RFC 3339.
pub(super) fn readable(mut document: Value) -> Value {
    match &mut document {
        Value::Array(items) => items.iter_mut().for_each(|item| *item = readable(item.take())),
        Value::Object(fields) => {
            for (name, value) in fields {
                *value = match value.as_i64().filter(|_| INSTANTS.contains(&name.as_str())) {
                    Some(micros) => Value::String(instant::shown(micros)),
                    None => readable(value.take()),
                };
            }
        }
        _ => {}
    }
    document
}

/// A field, however deep: numbers and texts alike.
fn text(document: &Value, pointer: &str) -> String {
    match document.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

fn at(document: &Value, pointer: &str) -> String {
    document.pointer(pointer).and_then(Value::as_i64).map(instant::shown).unwrap_or_default()
}

fn count(document: &Value, pointer: &str) -> String {
    document.pointer(pointer).and_then(Value::as_array).map_or(0, Vec::len).to_string()
}

/// How often it bills: a word, or `{"custom": {"days": 90}}`.
fn interval(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(word)) => word.clone(),
        Some(other) => format!("every {} days", text(other, "/custom/days")),
        None => String::new(),
    }
}

fn settings(document: &Value) -> Vec<String> {
    let invoices = document["export_invoices"].as_bool().unwrap_or_default();
    let usage = document["export_usage"].as_array().is_some_and(|meters| !meters.is_empty());
    let exports = match (invoices, usage) {
        (true, true) => "invoices, usage",
        (true, false) => "invoices",
        (false, true) => "usage",
        (false, false) => "nothing",
    };
    vec![
        text(document, "/issuer/name"),
        text(document, "/invoice_prefix"),
        text(document, "/credit_note_prefix"),
        text(document, "/terms_days"),
        exports.to_owned(),
    ]
}

fn plan(version: &Value) -> Vec<String> {
    vec![
        text(version, "/document/plan/code"),
        text(version, "/version"),
        at(version, "/document/effective_from"),
        interval(version.pointer("/document/plan/interval")),
        format!("{} {}", text(version, "/document/plan/amount"), text(version, "/document/plan/currency")),
        count(version, "/document/plan/charges"),
    ]
}

fn customer(document: &Value) -> Vec<String> {
    ["/id", "/name", "/currency", "/zone", "/stripe_customer"].map(|field| text(document, field)).to_vec()
}

/// The plan in force last, with its version.
fn subscription(document: &Value) -> Vec<String> {
    let last = document["plans"].as_array().and_then(|plans| plans.last());
    let plan = last.map(|change| format!("{} v{}", text(change, "/plan"), text(change, "/version")));
    vec![
        text(document, "/id"),
        text(document, "/customer"),
        text(document, "/status"),
        plan.unwrap_or_default(),
        at(document, "/current_period/from"),
        at(document, "/current_period/to"),
        at(document, "/ended_at"),
    ]
}

fn wallet(document: &Value) -> Vec<String> {
    let credits = document.pointer("/wallet/credits").and_then(Value::as_array);
    let left = credits.into_iter().flatten().filter_map(|credit| credit["left"].as_i64());
    let left = left.fold(0_i64, i64::saturating_add);
    let only = document.pointer("/wallet/only").and_then(Value::as_array).map(|meters| {
        let meters: Vec<&str> = meters.iter().filter_map(Value::as_str).collect();
        meters.join(",")
    });
    vec![
        text(document, "/wallet/id"),
        text(document, "/customer"),
        money::amount_of(left, &text(document, "/wallet/currency")),
        count(document, "/wallet/credits"),
        only.unwrap_or_else(|| "everything".to_owned()),
    ]
}

fn credit(entry: &Value) -> Vec<String> {
    let mut cells = vec![text(entry, "/sequence"), at(entry, "/at")];
    cells.extend(["/credit", "/movement", "/minor", "/invoice", "/line"].map(|field| text(entry, field)));
    cells
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_has_a_cell_for_each_title() {
        let all = [
            Listed::Settings,
            Listed::Plans,
            Listed::Customers,
            Listed::Subscriptions,
            Listed::Wallets,
            Listed::Credits,
        ];
        for what in all {
            let (heading, row) = of(what);
            assert_eq!(row(&Value::Null).len(), heading.len(), "{what:?}");
        }
    }

    #[test]
    fn instants_are_readable_wherever_they_stand() {
        let document =
            json!({"started_at": 0, "plans": [{"from": 1_000_000, "version": 3}], "ended_at": null});
        let shown = json!({"started_at": "1970-01-01T00:00:00Z", "plans": [{"from": "1970-01-01T00:00:01Z", "version": 3}],
            "ended_at": null});
        assert_eq!(readable(document), shown);
    }

    #[test]
    fn what_is_left_in_a_wallet_is_the_sum_of_its_credits() {
        let wallet_of = json!({"customer": "acme", "wallet": {"id": "w", "currency": "JPY", "only": ["llm.tokens"],
            "credits": [{"left": 300}, {"left": 45}]}});
        assert_eq!(wallet(&wallet_of), ["w", "acme", "345 JPY", "2", "llm.tokens"]);
    }
}
