//! How people decide: by policy and by person, from the newest requests.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use creto_approvals::Selection;
use http::StatusCode;

use super::Frame;
use super::judged::{Judged, Quick, judge};
use crate::answer::{Problem, page};
use crate::bounds::{MAX_INSIGHTS, MIN_JUDGED, QUICK_MS};
use crate::posted::Visitor;
use crate::shared::Shared;

#[derive(Template)]
#[template(path = "insights.html")]
struct InsightsPage {
    frame: Frame,
    looked_at: usize,
    most: u32,
    least: usize,
    quick_s: u64,
    policies: Vec<Judged>,
    people: Vec<Judged>,
    quick: Vec<Quick>,
}

/// `GET /insights`
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Visitor(who): Visitor,
) -> Result<Response, Problem> {
    let newest = Selection { limit: MAX_INSIGHTS, ..Selection::default() };
    let found = shared.desk.list(&who.namespace, &newest).await?;
    let (policies, people, quick) = judge(&found);
    let shown = InsightsPage {
        frame: Frame::of(&shared, &who).await?,
        looked_at: found.len(),
        most: MAX_INSIGHTS,
        least: MIN_JUDGED,
        quick_s: QUICK_MS / 1_000,
        policies,
        people,
        quick,
    };
    Ok(page(StatusCode::OK, &shown))
}
