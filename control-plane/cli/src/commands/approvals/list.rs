//! `creto approvals list`.

use clap::Args;
use creto_proto::v1;

use super::describe::{SHORT, awaited, left, to_json};
use super::find;
use crate::failure::Outcome;
use crate::operator::Operator;
use crate::plain;
use crate::session::Session;

/// Longest cell of a table; `show` has all of it.
const LONGEST: usize = 60;

/// Options of `list`.
#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// The newest 500 in this state, decided ones too.
    #[arg(long, value_parser = [
        "pending", "escalated", "info_requested", "approved", "executing", "executed", "ambiguous", "denied",
        "timed_out", "cancelled", "revoked",
    ])]
    state: Option<String>,
    /// The newest 500 in any state.
    #[arg(long, conflicts_with = "state")]
    all: bool,
}

/// Lists.
///
/// # Errors
/// When the control plane refuses.
pub(super) async fn run(session: &Session, operator: &Operator, args: ListArgs) -> Outcome {
    let inbox = !args.all && args.state.is_none();
    let found = find::listed(operator, inbox, args.state.as_deref().unwrap_or_default()).await?;
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let rows: Vec<_> = found.iter().map(|approval| (cells(approval, now_ms), to_json(approval))).collect();
    session.output.list(&["id", "state", "agent", "what", "why held", "decide", "left"], &rows)
}

fn cells(approval: &v1::Approval, now_ms: i64) -> Vec<String> {
    let context = approval.context.clone().unwrap_or_default();
    vec![
        approval.id.chars().take(SHORT).collect(),
        approval.state.clone(),
        plain::cut(&approval.agent_name, LONGEST),
        plain::cut(&context.action, LONGEST),
        plain::cut(&context.trigger, LONGEST),
        plain::cut(&awaited(approval).join(","), LONGEST),
        left(approval, now_ms),
    ]
}
