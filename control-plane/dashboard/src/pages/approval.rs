//! One request: everything that would be approved, where it stands, and the forms that decide it.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use creto_approvals::Kept;
use creto_oversight::{MAX_REASON_BYTES, Person};
use http::StatusCode;

use super::may::May;
use super::{Frame, id_of, told};
use crate::answer::{Problem, held, page};
use crate::people::SignedIn;
use crate::posted::Visitor;
use crate::shared::{Shared, now};
use crate::shown::{Item, Standing, StepView, duration};

/// Reasons that are often the one.
pub(super) const PRESETS: [&str; 5] = [
    "Not expected now",
    "Wrong recipient or destination",
    "Too much: amount, scope or data",
    "It looks like the agent was talked into it",
    "Needs a ticket or another agreement first",
];

/// Lengths that an approval may be given for, in milliseconds, as far as policy lets them.
const LENGTHS: [u64; 7] =
    [300_000, 900_000, 3_600_000, 4 * 3_600_000, 86_400_000, 3 * 86_400_000, 7 * 86_400_000];

#[derive(Template)]
#[template(path = "approval.html")]
struct ApprovalPage {
    frame: Frame,
    item: Item,
    standing: Standing,
    /// The version that the page shows, which the standing is compared with.
    seen: i64,
    steps: Vec<StepView>,
    may: May,
    to: Vec<Person>,
    most_uses: u16,
    most: String,
    lengths: Vec<(u64, String)>,
    presets: [&'static str; 5],
    most_reason: usize,
    now_ms: u64,
}

/// `GET /approvals/{id}`
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Visitor(who): Visitor,
    Path(id): Path<String>,
) -> Result<Response, Response> {
    match whole(&shared, &who, &id).await {
        Ok(answer) => Ok(answer),
        Err(problem) => Err(told(&shared, &who, problem, "/").await),
    }
}

async fn whole(shared: &Shared, who: &SignedIn, id: &str) -> Result<Response, Problem> {
    let id = id_of(id)?;
    let place = place(shared).await?;
    let kept = shared.desk.get(&who.namespace, id).await?;
    let steps = shared.desk.steps(id, 0).await?.into_iter().map(StepView::new).collect();
    let now_ms = now();
    let may = May::of(who, &kept, now_ms);
    let to = if may.from.is_empty() {
        Vec::new()
    } else {
        May::to(&kept, shared.people.list(&who.namespace).await?)
    };
    let request = &kept.facts.request;
    let lengths = LENGTHS.into_iter().filter(|length| *length < request.most_ms);
    let shown = ApprovalPage {
        frame: Frame::of(shared, who).await?,
        standing: Standing::new(&kept, now_ms),
        seen: kept.version,
        steps,
        may,
        to,
        most_uses: request.most_uses,
        most: duration(request.most_ms),
        lengths: lengths.map(|length| (length, duration(length))).collect(),
        presets: PRESETS,
        most_reason: MAX_REASON_BYTES,
        now_ms,
        item: Item::new(kept),
    };
    Ok(held(page(StatusCode::OK, &shown), place))
}

/// Room for a page with whole requests in it.
pub(super) async fn place(shared: &Shared) -> Result<tokio::sync::OwnedSemaphorePermit, Problem> {
    let place = Arc::clone(&shared.whole_pages).acquire_owned().await;
    place.map_err(|_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Not now", "The page stops."))
}

#[derive(Template)]
#[template(path = "standing.html")]
struct StandingPart {
    standing: Standing,
    seen: i64,
}

/// `GET /approvals/{id}/standing?seen=N`: where it stands, which a page asks for again and again.
pub(super) async fn standing(
    State(shared): State<Arc<Shared>>,
    Visitor(who): Visitor,
    Path(id): Path<String>,
    uri: http::Uri,
) -> Result<Response, Problem> {
    let query = crate::form::Fields::parse(uri.query().unwrap_or_default().as_bytes()).unwrap_or_default();
    let seen = query.one("seen").parse().unwrap_or(0);
    let kept: Kept = shared.desk.summary(&who.namespace, id_of(&id)?).await?;
    let standing = Standing::new(&kept, now());
    // 286 is what tells htmx that nothing more will come.
    let over = StatusCode::from_u16(286).ok().filter(|_| kept.status.is_final());
    Ok(page(over.unwrap_or(StatusCode::OK), &StandingPart { standing, seen }))
}
