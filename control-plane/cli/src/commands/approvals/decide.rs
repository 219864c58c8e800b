//! `creto approvals approve`, `deny`, `escalate` and `ask`: votes, each with the digest of what was shown.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use clap::Args;
use creto_proto::v1;
use serde_json::json;

use super::describe::{SHORT, brief, digest};
use super::find;
use crate::failure::{Failure, Outcome, exit};
use crate::operator::{Operator, refused};
use crate::output::remark;
use crate::plain;
use crate::session::Session;
use crate::span::Span;

/// Most requests that one command decides.
const MOST: usize = 100;

/// Options of `approve`.
#[derive(Args, Debug)]
pub(crate) struct ApproveArgs {
    /// The requests.
    #[arg(required = true, value_name = "ID", num_args = 1..=MOST)]
    ids: Vec<String>,
    /// Why, for the record.
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
    /// How often each call may go out, as far as policy lets it.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    uses: u32,
    /// How long the approval holds: 10m, 1h; default as long as policy lets it.
    #[arg(long = "for", value_name = "SPAN")]
    holds: Option<Span>,
    /// Approve only what has this digest.
    #[arg(long, value_name = "sha256:HEX")]
    digest: Option<String>,
    /// Do not ask: what is shown is what is approved.
    #[arg(long)]
    yes: bool,
}

/// Options of `deny` and `escalate`.
#[derive(Args, Debug)]
pub(crate) struct DenyArgs {
    /// The requests.
    #[arg(required = true, value_name = "ID", num_args = 1..=MOST)]
    ids: Vec<String>,
    /// Why; the agent reads the reason of a denial.
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
}

/// Approves what the person says yes to.
///
/// # Errors
/// When something cannot be shown, nobody can be asked, or the control plane refuses all.
pub(super) async fn approve(session: &Session, operator: &Operator, args: ApproveArgs) -> Outcome<u8> {
    if args.digest.is_some() && args.ids.len() > 1 {
        return Err(Failure::new("A digest is of one request.")
            .next("Approve them one by one.")
            .code(exit::USAGE));
    }
    if !args.yes && !io::stdin().is_terminal() {
        return Err(Failure::new("Nothing is approved: nobody can be asked.")
            .why("standard input is no terminal")
            .next("Look at the requests with `creto approvals show`, then give --yes; --digest pins what you saw."));
    }
    let mut decisions = Vec::new();
    for approval in all(operator, &args.ids).await? {
        if args.digest.as_ref().is_some_and(|pinned| *pinned != digest(&approval)) {
            return Err(Failure::new(format!("The request {} has another digest.", approval.id))
                .why(digest(&approval))
                .next("`creto approvals show` shows what it is for."));
        }
        remark(&format!("\n{}", brief(&approval, jiff::Timestamp::now().as_millisecond())));
        if args.yes || agreed()? {
            let for_ms = args.holds.map_or(0, |span| u64::try_from(span.millis()).unwrap_or(0));
            let decision = decision(&approval, "approve", &args.reason);
            decisions.push(v1::ApprovalDecision { uses: args.uses, for_ms, ..decision });
        }
    }
    send(session, operator, decisions).await
}

/// Denies.
///
/// # Errors
/// As [`approve`].
pub(super) async fn deny(session: &Session, operator: &Operator, args: DenyArgs) -> Outcome<u8> {
    said(session, operator, args, "deny").await
}

/// Lets the next tier decide.
///
/// # Errors
/// As [`approve`].
pub(super) async fn escalate(session: &Session, operator: &Operator, args: DenyArgs) -> Outcome<u8> {
    said(session, operator, args, "escalate").await
}

/// Asks something before deciding.
///
/// # Errors
/// As [`approve`].
pub(super) async fn ask(
    session: &Session,
    operator: &Operator,
    named: &str,
    question: String,
) -> Outcome<u8> {
    said(session, operator, DenyArgs { ids: vec![named.to_owned()], reason: question }, "request_info").await
}

async fn said(session: &Session, operator: &Operator, args: DenyArgs, what: &str) -> Outcome<u8> {
    let found = all(operator, &args.ids).await?;
    let decisions = found.iter().map(|approval| decision(approval, what, &args.reason)).collect();
    send(session, operator, decisions).await
}

async fn all(operator: &Operator, named: &[String]) -> Outcome<Vec<v1::Approval>> {
    let mut found: Vec<v1::Approval> = Vec::new();
    for named in named {
        let approval = find::whole(operator, named).await?;
        if !found.iter().any(|known| known.id == approval.id) {
            found.push(approval);
        }
    }
    Ok(found)
}

fn decision(approval: &v1::Approval, what: &str, reason: &str) -> v1::ApprovalDecision {
    v1::ApprovalDecision {
        id: approval.id.clone(),
        digest: approval.digest.clone(),
        decision: what.to_owned(),
        reason: reason.to_owned(),
        uses: 0,
        for_ms: 0,
    }
}

/// Whether the person at the terminal says yes.
fn agreed() -> Outcome<bool> {
    let failed =
        |error: io::Error| Failure::new("The terminal cannot be asked.").why(error).next("Give --yes.");
    let mut out = io::stderr().lock();
    out.write_all(b"Approve exactly this? [y/N] ").and_then(|()| out.flush()).map_err(failed)?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(failed)?;
    Ok(matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

async fn send(session: &Session, operator: &Operator, decisions: Vec<v1::ApprovalDecision>) -> Outcome<u8> {
    if decisions.is_empty() {
        session.output.list(&["id", "state", "refused"], &[])?;
        return Ok(exit::FAILED);
    }
    let request = v1::DecideApprovalsRequest { namespace: operator.namespace.clone(), decisions };
    let answer = operator.client.approvals().decide_approvals(request).await;
    let answer = answer.map_err(|status| refused("Nothing is decided.", &status))?.into_inner();
    let rows: Vec<_> = answer
        .decided
        .iter()
        .map(|one| {
            let cells =
                vec![one.id.chars().take(SHORT).collect(), one.state.clone(), plain::line(&one.refused)];
            (cells, json!({ "id": one.id, "state": one.state, "refused": one.refused }))
        })
        .collect();
    session.output.list(&["id", "state", "refused"], &rows)?;
    let any_refused = answer.decided.iter().any(|one| !one.refused.is_empty());
    Ok(if any_refused { exit::FAILED } else { 0 })
}
