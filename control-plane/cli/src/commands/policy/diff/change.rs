//! How two documents differ.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::commands::policy::outline::{Field, Fields, Kind, Outline, default_of};

/// A key that says something else.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FieldChange {
    pub(super) key: String,
    pub(super) from: Option<Field>,
    pub(super) to: Option<Field>,
}

/// What became of something.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    Added(Fields),
    Removed(Fields),
    /// Under another name, the rest the same.
    Renamed {
        to: String,
    },
    Changed(Vec<FieldChange>),
}

/// Something that is other than before.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// None for what is said of the whole document.
    pub(super) item: Option<(Kind, String)>,
    /// Of rules.
    pub(super) effect: Option<String>,
    pub(super) what: What,
}

/// Everything that differs; without an old document everything is new.
pub(super) fn changes(old: &Outline, new: &Outline) -> Vec<Change> {
    let mut out = Vec::new();
    let settings = fields(&old.settings, &new.settings);
    if !settings.is_empty() {
        out.push(Change { item: None, effect: None, what: What::Changed(settings) });
    }
    // What is new, by what it says: something that is gone and says the same was given another name.
    let mut fresh: BTreeMap<(Kind, &Fields), Vec<&str>> = BTreeMap::new();
    for ((kind, name), fields) in new.items.iter().rev().filter(|(item, _)| !old.items.contains_key(*item)) {
        fresh.entry((*kind, fields)).or_default().push(name);
    }
    let mut renamed = BTreeSet::new();
    for (item, before) in &old.items {
        let what = match new.items.get(item) {
            Some(after) if before == after => continue,
            Some(after) => What::Changed(fields(before, after)),
            None => match fresh.get_mut(&(item.0, before)).and_then(Vec::pop) {
                Some(name) => {
                    renamed.insert((item.0, name));
                    What::Renamed { to: name.to_owned() }
                }
                None => What::Removed(before.clone()),
            },
        };
        out.push(Change { item: Some(item.clone()), effect: effect(before), what });
    }
    for (item, after) in new.items.iter().filter(|(item, _)| !old.items.contains_key(item)) {
        if !renamed.contains(&(item.0, item.1.as_str())) {
            let what = What::Added(after.clone());
            out.push(Change { item: Some(item.clone()), effect: effect(after), what });
        }
    }
    out
}

fn fields(before: &Fields, after: &Fields) -> Vec<FieldChange> {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    keys.into_iter()
        .filter(|key| before.get(*key) != after.get(*key))
        .map(|key| FieldChange {
            key: key.clone(),
            from: before.get(key).cloned(),
            to: after.get(key).cloned(),
        })
        .collect()
}

fn effect(fields: &Fields) -> Option<String> {
    fields.get("effect").map(ToString::to_string)
}

impl Change {
    /// For people: a line, and a line a key that changed.
    pub(super) fn text(&self) -> String {
        let subject = match (&self.item, &self.effect) {
            (Some((_, name)), Some(effect)) => format!("{effect} rule {name}"),
            (Some((kind, name)), None) => format!("{} {name}", kind.as_str()),
            (None, _) => String::new(),
        };
        match &self.what {
            What::Added(fields) => format!("+ {subject}: {}\n", listed(fields)),
            What::Removed(fields) => format!("- {subject}: {}\n", listed(fields)),
            What::Renamed { to } => format!("~ {subject} is called {to}\n"),
            What::Changed(changes) if self.item.is_none() => {
                changes.iter().map(|change| format!("~ {}\n", change.text())).collect()
            }
            What::Changed(changes) => {
                let lines: String = changes.iter().map(|change| format!("    {}\n", change.text())).collect();
                format!("~ {subject}\n{lines}")
            }
        }
    }

    /// For programs.
    pub(super) fn to_json(&self) -> Value {
        let (what, rest) = match &self.what {
            What::Added(fields) => ("added", json!({"to": object(fields)})),
            What::Removed(fields) => ("removed", json!({"from": object(fields)})),
            What::Renamed { to } => ("renamed", json!({"name_to": to})),
            What::Changed(changes) => {
                let changes: Vec<Value> = changes
                    .iter()
                    .map(|change| {
                        json!({
                            "key": change.key,
                            "from": change.from.as_ref().map(value),
                            "to": change.to.as_ref().map(value),
                        })
                    })
                    .collect();
                ("changed", json!({"fields": changes}))
            }
        };
        let mut out = json!({
            "what": what,
            "kind": self.item.as_ref().map_or("document", |(kind, _)| kind.as_str()),
            "name": self.item.as_ref().map(|(_, name)| name),
        });
        if let (Value::Object(out), Value::Object(rest)) = (&mut out, rest) {
            out.extend(rest);
        }
        out
    }
}

impl FieldChange {
    fn text(&self) -> String {
        let Self { key, from, to } = self;
        if let (Some(Field::AnyOf(from)), Some(Field::AnyOf(to))) = (from, to)
            && from.intersection(to).next().is_some()
        {
            let gone = from.difference(to).map(|one| format!("-{one}"));
            let come = to.difference(from).map(|one| format!("+{one}"));
            return format!("{key}: {}", gone.chain(come).collect::<Vec<_>>().join(" "));
        }
        let said = |field: &Option<Field>| {
            field.as_ref().map_or_else(|| default_of(key).to_owned(), ToString::to_string)
        };
        format!("{key}: {} -> {}", said(from), said(to))
    }
}

fn listed(fields: &Fields) -> String {
    let shown = fields.iter().filter(|(key, _)| *key != "effect");
    shown.map(|(key, field)| format!("{key} {field}")).collect::<Vec<_>>().join("; ")
}

fn object(fields: &Fields) -> Value {
    Value::Object(fields.iter().map(|(key, field)| (key.clone(), value(field))).collect::<Map<_, _>>())
}

fn value(field: &Field) -> Value {
    match field {
        Field::One(text) => text.as_str().into(),
        Field::AnyOf(all) => all.iter().map(String::as_str).collect::<Vec<_>>().into(),
    }
}
