//! Answers of MCP servers: how they are cut does not matter, a filter that keeps everything changes nothing, and what
//! was refused is gone for every reader.
#![no_main]
#![forbid(unsafe_code)]

use creto_fuzz::Head;
use creto_mcp::{
    AnswerFilter, AnswerKind, AnswerLimits, AnswerProblem, AnswerSummary, MirroredParams, PinBook,
    ToolDefinition, ToolPin,
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

type Filtered = (Vec<u8>, Result<AnswerSummary, AnswerProblem>);

fuzz_target!(|input: &[u8]| {
    let Some((head, body)) = Head::split(input) else { return };
    let kind = *head.pick(&[AnswerKind::Json, AnswerKind::EventStream]);
    let limits = match head.second % 4 {
        0 => AnswerLimits { message: 40, values: 10 },
        _ => AnswerLimits::default(),
    };
    for keep_all in [true, false] {
        let keep = |tool: &ToolDefinition<'_>| keep_all || tool.name().len() % 2 == 0;
        let whole = filter(kind, limits, &[body], keep);
        for pieces in head.chunkings(body) {
            let cut = filter(kind, limits, &pieces, keep);
            // What went on before a problem may differ: a chunk that is too long is refused whole.
            assert_eq!(cut.1.is_err(), whole.1.is_err());
            if whole.1.is_ok() {
                assert_eq!(cut, whole);
            }
        }
        let (out, Ok(summary)) = whole else { continue };
        if summary.removed == 0 {
            assert_eq!(out, body);
        }
        assert_eq!(summary.changed, summary.removed > 0);
        let again = filter(kind, limits, &[&out], keep);
        if limits == AnswerLimits::default() {
            let (same, Ok(summary)) = again else { panic!("what came out goes in: {again:?}") };
            assert_eq!(same, out);
            assert_eq!(summary.removed, 0);
        }
        let messages = match kind {
            AnswerKind::Json => vec![out],
            AnswerKind::EventStream => [messages(&out), messages_at_lf(&out)].concat(),
        };
        for message in messages {
            if let Ok(value) = serde_json::from_str::<Value>(&String::from_utf8_lossy(&message)) {
                shown(&value, keep);
            }
        }
    }
});

fn filter(
    kind: AnswerKind,
    limits: AnswerLimits,
    pieces: &[&[u8]],
    keep: impl Fn(&ToolDefinition<'_>) -> bool,
) -> Filtered {
    let mut filter = AnswerFilter::new(kind, limits);
    let mut book = PinBook::new();
    let mut out = Vec::new();
    let mut keep = |tool: &ToolDefinition<'_>| {
        let _ = (book.observe("server", tool), ToolPin::of(tool), MirroredParams::of(tool));
        keep(tool)
    };
    for piece in pieces {
        if let Err(problem) = filter.push(piece, &mut keep, &mut out) {
            return (out, Err(problem));
        }
    }
    let summary = filter.finish(&mut keep, &mut out);
    (out, summary)
}

/// The data of every event as a client reads it (WHATWG HTML, "Server-sent events"), and of an event that the end of
/// the stream cut off, which some clients take for one.
fn messages(stream: &[u8]) -> Vec<Vec<u8>> {
    let stream = stream.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(stream);
    let text: Vec<u8> =
        String::from_utf8_lossy(stream).replace("\r\n", "\n").replace('\r', "\n").into_bytes();
    let mut found = Vec::new();
    let mut data: Vec<&[u8]> = Vec::new();
    for line in text.split(|byte| *byte == b'\n').chain([&b""[..]]) {
        match line {
            [] => found.push(std::mem::take(&mut data).join(&b'\n')),
            b"data" => data.push(b""),
            [b'd', b'a', b't', b'a', b':', b' ', value @ ..] | [b'd', b'a', b't', b'a', b':', value @ ..] => {
                data.push(value);
            }
            _ => {}
        }
    }
    found
}

/// Every line of data, and the lines of each event together, as clients read them that split at LF only.
fn messages_at_lf(stream: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(stream);
    let mut found = Vec::new();
    let mut event = Vec::new();
    for line in text.split('\n').map(|line| line.trim_end_matches('\r')).chain([""]) {
        if line.is_empty() {
            found.push(std::mem::take(&mut event).join("\n").into_bytes());
        } else if let Some(value) = line.strip_prefix("data:") {
            event.push(value.trim());
            found.push(value.trim().as_bytes().to_vec());
        }
    }
    found
}

/// Whether only tools that are kept stand where tools are looked for.
fn shown(value: &Value, keep: impl Fn(&ToolDefinition<'_>) -> bool) {
    let messages = match value {
        Value::Array(messages) => &messages[..],
        message => std::slice::from_ref(message),
    };
    for message in messages {
        let tools = message.get("result").and_then(|result| result.get("tools")).and_then(Value::as_array);
        for tool in tools.into_iter().flatten() {
            assert!(ToolDefinition::of(tool).is_some_and(|tool| keep(&tool)), "{tool}");
        }
    }
}
