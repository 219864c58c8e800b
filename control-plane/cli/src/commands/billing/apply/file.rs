//! Files into tables: which documents they hold, and where.

use std::path::Path;

use creto_expression::spelling::nearest;
use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::Kind;
use super::problem::{Place, Problems};
use crate::toml_reading::{Findings, shorten};

/// Bytes one file may have.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// A document as it was written.
#[derive(Debug)]
pub(super) struct Written {
    /// What it is.
    pub(super) kind: Kind,
    /// Where it stands.
    pub(super) place: Place,
    /// Its fields.
    pub(super) fields: Map<String, Value>,
}

/// Adds the documents of a file to `entries`.
pub(super) fn read(path: &Path, entries: &mut Vec<Written>, problems: &mut Problems) {
    let file = path.display().to_string();
    let text = match text_of(path) {
        Ok(text) => text,
        Err(problem) => return problems.add(&Place::of_file(&file), problem),
    };
    if path.extension().is_some_and(|extension| extension == "json") {
        read_json(&file, &text, entries, problems);
    } else {
        read_toml(&file, &text, entries, problems);
    }
}

fn text_of(path: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > MAX_FILE_BYTES {
        return Err(format!("{length} bytes are too many: at most {MAX_FILE_BYTES}; split it"));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

fn read_json(file: &str, text: &str, entries: &mut Vec<Written>, problems: &mut Problems) {
    let place = Place::of_file(file);
    let tables: Map<String, Value> = match serde_json::from_str(text) {
        Ok(tables) => tables,
        Err(error) => return problems.add(&place, format!("this is no JSON object: {error}")),
    };
    let mut found = Vec::new();
    for (name, value) in tables {
        let Some(kind) = kind_of(&name, &place, problems) else { continue };
        match value {
            Value::Array(items) if kind != Kind::Settings => {
                found.extend((1_usize..).zip(items).map(|(number, item)| (kind, number, item, None)));
            }
            table @ Value::Object(_) if kind == Kind::Settings => found.push((kind, 1, table, None)),
            _ => problems.add(&place, shape(kind)),
        }
    }
    take(file, found, entries, problems);
}

fn read_toml(file: &str, text: &str, entries: &mut Vec<Written>, problems: &mut Problems) {
    let mut findings = Findings::of(file, text);
    let place = Place::of_file(file);
    let Some(root) = findings.parse() else {
        let why = findings.into_failure("This is no TOML.".to_owned()).render();
        return problems.add(&place, format!("this is no TOML\n{why}"));
    };
    let mut found = Vec::new();
    for (key, value) in root.get_ref() {
        let at = Place { line: Some(findings.line(key.span().start)), ..place.clone() };
        let Some(kind) = kind_of(key.get_ref(), &at, problems) else { continue };
        match value.get_ref() {
            DeValue::Array(items) if kind != Kind::Settings => {
                found.extend((1_usize..).zip(items.iter()).map(|(number, item)| {
                    (kind, number, json(item), Some(findings.line(item.span().start)))
                }));
            }
            DeValue::Table(_) if kind == Kind::Settings => {
                found.push((kind, 1, json(value), Some(findings.line(value.span().start))));
            }
            _ => problems.add(&at, shape(kind)),
        }
    }
    take(file, found, entries, problems);
}

fn kind_of(name: &str, place: &Place, problems: &mut Problems) -> Option<Kind> {
    let known = Kind::ALL.map(Kind::table);
    let kind = Kind::ALL.into_iter().find(|kind| kind.table() == name);
    if kind.is_none() {
        let help = nearest(name, &known).map_or_else(
            || format!("known here: {}", known.join(", ")),
            |word| format!("did you mean `{word}`?"),
        );
        problems.add(place, format!("`{}` is no table of billing: {help}", shorten(name)));
    }
    kind
}

fn shape(kind: Kind) -> String {
    match kind {
        Kind::Settings => "`settings` is one table: write [settings]".to_owned(),
        kind => format!("`{0}` is a list of tables: write [[{0}]] above each", kind.table()),
    }
}

type Found = (Kind, usize, Value, Option<usize>);

fn take(file: &str, found: Vec<Found>, entries: &mut Vec<Written>, problems: &mut Problems) {
    for (kind, number, value, line) in found {
        let table = match kind {
            Kind::Settings => "[settings]".to_owned(),
            kind => format!("[[{}]] {number}", kind.table()),
        };
        let place = Place { file: file.to_owned(), line, table };
        match value {
            Value::Object(fields) => entries.push(Written { kind, place, fields }),
            _ => problems.add(&place, shape(kind)),
        }
    }
}

/// The value as JSON has it. Times become their text; decimals stay numbers, for their reader to refuse.
fn json(value: &Spanned<DeValue<'_>>) -> Value {
    match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => {
            let whole = i64::from_str_radix(number.as_str(), number.radix());
            whole.map_or_else(|_| Value::String(number.as_str().to_owned()), Value::from)
        }
        DeValue::Float(number) => number
            .as_str()
            .parse::<f64>()
            .map_or_else(|_| Value::String(number.as_str().to_owned()), Value::from),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(items) => items.iter().map(json).collect(),
        DeValue::Table(table) => Value::Object(object(table)),
    }
}

fn object(table: &DeTable<'_>) -> Map<String, Value> {
    table.iter().map(|(key, value)| (key.get_ref().to_string(), json(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(name: &str, text: &str) -> (Vec<Written>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let (mut entries, mut problems) = (Vec::new(), Problems::default());
        read(&path, &mut entries, &mut problems);
        let prefix = format!("{}/", folder.path().display());
        (entries, problems.told().iter().map(|told| told.replace(&prefix, "")).collect())
    }

    #[test]
    fn toml_and_json_hold_the_same_documents() {
        let toml = "[settings]\nterms_days = 0x1e\n[[plans]]\ncode = \"a\"\neffective_from = 2026-01-01T00:00:00Z\n\
                    [[plans]]\namount = \"1.5\"\nlist = [1, true]\n";
        let json = r#"{"settings":{"terms_days":30},"plans":[{"code":"a","effective_from":"2026-01-01T00:00:00Z"},
            {"amount":"1.5","list":[1,true]}]}"#;
        let (from_toml, problems) = read_text("a.toml", toml);
        assert_eq!(problems, Vec::<String>::new());
        let (mut from_json, problems) = read_text("a.json", json);
        assert_eq!(problems, Vec::<String>::new());
        from_json.sort_by_key(|entry| entry.place.table.clone());
        let mut sorted: Vec<_> = from_toml.iter().collect();
        sorted.sort_by_key(|entry| entry.place.table.clone());
        let facts = |entry: &Written| (entry.kind, entry.place.table.clone(), entry.fields.clone());
        assert_eq!(
            sorted.into_iter().map(facts).collect::<Vec<_>>(),
            from_json.iter().map(facts).collect::<Vec<_>>()
        );
        let lines: Vec<_> =
            from_toml.iter().map(|entry| (entry.place.table.as_str(), entry.place.line)).collect();
        for (table, line) in [("[settings]", 1), ("[[plans]] 1", 3), ("[[plans]] 2", 6)] {
            assert!(lines.contains(&(table, Some(line))), "{table} is not on line {line}: {lines:?}");
        }
    }

    #[test]
    fn what_is_no_document_is_told_with_its_line() {
        let (entries, problems) =
            read_text("a.toml", "plan = 1\n[[settings]]\n[customers]\nid = \"a\"\n[[wallets]]\n[[zebras]]\n");
        assert_eq!(entries.len(), 1);
        let expected = [
            "a.toml:1: `plan` is no table of billing: did you mean `plans`?",
            "a.toml:2: `settings` is one table: write [settings]",
            "a.toml:3: `customers` is a list of tables: write [[customers]] above each",
            "a.toml:6: `zebras` is no table of billing: known here: settings, plans, customers, subscriptions, wallets, \
             credits",
        ];
        for part in expected {
            assert!(problems.iter().any(|told| told == part), "{part} is not told: {problems:#?}");
        }
        assert_eq!(problems.len(), expected.len());
        for (name, text) in
            [("a.toml", "a ="), ("a.json", "{"), ("a.json", "[]"), ("a.json", r#"{"plans":[3]}"#)]
        {
            let (entries, problems) = read_text(name, text);
            assert!(entries.is_empty() && problems.len() == 1, "{text}: {problems:?}");
        }
    }
}
