//! Several requests at once: each is shown whole, and each is decided by its own digest.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use creto_oversight::{Decision, RequestId};
use http::{StatusCode, Uri};

use super::approval::{PRESETS, place};
use super::decide::{forged_digest, reason, vote};
use super::may::May;
use super::{Frame, id_of, told};
use crate::answer::{Problem, held, page};
use crate::bounds::{MAX_REVIEW_BYTES, MAX_REVIEWED};
use crate::form::Fields;
use crate::people::SignedIn;
use crate::posted::{Posted, Visitor};
use crate::shared::{Shared, now};
use crate::shown::{Item, body_bytes};

#[derive(Template)]
#[template(path = "review.html")]
struct ReviewPage {
    frame: Frame,
    /// Each with why it cannot be decided here; nothing when it can.
    items: Vec<(Item, &'static str)>,
    open: usize,
    presets: [&'static str; 5],
}

/// `GET /review?id=..&id=..`
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Visitor(who): Visitor,
    uri: Uri,
) -> Result<Response, Response> {
    match whole(&shared, &who, &uri).await {
        Ok(answer) => Ok(answer),
        Err(problem) => Err(told(&shared, &who, problem, "/").await),
    }
}

async fn whole(shared: &Shared, who: &SignedIn, uri: &Uri) -> Result<Response, Problem> {
    let query = Fields::parse(uri.query().unwrap_or_default().as_bytes()).unwrap_or_default();
    let ids = chosen(query.all("id").map(id_of))?;
    let place = place(shared).await?;
    let (mut items, mut bytes, now_ms) = (Vec::new(), 0, now());
    for id in ids {
        let kept = shared.desk.get(&who.namespace, id).await?;
        bytes += body_bytes(&kept);
        if bytes > MAX_REVIEW_BYTES {
            let text = "What was chosen is too much for one page: choose fewer, or look at them one by one.";
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "Choose fewer", text));
        }
        let may = May::of(who, &kept, now_ms);
        let why_not = match (may.vote, may.why_not) {
            (true, _) => "",
            (false, "") => "It is decided already.",
            (false, why_not) => why_not,
        };
        items.push((Item::new(kept), why_not));
    }
    let open = items.iter().filter(|(_, why_not)| why_not.is_empty()).count();
    let frame = Frame::of(shared, who).await?;
    Ok(held(page(StatusCode::OK, &ReviewPage { frame, items, open, presets: PRESETS }), place))
}

#[derive(Template)]
#[template(path = "outcome.html")]
struct OutcomePage {
    frame: Frame,
    decision: &'static str,
    /// Each with where it leads, and what went wrong; nothing when it counted.
    outcomes: Vec<(RequestId, String)>,
    counted: usize,
}

/// `POST /review`
pub(super) async fn decide(State(shared): State<Arc<Shared>>, posted: Posted) -> Response {
    match all(&shared, &posted).await {
        Ok(answer) => answer,
        Err(problem) => told(&shared, &posted.by, problem, "/").await,
    }
}

async fn all(shared: &Shared, posted: &Posted) -> Result<Response, Problem> {
    posted.acts()?;
    let (decision, said) = match posted.form.one("decision") {
        "approve" => (Decision::APPROVE_ONCE, "approved"),
        "deny" => (Decision::Deny, "denied"),
        _ => {
            let text = "Say whether to approve or to deny. Nothing was decided.";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "That cannot be", text));
        }
    };
    let item = |item: &str| {
        let (id, digest) = item.split_once(' ').ok_or_else(forged_digest)?;
        Ok((id_of(id)?, digest.parse().map_err(|_| forged_digest())?))
    };
    // All of them are read before any is decided.
    let items = chosen(posted.form.all("item").map(item))?;
    let reason = reason(&posted.form);
    let mut outcomes = Vec::new();
    for (id, shown) in items {
        let voted = vote(shared, &posted.by, id, decision.clone(), reason.clone(), shown).await;
        outcomes.push((id, voted.err().map_or_else(String::new, |problem| problem.text)));
    }
    let counted = outcomes.iter().filter(|(_, wrong)| wrong.is_empty()).count();
    let frame = Frame::of(shared, &posted.by).await?;
    Ok(page(StatusCode::OK, &OutcomePage { frame, decision: said, outcomes, counted }))
}

/// What was chosen: some, and not more than one page takes.
fn chosen<T>(chosen: impl Iterator<Item = Result<T, Problem>>) -> Result<Vec<T>, Problem> {
    let chosen = chosen.take(MAX_REVIEWED + 1).collect::<Result<Vec<T>, Problem>>()?;
    match chosen.len() {
        0 => {
            let text = "No request was chosen: check some in the inbox first.";
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "Nothing chosen", text))
        }
        some if some > MAX_REVIEWED => {
            let text = format!("At most {MAX_REVIEWED} requests are reviewed on one page: choose fewer.");
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "Choose fewer", text))
        }
        _ => Ok(chosen),
    }
}
