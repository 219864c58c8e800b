//! The answer to a refused call. One place: codes, statuses and words stand in `creto_call::RefusalCode`.

use bytes::Bytes;
use creto_call::{Kind, RefusalCode};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use serde::Serialize;

use crate::http::body::AnswerBody;

/// A refusal that has left the policy it came from.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) code: RefusalCode,
    pub(crate) policy: String,
    pub(crate) rule: String,
    /// What exactly, beyond the code's own sentence; for the agent to read.
    pub(crate) detail: String,
}

impl Refused {
    pub(crate) fn of(code: RefusalCode, detail: impl Into<String>) -> Self {
        Self { code, policy: String::new(), rule: String::new(), detail: detail.into() }
    }
}

/// RFC 9457.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    policy: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    rule: &'a str,
    next_step: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    call_id: &'a str,
}

/// The answer, in the shape that the caller's protocol reads.
pub(crate) fn answer(refused: &Refused, kind: Kind, call_id: &str) -> Response<AnswerBody> {
    let code = refused.code;
    let mut response = if kind == Kind::Grpc {
        grpc(refused)
    } else {
        let problem = Problem {
            r#type: "about:blank",
            title: code.title(),
            status: code.status(),
            detail: &refused.detail,
            code: code.as_str(),
            policy: &refused.policy,
            rule: &refused.rule,
            next_step: code.next_step(),
            call_id,
        };
        // A struct of strings and numbers always serializes.
        let json = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = Response::new(AnswerBody::full(Bytes::from(json)));
        *response.status_mut() = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::FORBIDDEN);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("creto-refused", HeaderValue::from_static(code.as_str()));
    if let Ok(id) = HeaderValue::from_str(call_id)
        && !call_id.is_empty()
    {
        headers.insert("creto-call-id", id);
    }
    response
}

/// Trailers-only, as gRPC over HTTP/2 has it for an immediate error.
fn grpc(refused: &Refused) -> Response<AnswerBody> {
    let status = match refused.code.status() {
        400 => 3,
        403 | 421 => 7,
        404 | 501 => 12,
        504 => 4,
        _ => 14,
    };
    let mut text = format!("{} [{}", refused.code.title(), refused.code.as_str());
    if !refused.rule.is_empty() {
        text.push_str(&format!(" by rule {}/{}", refused.policy, refused.rule));
    }
    text.push_str(&format!("] {}", refused.code.next_step()));
    let mut response = Response::new(AnswerBody::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from(status));
    if let Ok(message) = HeaderValue::from_str(&percent_encode(&text)) {
        headers.insert("grpc-message", message);
    }
    response
}

/// The encoding of `grpc-message`: printable ASCII but `%` as it is.
fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if (0x20..0x7f).contains(&byte) && byte != b'%' {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
