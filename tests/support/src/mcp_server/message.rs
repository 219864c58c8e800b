//! JSON-RPC messages, and the HTTP answers that carry them.

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};
use http::{HeaderValue, Response, StatusCode};
use http_body::Frame;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::upstream::StreamedResponse;
use crate::upstream::stream_body::{frames, full};

/// Method not found.
pub(super) const METHOD_NOT_FOUND: i64 = -32601;
/// Invalid parameters.
pub(super) const INVALID_PARAMS: i64 = -32602;

/// How answers with a result are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One JSON text.
    Json,
    /// Server-sent events: progress first, where a token asks for it.
    Events,
}

/// Result or error of one request.
pub(super) type Outcome = Result<Value, (i64, String)>;

/// The JSON-RPC answer to a request.
pub(super) fn answer_to(id: &Value, outcome: Outcome) -> Value {
    match outcome {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err((code, message)) => {
            json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
        }
    }
}

/// A notification.
pub(super) fn notification(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "method": method, "params": params})
}

/// A JSON-RPC error with an HTTP status.
pub(super) fn error(status: u16, id: Option<&Value>, code: i64, message: &str) -> StreamedResponse {
    let body = answer_to(id.unwrap_or(&Value::Null), Err((code, message.to_owned())));
    json_answer(status, &body)
}

/// A JSON text with an HTTP status.
pub(super) fn json_answer(status: u16, body: &Value) -> StreamedResponse {
    let mut response = Response::new(full(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}

/// Messages as events, then the end.
pub(super) fn events(messages: Vec<Value>) -> StreamedResponse {
    // One frame each, so that nothing but the wire puts them together.
    event_stream(stream::iter(messages).enumerate().map(|(at, message)| event(Some(at), &message)))
}

/// A message as event, then those of the server's own, without an end; each with `tag` as its `_meta`.
pub(super) fn endless(
    first: Option<Value>,
    own: broadcast::Receiver<Value>,
    tag: Option<Value>,
) -> StreamedResponse {
    let own = stream::unfold(own, |mut own| async move {
        loop {
            match own.recv().await {
                Ok(message) => return Some((message, own)),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    });
    let messages = stream::iter(first).chain(own).map(move |mut message| {
        if let Some(tag) = &tag {
            message["params"]["_meta"] = tag.clone();
        }
        event(None, &message)
    });
    // A comment at once: some of what lies between holds the head back until the first byte of the body.
    let open = stream::once(async { ": open\n\n".to_owned() });
    event_stream(open.chain(messages))
}

/// Progress messages that a request asks for by its token.
pub(super) fn progress_of(request: &Value) -> Vec<Value> {
    let token = &request["params"]["_meta"]["progressToken"];
    if token.is_null() {
        return Vec::new();
    }
    let at = |progress: u32| {
        let params = json!({"progressToken": token, "progress": progress, "total": 2});
        notification("notifications/progress", &params)
    };
    vec![at(1), at(2)]
}

fn event(id: Option<usize>, message: &Value) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("event: message\n{id}data: {message}\n\n")
}

fn event_stream(events: impl Stream<Item = String> + Send + 'static) -> StreamedResponse {
    let body = frames(events.map(|text| Ok(Frame::data(Bytes::from(text)))));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("text/event-stream"));
    headers.insert("cache-control", HeaderValue::from_static("no-cache, no-transform"));
    response
}
