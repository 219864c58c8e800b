//! MCP requests, and the strict JSON below them: what is accepted is what everybody else reads in the same bytes.
#![no_main]
#![forbid(unsafe_code)]

use creto_fuzz::Head;
use creto_mcp::strict_json::{Bounds, StrictJsonProblem, parse};
use creto_mcp::{
    MessageKind, PinBook, RequestLimits, RpcError, Transport, check_headers, is_json_rpc, legacy_event,
    read_request, refuse, refuse_unread,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let Some((head, body)) = Head::split(input) else { return };
    strict(body);
    request(body, if head.first & 1 == 0 { Transport::Streamable } else { Transport::LegacySse });
    headers(body);
    if let Ok(book) = PinBook::from_json(body) {
        let written = book.to_json();
        let again = PinBook::from_json(&written).expect("what a book writes it reads");
        assert_eq!(again.to_json(), written);
    }
});

fn strict(body: &[u8]) {
    let theirs = serde_json::from_slice::<Value>(body);
    match parse(body, Bounds::default()) {
        Ok(ours) => assert_eq!(ours, theirs.expect("what is accepted is JSON")),
        Err(StrictJsonProblem::Syntax { detail }) => assert!(theirs.is_err(), "{detail}"),
        Err(StrictJsonProblem::NotUtf8 { .. }) => assert!(std::str::from_utf8(body).is_err()),
        Err(_) => {}
    }
}

fn request(body: &[u8], via: Transport) {
    let answer = match read_request(body, &RequestLimits::default()) {
        Ok(request) => {
            assert!(is_json_rpc(body), "what is accepted looks like it");
            assert!(!request.messages.is_empty());
            let value: Value = serde_json::from_slice(body).expect("what is accepted is JSON");
            let messages = match &value {
                Value::Array(messages) => &messages[..],
                message => std::slice::from_ref(message),
            };
            assert_eq!(messages.len(), request.messages.len());
            for (ours, theirs) in request.messages.iter().zip(messages) {
                assert_eq!(ours.method, theirs["method"].as_str().unwrap_or_default());
                let id =
                    ours.id.as_ref().map(|id| serde_json::from_str(id.as_json()).expect("an id is JSON"));
                assert_eq!(id.unwrap_or(Value::Null), theirs["id"]);
                assert_eq!(
                    ours.kind == MessageKind::Request,
                    theirs.get("method").is_some() && ours.id.is_some()
                );
                if let Some(tool) = &ours.tool {
                    assert_eq!(theirs["params"]["name"], tool.as_str());
                    assert_eq!(theirs["params"]["arguments"], ours.arguments.clone().unwrap_or(Value::Null));
                }
            }
            refuse(&request, via, &RpcError::refused(403, "no", None))
        }
        Err(problem) => refuse_unread(&problem, via),
    };
    serde_json::from_slice::<Value>(&answer.body).expect("an answer is JSON");
    let event = legacy_event(&answer.body);
    assert!(event.ends_with(b"\n\n"));
}

/// The first line as headers that repeat the rest.
fn headers(body: &[u8]) {
    let mut lines = body.splitn(3, |byte| *byte == b'\n');
    let (Some(name), Some(value), Some(rest)) = (lines.next(), lines.next(), lines.next()) else { return };
    let Ok(request) = read_request(rest, &RequestLimits::default()) else { return };
    let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) else {
        return;
    };
    let headers = HeaderMap::from_iter([(name, value)]);
    let _ = check_headers(&headers, &request.messages);
}
