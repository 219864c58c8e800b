//! The list: what people decide, soonest to end first, or what was decided.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use creto_approvals::Selection;
use http::{StatusCode, Uri};

use super::Frame;
use crate::answer::{Problem, page};
use crate::bounds::{MAX_LISTED, MAX_REVIEWED};
use crate::form::Fields;
use crate::people::Role;
use crate::posted::Visitor;
use crate::shared::{Shared, now};
use crate::shown::{Row, state};

/// What may be chosen, beside `inbox` and `all`.
const STATES: [&str; 11] = [
    "pending",
    "escalated",
    "info_requested",
    "approved",
    "executing",
    "executed",
    "ambiguous",
    "denied",
    "timed_out",
    "cancelled",
    "revoked",
];

#[derive(Template)]
#[template(path = "inbox.html")]
struct InboxPage {
    frame: Frame,
    chosen: &'static str,
    states: Vec<(&'static str, &'static str)>,
    rows: Vec<Row>,
    /// Whether there are more than are listed.
    cut: bool,
    may_review: bool,
    most: usize,
    now_ms: u64,
}

/// `GET /`
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Visitor(who): Visitor,
    uri: Uri,
) -> Result<Response, Problem> {
    let query = Fields::parse(uri.query().unwrap_or_default().as_bytes()).unwrap_or_default();
    let wanted = query.one("state");
    let chosen = ["inbox", "all"].into_iter().chain(STATES).find(|known| *known == wanted).unwrap_or("inbox");
    let selection = Selection {
        inbox: chosen == "inbox",
        word: STATES.contains(&chosen).then(|| chosen.to_owned()),
        limit: MAX_LISTED + 1,
    };
    let mut found = shared.desk.list(&who.namespace, &selection).await?;
    let cut = found.len() > MAX_LISTED as usize;
    found.truncate(MAX_LISTED as usize);
    let now_ms = now();
    let rows: Vec<Row> = found.into_iter().map(|kept| Row::new(kept, &who.person, now_ms)).collect();
    let may_review = who.role != Role::Viewer && rows.iter().any(Row::is_open);
    let frame = Frame::of(&shared, &who).await?;
    let states = STATES.into_iter().map(|word| (word, state(word))).collect();
    Ok(page(
        StatusCode::OK,
        &InboxPage { frame, chosen, states, rows, cut, may_review, most: MAX_REVIEWED, now_ms },
    ))
}

#[derive(Template)]
#[template(path = "waiting.html")]
struct Waiting {
    frame: Frame,
}

/// `GET /waiting`: the bar's number, which a page asks for again and again.
pub(super) async fn waiting(State(shared): State<Arc<Shared>>, Visitor(who): Visitor) -> Response {
    match Frame::of(&shared, &who).await {
        Ok(frame) => page(StatusCode::OK, &Waiting { frame }),
        Err(problem) => problem.into_response(),
    }
}
