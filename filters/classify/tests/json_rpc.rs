//! Messages to MCP servers and other agents, named by policy or not.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use creto_call::{A2aCall, McpCall, RefusalCode};
use creto_classify::{BodyProblem, Endpoint, Known, Meanings};
use http::{HeaderMap, HeaderValue};

const TICKETS: Known<'_> = Known { provider: None, mcp_server: Some("tickets"), a2a_agent: None };
const AGENT: Known<'_> = Known { provider: None, mcp_server: None, a2a_agent: Some("translator") };
const NOBODY: Known<'_> = Known { provider: None, mcp_server: None, a2a_agent: None };

fn read(known: Known<'_>, path: &str, headers: &HeaderMap, body: &[u8]) -> Result<Meanings, BodyProblem> {
    Endpoint::of("POST", "host.example", path, "", headers, known).read(headers, body)
}

fn mcp(known: Known<'_>, body: &str) -> Result<Vec<McpCall>, BodyProblem> {
    read(known, "/mcp", &HeaderMap::new(), body.as_bytes()).map(|meanings| match meanings {
        Meanings::Mcp { calls, .. } => calls,
        other => panic!("{body}: {other:?}"),
    })
}

fn a2a(known: Known<'_>, path: &str, body: &str) -> Result<Vec<A2aCall>, BodyProblem> {
    read(known, path, &HeaderMap::new(), body.as_bytes()).map(|meanings| match meanings {
        Meanings::A2a { calls, .. } => calls,
        other => panic!("{body}: {other:?}"),
    })
}

fn header(name: &'static str, value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::from_static(value))])
}

#[test]
fn a_tool_call_says_its_tool_and_arguments() {
    let body =
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","arguments":{"q":"x"}}}"#;
    for (known, server) in [(TICKETS, "tickets"), (NOBODY, "")] {
        let calls = mcp(known, body).unwrap();
        let expected = McpCall {
            server: server.to_owned(),
            method: "tools/call".to_owned(),
            tool: Some("search".to_owned()),
            arguments: Some(serde_json::json!({"q": "x"})),
            ..McpCall::default()
        };
        assert_eq!(calls, [expected]);
    }
}

#[test]
fn a_batch_that_hides_a_forbidden_tool_lists_it() {
    let call = |id: usize, tool: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}"}}}}"#)
    };
    let messages: Vec<_> =
        (0..20).map(|id| call(id, if id == 13 { "delete_everything" } else { "search" })).collect();
    for known in [TICKETS, NOBODY] {
        let calls = mcp(known, &format!("[{}]", messages.join(","))).unwrap();
        assert_eq!(calls.len(), 20);
        assert_eq!(calls.iter().filter(|call| call.tool.as_deref() == Some("delete_everything")).count(), 1);
    }
}

#[test]
fn a_message_about_several_resources_is_a_call_for_each() {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen",
        "params":{"notifications":{"resourceSubscriptions":["file:///a","file:///b"]}}}"#;
    let resources: Vec<_> =
        mcp(TICKETS, body).unwrap().into_iter().map(|call| call.resource.unwrap()).collect();
    assert_eq!(resources, ["file:///a", "file:///b"]);
}

#[test]
fn headers_that_say_something_else_than_the_body_are_refused() {
    let body = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete"}}"#;
    for known in [TICKETS, NOBODY] {
        for (name, value) in [("mcp-name", "search"), ("mcp-method", "tools/list")] {
            let problem = read(known, "/mcp", &header(name, value), body).unwrap_err();
            assert_eq!(problem.code(), RefusalCode::HeaderMismatch, "{name}");
        }
        assert!(read(known, "/mcp", &header("mcp-name", "delete"), body).is_ok());
    }
}

#[test]
fn json_rpc_that_is_unclear_is_refused_named_or_not() {
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","method":"ping","params":{"name":"a"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":1,"x":2}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"\u006dethod":"ping","method":"tools/call","params":{"name":"a"}}"#,
        r#"{"x":1,"x":2,"\u006asonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"Method":"tools/call","params":{"name":"a"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}} x"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\ud800"}}"#,
        "\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"a\"}}",
        r#"{"method":"tools/call","params":{"name":"a"}}"#,
        r#"[{"jsonrpc":"2.0","id":1,"method":"SendMessage"},{"jsonrpc":"2.0","id":2,"method":"tools/list"}]"#,
    ] {
        let problem = read(NOBODY, "/", &HeaderMap::new(), body.as_bytes()).expect_err(body);
        assert_eq!(problem.code(), RefusalCode::BodyUnclear, "{body}: {problem}");
    }
    let wide: Vec<u8> = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#.encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert!(read(NOBODY, "/", &HeaderMap::new(), &wide).is_err(), "UTF-16, which some servers detect");
    let broken = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"a\xff\"}}";
    assert!(read(NOBODY, "/", &HeaderMap::new(), broken).is_err());
    for body in ["", "[]", "{}", "x", r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#] {
        assert!(mcp(TICKETS, body).is_err(), "{body}");
    }
}

#[test]
fn what_is_not_json_rpc_is_plain_whatever_it_is() {
    for body in [
        &b""[..],
        b"a=b&method=tools/list",
        b"{\"a\":1,\"a\":2}",
        b"{\"method\":\"ping\"}",
        b"{\"method\":\"SendMessage\"}",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_call\",\"params\":[]}",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
        b"{broken",
        b"[1,2",
        b"{\"a\":\"\xff\"}",
        b"\x00\x00\x00\x00\x05hello",
        b"\xFF\xFE\x00\x01binary",
    ] {
        assert_eq!(read(NOBODY, "/", &HeaderMap::new(), body).unwrap(), Meanings::Plain, "{body:?}");
    }
    let gzip = header("content-encoding", "gzip");
    assert_eq!(read(NOBODY, "/", &gzip, b"\x1f\x8b").unwrap_err().code(), RefusalCode::BodyEncoded);
    let mut upload = gzip;
    upload.insert("content-type", HeaderValue::from_static("application/octet-stream"));
    assert_eq!(read(NOBODY, "/", &upload, b"\x1f\x8b").unwrap(), Meanings::Plain);
    let grpc = header("content-type", "application/grpc");
    let hidden = br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    assert!(
        matches!(read(NOBODY, "/", &grpc, hidden).unwrap(), Meanings::Mcp { .. }),
        "whatever it says it is"
    );
}

#[test]
fn methods_that_mcp_and_a2a_share_are_told_apart_by_the_headers() {
    let body = br#"{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"id":"t","taskId":"t"}}"#;
    let plain = read(NOBODY, "/", &HeaderMap::new(), body).unwrap();
    let Meanings::A2a { calls, ids, batch } = plain else { panic!("A2A") };
    assert_eq!((calls[0].method.as_str(), ids, batch), ("GetTask", vec!["1".to_owned()], false));
    let session = header("mcp-session-id", "s");
    assert!(matches!(read(NOBODY, "/", &session, body).unwrap(), Meanings::Mcp { .. }));
}

#[test]
fn methods_of_older_versions_have_the_names_of_1_0() {
    for (sent, normal) in [
        ("SendMessage", "SendMessage"),
        ("message/send", "SendMessage"),
        ("message/stream", "SendStreamingMessage"),
        ("tasks/get", "GetTask"),
        ("tasks/cancel", "CancelTask"),
        ("tasks/resubscribe", "SubscribeToTask"),
        ("tasks/pushNotificationConfig/set", "CreateTaskPushNotificationConfig"),
        ("tasks/pushNotificationConfig/list", "ListTaskPushNotificationConfigs"),
        ("agent/getAuthenticatedExtendedCard", "GetExtendedAgentCard"),
        ("x/extension", "x/extension"),
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":"a","method":"{sent}","params":{{}}}}"#);
        let calls = a2a(AGENT, "/a2a", &body).unwrap();
        assert_eq!((calls[0].agent.as_str(), calls[0].method.as_str()), ("translator", normal));
    }
}

#[test]
fn the_skill_is_read_wherever_clients_put_it() {
    for (params, skill) in [
        (r#"{"message":{"parts":[{"text":"hello"}]}}"#, None),
        (r#"{"message":{"metadata":{"skill":"translate"}}}"#, Some("translate")),
        (r#"{"message":{"metadata":{"skillId":"translate"}}}"#, Some("translate")),
        (r#"{"metadata":{"skill_id":"translate"},"message":{}}"#, Some("translate")),
        (r#"{"configuration":{"skillId":"translate"},"message":{}}"#, Some("translate")),
        (
            r#"{"message":{"parts":[{"kind":"data","data":{"skill":"translate","input":{"skill":"no"}}}]}}"#,
            Some("translate"),
        ),
        (r#"{"message":{"parts":[{"data":{"skill":["what","ever"]}}]}}"#, None),
        (r#"{"message":{"metadata":{"skill":"a","skillId":"a"}},"metadata":{"skill":"a"}}"#, Some("a")),
        (r#"{"request":{"metadata":{"skill":"a"}}}"#, Some("a")),
    ] {
        let rpc = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{params}}}"#);
        assert_eq!(a2a(AGENT, "/a2a", &rpc).unwrap()[0].skill.as_deref(), skill, "{params}");
        let rest = a2a(AGENT, "/v1/message:send", params).unwrap();
        assert_eq!((rest[0].method.as_str(), rest[0].skill.as_deref()), ("SendMessage", skill), "{params}");
    }
}

#[test]
fn a_message_that_is_unclear_about_method_or_skill_is_refused() {
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"metadata":{"skill":"a"}},"metadata":{"skill":"b"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"metadata":{"skill":["a"]}}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"metadata":{"Skill":"a"}}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"SendMessage","method":"GetTask"}"#,
        r#"{"jsonrpc":"2.0","id":1,"METHOD":"SendMessage"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":5}"#,
        r#"{"jsonrpc":"2.0","id":{},"method":"GetTask"}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
        "[]",
        "[1]",
        "[[]]",
        "5",
        "",
    ] {
        let problem = a2a(AGENT, "/a2a", body).expect_err(body);
        assert_eq!(problem.code(), RefusalCode::BodyUnclear, "{body}");
    }
    for body in ["", "[]", "1", "{} {}"] {
        assert!(a2a(AGENT, "/message:send", body).is_err(), "{body}");
    }
    let encoded = read(AGENT, "/a2a", &header("content-encoding", "gzip"), b"{}").unwrap_err();
    assert_eq!(encoded.code(), RefusalCode::BodyEncoded);
}

#[test]
fn every_message_of_a_batch_to_an_agent_is_listed_up_to_the_bound() {
    let of = |count: usize| {
        let message = r#"{"jsonrpc":"2.0","id":"i","method":"message/send","params":{"message":{"metadata":{"skill":"s"}}}}"#;
        format!("[{}]", vec![message; count].join(","))
    };
    assert_eq!(a2a(AGENT, "/a2a", &of(100)).unwrap().len(), 100);
    assert!(a2a(AGENT, "/a2a", &of(101)).is_err());
}
