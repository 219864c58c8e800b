//! `GET /v1/realtime`: events over a WebSocket, text only.

use futures::{SinkExt, StreamExt};
use http::HeaderValue;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use super::FakeProvider;
use super::json::{Json, empty, object};
use super::openai_chat::reasons;
use super::prompt::{Prompt, Tokens, text_of};
use crate::upstream::websocket::{Socket, upgrade};
use crate::upstream::{BufferedRequest, StreamedResponse};

/// Upgrades, and answers until the client closes; `number` is that of the call on record.
pub(super) fn answer(
    provider: FakeProvider,
    request: BufferedRequest,
    model: String,
    number: usize,
) -> StreamedResponse {
    let offered = request.headers().get("sec-websocket-protocol").and_then(|value| value.to_str().ok());
    let speaks = offered.is_some_and(|list| list.split(',').any(|one| one.trim() == "realtime"));
    let mut response = upgrade(request, move |socket| Session::new(provider, model, number).run(socket));
    if speaks {
        response.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("realtime"));
    }
    response
}

struct Session {
    provider: FakeProvider,
    model: String,
    number: usize,
    /// Events sent so far.
    sent: u64,
    responses: u64,
    instructions: String,
    /// All items of the conversation.
    items: Vec<String>,
}

impl Session {
    fn new(provider: FakeProvider, model: String, number: usize) -> Self {
        let (instructions, items) = (String::new(), Vec::new());
        Self { provider, model, number, sent: 0, responses: 0, instructions, items }
    }

    async fn run(mut self, mut socket: Socket) -> Socket {
        let begun = self.event("session.created", &object! { "session": self.session() });
        if socket.send(begun).await.is_err() {
            return socket;
        }
        while let Some(Ok(message)) = socket.next().await {
            let Message::Text(text) = message else { continue };
            self.provider.heard(self.number, &text);
            for event in self.heard(&text) {
                if socket.send(event).await.is_err() {
                    return socket;
                }
            }
        }
        socket
    }

    fn heard(&mut self, text: &str) -> Vec<Message> {
        let event: Value = serde_json::from_str(text).unwrap_or_default();
        match event["type"].as_str() {
            Some("session.update") => {
                if let Some(instructions) = event["session"]["instructions"].as_str() {
                    instructions.clone_into(&mut self.instructions);
                }
                vec![self.event("session.updated", &object! { "session": self.session() })]
            }
            Some("conversation.item.create") => {
                self.items.push(text_of(&event["item"]["content"]));
                let item = object! {
                    "id": format!("item_creto{}", self.items.len()),
                    "object": "realtime.item",
                    "type": "message",
                    "status": "completed",
                    "role": event["item"]["role"],
                    "content": event["item"]["content"],
                };
                let about = object! { "previous_item_id": Json::null(), "item": item };
                ["conversation.item.added", "conversation.item.done"]
                    .map(|kind| self.event(kind, &about))
                    .into()
            }
            Some("response.create") => self.respond(),
            other => {
                let error = object! {
                    "type": "invalid_request_error",
                    "code": "invalid_value",
                    "message": format!("Invalid value: '{}'.", other.unwrap_or_default()),
                    "param": "type",
                    "event_id": event["event_id"],
                };
                vec![self.event("error", &object! { "error": error })]
            }
        }
    }

    fn respond(&mut self) -> Vec<Message> {
        let mut prompt =
            Prompt { model: self.model.clone(), reasons: reasons(&self.model), ..Prompt::default() };
        prompt.counts_cached(&self.instructions);
        for item in &self.items {
            prompt.counts_message(item);
            prompt.last.clone_from(item);
        }
        let said = prompt.said();
        self.provider.said(self.number, said.tokens);
        self.responses += 1;
        let id = format!("resp_creto{}", self.responses);
        let item_id = format!("item_creto{}", self.items.len() + 1);
        let item = |status: &str, content: Vec<Json>| {
            object! {
                "id": item_id,
                "object": "realtime.item",
                "type": "message",
                "status": status,
                "role": "assistant",
                "content": content,
            }
        };
        let response = |status: &str, output: Vec<Json>, usage: Option<Json>| {
            object! {
                "object": "realtime.response",
                "id": id,
                "status": status,
                "status_details": Json::null(),
                "output": output,
                "conversation_id": "conv_creto1",
                "output_modalities": ["text"],
                "max_output_tokens": "inf",
                "usage": usage,
                "metadata": Json::null(),
            }
        };
        let text = said.text();
        let part = |text: &str| object! { "type": "output_text", "text": text };
        let of_response = object! { "response_id": id, "output_index": 0u64 };
        let of_part = of_response.with(&object! { "item_id": item_id, "content_index": 0u64 });

        let mut events = Vec::new();
        let mut push = |kind: &'static str, more: Json| events.push((kind, more));
        push("response.created", object! { "response": response("in_progress", empty(), None) });
        let begun = object! { "item": item("in_progress", empty()) };
        push("response.output_item.added", of_response.with(&begun));
        push("response.content_part.added", of_part.with(&object! { "part": part("") }));
        for piece in &said.pieces {
            push("response.output_text.delta", of_part.with(&object! { "delta": piece }));
        }
        push("response.output_text.done", of_part.with(&object! { "text": text }));
        push("response.content_part.done", of_part.with(&object! { "part": part(&text) }));
        let done = item("completed", vec![part(&text)]);
        push("response.output_item.done", of_response.with(&object! { "item": done }));
        let response = response("completed", vec![done], Some(usage(said.tokens)));
        push("response.done", object! { "response": response });
        self.items.push(text);
        events.into_iter().map(|(kind, more)| self.event(kind, &more)).collect()
    }

    fn event(&mut self, kind: &str, more: &Json) -> Message {
        self.sent += 1;
        let event = object! { "type": kind, "event_id": format!("event_creto{}", self.sent) };
        Message::text(event.with(more).text())
    }

    fn session(&self) -> Json {
        object! {
            "object": "realtime.session",
            "type": "realtime",
            "id": "sess_creto1",
            "model": self.model,
            "output_modalities": ["text"],
            "instructions": self.instructions,
            "tools": empty(),
            "tool_choice": "auto",
            "max_output_tokens": "inf",
        }
    }
}

fn usage(tokens: Tokens) -> Json {
    object! {
        "total_tokens": tokens.input + tokens.output,
        "input_tokens": tokens.input,
        "output_tokens": tokens.output,
        "input_token_details": object! {
            "text_tokens": tokens.input,
            "audio_tokens": 0u64,
            "image_tokens": 0u64,
            "cached_tokens": tokens.cached,
            "cached_tokens_details": object! {
                "text_tokens": tokens.cached, "audio_tokens": 0u64, "image_tokens": 0u64,
            },
        },
        "output_token_details": object! { "text_tokens": tokens.output, "audio_tokens": 0u64 },
    }
}
