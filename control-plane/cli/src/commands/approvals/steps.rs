//! `creto approvals answer`, `reassign`, `cancel` and `revoke`.

use clap::Args;
use creto_proto::v1;
use tonic::{Response, Status};

use super::describe::{SHORT, to_json};
use super::find;
use crate::failure::Outcome;
use crate::operator::{Operator, refused};
use crate::plain;
use crate::session::Session;

/// Options of `reassign`.
#[derive(Args, Debug)]
pub(crate) struct ReassignArgs {
    /// The request.
    id: String,
    /// Who is asked now: you, unless you are an admin.
    #[arg(long, value_name = "NAME")]
    from: String,
    /// Who decides instead.
    #[arg(long, value_name = "NAME")]
    to: String,
}

/// Options of `cancel` and `revoke`.
#[derive(Args, Debug)]
pub(crate) struct ReasonArgs {
    /// The request.
    id: String,
    /// Why.
    #[arg(long)]
    reason: String,
}

/// Answers the oldest open question.
///
/// # Errors
/// When there is none, or the control plane refuses.
pub(super) async fn answer(session: &Session, operator: &Operator, named: &str, text: String) -> Outcome {
    let (namespace, id) = (operator.namespace.clone(), find::id(operator, named).await?);
    let request = v1::AnswerApprovalRequest { namespace, id, text };
    told(session, "The answer is not kept.", operator.client.approvals().answer_approval(request).await)
}

/// Puts another person in the place of one.
///
/// # Errors
/// When the control plane refuses.
pub(super) async fn reassign(session: &Session, operator: &Operator, args: ReassignArgs) -> Outcome {
    let (namespace, id) = (operator.namespace.clone(), find::id(operator, &args.id).await?);
    let request = v1::ReassignApprovalRequest { namespace, id, from: args.from, to: args.to };
    told(
        session,
        "Nobody is put in another's place.",
        operator.client.approvals().reassign_approval(request).await,
    )
}

/// Ends a request.
///
/// # Errors
/// When it was decided, or the control plane refuses.
pub(super) async fn cancel(session: &Session, operator: &Operator, args: ReasonArgs) -> Outcome {
    let (namespace, id) = (operator.namespace.clone(), find::id(operator, &args.id).await?);
    let request = v1::CancelApprovalRequest { namespace, id, reason: args.reason };
    told(session, "The request is not cancelled.", operator.client.approvals().cancel_approval(request).await)
}

/// Takes an approval back.
///
/// # Errors
/// When it is none, or the control plane refuses.
pub(super) async fn revoke(session: &Session, operator: &Operator, args: ReasonArgs) -> Outcome {
    let (namespace, id) = (operator.namespace.clone(), find::id(operator, &args.id).await?);
    let request = v1::RevokeApprovalRequest { namespace, id, reason: args.reason };
    told(
        session,
        "The approval is not taken back.",
        operator.client.approvals().revoke_approval(request).await,
    )
}

fn told(session: &Session, failed: &str, answer: Result<Response<v1::Approval>, Status>) -> Outcome {
    let approval = answer.map_err(|status| refused(failed, &status))?.into_inner();
    let short: String = approval.id.chars().take(SHORT).collect();
    let text = format!("{short}  {}  {}", approval.state, plain::line(&approval.agent_name));
    session.output.value(&to_json(&approval), &text)
}
