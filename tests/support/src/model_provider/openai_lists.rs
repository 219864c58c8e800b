//! `POST /v1/embeddings` and `GET /v1/models`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::json::{Json, object};
use super::openai_chat::CREATED;
use super::prompt::{Tokens, text_of, words};
use super::reply::Reply;

/// Numbers in a vector.
const DIMENSIONS: usize = 4;

/// The vector of a text: its words, its bytes, and two that are always the same.
pub(super) fn vector(text: &str) -> [f64; DIMENSIONS] {
    let share = |count: u64| f64::from(u32::try_from(count % 1000).unwrap_or_default()) / 1024.0;
    [share(words(text)), share(text.len() as u64), 0.5, -0.25]
}

pub(super) fn embeddings(model: &str, body: &Value) -> Reply {
    let texts = match &body["input"] {
        Value::Array(items) if items.iter().all(Value::is_string) => items.iter().map(text_of).collect(),
        // Tokens instead of text: each counts as a word.
        Value::Array(items) => vec!["token ".repeat(items.len())],
        input => vec![text_of(input)],
    };
    let count: u64 = texts.iter().map(|text| words(text)).sum();
    let mut data = Vec::new();
    for (index, text) in (0u64..).zip(&texts) {
        let embedding = if body["encoding_format"] == "base64" {
            let bytes: Vec<u8> =
                vector(text).iter().flat_map(|number| narrow(*number).to_le_bytes()).collect();
            object! { "embedding": STANDARD.encode(bytes) }
        } else {
            object! { "embedding": vector(text) }
        };
        data.push(object! { "object": "embedding", "index": index }.with(&embedding));
    }
    let usage = object! { "prompt_tokens": count, "total_tokens": count };
    let document = object! { "object": "list", "data": data, "model": model, "usage": usage };
    Reply::json(200, &document).counted(Tokens { input: count, ..Tokens::default() })
}

#[allow(clippy::cast_possible_truncation, reason = "the numbers have few bits")]
fn narrow(number: f64) -> f32 {
    number as f32
}

pub(super) fn models() -> Reply {
    let data: Vec<Json> = ["gpt-4o", "gpt-5-mini", "o4-mini", "text-embedding-3-small"]
        .iter()
        .map(|id| object! { "id": id, "object": "model", "created": CREATED, "owned_by": "system" })
        .collect();
    Reply::json(200, &object! { "object": "list", "data": data })
}
