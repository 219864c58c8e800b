//! MCP: what a request asks, and which tools an answer may show.
//!
//! A sidecar asks, in this order:
//! 1. [`read_request`]: the messages of a body, as facts for policy; [`is_json_rpc`] where it is not known that the
//!    host speaks MCP.
//! 2. [`check_headers`], and [`PinBook::mirrored`] for the tool's own headers: a request that says one thing in its
//!    headers and another in its body is refused.
//! 3. [`PinBook::may_call`]: whether the tool is still the one that was first seen.
//! 4. [`refuse`] or [`refuse_unread`]: the answer that makes each client raise its own error.
//! 5. [`AnswerFilter`]: the answer without the tools the agent may not call, each tool shown to [`PinBook::observe`].
//!
//! Known revisions: 2024-11-05 (HTTP+SSE), 2025-03-26 (batches), 2025-06-18, 2025-11-25 (tasks), 2026-07-28 (no
//! sessions; headers that repeat the body). Facts are read the same way in all of them.
#![forbid(unsafe_code)]

mod answer;
mod event_stream;
mod header_value;
mod headers;
mod jcs;
mod message;
mod mirrored;
mod pin;
mod pin_book;
mod pin_file;
mod problem;
mod refusal;
mod request;
mod sniff;
mod span;
pub mod strict_json;
mod tool;
mod tool_list;

pub use answer::{AnswerFilter, AnswerKind, AnswerLimits, AnswerProblem, AnswerSummary, Keep};
pub use headers::{
    HeaderMismatch, MAX_PARAM_HEADERS, METHOD_HEADER, NAME_HEADER, PARAM_HEADER_PREFIX,
    PROTOCOL_VERSION_HEADER, SESSION_HEADER, check_headers,
};
pub use message::{McpMessage, McpRequest, MessageKind, RequestId};
pub use mirrored::{MAX_MIRROR_DEPTH, MAX_MIRROR_NAME, MAX_MIRRORED, MirroredParams};
pub use pin::{PinSyntax, ToolPin};
pub use pin_book::{MAX_SERVER_NAME, MAX_SERVERS, MAX_TOOLS, MAX_TOOLS_OF_SERVER, PinBook, PinVerdict};
pub use pin_file::{MAX_PIN_FILE, PinFileProblem};
pub use problem::{McpProblem, Wrong};
pub use refusal::{
    HEADER_MISMATCH, INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR, RefusalAnswer, RefusalData, RpcError,
    Transport, error_answer, legacy_event, refusal_data, refuse, refuse_unread,
};
pub use request::{PROTOCOL_VERSION_KEY, RequestLimits, read_request};
pub use sniff::is_json_rpc;
pub use tool::{MAX_TOOL_NAME, ToolDefinition};
