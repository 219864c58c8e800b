//! Answers: pages, redirections, and pages that say what went wrong.

use std::pin::Pin;
use std::task::{Context, Poll};

use askama::Template;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use creto_approvals::ApprovalError;
use creto_oversight::VoteError;
use http::{HeaderValue, StatusCode, header};
use http_body::Frame as BodyFrame;
use tokio::sync::OwnedSemaphorePermit;

use crate::pages::Frame;
use crate::people::PeopleError;

/// A page, made.
pub(crate) fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => html_of(status, html.into()),
        Err(error) => {
            tracing::error!(%error, "a page cannot be made");
            html_of(StatusCode::INTERNAL_SERVER_ERROR, Body::from("The page cannot be made."))
        }
    }
}

/// A page that holds a place for as long as it is being sent.
pub(crate) fn held(answer: Response, place: OwnedSemaphorePermit) -> Response {
    answer.map(|body| Body::new(Held { body, _place: place }))
}

struct Held {
    body: Body,
    _place: OwnedSemaphorePermit,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

fn html_of(status: StatusCode, body: Body) -> Response {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    answer
}

/// Look there next, with `GET`.
pub(crate) fn see(path: &str) -> Response {
    let mut answer = StatusCode::SEE_OTHER.into_response();
    if let Ok(path) = HeaderValue::from_str(path) {
        answer.headers_mut().insert(header::LOCATION, path);
    }
    answer
}

/// What went wrong, for people.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) title: &'static str,
    pub(crate) text: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, title: &'static str, text: impl Into<String>) -> Self {
        Self { status, title, text: text.into() }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not there", "There is no such page.")
    }

    /// With a way back.
    pub(crate) fn page(self, frame: Frame, back: &str) -> Response {
        page(self.status, &ProblemPage { problem: &self, frame, back })
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status;
        self.page(Frame::nobody(), if status == StatusCode::NOT_FOUND { "/" } else { "" })
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'p> {
    problem: &'p Problem,
    frame: Frame,
    back: &'p str,
}

impl From<ApprovalError> for Problem {
    fn from(error: ApprovalError) -> Self {
        let (status, title) = match &error {
            ApprovalError::NotFound(_) => (StatusCode::NOT_FOUND, "Not there"),
            ApprovalError::Illegal { .. } => (StatusCode::CONFLICT, "It has moved on"),
            ApprovalError::Contended => (StatusCode::CONFLICT, "Others were faster"),
            ApprovalError::Vote(error) => of_vote(error),
            ApprovalError::Reassign(creto_oversight::ReassignError::Vote(error)) => of_vote(error),
            ApprovalError::Reassign(_) | ApprovalError::Person(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "That cannot be")
            }
            _ => {
                // What a store says of itself is for the log.
                tracing::error!(%error, "approvals cannot be read or written");
                return Self::away();
            }
        };
        Self::new(status, title, error.to_string())
    }
}

impl From<PeopleError> for Problem {
    fn from(error: PeopleError) -> Self {
        match error {
            PeopleError::Busy => Self::new(StatusCode::SERVICE_UNAVAILABLE, "Busy", error.to_string()),
            error => {
                tracing::error!(%error, "accounts cannot be read or written");
                Self::away()
            }
        }
    }
}

impl Problem {
    fn away() -> Self {
        let text = "The store does not answer. Nothing has changed; try again in a moment.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "Not now", text)
    }
}

fn of_vote(error: &VoteError) -> (StatusCode, &'static str) {
    match error {
        VoteError::NotAsked(_) => (StatusCode::FORBIDDEN, "You are not asked"),
        VoteError::OwnRequest(_) => (StatusCode::FORBIDDEN, "It is your own request"),
        VoteError::VotedBefore { .. } => (StatusCode::CONFLICT, "You have decided already"),
        VoteError::Expired { .. } => (StatusCode::CONFLICT, "Too late"),
        VoteError::ShownAnother { .. } => (StatusCode::CONFLICT, "Something else was shown"),
        VoteError::AskedAlready(_)
        | VoteError::NoNextTier
        | VoteError::BeyondPolicy { .. }
        | VoteError::Reason => (StatusCode::UNPROCESSABLE_ENTITY, "That cannot be"),
    }
}
