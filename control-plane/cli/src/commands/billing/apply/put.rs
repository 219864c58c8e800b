//! Documents into the control plane, one by one, each with what happened.

use creto_proto::v1;
use serde_json::{Value, json};

use super::document::{Document, Entry};
use super::kept::Kept;
use crate::failure::Outcome;
use crate::operator::{Operator, refused};
use crate::session::Session;

/// What happened to a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// It was not there.
    New,
    /// It replaces another, or follows it as the next version.
    Changed,
    /// It was there.
    Unchanged,
}

impl Change {
    fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
        }
    }
}

/// Puts all in, in order, and tells of each what happened; stops at the first that is refused.
///
/// # Errors
/// When the control plane refuses one. What went in before it is told.
pub(super) async fn all(session: &Session, operator: &Operator, kept: &Kept, entries: &[Entry]) -> Outcome {
    let mut rows: Vec<(Vec<String>, Value)> = Vec::new();
    let mut failed = None;
    for entry in entries {
        match one(operator, kept, entry).await {
            Ok(row) => rows.push(row),
            Err(failure) => {
                failed = Some(failure);
                break;
            }
        }
    }
    session.output.list(&["document", "id", "what happened"], &rows)?;
    failed.map_or(Ok(()), Err)
}

async fn one(operator: &Operator, kept: &Kept, entry: &Entry) -> Outcome<(Vec<String>, Value)> {
    let (change, known_version) = compared(kept, &entry.document);
    // Sent even when it seems unchanged: whether it is the same is for the control plane to say. An earlier version of a
    // plan is the exception, as the catalogue only takes what follows.
    let version = match known_version {
        Some(version) => version,
        None => put(operator, entry).await?,
    };
    Ok(row(&entry.document, change, version))
}

async fn put(operator: &Operator, entry: &Entry) -> Outcome<u32> {
    let request = v1::PutBillingDocumentRequest {
        namespace: operator.namespace.clone(),
        kind: entry.document.kind().name().into(),
        document: entry.document.json()?,
    };
    let answer = operator.client.billing().put_billing_document(request).await;
    let answer = answer.map_err(|status| {
        let what =
            format!("{} is not taken; what stands above it is in, what comes after it is not.", entry.place);
        refused(what, &status).next("Correct it and apply the same files again: what is in stays as it is.")
    })?;
    Ok(answer.into_inner().version)
}

/// What will happen, by what is kept; and the version of a plan that is there already.
fn compared(kept: &Kept, document: &Document) -> (Change, Option<u32>) {
    let seen = |known: bool| if known { Change::Unchanged } else { Change::New };
    let same = |found: Option<bool>| match found {
        None => Change::New,
        Some(true) => Change::Unchanged,
        Some(false) => Change::Changed,
    };
    match document {
        Document::Settings(new) => (same(kept.settings.as_ref().map(|old| old == new)), None),
        Document::Plan(new) => {
            let versions = kept.plans.get(&new.plan.code).map(Vec::as_slice).unwrap_or_default();
            match versions.iter().find(|version| version.document == *new) {
                Some(found) => (Change::Unchanged, Some(found.version)),
                None if versions.is_empty() => (Change::New, None),
                None => (Change::Changed, None),
            }
        }
        Document::Customer(new) => (same(kept.customers.get(&new.id).map(|old| old == new)), None),
        Document::Subscription(new) => (seen(kept.subscriptions.contains_key(&new.id)), None),
        Document::Wallet(new) => (seen(kept.wallets.contains_key(&new.id)), None),
        Document::Credit(new) => {
            (seen(kept.credits.contains_key(&(new.wallet.clone(), new.id.clone()))), None)
        }
    }
}

fn row(document: &Document, change: Change, version: u32) -> (Vec<String>, Value) {
    let (kind, id) = (document.kind().name(), document.id());
    let mut value = json!({"kind": kind, "id": id, "change": change.as_str()});
    let mut told = change.as_str().to_owned();
    if let Document::Plan(plan) = document {
        let from = plan.effective_from.to_string();
        told.push_str(&format!(": version {version}, in effect from {from}"));
        value["version"] = version.into();
        value["effective_from"] = from.into();
    }
    (vec![kind.to_owned(), id, told], value)
}
