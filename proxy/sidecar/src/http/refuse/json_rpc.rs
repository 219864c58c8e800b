//! A JSON-RPC error for each id of the request, as MCP and A2A clients read it.

use bytes::Bytes;
use creto_call::RefusalCode;
use creto_classify::BodyProblem;
use creto_mcp::{HEADER_MISMATCH, INVALID_REQUEST, McpRequest, RequestLimits, Transport};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use serde::Serialize;

use super::{Facts, Refused};
use crate::http::body::AnswerBody;

/// What of a JSON-RPC request its refusal must repeat.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    /// JSON text of each id.
    ids: Vec<String>,
    batch: bool,
    /// Whether the client takes the answer from the POST itself, and not from a stream opened before.
    answered_here: bool,
    /// The error's code, where the protocol has one of its own for what is wrong.
    code: Option<i64>,
    /// Whether all that is asked is to call tools.
    calls_tools: bool,
}

impl Asker {
    /// Who asks by MCP.
    pub(crate) fn of_mcp(request: &McpRequest, headers: &HeaderMap) -> Self {
        Self {
            ids: request.ids().iter().map(|id| id.as_json().to_owned()).collect(),
            batch: request.batch,
            answered_here: Transport::of(headers) == Transport::Streamable,
            code: None,
            calls_tools: request.messages.iter().all(|message| message.method == "tools/call"),
        }
    }

    /// Who asks by MCP what cannot be read, or says something else in its headers.
    pub(crate) fn of_unclear(problem: &BodyProblem, headers: &HeaderMap, body: &[u8]) -> Option<Self> {
        let (ids, batch, code) = match problem {
            BodyProblem::Mcp(problem) => {
                let ids = problem.id.iter().map(|id| id.as_json().to_owned()).collect();
                (ids, false, problem.rpc_error().code)
            }
            BodyProblem::Headers(_) => {
                let asked = creto_mcp::read_request(body, &RequestLimits::default()).ok()?;
                let ids = asked.ids().iter().map(|id| id.as_json().to_owned()).collect();
                (ids, asked.batch, HEADER_MISMATCH)
            }
            _ => return None,
        };
        let answered_here = Transport::of(headers) == Transport::Streamable;
        Some(Self { ids, batch, answered_here, code: Some(code), calls_tools: false })
    }

    /// Who asks by A2A, whose answers are in the POST always.
    pub(crate) fn of_a2a(ids: &[String], batch: bool) -> Self {
        Self { ids: ids.to_vec(), batch, answered_here: true, code: None, calls_tools: false }
    }
}

#[derive(Serialize)]
struct Error<'a> {
    code: i64,
    message: &'a str,
    data: Facts<'a>,
}

/// The result of a tool that was not called yet (MCP, `CallToolResult`).
#[derive(Serialize)]
struct Waiting<'a> {
    /// Revision 2026-07-28 has it; earlier ones let it be.
    #[serde(rename = "resultType")]
    result_type: &'static str,
    content: [Text<'a>; 1],
    #[serde(rename = "isError")]
    is_error: bool,
    #[serde(rename = "_meta")]
    meta: Meta<'a>,
}

#[derive(Serialize)]
struct Text<'a> {
    r#type: &'static str,
    text: &'a str,
}

#[derive(Serialize)]
struct Meta<'a> {
    #[serde(rename = "creto.dev/refusal")]
    refusal: &'a Facts<'a>,
}

impl<'a> Waiting<'a> {
    fn of(error: &'a Error<'a>) -> Self {
        Self {
            result_type: "complete",
            content: [Text { r#type: "text", text: error.message }],
            is_error: true,
            meta: Meta { refusal: &error.data },
        }
    }
}

pub(super) fn response(
    status: StatusCode,
    refused: &Refused,
    asker: Option<&Asker>,
    call_id: &str,
) -> Response<AnswerBody> {
    let said = asker.and_then(|asker| asker.code);
    let code = said.unwrap_or_else(|| match refused.code {
        RefusalCode::HeaderMismatch => HEADER_MISMATCH,
        RefusalCode::BodyUnclear | RefusalCode::MalformedRequest => INVALID_REQUEST,
        // A refusal of ours carries the HTTP status that it has elsewhere: MCP keeps the range below zero for itself.
        other => i64::from(other.status()),
    });
    let (ids, batch) = asker.map_or((&[][..], false), |asker| (&asker.ids, asker.batch));
    let message = refused.message(call_id);
    let error = Error { code, message: &message, data: Facts::of(refused, call_id) };
    // A model reads what its tools give, errors of the protocol often end its work: what only waits is given as a result.
    let waits =
        refused.waits.is_some() && asker.is_some_and(|asker| asker.calls_tools && asker.answered_here);
    // Structs of strings and numbers always serialize.
    let (member, said) = if waits {
        ("result", serde_json::to_string(&Waiting::of(&error)).unwrap_or_default())
    } else {
        ("error", serde_json::to_string(&error).unwrap_or_default())
    };
    let one = |id: &str| format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"{member}\":{said}}}");
    let body = if batch && !ids.is_empty() {
        format!("[{}]", ids.iter().map(|id| one(id)).collect::<Vec<_>>().join(","))
    } else {
        one(ids.first().map_or("null", String::as_str))
    };
    // Many clients read no body of a status from 400 up, so a request that has an id is answered with 200. What the
    // protocol itself calls malformed has 400, as it says.
    let read = code > 0 && !ids.is_empty() && asker.is_some_and(|asker| asker.answered_here);
    let mut response = Response::new(AnswerBody::full(Bytes::from(body)));
    *response.status_mut() = if read { StatusCode::OK } else { status };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
