//! Headers and body must agree.

use creto_mcp::{MirroredParams, PinBook, ToolDefinition, check_headers};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::requests::read;

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"execute_sql",
    "arguments":{"region":"us-west1","confirm":true,"options":{"limit":42},"greeting":"Hello, 世界"},
    "_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    map
}

fn refused(body: &str, pairs: &[(&str, &str)]) -> Option<String> {
    check_headers(&headers(pairs), &read(body).messages).err().map(|mismatch| mismatch.header)
}

#[test]
fn a_request_of_the_specification_passes() {
    let full = [
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", "execute_sql"),
        ("Mcp-Param-Region", "us-west1"),
        ("Mcp-Param-Confirm", "true"),
        ("Mcp-Param-Limit", "42.0"),
        ("Mcp-Param-Greeting", "=?base64?SGVsbG8sIOS4lueVjA==?="),
    ];
    assert_eq!(refused(CALL, &full), None);
    assert_eq!(refused(CALL, &[]), None, "a header that is missing says nothing else");
    assert_eq!(refused(CALL, &[("Mcp-Name", " \texecute_sql ")]), None);
}

#[test]
fn a_header_that_says_something_else_is_refused() {
    for (name, value) in [
        ("mcp-protocol-version", "2025-06-18"),
        ("mcp-method", "tools/list"),
        ("mcp-method", "Tools/Call"),
        ("mcp-name", "search"),
        ("mcp-name", "EXECUTE_SQL"),
        ("mcp-name", ""),
        ("mcp-param-region", "us-east1"),
        ("mcp-param-anything", "42.5"),
        ("mcp-name", "=?base64?!!!?="),
        ("mcp-name", "ex\u{e9}cute"),
    ] {
        assert_eq!(refused(CALL, &[(name, value)]).as_deref(), Some(name), "{name}: {value}");
    }
}

#[test]
fn an_encoded_name_is_decoded_before_it_is_compared() {
    let call = |name: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":{}}}}}"#, json!(name))
    };
    for (name, header) in [
        ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
        (" padded ", "=?base64?IHBhZGRlZCA=?="),
        ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
        ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ("search", "=?base64?c2VhcmNo?="),
        ("=?BASE64?c2VhcmNo?=", "=?BASE64?c2VhcmNo?="),
    ] {
        assert_eq!(refused(&call(name), &[("mcp-name", header)]), None, "{name}");
    }
    // Bits left over, missing padding, another alphabet, no UTF-8: no reader must guess.
    for header in ["=?base64?c2VhcmNp?=", "=?base64?c2VhcmN?=", "=?base64?__8=?=", "=?base64?/w==?="] {
        assert!(refused(&call("search"), &[("mcp-name", header)]).is_some(), "{header}");
    }
    assert!(refused(&call("a"), &[("mcp-name", "=?base64?YR==?=")]).is_some());
    assert!(refused(&call("=?base64?literal?="), &[("mcp-name", "=?base64?literal?=")]).is_some());
}

#[test]
fn a_header_that_occurs_twice_is_refused_even_when_equal() {
    for (name, value) in
        [("mcp-method", "tools/call"), ("mcp-name", "execute_sql"), ("mcp-param-region", "us-west1")]
    {
        assert_eq!(refused(CALL, &[(name, value), (name, value)]).as_deref(), Some(name));
    }
}

#[test]
fn resources_prompts_and_tasks_have_names_too_and_every_message_of_a_batch_is_compared() {
    let of = |method: &str, params: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
    };
    for (method, params) in [
        ("resources/read", r#"{"uri":"x"}"#),
        ("prompts/get", r#"{"name":"x"}"#),
        ("tasks/get", r#"{"taskId":"x"}"#),
    ] {
        assert_eq!(refused(&of(method, params), &[("mcp-name", "x")]), None, "{method}");
        assert!(refused(&of(method, params), &[("mcp-name", "y")]).is_some(), "{method}");
    }
    let batch = format!("[{},{}]", of("tools/call", r#"{"name":"a"}"#), of("tools/call", r#"{"name":"b"}"#));
    assert!(refused(&batch, &[("mcp-name", "a")]).is_some());
    let response = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    assert!(refused(response, &[("mcp-method", "tools/list")]).is_some());
}

#[test]
fn a_mirrored_header_must_repeat_its_own_argument() {
    let tool = json!({"name": "execute_sql", "inputSchema": {"type": "object", "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "confirm": {"type": "boolean", "x-mcp-header": "Confirm"},
        "query": {"type": "string"},
        "options": {"type": "object", "properties": {"limit": {"type": "integer", "x-mcp-header": "Limit"}}},
        "optional": {"type": "string", "x-mcp-header": "Optional"}}}});
    let mut book = PinBook::new();
    book.observe("db", &ToolDefinition::of(&tool).unwrap());
    let mirrored = book.mirrored("db", "execute_sql").unwrap();
    let call = &read(CALL).messages[0];
    let check = |pairs: &[(&str, &str)]| mirrored.check(&headers(pairs), call).is_ok();
    assert!(check(&[("mcp-param-region", "us-west1"), ("mcp-param-confirm", "true")]));
    assert!(check(&[("mcp-param-limit", "42")]) && check(&[("mcp-param-limit", "42.00")]));
    assert!(!check(&[("mcp-param-limit", "4.2e1")]));
    assert!(!check(&[("mcp-param-region", "true")]), "another argument's value");
    assert!(!check(&[("mcp-param-optional", "us-west1")]), "an argument that is not there");
    assert!(!check(&[("mcp-param-region", "us-west1"), ("mcp-param-region", "us-west1")]));
    assert!(check(&[("mcp-param-unknown", "whatever")]), "not this tool's");
}

#[test]
fn a_schema_with_an_unsound_annotation_mirrors_nothing() {
    let of = |properties: Value| {
        let tool = json!({"name": "t", "inputSchema": {"properties": properties}});
        MirroredParams::of(&ToolDefinition::of(&tool).unwrap()).is_empty()
    };
    assert!(!of(json!({"a": {"type": "string", "x-mcp-header": "A"}})));
    assert!(of(json!({"a": {"type": "number", "x-mcp-header": "A"}})));
    assert!(of(json!({"a": {"type": "string", "x-mcp-header": ""}})));
    assert!(of(json!({"a": {"type": "string", "x-mcp-header": "A B"}})));
    assert!(of(json!({"a": {"type": "string", "x-mcp-header": 1}})));
    let twice =
        json!({"a": {"type": "string", "x-mcp-header": "A"}, "b": {"type": "string", "x-mcp-header": "a"}});
    assert!(of(twice));
    let many: serde_json::Map<String, Value> = (0..33)
        .map(|index| (format!("p{index}"), json!({"type": "string", "x-mcp-header": format!("H{index}")})))
        .collect();
    assert!(of(Value::Object(many)));
}

#[test]
fn the_message_says_what_differs_and_cannot_break_a_log_line() {
    let mut map = HeaderMap::new();
    map.insert("mcp-name", HeaderValue::from_bytes(b"a\tb\xff").unwrap());
    let mismatch = check_headers(&map, &read(CALL).messages).unwrap_err();
    let text = mismatch.to_string();
    assert!(text.starts_with("Header mismatch: mcp-name header value 'a\\tb"), "{text}");
    assert!(text.ends_with("does not match body value 'execute_sql'"), "{text}");
}
