//! Reading the body of an MCP request.

use std::ops::Range;

use serde_json::{Map, Value};

use crate::message::{McpMessage, McpRequest, MessageKind, RequestId};
use crate::problem::{McpProblem, Wrong};
use crate::span;
use crate::strict_json::{self, Bounds};

/// `_meta` key of the protocol version a message speaks (2026-07-28 and later).
pub const PROTOCOL_VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";

/// How large a request may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// The body as JSON.
    pub body: Bounds,
    /// Most messages in a batch.
    pub batch: usize,
    /// Most bytes of one tool call's arguments, as sent.
    pub arguments: usize,
    /// Most bytes of a method, tool, prompt or task name, or an id.
    pub name: usize,
    /// Most bytes of a resource URI.
    pub uri: usize,
    /// Most URIs in one `subscriptions/listen`.
    pub subscriptions: usize,
}

impl Default for RequestLimits {
    /// 32 MiB body of 250,000 values, 64 deep; 100 messages, 1 MiB arguments, 1 KiB names, 8 KiB URIs, 1,000 subscriptions.
    fn default() -> Self {
        Self {
            body: Bounds { values: 250_000, ..Bounds::default() },
            batch: 100,
            arguments: 1 << 20,
            name: 1 << 10,
            uri: 8 << 10,
            subscriptions: 1_000,
        }
    }
}

/// Reads the body of an MCP request: one JSON-RPC 2.0 message or a batch.
///
/// # Errors
/// [`McpProblem`] for a body that is not JSON in one reading, not JSON-RPC, or over a limit. Its
/// [`rpc_error`](McpProblem::rpc_error) is what to answer.
pub fn read_request(body: &[u8], limits: &RequestLimits) -> Result<McpRequest, McpProblem> {
    let value = strict_json::parse(body, limits.body)
        .map_err(|problem| McpProblem::about(Wrong::Json(problem), None))?;
    let span = span::document(body);
    let Value::Array(items) = value else {
        return Ok(McpRequest { messages: vec![message(value, body, span, limits)?], batch: false });
    };
    if items.is_empty() || items.len() > limits.batch {
        let wrong = Wrong::BatchSize { messages: items.len(), limit: limits.batch };
        return Err(McpProblem::about(wrong, None));
    }
    let spans = span::elements(body, span);
    let messages = items.into_iter().zip(spans).map(|(item, span)| message(item, body, span, limits));
    // An error for one id would leave the client waiting for the others: only the HTTP status refuses all of them.
    let messages =
        messages.collect::<Result<_, _>>().map_err(|problem| McpProblem { id: None, ..problem })?;
    Ok(McpRequest { messages, batch: true })
}

fn message(
    value: Value,
    body: &[u8],
    at: Range<usize>,
    limits: &RequestLimits,
) -> Result<McpMessage, McpProblem> {
    let Value::Object(mut fields) = value else {
        return Err(McpProblem::about(Wrong::NotAnObject, None));
    };
    let id = request_id(&fields, body, at.clone(), limits).map_err(|wrong| McpProblem::about(wrong, None))?;
    let known = id.clone();
    shape(&mut fields, id, body, at, limits).map_err(|wrong| McpProblem::about(wrong, known))
}

/// The id as sent: a string or an integer. `null` is refused with a method (MCP forbids it: one reader sees a request,
/// another a notification) and taken as none without (an error answer to a message that could not be read).
fn request_id(
    fields: &Map<String, Value>,
    body: &[u8],
    at: Range<usize>,
    limits: &RequestLimits,
) -> Result<Option<RequestId>, Wrong> {
    match fields.get("id") {
        None => return Ok(None),
        Some(Value::Null) if !fields.contains_key("method") => return Ok(None),
        Some(Value::String(_)) => {}
        Some(Value::Number(number)) if !number.is_f64() => {}
        Some(_) => return Err(Wrong::Id),
    }
    let raw = span::member(body, at, "id").and_then(|span| body.get(span)).unwrap_or_default();
    if raw.len() > limits.name {
        return Err(Wrong::TooLong { what: "id", bytes: raw.len(), limit: limits.name });
    }
    let raw = std::str::from_utf8(raw).map_err(|_| Wrong::Id)?;
    Ok(Some(RequestId(raw.to_owned())))
}

fn shape(
    fields: &mut Map<String, Value>,
    id: Option<RequestId>,
    body: &[u8],
    at: Range<usize>,
    limits: &RequestLimits,
) -> Result<McpMessage, Wrong> {
    no_look_alike(fields, &["jsonrpc", "id", "method", "params", "result", "error"])?;
    if fields.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(Wrong::Version);
    }
    let answers = usize::from(fields.contains_key("result")) + usize::from(fields.contains_key("error"));
    let method = match fields.get_mut("method").map(Value::take) {
        None if answers == 1 => return Ok(McpMessage::bare(MessageKind::Response, id, String::new())),
        Some(Value::String(method)) if answers == 0 => bounded(method, "method", limits.name)?,
        _ => return Err(Wrong::Kind),
    };
    let kind = if id.is_some() { MessageKind::Request } else { MessageKind::Notification };
    let mut message = McpMessage::bare(kind, id, method);
    let params = match fields.get_mut("params").map(Value::take) {
        None => Map::new(),
        Some(Value::Object(params)) => params,
        Some(_) => return Err(Wrong::Params),
    };
    read_params(&mut message, params, limits, |name| {
        let params = span::member(body, at.clone(), "params")?;
        span::member(body, params, name).map(|span| span.len())
    })?;
    Ok(message)
}

fn read_params(
    message: &mut McpMessage,
    mut params: Map<String, Value>,
    limits: &RequestLimits,
    length_of: impl Fn(&str) -> Option<usize>,
) -> Result<(), Wrong> {
    no_look_alike(&params, &["_meta", "name", "arguments", "uri", "taskId", "ref", "notifications"])?;
    message.protocol_version = protocol_version(&params, limits)?;
    match message.method.as_str() {
        "tools/call" => {
            message.tool = Some(required(&mut params, "name", "tool name", limits.name)?);
            message.arguments = match params.remove("arguments") {
                None | Some(Value::Null) => None,
                Some(arguments @ Value::Object(_)) => {
                    let bytes = length_of("arguments").unwrap_or(usize::MAX);
                    if bytes > limits.arguments {
                        return Err(Wrong::ArgumentsTooLarge { bytes, limit: limits.arguments });
                    }
                    Some(arguments)
                }
                Some(_) => return Err(Wrong::Arguments),
            };
        }
        "prompts/get" => message.prompt = Some(required(&mut params, "name", "prompt name", limits.name)?),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
            message.resource_uri = Some(required(&mut params, "uri", "resource URI", limits.uri)?);
        }
        "tasks/get" | "tasks/result" | "tasks/update" | "tasks/cancel" => {
            message.task_id = Some(required(&mut params, "taskId", "task id", limits.name)?);
        }
        "completion/complete" => {
            if let Some(Value::Object(reference)) = params.get_mut("ref") {
                no_look_alike(reference, &["type", "name", "uri"])?;
                message.prompt = optional(reference, "name", "prompt name", limits.name)?;
                message.resource_uri = optional(reference, "uri", "resource URI", limits.uri)?;
            }
        }
        "subscriptions/listen" => message.subscribed_uris = subscriptions(&mut params, limits)?,
        _ => {}
    }
    Ok(())
}

fn protocol_version(params: &Map<String, Value>, limits: &RequestLimits) -> Result<Option<String>, Wrong> {
    let meta = match params.get("_meta") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(meta)) => meta,
        Some(_) => return Err(Wrong::Meta),
    };
    no_look_alike(meta, &[PROTOCOL_VERSION_KEY])?;
    match meta.get(PROTOCOL_VERSION_KEY) {
        None => Ok(None),
        Some(Value::String(version)) => bounded(version.clone(), "protocol version", limits.name).map(Some),
        Some(_) => Err(Wrong::Meta),
    }
}

fn subscriptions(params: &mut Map<String, Value>, limits: &RequestLimits) -> Result<Vec<String>, Wrong> {
    let Some(Value::Object(wanted)) = params.get_mut("notifications") else { return Ok(Vec::new()) };
    no_look_alike(wanted, &["resourceSubscriptions"])?;
    let uris = match wanted.remove("resourceSubscriptions") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(uris)) if uris.len() <= limits.subscriptions => uris,
        Some(_) => return Err(Wrong::Subscriptions { limit: limits.subscriptions }),
    };
    let uri = |value| match value {
        Value::String(uri) => bounded(uri, "resource URI", limits.uri),
        _ => Err(Wrong::Subscriptions { limit: limits.subscriptions }),
    };
    uris.into_iter().map(uri).collect()
}

fn required(
    params: &mut Map<String, Value>,
    key: &'static str,
    what: &'static str,
    limit: usize,
) -> Result<String, Wrong> {
    optional(params, key, what, limit)?.ok_or(Wrong::Missing { key, what })
}

fn optional(
    params: &mut Map<String, Value>,
    key: &'static str,
    what: &'static str,
    limit: usize,
) -> Result<Option<String>, Wrong> {
    match params.remove(key) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => bounded(text, what, limit).map(Some),
        Some(_) => Err(Wrong::Missing { key, what }),
    }
}

fn bounded(text: String, what: &'static str, limit: usize) -> Result<String, Wrong> {
    if text.len() > limit {
        return Err(Wrong::TooLong { what, bytes: text.len(), limit });
    }
    Ok(text)
}

fn no_look_alike(object: &Map<String, Value>, known: &[&'static str]) -> Result<(), Wrong> {
    for key in object.keys() {
        if let Some(known) = known.iter().find(|known| strict_json::looks_like(key, known)) {
            return Err(Wrong::LookAlike { known });
        }
    }
    Ok(())
}
