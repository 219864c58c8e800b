//! The pages.

mod approval;
mod decide;
mod inbox;
mod insights;
mod judged;
mod may;
mod review;
mod sign_in;

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use creto_oversight::RequestId;

use crate::answer::Problem;
use crate::people::SignedIn;
use crate::shared::Shared;

/// All of them. What is reached with `POST` takes a [`crate::posted::Posted`], signing in excepted, which has no session to ask for.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(inbox::show))
        .route("/waiting", get(inbox::waiting))
        .route("/sign-in", get(sign_in::show).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/approvals/{id}", get(approval::show))
        .route("/approvals/{id}/standing", get(approval::standing))
        .route("/approvals/{id}/{step}", post(decide::decide))
        .route("/review", get(review::show).post(review::decide))
        .route("/insights", get(insights::show))
        .route("/assets/{name}", get(|Path(name): Path<String>| async move { crate::assets::asset(&name) }))
        .fallback(|| async { Problem::not_found().into_response() })
        .with_state(shared)
}

/// What is around every page: who is signed in, and how many requests wait.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) person: String,
    pub(crate) role: &'static str,
    pub(crate) namespace: String,
    pub(crate) waiting: u64,
    pub(crate) token: String,
}

impl Frame {
    /// Nobody is signed in.
    pub(crate) fn nobody() -> Self {
        Self { person: String::new(), role: "", namespace: String::new(), waiting: 0, token: String::new() }
    }

    pub(crate) async fn of(shared: &Shared, who: &SignedIn) -> Result<Self, Problem> {
        Ok(Self {
            person: who.person.to_string(),
            role: who.role.name(),
            namespace: who.namespace.clone(),
            waiting: shared.desk.open(&who.namespace).await?,
            token: who.token.form_token(),
        })
    }

    pub(crate) fn is_somebody(&self) -> bool {
        !self.person.is_empty()
    }
}

/// A problem, inside the frame of whoever is signed in.
async fn told(shared: &Shared, who: &SignedIn, problem: Problem, back: &str) -> Response {
    let frame = Frame::of(shared, who).await.unwrap_or_else(|_| Frame::nobody());
    problem.page(frame, back)
}

/// The id in a path, in its one spelling.
fn id_of(text: &str) -> Result<RequestId, Problem> {
    let id = text.parse::<RequestId>().ok().filter(|id| id.to_string() == text);
    id.ok_or_else(Problem::not_found)
}
