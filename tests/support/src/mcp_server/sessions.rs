//! The revisions of 2025: sessions, begun by `initialize`.

use http::header::HeaderMap;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::message::{self, Form, Outcome, answer_to, json_answer};
use super::{Inner, content, plain};
use crate::upstream::StreamedResponse;
use crate::upstream::stream_body::full;

const SESSION: &str = "mcp-session-id";
/// Newest first: what is offered to whoever asks for one that is not here.
const VERSIONS: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];

/// Answers a POST.
pub(super) fn posted(inner: &Inner, headers: &HeaderMap, body: Value) -> StreamedResponse {
    if !accepts(headers, "application/json") || !accepts(headers, "text/event-stream") {
        let text = "Not Acceptable: Client must accept both application/json and text/event-stream";
        return message::error(406, None, -32000, text);
    }
    if body["method"] == "initialize" {
        return initialized(inner, &body);
    }
    if let Some(refusal) = without_session(inner, headers) {
        return refusal;
    }
    let (messages, batch) = match body {
        Value::Array(messages) => (messages, true),
        message => (vec![message], false),
    };
    // Notifications and the client's own answers are taken without a word.
    let asked: Vec<_> =
        messages.iter().filter(|one| one["method"].is_string() && !one["id"].is_null()).collect();
    let mut answers: Vec<_> = asked.iter().map(|one| answer_to(&one["id"], outcome(inner, one))).collect();
    match (answers.len(), inner.form) {
        (0, _) => plain(StatusCode::ACCEPTED, ""),
        (_, Form::Events) => {
            let mut all: Vec<_> = asked.iter().flat_map(|one| message::progress_of(one)).collect();
            all.append(&mut answers);
            message::events(all)
        }
        (1, Form::Json) if !batch => json_answer(200, &answers[0]),
        (_, Form::Json) => json_answer(200, &Value::Array(answers)),
    }
}

/// Answers a GET: the stream of the server's own messages.
pub(super) fn stream(inner: &Inner, headers: &HeaderMap) -> StreamedResponse {
    if !accepts(headers, "text/event-stream") {
        return message::error(406, None, -32000, "Not Acceptable: Client must accept text/event-stream");
    }
    without_session(inner, headers).unwrap_or_else(|| message::endless(None, inner.own.subscribe(), None))
}

/// Answers a DELETE: the end of the session.
pub(super) fn end(inner: &Inner, headers: &HeaderMap) -> StreamedResponse {
    if let Some(refusal) = without_session(inner, headers) {
        return refusal;
    }
    let session = headers.get(SESSION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    inner.sessions.lock().retain(|known| known != session);
    Response::new(full(""))
}

fn initialized(inner: &Inner, request: &Value) -> StreamedResponse {
    let asked = request["params"]["protocolVersion"].as_str().unwrap_or_default();
    let version = VERSIONS.into_iter().find(|known| *known == asked).unwrap_or(VERSIONS[0]);
    let result = json!({
        "protocolVersion": version,
        "capabilities": content::capabilities(),
        "serverInfo": content::server_info(),
        "instructions": "Search before you delete.",
    });
    let body = answer_to(&request["id"], Ok(result));
    let mut response = match inner.form {
        Form::Json => json_answer(200, &body),
        Form::Events => message::events(vec![body]),
    };
    let mut id = [0; 16];
    getrandom::fill(&mut id).unwrap();
    let session = hex::encode(id);
    response.headers_mut().insert(SESSION, session.parse().unwrap());
    inner.sessions.lock().push(session);
    response
}

fn outcome(inner: &Inner, request: &Value) -> Outcome {
    match request["method"].as_str().unwrap_or_default() {
        "ping" | "logging/setLevel" => Ok(json!({})),
        _ => content::outcome(inner, request),
    }
}

/// The answer to who has no session, or speaks another version than the server.
fn without_session(inner: &Inner, headers: &HeaderMap) -> Option<StreamedResponse> {
    let Some(session) = headers.get(SESSION) else {
        return Some(message::error(400, None, -32000, "Bad Request: No valid session ID provided"));
    };
    if !inner.sessions.lock().iter().any(|known| known.as_bytes() == session.as_bytes()) {
        return Some(message::error(404, None, -32001, "Session not found"));
    }
    let version = headers.get("mcp-protocol-version")?;
    let known = VERSIONS.iter().any(|known| known.as_bytes() == version.as_bytes());
    (!known).then(|| message::error(400, None, -32000, "Bad Request: Unsupported protocol version"))
}

fn accepts(headers: &HeaderMap, media: &str) -> bool {
    headers.get_all("accept").iter().any(|value| value.to_str().is_ok_and(|text| text.contains(media)))
}
