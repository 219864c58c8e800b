//! `creto policy check`: errors in documents, and rules that contradict or repeat each other.

use std::path::PathBuf;

use clap::Args;
use creto_policy::{Document, Finding, QuotaMeter, RulePlace, findings};
use serde_json::{Value, json};

use super::documents::{Written, in_color, load_all};
use crate::failure::{Outcome, exit};
use crate::output::remark;
use crate::session::Session;

/// Options of `check`.
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// The documents (TOML); several are looked at beside each other, as they would be applied.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// End with exit code 1 for warnings too.
    #[arg(long)]
    strict: bool,
}

/// Checks.
///
/// # Errors
/// When a document does not hold.
pub(super) fn run(session: &Session, args: &CheckArgs) -> Outcome<u8> {
    let written = load_all(&args.files)?;
    let documents: Vec<Document> = written.iter().map(|one| one.document.clone()).collect();
    let found = findings(&documents);
    // Warnings stand in the JSON itself; people see them beside the result.
    if !session.output.is_json() {
        for finding in &found {
            remark(shown(finding, &written).trim_end());
            remark("");
        }
    }
    let lines: Vec<String> = documents.iter().map(line).collect();
    let mut text = lines.join("\n");
    match found.len() {
        0 => {}
        1 => text.push_str("\n1 warning"),
        count => text.push_str(&format!("\n{count} warnings")),
    }
    let warnings: Vec<Value> = found.iter().map(warning).collect();
    let value = match documents.as_slice() {
        [document] => {
            let mut value = counts(document);
            value["warnings"] = warnings.into();
            value
        }
        several => {
            let all: Vec<Value> = several.iter().map(counts).collect();
            json!({"documents": all, "warnings": warnings})
        }
    };
    session.output.value(&value, &text)?;
    Ok(if args.strict && !found.is_empty() { exit::FAILED } else { 0 })
}

fn shown(finding: &Finding, written: &[Written]) -> String {
    let of = written.iter().find(|one| one.document.name() == finding.rule.policy);
    match of {
        Some(one) => finding.render(&one.from, &one.text, in_color()),
        None => finding.message.clone(),
    }
}

fn line(document: &Document) -> String {
    let of = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let (rules, routes) = (of(document.rules().len(), "rule"), of(document.routes().len(), "route"));
    let mut line = format!("{} holds: {rules}, {routes}", document.name());
    for (count, what) in [(document.holds().len(), "hold"), (document.credentials().len(), "credential")] {
        if count > 0 {
            line.push_str(&format!(", {}", of(count, what)));
        }
    }
    let (quotas, budgets) = quotas_and_budgets(document);
    for (count, what) in [(quotas, "quota"), (budgets, "budget")] {
        if count > 0 {
            line.push_str(&format!(", {}", of(count, what)));
        }
    }
    line
}

/// A budget is a quota of money.
fn quotas_and_budgets(document: &Document) -> (usize, usize) {
    let budgets = document.quotas().filter(|rule| matches!(rule.meter(), QuotaMeter::Cost(_))).count();
    (document.quotas().len() - budgets, budgets)
}

fn counts(document: &Document) -> Value {
    let (quotas, budgets) = quotas_and_budgets(document);
    json!({
        "name": document.name(),
        "rules": document.rules().len(),
        "holds": document.holds().len(),
        "routes": document.routes().len(),
        "credentials": document.credentials().len(),
        "quotas": quotas,
        "budgets": budgets,
    })
}

fn warning(finding: &Finding) -> Value {
    let place = |place: &RulePlace| json!({"policy": place.policy, "rule": place.rule, "line": place.line});
    json!({
        "kind": finding.kind.as_str(),
        "message": finding.message,
        "help": finding.help,
        "at": place(&finding.rule),
        "other": finding.other.as_ref().map(place),
    })
}
