//! The answer to a refused call. One place: codes, statuses and words stand in `creto_call::RefusalCode`; the files
//! beside this one put them into the form that the caller's SDK reads.

mod anthropic;
mod aws;
mod google;
mod grpc;
mod json_rpc;
mod openai;
mod problem;

use std::num::NonZero;
use std::sync::Arc;

use bytes::Bytes;
use creto_call::{Dialect, RefusalCode};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use http::{Response, StatusCode};
pub(crate) use json_rpc::Asker;
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
    /// Seconds after which the same call may do better, when they are known.
    pub(crate) retry_after_s: Option<NonZero<u32>>,
    /// What people are asked, for a call that waits for them.
    pub(crate) waits: Option<Box<Waits>>,
}

impl Refused {
    pub(crate) fn of(code: RefusalCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            policy: String::new(),
            rule: String::new(),
            detail: detail.into(),
            retry_after_s: None,
            waits: None,
        }
    }

    /// One text that says it all, for forms that have room for one.
    fn message(&self, call_id: &str) -> String {
        let mut text = format!("{} [creto: {}", self.code.title(), self.code.as_str());
        if !self.rule.is_empty() {
            text.push_str(&format!(" by rule {}/{}", self.policy, self.rule));
        }
        text.push_str("] ");
        if !self.detail.is_empty() {
            text.push_str(&format!("({}) ", self.detail));
        }
        text.push_str(self.code.next_step());
        if !call_id.is_empty() {
            text.push_str(&format!(" Call {call_id}."));
        }
        text
    }

    /// Whether the same call may do better in a moment, and has not been acted on.
    fn is_passing(&self) -> bool {
        matches!(
            self.code,
            RefusalCode::NoPolicy
                | RefusalCode::PolicyExpired
                | RefusalCode::RecordUnavailable
                | RefusalCode::Overloaded
                | RefusalCode::CredentialUnavailable
                | RefusalCode::NameUnresolved
                | RefusalCode::UpstreamUnreachable
                | RefusalCode::QuotaUnavailable
                | RefusalCode::ApprovalUnavailable
        )
    }
}

/// A request for approval that a call waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waits {
    pub(crate) id: String,
    /// `pending`, `escalated`, `info_requested`, `executing`.
    pub(crate) status: String,
    /// Where its standing is told.
    pub(crate) status_url: String,
    /// Milliseconds since 1970.
    pub(crate) expires_at_ms: i64,
}

/// How a caller is spoken to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Voice {
    pub(crate) dialect: Dialect,
    /// For JSON-RPC, once the request has been read.
    pub(crate) asker: Option<Arc<Asker>>,
}

impl From<Dialect> for Voice {
    fn from(dialect: Dialect) -> Self {
        Self { dialect, asker: None }
    }
}

/// What every form can carry beside its own fields.
#[derive(Serialize)]
struct Facts<'a> {
    code: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    policy: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    rule: &'a str,
    next_step: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    call_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    approval: Option<Approval<'a>>,
}

/// What a client needs to come back for a call that waits for people.
#[derive(Serialize)]
struct Approval<'a> {
    operation_id: &'a str,
    status: &'a str,
    status_url: &'a str,
    terminal: bool,
    retry_original_request: bool,
    /// Milliseconds since 1970.
    expires_at_ms: i64,
}

impl<'a> Facts<'a> {
    fn of(refused: &'a Refused, call_id: &'a str) -> Self {
        let code = refused.code;
        Self {
            code: code.as_str(),
            policy: &refused.policy,
            rule: &refused.rule,
            next_step: code.next_step(),
            call_id,
            approval: refused.waits.as_deref().map(|waits| Approval {
                operation_id: &waits.id,
                status: &waits.status,
                status_url: &waits.status_url,
                terminal: false,
                retry_original_request: true,
                expires_at_ms: waits.expires_at_ms,
            }),
        }
    }
}

/// The status of the answer. Only plain HTTP has one for what is under way: SDKs of models would read 202 as an answer of the
/// model.
pub(crate) fn status(refused: &Refused, voice: &Voice) -> u16 {
    if refused.waits.is_some() && voice.dialect == Dialect::Problem { 202 } else { refused.code.status() }
}

/// The answer, in the form that the caller's protocol reads.
pub(crate) fn answer(refused: &Refused, voice: &Voice, call_id: &str) -> Response<AnswerBody> {
    let code = refused.code;
    let status = StatusCode::from_u16(status(refused, voice)).unwrap_or(StatusCode::FORBIDDEN);
    let mut response = match voice.dialect {
        Dialect::Problem => {
            // What is under way is no problem.
            let content_type =
                if refused.waits.is_some() { "application/json" } else { "application/problem+json" };
            json(status, content_type, &problem::Body::of(refused, call_id))
        }
        Dialect::Grpc => grpc::response(refused),
        Dialect::OpenAi => json(status, "application/json", &openai::Body::of(refused, call_id)),
        Dialect::Anthropic => json(status, "application/json", &anthropic::Body::of(refused, call_id)),
        Dialect::Google => json(status, "application/json", &google::Body::of(refused, call_id)),
        Dialect::Aws => aws::response(status, refused, call_id),
        Dialect::JsonRpc => json_rpc::response(status, refused, voice.asker.as_deref(), call_id),
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("creto-refused", HeaderValue::from_static(code.as_str()));
    if let Some(waits) = &refused.waits {
        if let Ok(place) = HeaderValue::from_str(&waits.status_url) {
            headers.insert(LOCATION, place);
        }
        // Who repeats the call by itself waits on by that.
        headers.insert("x-should-retry", HeaderValue::from_static("true"));
    } else if !refused.is_passing() {
        // OpenAI's and Anthropic's SDKs repeat a call on many statuses unless told not to.
        headers.insert("x-should-retry", HeaderValue::from_static("false"));
    }
    if let Some(seconds) = refused.retry_after_s {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds.get()));
    }
    if let Ok(id) = HeaderValue::from_str(call_id)
        && !call_id.is_empty()
    {
        headers.insert("creto-call-id", id);
    }
    response
}

fn json(status: StatusCode, content_type: &'static str, body: &impl Serialize) -> Response<AnswerBody> {
    // Structs of strings and numbers always serialize.
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    let mut response = Response::new(AnswerBody::full(Bytes::from(bytes)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    const DIALECTS: [Dialect; 7] = [
        Dialect::Problem,
        Dialect::Grpc,
        Dialect::OpenAi,
        Dialect::Anthropic,
        Dialect::Google,
        Dialect::Aws,
        Dialect::JsonRpc,
    ];

    async fn read(response: Response<AnswerBody>) -> (u16, http::HeaderMap, String) {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (parts.status.as_u16(), parts.headers, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn every_refusal_says_code_rule_and_next_step_in_every_form() {
        for &code in RefusalCode::ALL {
            let refused = Refused {
                code,
                policy: "p".into(),
                rule: "r".into(),
                detail: "100% \"wrong\"\nand more".into(),
                retry_after_s: NonZero::new(7),
                waits: None,
            };
            for dialect in DIALECTS {
                let (status, headers, mut text) =
                    read(answer(&refused, &Voice::from(dialect), "s/1/2")).await;
                assert_eq!(headers["creto-refused"], code.as_str());
                assert_eq!(headers["creto-call-id"], "s/1/2");
                if dialect == Dialect::Grpc {
                    assert_eq!(status, 200, "gRPC says it in trailers");
                    text = headers["grpc-message"].to_str().unwrap().replace("%25", "%");
                } else {
                    assert_eq!(status, code.status(), "{dialect:?}");
                    serde_json::from_str::<serde_json::Value>(&text).unwrap();
                }
                for part in [code.as_str(), code.next_step()] {
                    let escaped = serde_json::to_string(part).unwrap();
                    let found = text.contains(part) || text.contains(escaped.trim_matches('"'));
                    // A code is in upper case where the form wants it so, and in its own beside it.
                    assert!(found, "{dialect:?} {}: {text}", code.as_str());
                }
            }
        }
    }

    #[tokio::test]
    async fn a_call_that_waits_is_told_where_and_when_to_come_back_in_every_form() {
        let waits = Waits {
            id: "0123".into(),
            status: "pending".into(),
            status_url: "http://127.0.0.1:15001/.creto/approvals/0123".into(),
            expires_at_ms: 7,
        };
        let refused = Refused {
            retry_after_s: NonZero::new(5),
            waits: Some(Box::new(waits)),
            ..Refused::of(RefusalCode::ApprovalPending, "request 0123: pending")
        };
        for dialect in DIALECTS {
            let (status, headers, text) = read(answer(&refused, &Voice::from(dialect), "s/1/2")).await;
            assert_eq!(headers["location"], "http://127.0.0.1:15001/.creto/approvals/0123", "{dialect:?}");
            assert_eq!(
                (&headers["retry-after"], &headers["cache-control"]),
                (&"5".parse().unwrap(), &"no-store".parse().unwrap())
            );
            assert_eq!(
                headers["x-should-retry"], "true",
                "{dialect:?}: an SDK that repeats calls waits on by it"
            );
            // What reads 202 as an answer of the service gets an error of its own form.
            let expected = match dialect {
                Dialect::Problem => 202,
                Dialect::Grpc => 200,
                _ => 403,
            };
            assert_eq!(status, expected, "{dialect:?}");
            if dialect != Dialect::Grpc {
                assert!(text.contains("0123") && text.contains("approval_pending"), "{dialect:?}: {text}");
            }
        }
    }

    #[tokio::test]
    async fn a_refused_json_rpc_request_is_answered_by_its_id_and_a_batch_by_all_of_them() {
        let refused = Refused::of(RefusalCode::RuleDenies, "x");
        let voice = |ids: &[&str], batch| {
            let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
            Voice { dialect: Dialect::JsonRpc, asker: Some(Arc::new(Asker::of_a2a(&ids, batch))) }
        };
        let (status, _, text) = read(answer(&refused, &voice(&["\"a\\u0022b\""], false), "")).await;
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, &json["id"], &json["error"]["code"]), (200, &"a\"b".into(), &403.into()));
        let (_, _, text) = read(answer(&refused, &voice(&["1", "2"], true), "")).await;
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&json[0]["id"], &json[1]["id"]), (&1.into(), &2.into()));
        let (status, _, text) = read(answer(&refused, &voice(&[], false), "")).await;
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (status, &json["id"]),
            (403, &serde_json::Value::Null),
            "a notification has no id to answer"
        );
    }
}
