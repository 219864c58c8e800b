//! `creto policy`: what agents may call.

mod check;
mod diff;
mod documents;
mod explain;
mod meaning;
mod outline;
mod simulate;
mod target;
mod test;
mod whole_call;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use creto_proto::v1;
use serde_json::json;

use crate::failure::Outcome;
use crate::operator::refused;
use crate::session::Session;
use crate::words;

pub(crate) use self::documents::{apply, delete, parse, read};

/// What is done with policies.
#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub(crate) enum PolicyCommand {
    /// Look for errors and contradictions in documents; nothing is applied and no control plane is needed.
    Check(check::CheckArgs),
    /// Decide the calls of test files, and compare with what they expect; no control plane is needed.
    Test(test::TestArgs),
    /// Say what a document changes in meaning: against another file, or against what is applied.
    Diff(diff::DiffArgs),
    /// Decide recorded calls by documents that are not applied yet, and say what would change.
    Simulate(simulate::SimulateArgs),
    /// Check a document and bring it to the sidecars of the agents it is for.
    Apply(FileArgs),
    /// List the policies.
    List,
    /// Print the document of a policy.
    Show {
        /// Name of the policy.
        name: String,
    },
    /// Remove a policy: what only it allowed is refused from then on.
    Delete {
        /// Name of the policy.
        name: String,
    },
    /// Say which rule decides a call, and why.
    Explain(Box<explain::ExplainArgs>),
}

/// A document.
#[derive(Args, Debug)]
pub(crate) struct FileArgs {
    /// The document (TOML).
    file: PathBuf,
}

/// Does it; gives the exit code.
///
/// # Errors
/// When a document does not hold or the control plane refuses.
pub(crate) async fn run(session: &Session, command: PolicyCommand) -> Outcome<u8> {
    match command {
        PolicyCommand::Test(args) => return test::run(session, &args),
        PolicyCommand::Diff(args) => return diff::run(session, &args).await,
        PolicyCommand::Simulate(args) => return simulate::run(session, &args).await,
        PolicyCommand::Check(args) => return check::run(session, &args),
        PolicyCommand::Apply(args) => {
            let text = read(&args.file)?;
            parse(&args.file.to_string_lossy(), &text)?;
            let policy = apply(&session.operator().await?, text).await?;
            let version = policy.version.get(..12).unwrap_or(&policy.version);
            let text = format!("applied {} (revision {}, version {version})", policy.name, policy.revision);
            session.output.value(&words::policy(&policy), &text)?;
        }
        PolicyCommand::List => list(session).await?,
        PolicyCommand::Show { name } => {
            let operator = session.operator().await?;
            let request = v1::GetPolicyRequest { namespace: operator.namespace.clone(), name: name.clone() };
            let answer = operator.client.policies().get_policy(request).await;
            let policy = answer
                .map_err(|status| refused(format!("The policy {name} cannot be shown."), &status))?
                .into_inner();
            session.output.value(&words::policy(&policy), policy.document.trim_end())?;
        }
        PolicyCommand::Delete { name } => {
            delete(&session.operator().await?, &name).await?;
            session.output.value(&json!({"deleted": name}), &format!("deleted {name}"))?;
        }
        PolicyCommand::Explain(args) => explain::run(session, *args).await?,
    }
    Ok(0)
}

async fn list(session: &Session) -> Outcome {
    let rows: Vec<_> = documents::listed(&session.operator().await?)
        .await?
        .iter()
        .map(|policy| {
            let cells = vec![
                policy.name.clone(),
                policy.revision.to_string(),
                policy.version.get(..12).unwrap_or_default().to_owned(),
                crate::output::moment(policy.updated_at_ms),
            ];
            (cells, words::policy(policy))
        })
        .collect();
    session.output.list(&["name", "revision", "version", "applied"], &rows)
}
