//! Bodies as they are in practice: the shapes of the golden answers of `filters/metering`, at their usual lengths.

use std::fmt::Write as _;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use creto_metering::{Framing, Shape};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

/// One answer, and what it used.
pub(crate) struct Body {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) framing: Framing,
    pub(crate) bytes: Vec<u8>,
}

/// Tokens that each answer tells, all input and all output.
pub(crate) const TOLD: (u64, u64) = (5120, 900);

const KIB: usize = 1024;

pub(crate) fn json_answers() -> Vec<Body> {
    let body = |name, shape, value: &Value| Body {
        name,
        shape,
        framing: Framing::Json,
        bytes: value.to_string().into_bytes(),
    };
    let chat = json!({
        "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT", "object": "chat.completion", "created": 1741569952,
        "model": "gpt-5-2025-08-07",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": prose(64 * KIB), "refusal": null,
            "annotations": []}, "logprobs": null, "finish_reason": "stop"}],
        "usage": openai_usage(), "service_tier": "default"
    });
    let arguments = json!({"path": "src/main.rs", "content": prose(48 * KIB)}).to_string();
    let responses = json!({
        "id": "resp_67ccd3a9da748190baa7f1570fe91ac604becb25c45c1d41", "object": "response", "status": "completed",
        "model": "gpt-5-2025-08-07", "output": [
            {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": prose(8 * KIB)}],
                "encrypted_content": noise(48 * KIB)},
            {"id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1", "name": "write_file",
                "arguments": arguments},
            {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant",
                "content": [{"type": "output_text", "annotations": [], "logprobs": [], "text": prose(96 * KIB)}]}],
        "usage": responses_usage(), "service_tier": "default"
    });
    let messages = json!({
        "model": "claude-sonnet-4-5-20250929", "id": "msg_01XFDUDYJgAACzvnptvVoYEL", "type": "message",
        "role": "assistant", "content": [
            {"type": "thinking", "thinking": prose(48 * KIB), "signature": noise(KIB)},
            {"type": "text", "text": prose(48 * KIB)},
            {"type": "tool_use", "id": "toolu_1", "name": "write_file",
                "input": {"path": "src/main.rs", "content": prose(24 * KIB)}}],
        "stop_reason": "tool_use", "stop_sequence": null, "usage": anthropic_usage(TOLD.1)
    });
    let vectors: Vec<Value> = (0..32_u32)
        .map(|index| {
            let vector: Vec<f64> =
                (0..1536_u32).map(|at| f64::from((index * 1536 + at) % 9973) / 104_729.0 - 0.04).collect();
            json!({"object": "embedding", "index": index, "embedding": vector})
        })
        .collect();
    let embeddings = json!({"object": "list", "data": vectors, "model": "text-embedding-3-small",
        "usage": {"prompt_tokens": TOLD.0, "total_tokens": TOLD.0}});
    vec![
        body("chat", Shape::OpenAiChat, &chat),
        body("responses", Shape::OpenAiResponses, &responses),
        body("messages", Shape::Anthropic, &messages),
        body("embeddings", Shape::OpenAiEmbeddings, &embeddings),
    ]
}

pub(crate) fn streams() -> Vec<Body> {
    let body =
        |name, shape, text: String| Body { name, shape, framing: Framing::Sse, bytes: text.into_bytes() };
    vec![
        body("chat stream", Shape::OpenAiChat, chat_stream(64 * KIB)),
        body("messages stream", Shape::Anthropic, messages_stream(256 * KIB)),
        body("responses stream", Shape::OpenAiResponses, responses_stream(1024 * KIB)),
    ]
}

pub(crate) fn event_streams() -> Vec<Body> {
    let body = |name, shape, bytes: Vec<u8>| Body { name, shape, framing: Framing::EventStream, bytes };
    let mut converse = aws_event("messageStart", &json!({"p": "abcdefgh", "role": "assistant"}));
    for token in tokens(1024 * KIB / 200) {
        let payload =
            json!({"contentBlockIndex": 0, "delta": {"text": token}, "p": "abcdefghijklmnopqrstuvwxyzABCDE"});
        converse.extend(aws_event("contentBlockDelta", &payload));
    }
    converse.extend(aws_event("contentBlockStop", &json!({"contentBlockIndex": 0, "p": "ab"})));
    converse.extend(aws_event("messageStop", &json!({"p": "abc", "stopReason": "end_turn"})));
    let usage = json!({"inputTokens": TOLD.0, "outputTokens": TOLD.1, "totalTokens": TOLD.0 + TOLD.1});
    converse.extend(aws_event(
        "metadata",
        &json!({"metrics": {"latencyMs": 400}, "p": "abcdef", "usage": usage}),
    ));

    let mut invoke = Vec::new();
    for event in messages_stream(96 * KIB).lines().filter_map(|line| line.strip_prefix("data: ")) {
        let payload = json!({"bytes": STANDARD.encode(event), "p": "abcdefghijklmnopq"});
        invoke.extend(aws_event("chunk", &payload));
    }
    vec![body("converse", Shape::BedrockConverse, converse), body("invoke", Shape::BedrockInvoke, invoke)]
}

/// A chat request of this length with a long context: turns, a document, tools.
pub(crate) fn long_request(length: usize) -> String {
    let mut text = String::from(
        r#"{"model":"gpt-5-mini","messages":[{"role":"system","content":"You are kind, this is request 000."}"#,
    );
    for turn in 0.. {
        let role = if turn % 2 == 0 { "user" } else { "assistant" };
        write!(text, ",{}", json!({"role": role, "content": prose(24 * KIB)})).unwrap_or_default();
        if text.len() + 64 * KIB > length {
            break;
        }
    }
    let parameters =
        json!({"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]});
    let tools: Vec<Value> = (0..16)
        .map(|n| json!({"type": "function", "function": {"name": format!("tool_{n}"), "parameters": parameters}}))
        .collect();
    let tail = format!("\"}}],\"tools\":{},\"max_completion_tokens\":4096}}", Value::from(tools));
    text.push_str(r#",{"role":"user","content":""#);
    while text.len() + tail.len() < length {
        text.push('x');
    }
    text.push_str(&tail);
    text
}

/// Compressed as providers do.
pub(crate) fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn openai_usage() -> Value {
    json!({"prompt_tokens": TOLD.0, "completion_tokens": TOLD.1, "total_tokens": TOLD.0 + TOLD.1,
        "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 128, "audio_tokens": 0, "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0}})
}

fn responses_usage() -> Value {
    json!({"input_tokens": TOLD.0, "input_tokens_details": {"cached_tokens": 1024}, "output_tokens": TOLD.1,
        "output_tokens_details": {"reasoning_tokens": 128}, "total_tokens": TOLD.0 + TOLD.1})
}

/// Anthropic's input leaves out what was cached.
fn anthropic_usage(output: u64) -> Value {
    json!({"input_tokens": TOLD.0 - 1024, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 1024,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output, "service_tier": "standard"})
}

fn chat_stream(length: usize) -> String {
    let mut text = String::new();
    let chunk = |choices: &Value, usage: &Value| {
        let chunk = json!({"id": "chatcmpl-BqYhTo4ofwYkSyM9jBUrxZYyRVnzQ", "object": "chat.completion.chunk",
            "created": 1751632391, "model": "gpt-5-2025-08-07", "service_tier": "default",
            "system_fingerprint": "fp_34a54ae93c", "choices": choices, "usage": usage});
        format!("data: {chunk}\n\n")
    };
    let choice = |delta: &Value, finish| json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
    let start = json!({"role": "assistant", "content": "", "refusal": null});
    text.push_str(&chunk(&choice(&start, Value::Null), &Value::Null));
    for token in tokens(length / 300) {
        text.push_str(&chunk(&choice(&json!({"content": token}), Value::Null), &Value::Null));
    }
    text.push_str(&chunk(&choice(&json!({}), json!("stop")), &Value::Null));
    text.push_str(&chunk(&json!([]), &openai_usage()));
    text.push_str("data: [DONE]\n\n");
    text
}

fn messages_stream(length: usize) -> String {
    let mut text = String::new();
    let mut event = |value: &Value| {
        let kind = value["type"].as_str().unwrap_or_default();
        text.push_str(&format!("event: {kind}\ndata: {value}\n\n"));
    };
    event(&json!({"type": "message_start", "message": {"model": "claude-sonnet-4-5-20250929",
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL", "type": "message", "role": "assistant", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": anthropic_usage(1)}}));
    let block = json!({"type": "text", "text": ""});
    event(&json!({"type": "content_block_start", "index": 0, "content_block": block}));
    event(&json!({"type": "ping"}));
    for token in tokens(length / 130) {
        let delta = json!({"type": "text_delta", "text": token});
        event(&json!({"type": "content_block_delta", "index": 0, "delta": delta}));
    }
    event(&json!({"type": "content_block_stop", "index": 0}));
    event(&json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
        "usage": {"output_tokens": TOLD.1}}));
    event(&json!({"type": "message_stop"}));
    text
}

fn responses_stream(length: usize) -> String {
    let mut text = String::new();
    let mut event = |value: &Value| {
        let kind = value["type"].as_str().unwrap_or_default();
        text.push_str(&format!("event: {kind}\ndata: {value}\n\n"));
    };
    let response = |status: &str, output: &Value, usage: &Value| {
        json!({"id": "resp_67ccd3a9da748190baa7f1570fe91ac604becb25c45c1d41", "object": "response",
            "created_at": 1741476777, "status": status, "model": "gpt-5-2025-08-07", "output": output,
            "parallel_tool_calls": true, "reasoning": {"effort": "medium", "summary": null},
            "service_tier": "default", "temperature": 1.0, "tools": [], "usage": usage})
    };
    let begun = response("in_progress", &json!([]), &Value::Null);
    event(&json!({"type": "response.created", "sequence_number": 0, "response": begun}));
    let mut said = String::new();
    for (n, token) in tokens(length / 260).enumerate() {
        event(&json!({"type": "response.output_text.delta", "sequence_number": n + 1, "item_id": "msg_1",
            "output_index": 0, "content_index": 0, "delta": token, "logprobs": [], "obfuscation": "aBcDeFgHiJ"}));
        said.push_str(&token);
    }
    let output = json!([{"id": "msg_1", "type": "message", "status": "completed", "role": "assistant",
        "content": [{"type": "output_text", "annotations": [], "logprobs": [], "text": said}]}]);
    let whole = response("completed", &output, &responses_usage());
    event(&json!({"type": "response.completed", "sequence_number": 9999, "response": whole}));
    text
}

/// A message of `application/vnd.amazon.eventstream`: lengths and their CRC, headers, payload, CRC of all.
fn aws_event(kind: &str, payload: &Value) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in
        [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")]
    {
        headers.push(name.len() as u8);
        headers.extend_from_slice(name.as_bytes());
        // 7: text.
        headers.push(7);
        headers.extend_from_slice(&(value.len() as u16).to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let payload = payload.to_string();
    let mut message = ((16 + headers.len() + payload.len()) as u32).to_be_bytes().to_vec();
    message.extend_from_slice(&(headers.len() as u32).to_be_bytes());
    message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
    message.extend_from_slice(&headers);
    message.extend_from_slice(payload.as_bytes());
    message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
    message
}

/// What stands between the words.
const MARKS: [&str; 8] = [",", ".", "\n\n", "```rust\n", " \"", "\";", "\n", " Zürich"];

/// Tokens as models write them: words, and lines, quotes and a letter beyond ASCII now and then. No real text, but it
/// compresses about as one does.
fn tokens(count: usize) -> impl Iterator<Item = String> {
    let mut random = Random(7);
    (0..count).map(move |_| match random.below(6) {
        0 => MARKS[random.below(MARKS.len())].to_owned(),
        _ => {
            // Few words are most of a text.
            let rare = random.below(4) == 0;
            let mut word = Random(random.below(if rare { 4000 } else { 60 }) as u32);
            let length = 2 + word.below(5);
            let letters = (0..length).map(|_| char::from(b'a' + word.below(26) as u8));
            std::iter::once(' ').chain(letters).collect()
        }
    })
}

/// The same numbers each time.
struct Random(u32);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize % bound
    }
}

fn prose(length: usize) -> String {
    let mut text = String::with_capacity(length + 64);
    text.extend(tokens(length / 4));
    text
}

/// Base64 of what looks like noise.
fn noise(length: usize) -> String {
    let mut random = Random(11);
    let bytes: Vec<u8> = (0..length * 3 / 4).map(|_| random.below(256) as u8).collect();
    STANDARD.encode(bytes)
}
