//! What a body asks.

use creto_mcp::strict_json::StrictJsonProblem;
use creto_mcp::{McpMessage, McpRequest, MessageKind, RequestLimits, Wrong, is_json_rpc, read_request};
use serde_json::json;

pub(crate) fn read(body: &str) -> McpRequest {
    read_request(body.as_bytes(), &RequestLimits::default()).expect(body)
}

fn one(body: &str) -> McpMessage {
    let mut request = read(body);
    assert_eq!(request.messages.len(), 1, "{body}");
    request.messages.remove(0)
}

fn wrong(body: &str) -> Wrong {
    read_request(body.as_bytes(), &RequestLimits::default()).expect_err(body).wrong
}

#[test]
fn a_tool_call_of_2025_is_its_tool_and_arguments() {
    let call = one(r#"{"jsonrpc":"2.0","id":7,"method":"tools/call",
        "params":{"name":"search","arguments":{"repo":"acme/site","limit":10},"_meta":{"progressToken":1}}}"#);
    assert_eq!(call.kind, MessageKind::Request);
    assert_eq!(call.id.unwrap().as_json(), "7");
    assert_eq!((call.method.as_str(), call.tool.as_deref()), ("tools/call", Some("search")));
    assert_eq!(call.arguments, Some(json!({"repo": "acme/site", "limit": 10})));
    assert_eq!(call.protocol_version, None);
}

#[test]
fn a_tool_call_of_2026_says_its_protocol_version() {
    let call = one(r#"{"jsonrpc":"2.0","id":"a\u00e4","method":"tools/call","params":{
        "_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",
                 "io.modelcontextprotocol/clientInfo":{"name":"ExampleClient","version":"1.0.0"},
                 "io.modelcontextprotocol/clientCapabilities":{}},
        "name":"execute_sql","arguments":{"region":"us-west1","query":"SELECT * FROM users"}}}"#);
    assert_eq!(call.protocol_version.as_deref(), Some("2026-07-28"));
    // The id goes back in the very spelling it came in.
    assert_eq!(call.id.unwrap().as_json(), r#""a\u00e4""#);
    assert_eq!(call.tool.as_deref(), Some("execute_sql"));
}

#[test]
fn the_methods_of_all_revisions_give_their_facts() {
    let init =
        one(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18",
        "capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#);
    assert_eq!(init.method, "initialize");
    let discover = one(r#"{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{
        "io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#);
    assert_eq!(discover.method, "server/discover");
    let listed = one(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    assert_eq!((listed.method.as_str(), listed.tool), ("tools/list", None));
    for method in ["resources/read", "resources/subscribe", "resources/unsubscribe"] {
        let body =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"uri":"file:///a"}}}}"#);
        assert_eq!(one(&body).resource_uri.as_deref(), Some("file:///a"), "{method}");
    }
    let prompt = one(r#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"review"}}"#);
    assert_eq!(prompt.prompt.as_deref(), Some("review"));
    for method in ["tasks/get", "tasks/result", "tasks/update", "tasks/cancel"] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"taskId":"t-1"}}}}"#);
        assert_eq!(one(&body).task_id.as_deref(), Some("t-1"), "{method}");
    }
    let listen = one(r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{
        "toolsListChanged":true,"resourceSubscriptions":["file:///a","file:///b"]}}}"#);
    assert_eq!(listen.subscribed_uris, ["file:///a", "file:///b"]);
    let completion = one(r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{
        "ref":{"type":"ref/prompt","name":"review"},"argument":{"name":"a","value":"b"}}}"#);
    assert_eq!(completion.prompt.as_deref(), Some("review"));
}

#[test]
fn a_batch_of_2025_03_26_is_all_its_messages() {
    let request = read(
        r#" [ {"jsonrpc":"2.0","id":1,"method":"tools/list"} ,
        {"jsonrpc":"2.0","method":"notifications/initialized"},
        {"jsonrpc":"2.0","id":9,"result":{}},
        {"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"delete_all"}} ] "#,
    );
    assert!(request.batch);
    let kinds: Vec<_> = request.messages.iter().map(|message| message.kind).collect();
    use MessageKind::{Notification, Request, Response};
    assert_eq!(kinds, [Request, Notification, Response, Request]);
    // The forbidden tool among allowed ones is in plain sight.
    assert_eq!(request.messages[3].tool.as_deref(), Some("delete_all"));
    let ids: Vec<_> = request.ids().iter().map(|id| id.as_json().to_owned()).collect();
    assert_eq!(ids, ["1", "\"x\""]);
    assert!(read(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#).batch);
}

#[test]
fn empty_and_overfull_batches_are_refused() {
    assert_eq!(wrong("[]"), Wrong::BatchSize { messages: 0, limit: 100 });
    let batch = |count: usize| format!("[{}]", vec![r#"{"jsonrpc":"2.0","method":"x"}"#; count].join(","));
    assert_eq!(read(&batch(100)).messages.len(), 100);
    assert_eq!(wrong(&batch(101)), Wrong::BatchSize { messages: 101, limit: 100 });
    assert_eq!(wrong("[[]]"), Wrong::NotAnObject);
    assert_eq!(wrong("[1]"), Wrong::NotAnObject);
}

#[test]
fn a_response_of_the_client_is_no_request() {
    let response = one(r#"{"jsonrpc":"2.0","id":3,"result":{"method":"tools/call"}}"#);
    assert_eq!((response.kind, response.method.as_str()), (MessageKind::Response, ""));
    let error = one(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"no"}}"#);
    assert_eq!((error.kind, error.id), (MessageKind::Response, None));
}

#[test]
fn a_message_that_two_readers_take_for_two_things_is_refused() {
    for (body, expected) in [
        (r#"{"id":1,"method":"ping"}"#, Wrong::Version),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, Wrong::Version),
        (r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#, Wrong::Version),
        (r#"{"jsonrpc":"2.0","id":1}"#, Wrong::Kind),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, Wrong::Kind),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","result":{}}"#, Wrong::Kind),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#, Wrong::Kind),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, Wrong::Id),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, Wrong::Id),
        (r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#, Wrong::Id),
        (r#"{"jsonrpc":"2.0","id":99999999999999999999999,"method":"ping"}"#, Wrong::Id),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}"#, Wrong::Params),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":null}"#, Wrong::Params),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}"#,
            Wrong::LookAlike { known: "method" },
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}"#,
            Wrong::LookAlike { known: "name" },
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"},"paramſ":{"name":"b"}}"#,
            Wrong::LookAlike { known: "params" },
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":1}}"#, Wrong::Meta),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":1}}}"#,
            Wrong::Meta,
        ),
    ] {
        assert_eq!(wrong(body), expected, "{body}");
    }
    let twice = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}"#;
    assert!(matches!(wrong(twice), Wrong::Json(StrictJsonProblem::DuplicateKey { .. })));
}

#[test]
fn a_tool_call_without_a_tool_or_with_arguments_of_another_type_is_malformed() {
    let call =
        |params: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
    for params in ["{}", r#"{"name":null}"#, r#"{"name":""}"#, r#"{"name":["a"]}"#] {
        assert!(matches!(wrong(&call(params)), Wrong::Missing { key: "name", .. }), "{params}");
    }
    assert!(matches!(wrong(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#), Wrong::Missing { .. }));
    for arguments in ["[]", "\"a\"", "1"] {
        let body = call(&format!(r#"{{"name":"a","arguments":{arguments}}}"#));
        assert_eq!(wrong(&body), Wrong::Arguments);
    }
    assert_eq!(one(&call(r#"{"name":"a","arguments":null}"#)).arguments, None);
    assert!(matches!(
        wrong(r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{}}"#),
        Wrong::Missing { key: "uri", .. }
    ));
}

#[test]
fn methods_and_tools_keep_their_letter_case_and_blanks() {
    let odd =
        one(r#"{"jsonrpc":"2.0","id":1,"method":"Tools/Call","params":{"name":"search","arguments":[1]}}"#);
    assert_eq!((odd.method.as_str(), odd.tool), ("Tools/Call", None));
    let spaced = one(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"sеarch "}}"#);
    assert_eq!(spaced.tool.as_deref(), Some("sеarch "));
}

#[test]
fn arguments_and_names_over_the_limit_are_refused_with_the_id_known() {
    let text = |bytes: usize| "x".repeat(bytes);
    let call = |arguments: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{{"name":"a","arguments":{arguments}}}}}"#
        )
    };
    // {"a":"…"} is eight bytes around the text.
    let exact = call(&format!(r#"{{"a":"{}"}}"#, text((1 << 20) - 8)));
    assert!(one(&exact).arguments.is_some());
    let over = call(&format!(r#"{{"a":"{}"}}"#, text((1 << 20) - 7)));
    let problem = read_request(over.as_bytes(), &RequestLimits::default()).unwrap_err();
    assert_eq!(problem.wrong, Wrong::ArgumentsTooLarge { bytes: (1 << 20) + 1, limit: 1 << 20 });
    assert_eq!(problem.id.unwrap().as_json(), "5");
    let name =
        format!(r#"{{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{{"name":"{}"}}}}"#, text(1_025));
    assert!(matches!(wrong(&name), Wrong::TooLong { what: "tool name", .. }));
    let id = format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"ping"}}"#, text(2_000));
    assert!(matches!(wrong(&id), Wrong::TooLong { what: "id", .. }));
}

#[test]
fn json_rpc_is_told_from_other_json_at_a_glance() {
    for yes in [
        r#"{"jsonrpc":"2.0"}"#,
        r#" { "id" : 1 , "jsonrpc" : "2.0" }"#,
        r#"[{"params":{"a":"}"},"jsonrpc":"2.0"}]"#,
        "\u{feff}{\"jsonrpc\":1}",
        r#"{"\u006asonrpc":"2.0"}"#,
    ] {
        assert!(is_json_rpc(yes.as_bytes()), "{yes}");
    }
    for no in
        ["", "{", "[]", "[[{\"jsonrpc\":1}]]", r#"{"a":{"jsonrpc":"2.0"}}"#, r#""jsonrpc""#, r#"{"jsonrpc"#]
    {
        assert!(!is_json_rpc(no.as_bytes()), "{no}");
    }
}
