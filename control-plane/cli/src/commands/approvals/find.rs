//! Requests by their id, or its first digits.

use creto_proto::v1;

use crate::failure::{Failure, Outcome};
use crate::operator::{Operator, refused};

/// Digits of an id.
const DIGITS: usize = 32;
/// Fewest digits that name a request.
const FEWEST: usize = 6;

/// Requests of the namespace: those people decide now, or the newest 500, in one state or all.
///
/// # Errors
/// When the control plane refuses.
pub(super) async fn listed(operator: &Operator, inbox: bool, state: &str) -> Outcome<Vec<v1::Approval>> {
    let request = v1::ListApprovalsRequest {
        namespace: operator.namespace.clone(),
        inbox,
        state: state.to_owned(),
        page_size: 0,
    };
    let answer = operator.client.approvals().list_approvals(request).await;
    let answer = answer.map_err(|status| refused("The requests cannot be listed.", &status))?;
    Ok(answer.into_inner().approvals)
}

/// The id that is named.
///
/// # Errors
/// When nothing or more than one is.
pub(super) async fn id(operator: &Operator, named: &str) -> Outcome<String> {
    let named = named.to_ascii_lowercase();
    let list = "`creto approvals list --all` shows the requests with their ids.";
    if !named.bytes().all(|byte| byte.is_ascii_hexdigit()) || !(FEWEST..=DIGITS).contains(&named.len()) {
        return Err(Failure::new(format!("'{}' names no request.", crate::plain::cut(&named, DIGITS)))
            .why(format!("an id has {DIGITS} hexadecimal digits; {FEWEST} or more of its first name it too"))
            .next(list));
    }
    if named.len() == DIGITS {
        return Ok(named);
    }
    let mut found: Vec<String> = Vec::new();
    for inbox in [true, false] {
        let all = listed(operator, inbox, "").await?.into_iter().map(|one| one.id);
        found.extend(all.filter(|id| id.starts_with(&named)));
    }
    found.sort();
    found.dedup();
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(Failure::new(format!("There is no request {named}… among those open and the newest 500."))
            .next(format!("Give the whole id. {list}"))),
        several => Err(Failure::new(format!("{} requests begin with {named}.", several.len()))
            .why(several.join(", "))
            .next("Give more digits.")),
    }
}

/// A request with everything to review.
///
/// # Errors
/// When there is none, or the control plane refuses.
pub(super) async fn whole(operator: &Operator, named: &str) -> Outcome<v1::Approval> {
    let id = id(operator, named).await?;
    let request = v1::GetApprovalRequest { namespace: operator.namespace.clone(), id: id.clone() };
    let answer = operator.client.approvals().get_approval(request).await;
    answer
        .map(tonic::Response::into_inner)
        .map_err(|status| refused(format!("The request {id} cannot be shown."), &status))
}
