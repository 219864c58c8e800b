//! `POST /v1/messages` and `/v1/messages/count_tokens`.

use bytes::Bytes;
use serde_json::Value;

use super::json::{Json, object};
use super::openai_chat::halves;
use super::prompt::{Prompt, Said, Tokens, Tool, text_of, words};
use super::reply::Reply;

/// What the request asks of the model. Marked parts of the system prompt are in the cache already; marked parts of
/// messages are written to it.
pub(super) struct Asked {
    pub(super) prompt: Prompt,
    /// Of what is written to the cache: for an hour.
    hour: u64,
    /// It may search the web, and does.
    searches: bool,
}

pub(super) fn asked(model: &str, body: &Value) -> Asked {
    let mut prompt =
        Prompt { model: model.to_owned(), limit: body["max_tokens"].as_u64(), ..Prompt::default() };
    let system = &body["system"];
    prompt.input += words(&text_of(system));
    prompt.cached += marked(system).iter().map(|part| words(&text_of(part))).sum::<u64>();
    let (mut hour, mut answered) = (0, false);
    for message in body["messages"].as_array().into_iter().flatten() {
        let content = &message["content"];
        prompt.counts_message(&text_of(content));
        prompt.last = text_of(content);
        answered =
            content.as_array().is_some_and(|parts| parts.iter().any(|part| part["type"] == "tool_result"));
        for part in marked(content) {
            let count = words(&text_of(part));
            prompt.cache_written += count;
            if part["cache_control"]["ttl"] == "1h" {
                hour += count;
            }
        }
    }
    let tools = body["tools"].as_array();
    let own = tools.into_iter().flatten().find(|tool| tool["input_schema"].is_object());
    if let Some((name, tool)) =
        own.and_then(|tool| Some((tool["name"].as_str()?, tool))).filter(|_| !answered)
    {
        prompt.tool = Some(Tool { name: name.to_owned(), schema: tool["input_schema"].clone() });
    }
    let searches = tools
        .into_iter()
        .flatten()
        .any(|tool| tool["type"].as_str().is_some_and(|kind| kind.starts_with("web_search")));
    Asked { prompt, hour, searches }
}

fn marked(content: &Value) -> Vec<&Value> {
    content.as_array().into_iter().flatten().filter(|part| part["cache_control"].is_object()).collect()
}

pub(super) fn answer(asked: &Asked, body: &Value) -> Reply {
    let said = asked.prompt.said();
    let reply = if body["stream"] == true {
        let events = events(asked, &said);
        let events = events
            .iter()
            .map(|(kind, event)| Bytes::from(format!("event: {kind}\ndata: {}\n\n", event.text())));
        Reply::stream("text/event-stream; charset=utf-8", events.collect())
    } else {
        Reply::json(200, &message(asked, &said))
    };
    reply.counted(said.tokens)
}

pub(super) fn count(asked: &Asked) -> Reply {
    Reply::json(200, &object! { "input_tokens": asked.prompt.input })
}

/// The whole answer.
pub(super) fn message(asked: &Asked, said: &Said) -> Json {
    let mut content = Vec::new();
    if asked.searches {
        content.push(search(&asked.prompt.last));
        content.push(found());
    }
    content.push(match &said.call {
        Some(call) => tool_use(&call.name, &call.arguments),
        None => object! { "type": "text", "text": said.text() },
    });
    head(asked, &content, Some(stop(said)), &usage(asked, said.tokens))
}

fn head(asked: &Asked, content: &[Json], stop: Option<&str>, usage: &Json) -> Json {
    object! {
        "id": "msg_creto1",
        "type": "message",
        "role": "assistant",
        "model": asked.prompt.model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": Json::null(),
        "usage": usage,
    }
}

/// The events of a streamed answer: name and data.
pub(super) fn events(asked: &Asked, said: &Said) -> Vec<(&'static str, Json)> {
    let mut events = Vec::new();
    let mut push = |kind, more: Json| events.push((kind, object! { "type": kind }.with(&more)));
    // The first count of output is one of what has begun; the last one counts all.
    let begun = usage(asked, Tokens { output: 1, reasoning: 0, ..said.tokens });
    push("message_start", object! { "message": head(asked, &[], None, &begun) });
    let mut index = 0u64;
    if asked.searches {
        for block in [search(&asked.prompt.last), found()] {
            push("content_block_start", object! { "index": index, "content_block": block });
            push("content_block_stop", object! { "index": index });
            index += 1;
        }
    }
    let at = object! { "index": index };
    let delta = |delta: Json| at.with(&object! { "delta": delta });
    match &said.call {
        Some(call) => {
            let block = tool_use(&call.name, &Value::Object(serde_json::Map::new()));
            push("content_block_start", at.with(&object! { "content_block": block }));
            push("ping", object! {});
            push("content_block_delta", delta(object! { "type": "input_json_delta", "partial_json": "" }));
            for piece in halves(&call.arguments.to_string()) {
                push(
                    "content_block_delta",
                    delta(object! { "type": "input_json_delta", "partial_json": piece }),
                );
            }
        }
        None => {
            let block = object! { "type": "text", "text": "" };
            push("content_block_start", at.with(&object! { "content_block": block }));
            push("ping", object! {});
            for piece in &said.pieces {
                push("content_block_delta", delta(object! { "type": "text_delta", "text": piece }));
            }
        }
    }
    push("content_block_stop", at.clone());
    push(
        "message_delta",
        object! {
            "delta": object! { "stop_reason": stop(said), "stop_sequence": Json::null() },
            "usage": final_usage(asked, said.tokens),
        },
    );
    push("message_stop", object! {});
    events
}

fn search(query: &str) -> Json {
    object! {
        "type": "server_tool_use",
        "id": "srvtoolu_creto1",
        "name": "web_search",
        "input": object! { "query": query },
    }
}

fn found() -> Json {
    let page = object! {
        "type": "web_search_result",
        "title": "A page",
        "url": "https://example.com/",
        "encrypted_content": "Y3JldG8=",
        "page_age": Json::null(),
    };
    object! { "type": "web_search_tool_result", "tool_use_id": "srvtoolu_creto1", "content": [page] }
}

fn tool_use(name: &str, input: &Value) -> Json {
    object! { "type": "tool_use", "id": "toolu_creto1", "name": name, "input": input }
}

fn stop(said: &Said) -> &'static str {
    match (&said.call, said.cut) {
        (Some(_), _) => "tool_use",
        (None, true) => "max_tokens",
        (None, false) => "end_turn",
    }
}

fn usage(asked: &Asked, tokens: Tokens) -> Json {
    object! {
        "input_tokens": tokens.fresh(),
        "cache_creation_input_tokens": tokens.cache_written,
        "cache_read_input_tokens": tokens.cached,
        "cache_creation": object! {
            "ephemeral_5m_input_tokens": tokens.cache_written - asked.hour,
            "ephemeral_1h_input_tokens": asked.hour,
        },
        "output_tokens": tokens.output,
        "service_tier": "standard",
    }
    .with(&searches(asked))
}

/// Of `message_delta`: cumulative.
fn final_usage(asked: &Asked, tokens: Tokens) -> Json {
    object! {
        "input_tokens": tokens.fresh(),
        "cache_creation_input_tokens": tokens.cache_written,
        "cache_read_input_tokens": tokens.cached,
        "output_tokens": tokens.output,
    }
    .with(&searches(asked))
}

fn searches(asked: &Asked) -> Json {
    if asked.searches {
        object! { "server_tool_use": object! { "web_search_requests": 1u64, "web_fetch_requests": 0u64 } }
    } else {
        object! {}
    }
}
