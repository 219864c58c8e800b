//! How fast answers are scanned, in GB/s on one core. Run with `--release`.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a table is what this is for")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use creto_metering::{Encoding, Ending, Framing, Scanner, Shape};

const WORDS: [&str; 12] =
    ["The", " quick", " brown", " fox", " jumps", " over", " the", " lazy", " dog", ",", " again", ".\\n"];
const BYTES: usize = 8 << 20;
const PIECE: usize = 16 << 10;

fn repeat(mut event: impl FnMut(&str, &mut String)) -> Vec<u8> {
    let mut out = String::with_capacity(BYTES + 1024);
    for word in WORDS.iter().cycle() {
        if out.len() >= BYTES {
            break;
        }
        event(word, &mut out);
    }
    out.into_bytes()
}

fn message(kind: &str, payload: &str, out: &mut Vec<u8>) {
    let mut headers = Vec::new();
    for (name, value) in
        [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")]
    {
        headers.push(name.len() as u8);
        headers.extend_from_slice(name.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&(value.len() as u16).to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let start = out.len();
    out.extend_from_slice(&(16 + headers.len() as u32 + payload.len() as u32).to_be_bytes());
    out.extend_from_slice(&(headers.len() as u32).to_be_bytes());
    let crc = crc32fast::hash(&out[start..]);
    out.extend_from_slice(&crc.to_be_bytes());
    out.extend_from_slice(&headers);
    out.extend_from_slice(payload.as_bytes());
    let crc = crc32fast::hash(&out[start..]);
    out.extend_from_slice(&crc.to_be_bytes());
}

fn messages(mut payload: impl FnMut(&str) -> String, kind: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for word in WORDS.iter().cycle() {
        if out.len() >= BYTES {
            break;
        }
        message(kind, &payload(word), &mut out);
    }
    out
}

fn measure(name: &str, shape: Shape, framing: Framing, body: &[u8]) {
    // Given a word, only what has it in its name.
    if std::env::args().nth(1).is_some_and(|word| !name.contains(&word)) {
        return;
    }
    let mut best = f64::MAX;
    for _ in 0..7 {
        let mut scanner = Scanner::new(shape, framing, Encoding::Identity);
        let begun = Instant::now();
        for piece in body.chunks(PIECE) {
            scanner.push(black_box(piece));
        }
        best = best.min(begun.elapsed().as_secs_f64());
        black_box(scanner.finish(Ending::Complete, 1000));
    }
    println!("{name:<44} {:>6.2} GB/s", body.len() as f64 / best / 1e9);
}

fn main() {
    let chat = repeat(|word, out| {
        let _ = write!(
            out,
            "data: {{\"id\":\"chatcmpl-BqYhTo4ofwYkSyM9jBUrxZYyRVnzQ\",\"object\":\"chat.completion.chunk\",\"created\":1751632391,\"model\":\"gpt-4o-mini-2024-07-18\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_34a54ae93c\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{word}\"}},\"logprobs\":null,\"finish_reason\":null}}],\"usage\":null,\"obfuscation\":\"aB3dE5\"}}\n\n"
        );
    });
    measure("SSE, OpenAI chat, a word an event", Shape::OpenAiChat, Framing::Sse, &chat);
    let mut n = 0;
    let responses = repeat(|word, out| {
        n += 1;
        let _ = write!(
            out,
            "event: response.output_text.delta\ndata: {{\"type\":\"response.output_text.delta\",\"sequence_number\":{n},\"item_id\":\"msg_67ccd3a9da748190baa7f1570fe91ac604becb25c45c1d41\",\"output_index\":0,\"content_index\":0,\"delta\":\"{word}\",\"logprobs\":[],\"obfuscation\":\"aBcDeFgHiJ\"}}\n\n"
        );
    });
    measure("SSE, OpenAI responses, a word an event", Shape::OpenAiResponses, Framing::Sse, &responses);
    let anthropic = repeat(|word, out| {
        let _ = write!(
            out,
            "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{word}{word}\"}}}}\n\n"
        );
    });
    measure("SSE, Anthropic, two words an event", Shape::Anthropic, Framing::Sse, &anthropic);
    let prose = WORDS.concat().repeat(4).replace("\\n", " ");
    let gemini = repeat(|_, out| {
        let _ = write!(
            out,
            "data: {{\"candidates\": [{{\"content\": {{\"parts\": [{{\"text\": \"{prose}\"}}],\"role\": \"model\"}},\"index\": 0}}],\"usageMetadata\": {{\"promptTokenCount\": 8,\"candidatesTokenCount\": 9,\"totalTokenCount\": 17,\"promptTokensDetails\": [{{\"modality\": \"TEXT\",\"tokenCount\": 8}}]}},\"modelVersion\": \"gemini-2.5-flash\",\"responseId\": \"mAitaLmkHPPlz7IP\"}}\r\n\r\n"
        );
    });
    measure("SSE, Gemini, a paragraph an event", Shape::Gemini, Framing::Sse, &gemini);

    let mut document = b"{\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"message\":{\"content\":\"".to_vec();
    document.extend(repeat(|word, out| out.push_str(word)));
    document.extend_from_slice(b"\"}}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}");
    measure("JSON, OpenAI chat, prose with line feeds", Shape::OpenAiChat, Framing::Json, &document);
    let mut document = b"{\"data\":[{\"embedding\":[".to_vec();
    document.extend(repeat(|_, out| out.push_str("0.0023064255,-0.009327292,")));
    document.extend_from_slice(b"0]}],\"usage\":{\"prompt_tokens\":1}}");
    measure("JSON, embeddings as numbers", Shape::OpenAiEmbeddings, Framing::Json, &document);
    let mut document = b"{\"data\":[{\"b64_json\":\"".to_vec();
    document.extend(repeat(|_, out| out.push_str("iVBORw0KGgoAAAANSUhEUgAA")));
    document.extend_from_slice(b"\"}],\"usage\":{\"input_tokens\":1}}");
    measure("JSON, an image in base64", Shape::OpenAiImages, Framing::Json, &document);
    let tools = repeat(|word, out| {
        if out.is_empty() {
            out.push('[');
        }
        let _ = write!(
            out,
            "{{\"type\": \"tool\", \"name\": \"{word}\", \"ok\": true, \"list\": [1, 2, {{}}]}},"
        );
    });
    measure("JSON, small values everywhere", Shape::OpenAiChat, Framing::Json, &tools);

    let converse = messages(
        |word| {
            format!(
                "{{\"contentBlockIndex\":0,\"delta\":{{\"text\":\"{word}\"}},\"p\":\"abcdefghijklmnopqrstuvwxyzABCD\"}}"
            )
        },
        "contentBlockDelta",
    );
    measure("event stream, Converse", Shape::BedrockConverse, Framing::EventStream, &converse);
    let invoke = messages(
        |word| {
            let event = format!(
                "{{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{word}\"}}}}"
            );
            format!("{{\"bytes\":\"{}\",\"p\":\"abcdefghijklmnopqrstuvw\"}}", STANDARD.encode(event))
        },
        "chunk",
    );
    measure("event stream, InvokeModel", Shape::BedrockInvoke, Framing::EventStream, &invoke);
}
