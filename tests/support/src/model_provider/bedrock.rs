//! `POST /model/{model}/converse`, `/converse-stream`, `/invoke` and `/invoke-with-response-stream`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

use super::anthropic;
use super::event_stream;
use super::json::{Json, object};
use super::openai_chat::halves;
use super::prompt::{Prompt, Said, Tokens, Tool, text_of, words};
use super::reply::Reply;

const EVENTS: &str = "application/vnd.amazon.eventstream";
/// Fills events up, so that their length tells nothing.
const PADDING: &str = "abcdefghijkl";
/// Milliseconds that every answer is said to have taken.
const LATENCY: u64 = 42;

/// A cache point in the system prompt: all before it is in the cache; in a message: all before it is written.
pub(super) fn prompt(model: &str, body: &Value) -> Prompt {
    let mut prompt = Prompt {
        model: model.to_owned(),
        limit: body["inferenceConfig"]["maxTokens"].as_u64(),
        ..Prompt::default()
    };
    let system = &body["system"];
    prompt.input += words(&text_of(system));
    prompt.cached += before_cache_point(system);
    let mut answered = false;
    for message in body["messages"].as_array().into_iter().flatten() {
        let content = &message["content"];
        let text = text_of(content);
        prompt.cache_written += before_cache_point(content);
        prompt.counts_message(&text);
        prompt.last = text;
        answered =
            content.as_array().is_some_and(|parts| parts.iter().any(|part| part["toolResult"].is_object()));
    }
    let first = &body["toolConfig"]["tools"][0]["toolSpec"];
    if let Some(name) = first["name"].as_str().filter(|_| !answered) {
        prompt.tool = Some(Tool { name: name.to_owned(), schema: first["inputSchema"]["json"].clone() });
    }
    prompt
}

fn before_cache_point(content: &Value) -> u64 {
    let Some(parts) = content.as_array() else { return 0 };
    let point = parts.iter().rposition(|part| part["cachePoint"].is_object()).unwrap_or(0);
    parts[..point].iter().map(|part| words(&text_of(part))).sum()
}

pub(super) fn converse(prompt: &Prompt) -> Reply {
    let said = prompt.said();
    let content = match &said.call {
        Some(call) => object! { "toolUse": object! {
            "toolUseId": "tooluse_creto1", "name": call.name, "input": call.arguments,
        } },
        None => object! { "text": said.text() },
    };
    let document = object! {
        "output": object! { "message": object! { "role": "assistant", "content": [content] } },
        "stopReason": stop(&said),
        "usage": usage(said.tokens),
        "metrics": object! { "latencyMs": LATENCY },
    };
    Reply::json(200, &document).counted(said.tokens)
}

pub(super) fn converse_stream(prompt: &Prompt) -> Reply {
    let said = prompt.said();
    let mut events = Vec::new();
    let mut push = |kind: &str, payload: Json| {
        let payload = payload.with(&object! { "p": PADDING });
        events.push(event_stream::event(kind, payload.text()));
    };
    push("messageStart", object! { "role": "assistant" });
    let at = object! { "contentBlockIndex": 0u64 };
    match &said.call {
        Some(call) => {
            let start = object! { "toolUse": object! { "toolUseId": "tooluse_creto1", "name": call.name } };
            push("contentBlockStart", at.with(&object! { "start": start }));
            for piece in halves(&call.arguments.to_string()) {
                let delta = object! { "toolUse": object! { "input": piece } };
                push("contentBlockDelta", at.with(&object! { "delta": delta }));
            }
        }
        None => {
            for piece in &said.pieces {
                push("contentBlockDelta", at.with(&object! { "delta": object! { "text": piece } }));
            }
        }
    }
    push("contentBlockStop", at.clone());
    push("messageStop", object! { "stopReason": stop(&said) });
    let metrics = object! { "latencyMs": LATENCY };
    push("metadata", object! { "usage": usage(said.tokens), "metrics": metrics });
    Reply::stream(EVENTS, events).counted(said.tokens)
}

/// The models of Anthropic behind InvokeModel: their own documents.
pub(super) fn invoke(model: &str, body: &Value) -> Reply {
    let asked = anthropic::asked(model, body);
    let said = asked.prompt.said();
    let tokens = said.tokens;
    Reply::json(200, &anthropic::message(&asked, &said))
        .header("x-amzn-bedrock-invocation-latency", LATENCY.to_string())
        .header("x-amzn-bedrock-input-token-count", tokens.fresh().to_string())
        .header("x-amzn-bedrock-output-token-count", tokens.output.to_string())
        .header("x-amzn-bedrock-cache-read-input-token-count", tokens.cached.to_string())
        .header("x-amzn-bedrock-cache-write-input-token-count", tokens.cache_written.to_string())
        .counted(tokens)
}

pub(super) fn invoke_stream(model: &str, body: &Value) -> Reply {
    let asked = anthropic::asked(model, body);
    let said = asked.prompt.said();
    let tokens = said.tokens;
    let metrics = object! { "amazon-bedrock-invocationMetrics": object! {
        "inputTokenCount": tokens.fresh(),
        "outputTokenCount": tokens.output,
        "invocationLatency": LATENCY,
        "firstByteLatency": LATENCY,
        "cacheReadInputTokenCount": tokens.cached,
        "cacheWriteInputTokenCount": tokens.cache_written,
    } };
    let events = anthropic::events(&asked, &said).into_iter().filter(|(kind, _)| *kind != "ping");
    let events: Vec<Bytes> = events
        .map(|(kind, event)| {
            let event = if kind == "message_stop" { event.with(&metrics) } else { event };
            let payload = object! { "bytes": STANDARD.encode(event.text()), "p": PADDING };
            event_stream::event("chunk", payload.text())
        })
        .collect();
    Reply::stream(EVENTS, events).header("x-amzn-bedrock-content-type", "application/json").counted(tokens)
}

fn stop(said: &Said) -> &'static str {
    match (&said.call, said.cut) {
        (Some(_), _) => "tool_use",
        (None, true) => "max_tokens",
        (None, false) => "end_turn",
    }
}

fn usage(tokens: Tokens) -> Json {
    object! {
        "inputTokens": tokens.fresh(),
        "outputTokens": tokens.output,
        "totalTokens": tokens.input + tokens.output,
        "cacheReadInputTokens": tokens.cached,
        "cacheWriteInputTokens": tokens.cache_written,
    }
}
