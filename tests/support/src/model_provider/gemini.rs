//! `POST /v1beta/models/{model}:generateContent` and its kin, and the paths of Vertex AI.

use bytes::Bytes;
use serde_json::Value;

use super::json::{Json, object};
use super::openai_lists::vector;
use super::prompt::{Prompt, Said, Tokens, Tool, text_of};
use super::reply::Reply;

const JSON: &str = "application/json; charset=UTF-8";

pub(super) fn prompt(model: &str, body: &Value) -> Prompt {
    let mut prompt = Prompt {
        model: model.to_owned(),
        limit: body["generationConfig"]["maxOutputTokens"].as_u64(),
        reasons: ["gemini-2.5", "gemini-3"].iter().any(|family| model.starts_with(family)),
        ..Prompt::default()
    };
    prompt.counts_cached(&text_of(&body["systemInstruction"]));
    let mut answered = false;
    for content in body["contents"].as_array().into_iter().flatten() {
        let text = text_of(content);
        let parts = content["parts"].as_array();
        answered = parts.is_some_and(|parts| parts.iter().any(|part| part["functionResponse"].is_object()));
        prompt.counts_message(&text);
        prompt.last = text;
    }
    // Names with underscores are taken as well.
    let first = &body["tools"][0]["functionDeclarations"][0];
    if let Some(name) = first["name"].as_str().filter(|_| !answered) {
        let schema =
            ["parameters", "parametersJsonSchema", "parameters_json_schema"].iter().map(|key| &first[*key]);
        let schema = schema.into_iter().find(|schema| schema.is_object()).cloned().unwrap_or_default();
        prompt.tool = Some(Tool { name: name.to_owned(), schema });
    }
    prompt
}

pub(super) fn answer(prompt: &Prompt) -> Reply {
    let said = prompt.said();
    let whole = chunk(prompt, &[part(&said, &said.text())], Some(finish(&said)), said.tokens);
    Reply::json(200, &whole).header("content-type", JSON).counted(said.tokens)
}

/// As events, or as one JSON array whose items come one by one.
pub(super) fn stream(prompt: &Prompt, events: bool) -> Reply {
    let said = prompt.said();
    let pieces = if said.call.is_some() { vec![String::new()] } else { said.pieces.clone() };
    let count = pieces.len();
    let mut chunks = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        let last = index + 1 == count;
        // Every chunk counts what has been said so far.
        let so_far = if last { said.tokens.output } else { said.tokens.reasoning + index as u64 + 1 };
        let tokens = Tokens { output: so_far, ..said.tokens };
        chunks.push(chunk(prompt, &[part(&said, piece)], last.then(|| finish(&said)), tokens));
    }
    let reply = if events {
        let events = chunks.iter().map(|chunk| Bytes::from(format!("data: {}\r\n\r\n", chunk.text())));
        Reply::stream("text/event-stream", events.collect())
    } else {
        let items = chunks.iter().enumerate().map(|(index, chunk)| {
            let before = if index == 0 { "[" } else { ",\r\n" };
            let after = if index + 1 == count { "\n]" } else { "\n" };
            Bytes::from(format!("{before}{}{after}", chunk.text()))
        });
        Reply::stream(JSON, items.collect())
    };
    reply.counted(said.tokens)
}

fn part(said: &Said, text: &str) -> Json {
    match &said.call {
        Some(call) => {
            object! { "functionCall": object! { "name": call.name, "args": call.arguments, "id": "creto1" } }
        }
        None => object! { "text": text },
    }
}

fn finish(said: &Said) -> &'static str {
    if said.cut { "MAX_TOKENS" } else { "STOP" }
}

fn chunk(prompt: &Prompt, parts: &[Json; 1], finish: Option<&str>, tokens: Tokens) -> Json {
    let mut candidate = object! { "content": object! { "parts": parts, "role": "model" } };
    if let Some(finish) = finish {
        candidate = candidate.with(&object! { "finishReason": finish });
    }
    candidate = candidate.with(&object! { "index": 0u64 });
    object! {
        "candidates": [candidate],
        "usageMetadata": usage(tokens),
        "modelVersion": prompt.model,
        "responseId": "creto1",
    }
}

/// The candidates' tokens are counted without the thoughts.
fn usage(tokens: Tokens) -> Json {
    let mut usage = object! {
        "promptTokenCount": tokens.input,
        "candidatesTokenCount": tokens.output - tokens.reasoning,
        "totalTokenCount": tokens.input + tokens.output,
    };
    if tokens.cached > 0 {
        usage = usage.with(&object! { "cachedContentTokenCount": tokens.cached });
    }
    let by_kind = object! { "modality": "TEXT", "tokenCount": tokens.input };
    usage = usage.with(&object! { "promptTokensDetails": [by_kind] });
    if tokens.reasoning > 0 {
        usage = usage.with(&object! { "thoughtsTokenCount": tokens.reasoning });
    }
    usage
}

pub(super) fn embedding(body: &Value) -> Reply {
    let values = object! { "values": vector(&text_of(&body["content"])) };
    Reply::json(200, &object! { "embedding": values }).header("content-type", JSON)
}

pub(super) fn embeddings(body: &Value) -> Reply {
    let requests = body["requests"].as_array().into_iter().flatten();
    let embeddings: Vec<Json> =
        requests.map(|request| object! { "values": vector(&text_of(&request["content"])) }).collect();
    Reply::json(200, &object! { "embeddings": embeddings }).header("content-type", JSON)
}
