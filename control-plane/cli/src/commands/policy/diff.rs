//! `creto policy diff`: what a document changes in meaning.

mod calls;
mod change;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::Args;
use creto_proto::v1;
use serde_json::{Value, json};
use tonic::Code;

use self::change::{Change, changes};
use super::documents::{self, Written};
use super::outline::Outline;
use super::simulate::{RecordedArgs, Report, compared};
use crate::failure::{Outcome, exit};
use crate::operator::{Operator, refused};
use crate::session::Session;

/// Options of `diff`.
#[derive(Args, Debug)]
pub(crate) struct DiffArgs {
    /// The document; or the old one, when a second is named.
    #[arg(value_name = "FILE")]
    first: PathBuf,
    /// The new document; left out, FILE is compared with the applied one of its name.
    #[arg(value_name = "NEW")]
    second: Option<PathBuf>,
    /// End with exit code 1 if there are differences.
    #[arg(long)]
    exit_code: bool,
    /// List the calls of this test file that are decided otherwise; may be repeated.
    #[arg(long, value_name = "FILE")]
    calls: Vec<PathBuf>,
    /// List the recorded calls that are decided otherwise.
    #[arg(long)]
    recorded: bool,
    #[command(flatten)]
    which: RecordedArgs,
}

/// Compares.
///
/// # Errors
/// When a document does not hold or the control plane refuses.
pub(super) async fn run(session: &Session, args: &DiffArgs) -> Outcome<u8> {
    let (old, new) = match &args.second {
        Some(new) => (Some(Written::load(&args.first)?), Written::load(new)?),
        None => {
            let new = Written::load(&args.first)?;
            (applied_of(&session.operator().await?, new.document.name()).await?, new)
        }
    };
    let before = old.as_ref().map(Outline::of).transpose()?.unwrap_or_default();
    let found = changes(&before, &Outline::of(&new)?);
    let calls = calls::of(&args.calls, old.as_ref(), &new)?;
    let recorded = match args.recorded {
        true => Some(compared(session, old.as_ref(), &new, &args.which).await?),
        false => None,
    };
    let (value, text) = shown(old.as_ref(), &new, &found, &calls, recorded.as_ref());
    session.output.value(&value, &text)?;
    let differ = !found.is_empty() || !calls.is_empty() || recorded.as_ref().is_some_and(Report::has_changes);
    Ok(if args.exit_code && differ { exit::FAILED } else { 0 })
}

/// The applied document of this name, if there is one.
async fn applied_of(operator: &Operator, name: &str) -> Outcome<Option<Written>> {
    let request = v1::GetPolicyRequest { namespace: operator.namespace.clone(), name: name.to_owned() };
    match operator.client.policies().get_policy(request).await {
        Ok(answer) => {
            let policy = answer.into_inner();
            let document = documents::parse(&policy.name, &policy.document)?;
            Ok(Some(Written { from: policy.name, text: policy.document, document }))
        }
        Err(status) if status.code() == Code::NotFound => Ok(None),
        Err(status) => Err(refused(format!("The policy {name} cannot be compared."), &status)),
    }
}

fn shown(
    old: Option<&Written>,
    new: &Written,
    found: &[Change],
    calls: &[calls::OtherVerdict],
    recorded: Option<&Report>,
) -> (Value, String) {
    let name = new.document.name();
    let mut text = match (old, found.len()) {
        (None, _) => format!("no policy {name} is applied: everything is new\n"),
        (Some(_), 0) => format!("{name}: no change in meaning\n"),
        (Some(_), _) => format!("{name}\n"),
    };
    for line in found.iter().flat_map(|change| change.text().lines().map(str::to_owned).collect::<Vec<_>>()) {
        text.push_str(&format!("  {line}\n"));
    }
    for call in calls {
        text.push_str(&format!("{call}\n"));
    }
    if let Some(report) = recorded {
        text.push_str(&report.text());
    }
    let mut value = json!({
        "name": name,
        "applied": old.is_some(),
        "changes": found.iter().map(Change::to_json).collect::<Vec<_>>(),
        "calls": calls.iter().map(calls::OtherVerdict::to_json).collect::<Vec<_>>(),
    });
    if let Some(report) = recorded {
        value["recorded"] = report.to_json();
    }
    (value, text.trim_end().to_owned())
}
