//! `POST /v1/chat/completions`.

use bytes::Bytes;
use serde_json::Value;

use super::json::{Json, empty, object};
use super::prompt::{Prompt, Said, Tokens, Tool, text_of};
use super::reply::Reply;

/// When everything was made.
pub(super) const CREATED: u64 = 1_790_000_000;

pub(super) fn prompt(model: &str, body: &Value) -> Prompt {
    let mut prompt = Prompt {
        model: model.to_owned(),
        limit: body["max_completion_tokens"].as_u64().or_else(|| body["max_tokens"].as_u64()),
        reasons: reasons(model),
        ..Prompt::default()
    };
    let mut answered = false;
    for message in body["messages"].as_array().into_iter().flatten() {
        let text = text_of(&message["content"]);
        match message["role"].as_str() {
            Some("system" | "developer") => prompt.counts_cached(&text),
            role => {
                answered = role == Some("tool");
                prompt.counts_message(&text);
                prompt.last = text;
            }
        }
    }
    let first = &body["tools"][0]["function"];
    if let Some(name) = first["name"].as_str().filter(|_| !answered) {
        prompt.tool = Some(Tool { name: name.to_owned(), schema: first["parameters"].clone() });
    }
    prompt
}

pub(super) fn reasons(model: &str) -> bool {
    ["o1", "o3", "o4", "gpt-5"].iter().any(|family| model.starts_with(family))
}

/// The dated name of a model that was asked for by its short one.
pub(super) fn snapshot(model: &str) -> String {
    let dated = model.len() > 11
        && model[model.len() - 11..].split('-').skip(1).all(|part| part.parse::<u16>().is_ok());
    if dated { model.to_owned() } else { format!("{model}-2025-08-07") }
}

pub(super) fn answer(prompt: &Prompt, body: &Value) -> Reply {
    let said = prompt.said();
    let reply = if body["stream"] == true {
        Reply::stream("text/event-stream; charset=utf-8", events(prompt, &said, body))
    } else {
        Reply::json(200, &completion(prompt, &said))
    };
    reply.counted(said.tokens)
}

fn completion(prompt: &Prompt, said: &Said) -> Json {
    let mut message = object! {
        "role": "assistant",
        "content": said.call.is_none().then(|| said.text()),
    };
    if let Some(call) = &said.call {
        let function = object! { "name": call.name, "arguments": call.arguments.to_string() };
        let call = object! { "id": "call_creto1", "type": "function", "function": function };
        message = message.with(&object! { "tool_calls": [call] });
    }
    let message = message.with(&object! { "refusal": Json::null(), "annotations": empty() });
    let choice = object! {
        "index": 0u64,
        "message": message,
        "logprobs": Json::null(),
        "finish_reason": finish(said),
    };
    object! {
        "id": "chatcmpl-creto1",
        "object": "chat.completion",
        "created": CREATED,
        "model": snapshot(&prompt.model),
        "choices": [choice],
        "usage": usage(said.tokens),
        "service_tier": "default",
        "system_fingerprint": Json::null(),
    }
}

fn events(prompt: &Prompt, said: &Said, body: &Value) -> Vec<Bytes> {
    let with_usage = body["stream_options"]["include_usage"] == true;
    let obfuscated = body["stream_options"]["include_obfuscation"] != false;
    let chunk = |choices: Vec<Json>, usage: Json| {
        let mut chunk = object! {
            "id": "chatcmpl-creto1",
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": snapshot(&prompt.model),
            "service_tier": "default",
            "system_fingerprint": Json::null(),
            "choices": choices,
        };
        if with_usage {
            chunk = chunk.with(&object! { "usage": usage });
        }
        if obfuscated {
            chunk = chunk.with(&object! { "obfuscation": "cRt0" });
        }
        event(&chunk)
    };
    let delta = |delta: Json, finish: Option<&str>| {
        let choice = object! {
            "index": 0u64,
            "delta": delta,
            "logprobs": Json::null(),
            "finish_reason": finish,
        };
        chunk(vec![choice], Json::null())
    };
    let mut events = Vec::new();
    if let Some(call) = &said.call {
        let function = object! { "name": call.name, "arguments": "" };
        let begun = object! { "index": 0u64, "id": "call_creto1", "type": "function", "function": function };
        events.push(delta(
            object! { "role": "assistant", "content": Json::null(), "tool_calls": [begun], "refusal": Json::null() },
            None,
        ));
        for piece in halves(&call.arguments.to_string()) {
            let more = object! { "index": 0u64, "function": object! { "arguments": piece } };
            events.push(delta(object! { "tool_calls": [more] }, None));
        }
    } else {
        events.push(delta(object! { "role": "assistant", "content": "", "refusal": Json::null() }, None));
        events.extend(said.pieces.iter().map(|piece| delta(object! { "content": piece }, None)));
    }
    events.push(delta(object! {}, Some(finish(said))));
    if with_usage {
        events.push(chunk(empty(), usage(said.tokens)));
    }
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    events
}

fn event(document: &Json) -> Bytes {
    Bytes::from(format!("data: {}\n\n", document.text()))
}

/// A text in two, as arguments come in pieces.
pub(super) fn halves(text: &str) -> [String; 2] {
    let middle = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
    [text[..middle].to_owned(), text[middle..].to_owned()]
}

fn finish(said: &Said) -> &'static str {
    match (&said.call, said.cut) {
        (Some(_), _) => "tool_calls",
        (None, true) => "length",
        (None, false) => "stop",
    }
}

fn usage(tokens: Tokens) -> Json {
    object! {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": object! { "cached_tokens": tokens.cached, "audio_tokens": 0u64 },
        "completion_tokens_details": object! {
            "reasoning_tokens": tokens.reasoning,
            "audio_tokens": 0u64,
            "accepted_prediction_tokens": 0u64,
            "rejected_prediction_tokens": 0u64,
        },
    }
}
