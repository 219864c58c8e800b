//! `POST /v1/responses`.

use bytes::Bytes;
use serde_json::Value;

use super::json::{Json, empty, object};
use super::openai_chat::{CREATED, halves, reasons, snapshot};
use super::prompt::{Prompt, Said, Tokens, Tool, text_of};
use super::reply::Reply;

pub(super) fn prompt(model: &str, body: &Value) -> Prompt {
    let mut prompt = Prompt {
        model: model.to_owned(),
        limit: body["max_output_tokens"].as_u64(),
        reasons: reasons(model),
        ..Prompt::default()
    };
    prompt.counts_cached(body["instructions"].as_str().unwrap_or_default());
    let mut answered = false;
    match &body["input"] {
        Value::Array(items) => {
            for item in items {
                answered = item["type"] == "function_call_output";
                let text = if answered { text_of(&item["output"]) } else { text_of(&item["content"]) };
                match item["role"].as_str() {
                    Some("system" | "developer") => prompt.counts_cached(&text),
                    _ => {
                        prompt.counts_message(&text);
                        prompt.last = text;
                    }
                }
            }
        }
        input => {
            let text = text_of(input);
            prompt.counts_message(&text);
            prompt.last = text;
        }
    }
    let first = &body["tools"][0];
    if let Some(name) = first["name"].as_str().filter(|_| !answered) {
        prompt.tool = Some(Tool { name: name.to_owned(), schema: first["parameters"].clone() });
    }
    prompt
}

pub(super) fn answer(prompt: &Prompt, body: &Value) -> Reply {
    let said = prompt.said();
    let reply = if body["stream"] == true {
        Reply::stream("text/event-stream; charset=utf-8", events(prompt, &said, body))
    } else {
        Reply::json(200, &response(prompt, &said, body, true))
    };
    reply.counted(said.tokens)
}

/// The document, finished or in progress.
fn response(prompt: &Prompt, said: &Said, body: &Value, done: bool) -> Json {
    let status = match (done, said.cut) {
        (false, _) => "in_progress",
        (true, true) => "incomplete",
        (true, false) => "completed",
    };
    let cut = (done && said.cut).then(|| object! { "reason": "max_output_tokens" });
    let output = if done { output(said) } else { empty() };
    object! {
        "id": "resp_creto1",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "background": false,
        "error": Json::null(),
        "incomplete_details": cut,
        "instructions": body["instructions"],
        "max_output_tokens": body["max_output_tokens"],
        "max_tool_calls": Json::null(),
        "model": snapshot(&prompt.model),
        "output": output,
        "parallel_tool_calls": true,
        "previous_response_id": Json::null(),
        "prompt_cache_key": Json::null(),
        "reasoning": object! { "effort": prompt.reasons.then_some("medium"), "summary": Json::null() },
        "safety_identifier": Json::null(),
        "service_tier": if done { "default" } else { "auto" },
        "store": true,
        "temperature": 1u64,
        "text": object! { "format": object! { "type": "text" }, "verbosity": "medium" },
        "tool_choice": "auto",
        "tools": if body["tools"].is_array() { body["tools"].clone() } else { Value::Array(Vec::new()) },
        "top_logprobs": 0u64,
        "top_p": 1u64,
        "truncation": "disabled",
        "usage": done.then(|| usage(said.tokens)),
        "user": Json::null(),
        "metadata": object! {},
    }
}

fn output(said: &Said) -> Vec<Json> {
    let mut items = Vec::new();
    if said.tokens.reasoning > 0 {
        items.push(reasoning());
    }
    items.push(match &said.call {
        Some(call) => call_item(&call.name, &call.arguments.to_string(), "completed"),
        None => message("completed", &[part(&said.text())]),
    });
    items
}

fn reasoning() -> Json {
    object! { "id": "rs_creto1", "type": "reasoning", "summary": empty() }
}

fn message(status: &str, content: &[Json]) -> Json {
    object! {
        "id": "msg_creto1",
        "type": "message",
        "status": status,
        "content": content,
        "role": "assistant",
    }
}

fn part(text: &str) -> Json {
    object! { "type": "output_text", "annotations": empty(), "logprobs": empty(), "text": text }
}

fn call_item(name: &str, arguments: &str, status: &str) -> Json {
    object! {
        "id": "fc_creto1",
        "type": "function_call",
        "status": status,
        "arguments": arguments,
        "call_id": "call_creto1",
        "name": name,
    }
}

/// Events in their order, numbered.
#[derive(Default)]
struct Events(Vec<Bytes>);

impl Events {
    fn push(&mut self, kind: &str, more: &Json) {
        let number = self.0.len() as u64;
        let event = object! { "type": kind, "sequence_number": number }.with(more);
        self.0.push(format!("event: {kind}\ndata: {}\n\n", event.text()).into());
    }
}

fn events(prompt: &Prompt, said: &Said, body: &Value) -> Vec<Bytes> {
    let mut events = Events::default();
    let begun = object! { "response": response(prompt, said, body, false) };
    events.push("response.created", &begun);
    events.push("response.in_progress", &begun);
    let mut index = 0u64;
    if said.tokens.reasoning > 0 {
        let item = object! { "output_index": index, "item": reasoning() };
        events.push("response.output_item.added", &item);
        events.push("response.output_item.done", &item);
        index += 1;
    }
    if let Some(call) = &said.call {
        let arguments = call.arguments.to_string();
        let at = object! { "item_id": "fc_creto1", "output_index": index };
        let item = call_item(&call.name, "", "in_progress");
        events.push("response.output_item.added", &object! { "output_index": index, "item": item });
        for piece in halves(&arguments) {
            events.push("response.function_call_arguments.delta", &at.with(&object! { "delta": piece }));
        }
        events.push("response.function_call_arguments.done", &at.with(&object! { "arguments": arguments }));
        let item = call_item(&call.name, &arguments, "completed");
        events.push("response.output_item.done", &object! { "output_index": index, "item": item });
    } else {
        let at = object! { "item_id": "msg_creto1", "output_index": index, "content_index": 0u64 };
        let item = message("in_progress", &[]);
        events.push("response.output_item.added", &object! { "output_index": index, "item": item });
        events.push("response.content_part.added", &at.with(&object! { "part": part("") }));
        for piece in &said.pieces {
            let delta = object! { "delta": piece, "logprobs": empty(), "obfuscation": "cRt0" };
            events.push("response.output_text.delta", &at.with(&delta));
        }
        let text = said.text();
        events.push("response.output_text.done", &at.with(&object! { "text": text, "logprobs": empty() }));
        events.push("response.content_part.done", &at.with(&object! { "part": part(&text) }));
        let item = message("completed", &[part(&text)]);
        events.push("response.output_item.done", &object! { "output_index": index, "item": item });
    }
    let end = if said.cut { "response.incomplete" } else { "response.completed" };
    events.push(end, &object! { "response": response(prompt, said, body, true) });
    events.0
}

pub(super) fn usage(tokens: Tokens) -> Json {
    object! {
        "input_tokens": tokens.input,
        "input_tokens_details": object! { "cached_tokens": tokens.cached, "cache_write_tokens": 0u64 },
        "output_tokens": tokens.output,
        "output_tokens_details": object! { "reasoning_tokens": tokens.reasoning },
        "total_tokens": tokens.input + tokens.output,
    }
}
