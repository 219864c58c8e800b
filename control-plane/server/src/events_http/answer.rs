//! What is answered: results event by event, or a problem (RFC 9457).

use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};
use tonic::body::Body;

/// What became of one event.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Its place in the batch, from 0.
    pub(super) index: usize,
    pub(super) source: String,
    pub(super) id: String,
    /// `accepted`, `duplicate` or `rejected`.
    pub(super) status: &'static str,
    /// Machine code and what is wrong, of a rejected one.
    pub(super) problem: Option<(&'static str, String)>,
}

impl Item {
    /// One that could not be read.
    pub(super) fn refused(index: usize, code: &'static str, detail: String) -> Self {
        Self {
            index,
            source: String::new(),
            id: String::new(),
            status: "rejected",
            problem: Some((code, detail)),
        }
    }

    fn shown(&self) -> Value {
        let mut shown = json!({ "index": self.index, "status": self.status });
        if !self.id.is_empty() {
            shown["source"] = self.source.as_str().into();
            shown["id"] = self.id.as_str().into();
        }
        if let Some((code, detail)) = &self.problem {
            shown["code"] = (*code).into();
            shown["detail"] = detail.as_str().into();
        }
        shown
    }
}

/// 200 if all is well, 207 for a batch of which a part is not; an event alone that is rejected is a problem.
pub(super) fn results(items: &[Item], batch: bool) -> Result<Response<Body>, Problem> {
    if let (false, Some((code, detail))) = (batch, items.first().and_then(|item| item.problem.clone())) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, code, detail));
    }
    let of = |status: &str| items.iter().filter(|item| item.status == status).count();
    let (accepted, duplicate, rejected) = (of("accepted"), of("duplicate"), of("rejected"));
    let status = if rejected == 0 { StatusCode::OK } else { StatusCode::MULTI_STATUS };
    let items: Vec<Value> = items.iter().map(Item::shown).collect();
    let body = json!({ "accepted": accepted, "duplicate": duplicate, "rejected": rejected, "items": items });
    Ok(answer(status, "application/json", &body))
}

/// Why nothing was taken in.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), header: None }
    }

    pub(super) fn with(self, name: HeaderName, value: HeaderValue) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    pub(super) fn answer(self) -> Response<Body> {
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "code": self.code,
        });
        let mut answer = answer(self.status, "application/problem+json", &body);
        if let Some((name, value)) = self.header {
            answer.headers_mut().insert(name, value);
        }
        answer
    }
}

fn answer(status: StatusCode, content_type: &'static str, body: &Value) -> Response<Body> {
    let mut answer = Response::new(Body::new(body.to_string()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// Of a path that is not served over HTTP/1.1.
pub(crate) fn not_found() -> Response<Body> {
    Problem::new(
        StatusCode::NOT_FOUND,
        "not_found",
        "over HTTP/1.1 there is /v1/events only: the rest is gRPC",
    )
    .answer()
}
