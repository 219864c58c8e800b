//! What people say about one request: every step that a form makes.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use creto_oversight::{ActionDigest, Ballot, Channel, Decision, Person, RequestId};
use http::StatusCode;

use super::may::May;
use super::{id_of, told};
use crate::answer::{Problem, see};
use crate::form::Fields;
use crate::people::SignedIn;
use crate::posted::Posted;
use crate::shared::{Shared, now};

/// `POST /approvals/{id}/{step}`
pub(super) async fn decide(
    State(shared): State<Arc<Shared>>,
    Path((id, step)): Path<(String, String)>,
    posted: Posted,
) -> Response {
    match step_of(&shared, &id, &step, &posted).await {
        Ok(id) => see(&format!("/approvals/{id}")),
        Err(problem) => {
            let back = id_of(&id).map_or_else(|_| "/".to_owned(), |id| format!("/approvals/{id}"));
            told(&shared, &posted.by, problem, &back).await
        }
    }
}

async fn step_of(shared: &Shared, id: &str, step: &str, posted: &Posted) -> Result<RequestId, Problem> {
    posted.acts()?;
    let (id, form, by) = (id_of(id)?, &posted.form, &posted.by);
    let decision = match step {
        "approve" => Decision::Approve { uses: number(form, "uses", 1)?, for_ms: number(form, "for_ms", 0)? },
        "deny" => Decision::Deny,
        "ask" => Decision::RequestInfo,
        "escalate" => Decision::Escalate,
        _ => return other(shared, id, step, posted).await,
    };
    let shown = form.one("digest").parse().map_err(|_| forged_digest())?;
    vote(shared, by, id, decision, reason(form), shown).await?;
    Ok(id)
}

/// A vote, with the digest of what was shown.
pub(super) async fn vote(
    shared: &Shared,
    by: &SignedIn,
    id: RequestId,
    decision: Decision,
    reason: Option<String>,
    shown: ActionDigest,
) -> Result<(), Problem> {
    let ballot = Ballot { person: by.person.clone(), decision, reason, channel: Channel::Page, shown };
    shared.desk.vote(&by.namespace, id, ballot, now()).await?;
    Ok(())
}

pub(super) fn forged_digest() -> Problem {
    let text = "The form does not say what was shown. Nothing was decided: load the page again.";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "Load the page again", text)
}

/// Steps that are no votes.
async fn other(shared: &Shared, id: RequestId, step: &str, posted: &Posted) -> Result<RequestId, Problem> {
    let (form, by, now_ms) = (&posted.form, &posted.by, now());
    let (namespace, person) = (by.namespace.as_str(), by.person.as_str());
    let kept = shared.desk.summary(namespace, id).await?;
    let may = May::of(by, &kept, now_ms);
    let refused = || {
        let text = "That is not yours to do with this request as it stands now.";
        Problem::new(StatusCode::FORBIDDEN, "Not yours to do", text)
    };
    match step {
        "answer" if may.answer => {
            shared.desk.answer(namespace, id, (form.one("text"), person), now_ms).await?;
        }
        "reassign" => {
            let named = |name: &str| form.one(name).parse::<Person>().map_err(|_| refused());
            let (from, to) = (named("from")?, named("to")?);
            let open = May::to(&kept, shared.people.list(namespace).await?);
            if !may.from.contains(&from) || !open.contains(&to) {
                return Err(refused());
            }
            shared.desk.reassign(namespace, id, (&from, &to, person), now_ms).await?;
        }
        "cancel" if may.cancel => {
            let reason = reason(form).unwrap_or_else(|| format!("cancelled by {person}"));
            shared.desk.cancel(namespace, id, (bounded(&reason)?, person), now_ms).await?;
        }
        "revoke" if may.revoke => {
            let reason = reason(form).unwrap_or_else(|| format!("taken back by {person}"));
            shared.desk.revoke(namespace, id, (bounded(&reason)?, person), now_ms).await?;
        }
        "answer" | "cancel" | "revoke" => return Err(refused()),
        _ => return Err(Problem::not_found()),
    }
    Ok(id)
}

/// The reason that was chosen, with what was written beside it.
pub(super) fn reason(form: &Fields) -> Option<String> {
    let (preset, written) = (form.one("preset").trim(), form.one("reason").trim());
    let reason = match (preset, written) {
        ("", "") => return None,
        (preset, "") => preset.to_owned(),
        ("", written) => written.to_owned(),
        (preset, written) => format!("{preset}: {written}"),
    };
    Some(reason)
}

fn bounded(reason: &str) -> Result<&str, Problem> {
    let most = creto_oversight::MAX_REASON_BYTES;
    if reason.len() > most {
        let text = format!("A reason has at most {most} bytes: write less.");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "Too much", text));
    }
    Ok(reason)
}

fn number<T: std::str::FromStr>(form: &Fields, name: &str, otherwise: T) -> Result<T, Problem> {
    match form.one(name).trim() {
        "" => Ok(otherwise),
        text => text.parse().map_err(|_| {
            let text = "How often and for how long are whole numbers. Nothing was decided.";
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "That cannot be", text)
        }),
    }
}
