//! Refusals in the shape that makes clients raise their own error.

use creto_mcp::{
    HEADER_MISMATCH, INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR, RefusalData, RequestLimits, RpcError,
    Transport, check_headers, error_answer, legacy_event, read_request, refusal_data, refuse, refuse_unread,
};
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::requests::read;

fn parsed(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

fn denied() -> RpcError {
    let data = refusal_data(&RefusalData {
        code: "rule_denies",
        rule: Some("no-deletes"),
        policy: None,
        next_step: "Ask the operator.",
        call_id: "c-1",
    });
    RpcError::refused(403, "A rule denies this call.", Some(data))
}

#[test]
fn a_refused_request_is_http_200_with_an_error_for_its_id() {
    let request = read(r#"{"jsonrpc":"2.0","id":"é\"1","method":"tools/call","params":{"name":"delete"}}"#);
    let answer = refuse(&request, Transport::Streamable, &denied());
    assert_eq!((answer.status, answer.content_type), (200, "application/json"));
    let expected = json!({"jsonrpc": "2.0", "id": "é\"1", "error": {
        "code": 403, "message": "A rule denies this call.",
        "data": {"code": "rule_denies", "rule": "no-deletes", "next_step": "Ask the operator.", "call_id": "c-1"}}});
    assert_eq!(parsed(&answer.body), expected);
}

#[test]
fn a_batch_is_refused_with_one_error_for_every_request_in_it() {
    let request = read(
        r#"[{"jsonrpc":"2.0","id":1,"method":"tools/list"},{"jsonrpc":"2.0","method":"notifications/x"},
        {"jsonrpc":"2.0","id":"b","method":"tools/call","params":{"name":"delete"}}]"#,
    );
    let answer = parsed(&refuse(&request, Transport::Streamable, &denied()).body);
    let ids: Vec<_> = answer.as_array().unwrap().iter().map(|error| error["id"].clone()).collect();
    assert_eq!(ids, [json!(1), json!("b")]);
    let single = read(r#"[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]"#);
    assert!(parsed(&refuse(&single, Transport::Streamable, &denied()).body).is_array());
}

#[test]
fn a_refused_notification_is_an_http_status() {
    for body in [
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
        r#"[{"jsonrpc":"2.0","id":4,"result":{}}]"#,
    ] {
        let answer = refuse(&read(body), Transport::Streamable, &denied());
        assert_eq!(answer.status, 403);
        assert_eq!(parsed(&answer.body)["id"], Value::Null);
    }
}

#[test]
fn a_post_of_the_legacy_transport_is_refused_by_status_or_on_its_stream() {
    let request = read(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    assert_eq!(refuse(&request, Transport::LegacySse, &denied()).status, 403);
    let event = legacy_event(&refuse(&request, Transport::LegacySse, &denied()).body);
    let text = String::from_utf8(event).unwrap();
    assert!(text.starts_with("event: message\ndata: {\"jsonrpc\"") && text.ends_with("}\n\n"), "{text}");
}

#[test]
fn the_transport_is_told_by_what_the_client_accepts() {
    let of = |accept: Option<&'static str>| {
        let mut headers = HeaderMap::new();
        headers.extend(accept.map(|value| (http::header::ACCEPT, HeaderValue::from_static(value))));
        Transport::of(&headers)
    };
    assert_eq!(of(Some("application/json, Text/Event-Stream")), Transport::Streamable);
    assert_eq!(of(Some("*/*")), Transport::LegacySse);
    assert_eq!(of(None), Transport::LegacySse);
}

#[test]
fn a_header_that_disagrees_is_http_400_with_the_code_of_the_specification() {
    let request = read(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"bar"}}"#);
    let mut headers = HeaderMap::new();
    headers.insert("mcp-name", HeaderValue::from_static("foo"));
    let mismatch = check_headers(&headers, &request.messages).unwrap_err();
    let answer = refuse(&request, Transport::Streamable, &RpcError::header_mismatch(&mismatch));
    assert_eq!(answer.status, 400);
    let body = parsed(&answer.body);
    assert_eq!((&body["id"], &body["error"]["code"]), (&json!(1), &json!(HEADER_MISMATCH)));
    assert_eq!(
        body["error"]["message"],
        "Header mismatch: mcp-name header value 'foo' does not match body value 'bar'"
    );
}

#[test]
fn a_body_that_cannot_be_read_is_http_400_with_the_code_of_json_rpc() {
    for (body, code) in [
        ("{", PARSE_ERROR),
        (r#"{"a":1,"a":1}"#, PARSE_ERROR),
        ("[]", INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#, INVALID_PARAMS),
    ] {
        let problem = read_request(body.as_bytes(), &RequestLimits::default()).unwrap_err();
        let answer = refuse_unread(&problem, Transport::Streamable);
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(parsed(&answer.body)["error"]["code"], code, "{body}");
    }
    let small = RequestLimits { arguments: 10, ..RequestLimits::default() };
    let over = r#"{"jsonrpc":"2.0","id":"k","method":"tools/call","params":{"name":"a","arguments":{"a":"0123456789"}}}"#;
    let answer = refuse_unread(&read_request(over.as_bytes(), &small).unwrap_err(), Transport::Streamable);
    assert_eq!(answer.status, 200, "well formed, so the client is to read it");
    let body = parsed(&answer.body);
    assert_eq!((&body["id"], &body["error"]["code"]), (&json!("k"), &json!(413)));
    let batch = format!(r#"[{over},{{"jsonrpc":"2.0","id":2,"method":"ping"}}]"#);
    let answer = refuse_unread(&read_request(batch.as_bytes(), &small).unwrap_err(), Transport::Streamable);
    assert_eq!(answer.status, 413, "no request of the batch is left waiting");
}

#[test]
fn an_answer_to_nobody_has_the_id_null() {
    let body = parsed(&error_answer(&[], true, -32600, "no", None));
    assert_eq!(body, json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32600, "message": "no"}}));
}
