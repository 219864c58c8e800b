//! Refusals in MCP's own shape.
//!
//! **HTTP status.** A refused *request* is HTTP 200 with a JSON-RPC error, because only then do all clients read it.
//! Tried against the packages themselves:
//!
//! | client | 200 | 400 |
//! | --- | --- | --- |
//! | Python `mcp` 1.30 | `McpError` with code, message, data | body unread; the whole session ends with `HTTPStatusError` |
//! | Python `mcp` 2.3 | `MCPError` with code, message, data | the same `MCPError` |
//! | `@modelcontextprotocol/sdk` 1.32 | `McpError`, `MCP error <code>: <message>`, data | `StreamableHTTPError` with the body as text |
//! | `@modelcontextprotocol/client` 2.4 | `ProtocolError` with code, message, data | the error, for requests of 2026-07-28 whose id it repeats; otherwise `SdkHttpError` |
//!
//! Three cases are not 200:
//! - the specification demands 400 for a header that disagrees with the body (`-32020`) and for malformed bodies;
//! - nothing but notifications and responses: there is no id to answer, so the HTTP status alone is the refusal, with an
//!   error without id as body (the 2025 and 2026 texts allow it);
//! - the legacy HTTP+SSE transport (2024-11-05): the answer to a POST is read by nobody, results come on the GET
//!   stream. There the HTTP status makes the TypeScript client throw with the body as text; the Python client only logs
//!   it, so the better way is [`legacy_event`] on the GET stream, where the caller has it, and 202 for the POST.
//!
//! **Code.** A refusal by policy carries the HTTP status it would have outside MCP as its code: 403, 413, 429, 503. MCP
//! 2026-07-28 (basic, "Error Codes") wants new codes outside JSON-RPC's reserved range -32768..-32000, keeps
//! -32020..-32099 for itself and closes -32000..-32019; a positive code is application-defined and says what it means.

use serde::Serialize;
use serde_json::Value;

use crate::headers::HeaderMismatch;
use crate::message::{McpRequest, RequestId};
use crate::problem::McpProblem;

/// JSON-RPC: the body is not JSON.
pub const PARSE_ERROR: i64 = -32700;
/// JSON-RPC: the body is not a request.
pub const INVALID_REQUEST: i64 = -32600;
/// JSON-RPC: the parameters are wrong.
pub const INVALID_PARAMS: i64 = -32602;
/// MCP 2026-07-28, `HeaderMismatch`: a header says something else than the body.
pub const HEADER_MISMATCH: i64 = -32020;

/// A JSON-RPC error to answer with.
#[derive(Clone, Debug, PartialEq)]
pub struct RpcError {
    /// The error's code.
    pub code: i64,
    /// One sentence.
    pub message: String,
    /// More about it; [`refusal_data`] makes Creto's.
    pub data: Option<Value>,
    /// HTTP status where no client reads the body, and wherever `always` is set.
    status: u16,
    /// Whether the status holds for requests too.
    always: bool,
}

impl RpcError {
    /// A refusal by policy. `status` is the HTTP status of its refusal code and becomes the error's code.
    #[must_use]
    pub fn refused(status: u16, message: impl Into<String>, data: Option<Value>) -> Self {
        Self { code: i64::from(status), message: message.into(), data, status, always: false }
    }

    /// A header says something else than the body: `-32020` with HTTP 400, as the specification demands.
    #[must_use]
    pub fn header_mismatch(mismatch: &HeaderMismatch) -> Self {
        Self::malformed(HEADER_MISMATCH, mismatch.to_string())
    }

    pub(crate) fn malformed(code: i64, message: String) -> Self {
        Self { code, message, data: None, status: 400, always: true }
    }

    /// The same error with `data`.
    #[must_use]
    pub fn with_data(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }
}

/// How the client waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Streamable HTTP (2025-03-26 and later): the answer to the POST is the answer.
    Streamable,
    /// HTTP+SSE (2024-11-05): answers come on the stream of an earlier GET.
    LegacySse,
}

impl Transport {
    /// Tells the transport of a POST by its headers.
    ///
    /// A client of streamable HTTP must accept `text/event-stream` on every POST; those of HTTP+SSE never say so.
    #[must_use]
    pub fn of(headers: &http::HeaderMap) -> Self {
        let accepts = |value: &http::HeaderValue| {
            let text = value.as_bytes().to_ascii_lowercase();
            memchr::memmem::find(&text, b"text/event-stream").is_some()
        };
        if headers.get_all(http::header::ACCEPT).iter().any(accepts) {
            Self::Streamable
        } else {
            Self::LegacySse
        }
    }
}

/// An HTTP answer for a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalAnswer {
    /// HTTP status.
    pub status: u16,
    /// Value of `content-type`.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

/// The answer to a refused request: every message of it is refused.
#[must_use]
pub fn refuse(request: &McpRequest, via: Transport, error: &RpcError) -> RefusalAnswer {
    let ids = request.ids();
    let read = !ids.is_empty() && via == Transport::Streamable && !error.always;
    let body = if ids.is_empty() { without_id(error) } else { answer_to(&ids, request.batch, error) };
    RefusalAnswer { status: if read { 200 } else { error.status }, content_type: "application/json", body }
}

/// The answer to a body that could not be read as a request.
#[must_use]
pub fn refuse_unread(problem: &McpProblem, via: Transport) -> RefusalAnswer {
    let error = problem.rpc_error();
    let read = problem.id.is_some() && via == Transport::Streamable && !error.always;
    let body = match &problem.id {
        Some(id) => answer_to(std::slice::from_ref(id), false, &error),
        None => without_id(&error),
    };
    RefusalAnswer { status: if read { 200 } else { error.status }, content_type: "application/json", body }
}

/// The JSON of an error for each id: an array when the request was a batch, a single object otherwise.
#[must_use]
pub fn error_answer(
    ids: &[RequestId],
    batch: bool,
    code: i64,
    message: &str,
    data: Option<&Value>,
) -> Vec<u8> {
    let error = Body { code, message, data };
    let one = |id: &str| format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{}}}", error.json());
    if batch && !ids.is_empty() {
        let each: Vec<String> = ids.iter().map(|id| one(id.as_json())).collect();
        return format!("[{}]", each.join(",")).into_bytes();
    }
    one(ids.first().map_or("null", RequestId::as_json)).into_bytes()
}

/// A JSON-RPC answer as an event of the legacy GET stream.
#[must_use]
pub fn legacy_event(answer: &[u8]) -> Vec<u8> {
    let mut event = b"event: message\n".to_vec();
    for line in answer.split(|byte| matches!(byte, b'\n' | b'\r')) {
        event.extend_from_slice(b"data: ");
        event.extend_from_slice(line);
        event.push(b'\n');
    }
    event.push(b'\n');
    event
}

/// What Creto says about a refusal in the error's `data`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct RefusalData<'a> {
    /// The refusal code, for machines.
    pub code: &'a str,
    /// The rule that refuses, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'a str>,
    /// The policy the rule is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<&'a str>,
    /// What to do next.
    pub next_step: &'a str,
    /// The call, as in the record of calls.
    pub call_id: &'a str,
}

/// The value of an error's `data` member.
#[must_use]
pub fn refusal_data(data: &RefusalData<'_>) -> Value {
    serde_json::to_value(data).unwrap_or(Value::Null)
}

fn answer_to(ids: &[RequestId], batch: bool, error: &RpcError) -> Vec<u8> {
    error_answer(ids, batch, error.code, &error.message, error.data.as_ref())
}

/// JSON-RPC 2.0 section 5: `null` when the id could not be read.
fn without_id(error: &RpcError) -> Vec<u8> {
    answer_to(&[], false, error)
}

#[derive(Serialize)]
struct Body<'a> {
    code: i64,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
}

impl Body<'_> {
    fn json(&self) -> String {
        // Strings, integers and a `Value` always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }
}
