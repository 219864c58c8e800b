//! `creto approvals watch`.

use creto_proto::v1;
use tonic::Code;

use super::describe::{SHORT, step_json, step_line};
use crate::failure::Outcome;
use crate::operator::{Operator, refused};
use crate::output::Output;
use crate::plain;

/// Follows every step until it is ended.
///
/// # Errors
/// When the control plane refuses, goes away, or more happened than could be told.
pub(super) async fn run(output: Output, operator: &Operator) -> Outcome {
    let request = v1::WatchApprovalsRequest { namespace: operator.namespace.clone() };
    let answer = operator.client.approvals().watch_approvals(request).await;
    let mut stream =
        answer.map_err(|status| refused("The requests cannot be watched.", &status))?.into_inner();
    loop {
        match stream.message().await {
            Ok(Some(step)) => {
                let short: String = step.id.chars().take(SHORT).collect();
                let (agent, action) = (plain::line(&step.agent_name), plain::line(&step.action));
                output
                    .value(&step_json(&step), &format!("{short}  {}  {agent}  {action}", step_line(&step)))?;
            }
            Ok(None) => return Ok(()),
            Err(status) if status.code() == Code::ResourceExhausted => {
                return Err(refused("The watch missed some steps.", &status)
                    .next("`creto approvals list` shows where everything stands; then watch again."));
            }
            Err(status) => return Err(refused("The watch broke off.", &status)),
        }
    }
}
