//! `creto approvals show`.

use super::describe::{to_json, whole};
use super::find;
use crate::failure::Outcome;
use crate::operator::Operator;
use crate::session::Session;

/// Shows everything.
///
/// # Errors
/// When the control plane refuses.
pub(super) async fn run(session: &Session, operator: &Operator, named: &str) -> Outcome {
    let approval = find::whole(operator, named).await?;
    let now_ms = jiff::Timestamp::now().as_millisecond();
    session.output.value(&to_json(&approval), &whole(&approval, now_ms))
}
