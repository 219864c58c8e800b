//! What both kinds of the protocol answer alike.

use serde_json::{Value, json};

use super::Inner;
use super::message::{INVALID_PARAMS, METHOD_NOT_FOUND, Outcome};
use super::tools;

/// Name and version, as the server says them of itself.
pub(super) fn server_info() -> Value {
    json!({"name": "fake-tickets", "version": "1.0.0"})
}

/// What it can do.
pub(super) fn capabilities() -> Value {
    json!({"tools": {"listChanged": true}, "resources": {}, "prompts": {}})
}

/// Result of a request that both kinds know.
pub(super) fn outcome(inner: &Inner, request: &Value) -> Outcome {
    let params = &request["params"];
    match request["method"].as_str().unwrap_or_default() {
        "tools/list" => tool_page(inner, params),
        "tools/call" => tools::call(params),
        "resources/list" => Ok(json!({"resources": [
            {"uri": "notes://open", "name": "open", "mimeType": "text/plain"},
            {"uri": "notes://secret", "name": "secret", "mimeType": "text/plain"},
        ]})),
        "resources/templates/list" => Ok(json!({"resourceTemplates": []})),
        "resources/read" => match params["uri"].as_str() {
            Some(uri @ ("notes://open" | "notes://secret")) => Ok(
                json!({"contents": [{"uri": uri, "mimeType": "text/plain", "text": format!("what {uri} says")}]}),
            ),
            _ => Err((INVALID_PARAMS, "Resource not found".to_owned())),
        },
        "prompts/list" => Ok(json!({"prompts": [
            {"name": "greet", "description": "Greets somebody.", "arguments": [{"name": "who", "required": true}]},
        ]})),
        "prompts/get" if params["name"] == "greet" => {
            let who = params["arguments"]["who"].as_str().unwrap_or("you");
            let content = json!({"type": "text", "text": format!("Greet {who}.")});
            Ok(json!({"messages": [{"role": "user", "content": content}]}))
        }
        "prompts/get" => Err((INVALID_PARAMS, "Unknown prompt".to_owned())),
        other => Err((METHOD_NOT_FOUND, format!("Method not found: {other}"))),
    }
}

/// One page of the list; the cursor is where it begins.
fn tool_page(inner: &Inner, params: &Value) -> Outcome {
    let start = match &params["cursor"] {
        Value::Null => 0,
        Value::String(cursor) => match cursor.parse::<usize>() {
            Ok(start) => start,
            Err(_) => return Err((INVALID_PARAMS, "Unknown cursor".to_owned())),
        },
        _ => return Err((INVALID_PARAMS, "Unknown cursor".to_owned())),
    };
    let mut shelf = inner.shelf.lock();
    let end = start.saturating_add(inner.page);
    let more = end < shelf.len();
    let tools: Vec<_> = shelf.listed(!more).into_iter().skip(start).take(inner.page).collect();
    let mut result = json!({"tools": tools});
    if more {
        result["nextCursor"] = end.to_string().into();
    }
    Ok(result)
}
