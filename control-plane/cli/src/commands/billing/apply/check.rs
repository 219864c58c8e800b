//! Tables into documents, each looked at by itself, then all for what is there twice.

use std::collections::HashMap;

use creto_billing::{
    BillingError, BillingSettings, Customer, MAX_ID_BYTES, MAX_MINOR, NewCredit, NewSubscription, NewWallet,
    PlanDocument,
};
use serde_json::{Map, Value};

use super::document::{Document, Entry, Kind};
use super::file::Written;
use super::problem::{Place, Problems};
use crate::commands::billing::instant;
use crate::toml_reading::shorten;

/// Fields of an issuer. Those of everything else are known where documents are read.
const ISSUER: [&str; 3] = ["name", "address", "tax_ids"];

/// The documents, in the order in which they go in; what is wrong with them is told.
pub(super) fn documents(written: Vec<Written>, problems: &mut Problems) -> Vec<Entry> {
    let mut entries: Vec<Entry> = written.into_iter().filter_map(|one| document(one, problems)).collect();
    // Versions of one plan go in by their time: a version takes effect after the one before it.
    entries.sort_by_key(|entry| {
        let from = match &entry.document {
            Document::Plan(plan) => Some(plan.effective_from),
            _ => None,
        };
        (entry.document.kind(), from)
    });
    twice(&entries, problems);
    entries
}

fn document(written: Written, problems: &mut Problems) -> Option<Entry> {
    let Written { kind, mut place, mut fields } = written;
    let named = ["id", "code"].into_iter().find_map(|name| fields.get(name)).and_then(Value::as_str);
    if let Some(id) = named {
        place.table = format!("{} `{}`", place.table, shorten(id));
    }
    let dated = complete(kind, &mut fields);
    let strangers = strangers(kind, &fields);
    let found = match read(kind, &Value::Object(fields).to_string(), dated) {
        Ok(document) if strangers.is_empty() => return Some(Entry { place, dated, document }),
        Ok(_) => strangers,
        Err(found) => strangers.into_iter().chain(found).collect(),
    };
    found.into_iter().for_each(|problem| problems.add(&place, problem));
    None
}

/// Puts in what may be left out; says whether the file names the instant the document begins at.
fn complete(kind: Kind, fields: &mut Map<String, Value>) -> bool {
    match kind {
        Kind::Customer => {
            fields.entry("zone").or_insert_with(|| "UTC".into());
        }
        Kind::Wallet | Kind::Credit => {
            fields.entry("priority").or_insert_with(|| 1.into());
        }
        Kind::Settings | Kind::Plan | Kind::Subscription => {}
    }
    let Some(begins) = kind.begins() else { return true };
    let dated = fields.get(begins).is_some_and(|value| !value.is_null());
    if !dated {
        fields.insert(begins.to_owned(), instant::now().into());
    }
    dated
}

/// Fields of the issuer that are none.
fn strangers(kind: Kind, fields: &Map<String, Value>) -> Vec<String> {
    let issuer = fields.get("issuer").and_then(Value::as_object).filter(|_| kind == Kind::Settings);
    let names = issuer.into_iter().flat_map(Map::keys).filter(|name| !ISSUER.contains(&name.as_str()));
    names
        .map(|name| {
            format!("`issuer`: `{}` is no field of it; known here: {}", shorten(name), ISSUER.join(", "))
        })
        .collect()
}

fn read(kind: Kind, json: &str, dated: bool) -> Result<Document, Vec<String>> {
    match kind {
        Kind::Settings => BillingSettings::from_json(json).map(Document::Settings).map_err(told),
        Kind::Plan => PlanDocument::from_json(json).map(Document::Plan).map_err(|refused| refused.problems),
        Kind::Customer => Customer::from_json(json).map(Document::Customer).map_err(told),
        Kind::Subscription => NewSubscription::from_json(json).map(Document::Subscription).map_err(told),
        Kind::Wallet => {
            let wallet = NewWallet::from_json(json).map_err(told)?;
            let problems = id(&wallet.id);
            if problems.is_empty() { Ok(Document::Wallet(wallet)) } else { Err(problems) }
        }
        Kind::Credit => {
            let new = NewCredit::from_json(json).map_err(told)?;
            let problems = credit(&new, dated);
            if problems.is_empty() { Ok(Document::Credit(new)) } else { Err(problems) }
        }
    }
}

fn told(refused: BillingError) -> Vec<String> {
    match refused {
        BillingError::Invalid { problems, .. } => problems,
        other => vec![other.to_string()],
    }
}

fn id(text: &str) -> Vec<String> {
    let fits =
        !text.is_empty() && text.len() <= MAX_ID_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Vec::new() } else { vec![format!("`id`: 1 to {MAX_ID_BYTES} visible ASCII characters")] }
}

fn credit(new: &NewCredit, dated: bool) -> Vec<String> {
    let mut problems = id(&new.id);
    if !(1..=MAX_MINOR).contains(&new.minor) {
        problems.push(format!("`minor`: {} is not between 1 and {MAX_MINOR}", new.minor));
    }
    // Credit that came in before, and has expired since, may still be in the file.
    if dated && new.expires_at.is_some_and(|end| end <= new.received_at) {
        problems.push("`expires_at`: it is not after `received_at`".to_owned());
    }
    problems
}

/// Two documents of one id would undo each other. A plan may be there in several versions, each with its own time.
fn twice(entries: &[Entry], problems: &mut Problems) {
    let mut seen: HashMap<(Kind, String, Option<i64>), &Place> = HashMap::new();
    for entry in entries {
        let version = match &entry.document {
            Document::Plan(plan) if entry.dated => Some(plan.effective_from.micros()),
            _ => None,
        };
        let key = (entry.document.kind(), entry.document.id(), version);
        if let Some(first) = seen.get(&key) {
            problems.add(&entry.place, format!("is there twice: it is at {first} already"));
        } else {
            seen.insert(key, &entry.place);
        }
    }
}

#[cfg(test)]
mod tests;
