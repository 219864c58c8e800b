//! 2026-07-28: no sessions, and headers that repeat the body.

use http::StatusCode;
use http::header::HeaderMap;
use serde_json::{Value, json};

use super::message::{self, Form, INVALID_PARAMS, METHOD_NOT_FOUND, Outcome, answer_to, json_answer};
use super::{Inner, content, plain};
use crate::upstream::StreamedResponse;

const VERSION: &str = "2026-07-28";
const VERSION_HEADER: &str = "mcp-protocol-version";
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
const SERVER_KEY: &str = "io.modelcontextprotocol/serverInfo";
const SUBSCRIPTION_KEY: &str = "io.modelcontextprotocol/subscriptionId";
const HEADER_MISMATCH: i64 = -32020;
const UNSUPPORTED_VERSION: i64 = -32022;

/// Whether a request is of this revision: by its header, or by what its body says.
pub(super) fn is_meant(headers: &HeaderMap, body: Option<&Value>) -> bool {
    text(headers, VERSION_HEADER).as_deref() == Some(VERSION)
        || body.is_some_and(|body| !body["params"]["_meta"][VERSION_KEY].is_null())
}

/// Answers a POST: one message.
pub(super) fn answer(inner: &Inner, headers: &HeaderMap, request: &Value) -> StreamedResponse {
    let id = &request["id"];
    if !request.is_object() || !request["method"].is_string() {
        return message::error(400, None, -32600, "Body must be a single JSON-RPC request or notification");
    }
    if id.is_null() {
        return plain(StatusCode::ACCEPTED, "");
    }
    if let Some((code, text)) = wrong_head(headers, request) {
        return message::error(400, Some(id), code, &text);
    }
    let said = request["params"]["_meta"][VERSION_KEY].as_str().unwrap_or_default();
    if said != VERSION {
        let data = json!({"supported": [VERSION], "requested": said});
        let mut body = answer_to(id, Err((UNSUPPORTED_VERSION, "Unsupported protocol version".to_owned())));
        body["error"]["data"] = data;
        return json_answer(400, &body);
    }
    if request["method"] == "subscriptions/listen" {
        return subscribed(inner, request);
    }
    let outcome = outcome(inner, request);
    let status = match &outcome {
        Err((METHOD_NOT_FOUND, _)) => 404,
        Err((INVALID_PARAMS, _)) => 400,
        _ => 200,
    };
    let body = answer_to(id, outcome);
    if inner.form == Form::Json || status != 200 {
        return json_answer(status, &body);
    }
    let mut all = message::progress_of(request);
    all.push(body);
    message::events(all)
}

fn outcome(inner: &Inner, request: &Value) -> Outcome {
    let mut result = match request["method"].as_str().unwrap_or_default() {
        "server/discover" => json!({
            "supportedVersions": [VERSION],
            "capabilities": content::capabilities(),
            "instructions": "Search before you delete.",
        }),
        _ => content::outcome(inner, request)?,
    };
    result["resultType"] = "complete".into();
    result["_meta"] = json!({SERVER_KEY: content::server_info()});
    if request["method"] != "tools/call" {
        // To be asked for anew each time: tests look at every list.
        result["ttlMs"] = 0.into();
        result["cacheScope"] = "private".into();
    }
    Ok(result)
}

/// An answer that stays open and brings what was asked for.
fn subscribed(inner: &Inner, request: &Value) -> StreamedResponse {
    let tag = json!({SUBSCRIPTION_KEY: request["id"]});
    let params = json!({"notifications": request["params"]["notifications"]});
    let acknowledged = message::notification("notifications/subscriptions/acknowledged", &params);
    message::endless(Some(acknowledged), inner.own.subscribe(), Some(tag))
}

/// What is missing in the envelope, or said otherwise in a header. Names of this server need no encoding.
fn wrong_head(headers: &HeaderMap, request: &Value) -> Option<(i64, String)> {
    let params = &request["params"];
    for key in [VERSION_KEY, CAPABILITIES_KEY] {
        if params["_meta"][key].is_null() {
            return Some((INVALID_PARAMS, format!("params._meta is missing {key}")));
        }
    }
    let name = match request["method"].as_str().unwrap_or_default() {
        "tools/call" | "prompts/get" => &params["name"],
        "resources/read" => &params["uri"],
        _ => &Value::Null,
    };
    let meant = [
        (VERSION_HEADER, &params["_meta"][VERSION_KEY]),
        ("mcp-method", &request["method"]),
        ("mcp-name", name),
    ];
    let wrong = meant.into_iter().find(|(header, body)| {
        body.as_str().is_some_and(|body| text(headers, header).as_deref() != Some(body))
    });
    wrong.map(|(header, _)| {
        (HEADER_MISMATCH, format!("Header mismatch: {header} does not match the request body"))
    })
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
