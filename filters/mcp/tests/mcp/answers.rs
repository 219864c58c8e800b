//! Answers without the tools the agent may not see.

use creto_mcp::strict_json::StrictJsonProblem;
use creto_mcp::{AnswerFilter, AnswerKind, AnswerLimits, AnswerProblem, AnswerSummary, ToolDefinition};
use http::HeaderValue;
use serde_json::json;

fn keep(tool: &ToolDefinition<'_>) -> bool {
    !tool.name().starts_with("delete")
}

/// The answer after the filter, given in chunks that end at `cuts`.
pub(crate) fn filtered(
    kind: AnswerKind,
    answer: &[u8],
    cuts: &[usize],
    mut keep: impl FnMut(&ToolDefinition<'_>) -> bool,
) -> Result<(Vec<u8>, AnswerSummary), AnswerProblem> {
    let mut filter = AnswerFilter::new(kind, AnswerLimits::default());
    let mut out = Vec::new();
    let mut from = 0;
    for cut in cuts {
        filter.push(&answer[from..*cut], &mut keep, &mut out)?;
        from = *cut;
    }
    filter.push(&answer[from..], &mut keep, &mut out)?;
    let summary = filter.finish(&mut keep, &mut out)?;
    Ok((out, summary))
}

/// Every pair of chunks, and one byte at a time, give the same.
fn at_every_boundary(kind: AnswerKind, answer: &str, expected: &str) -> AnswerSummary {
    let bytes = answer.as_bytes();
    let each: Vec<usize> = (1..bytes.len()).collect();
    let (out, summary) = filtered(kind, bytes, &each, keep).expect(answer);
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    for cut in 0..=bytes.len() {
        let (out, same) = filtered(kind, bytes, &[cut], keep).expect(answer);
        assert_eq!(String::from_utf8(out).unwrap(), expected, "cut at {cut}");
        assert_eq!(same, summary);
    }
    assert_eq!(summary.changed, answer != expected);
    summary
}

const LIST: &str = r#"{ "jsonrpc" : "2.0", "id": 1, "result": {"resultType":"complete", "tools" : [ {"name":"search","description":"a, ] } \" b","inputSchema":{"type":"object"}},
  {"name":"delete_all","inputSchema":{}} , {"name":"read","inputSchema":{}, "x":1.0e0}, {"name":"delete_one","inputSchema":{}} ], "nextCursor":"c\u00e4", "ttlMs": 5.00, "unknown":[1, 2]}}
"#;
const SHOWN: &str = r#"{ "jsonrpc" : "2.0", "id": 1, "result": {"resultType":"complete", "tools" : [ {"name":"search","description":"a, ] } \" b","inputSchema":{"type":"object"}} , {"name":"read","inputSchema":{}, "x":1.0e0} ], "nextCursor":"c\u00e4", "ttlMs": 5.00, "unknown":[1, 2]}}
"#;

#[test]
fn refused_tools_are_cut_out_of_a_json_answer_and_nothing_else_moves() {
    let summary = at_every_boundary(AnswerKind::Json, LIST, SHOWN);
    assert_eq!(summary, AnswerSummary { changed: true, tools: 4, removed: 2 });
}

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

#[test]
fn any_choice_of_tools_leaves_a_well_formed_list() {
    let tools: Vec<String> = (0..5).map(|index| format!("{{\"name\":\"{}\"}}", NAMES[index])).collect();
    for (open, comma, close) in [("[", ",", "]"), ("[ ", " , ", "\n]")] {
        let body = format!(
            "{{\"id\":1,\"result\":{{\"tools\":{open}{}{close}}},\"jsonrpc\":\"2.0\"}}",
            tools.join(comma)
        );
        for choice in 0_u32..32 {
            let chosen = |tool: &ToolDefinition<'_>| choice >> (tool.name().as_bytes()[0] - b'a') & 1 == 1;
            let (out, summary) = filtered(AnswerKind::Json, body.as_bytes(), &[], chosen).unwrap();
            let read: serde_json::Value = serde_json::from_slice(&out).unwrap();
            let left: Vec<_> = (0..5).filter(|index| choice >> index & 1 == 1).collect();
            let expected: Vec<_> = left.iter().map(|index| json!({"name": (NAMES[*index])})).collect();
            assert_eq!(read["result"]["tools"], json!(expected), "{choice:05b}");
            assert_eq!(summary.removed, 5 - left.len());
        }
    }
}

#[test]
fn a_batch_of_answers_is_filtered_message_by_message() {
    let tools =
        |name: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{{"name":"{name}"}}]}}}}"#);
    let batch = format!("[{},{},{}]", tools("delete"), r#"{"jsonrpc":"2.0","id":2,"error":{}}"#, tools("ok"));
    let expected = batch.replacen(r#"{"name":"delete"}"#, "", 1);
    at_every_boundary(AnswerKind::Json, &batch, &expected);
}

#[test]
fn an_event_stream_keeps_its_comments_ids_retries_and_order() {
    let event = |data: &str| format!("event: message\nid: 7\ndata: {data}\n: in between\nretry:10\n\n");
    let list = LIST.trim().replace("\n  ", " ");
    let shown = SHOWN.trim();
    let ping = ": ping\n\n";
    let progress = event(r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}"#);
    let answer = format!("{ping}{progress}{}{ping}:\n{progress}", event(&list));
    let expected = format!("{ping}{progress}{}{ping}:\n{progress}", event(shown));
    for (from, to) in [("\n", "\n"), ("\n", "\r\n"), ("\n", "\r")] {
        at_every_boundary(AnswerKind::EventStream, &answer.replace(from, to), &expected.replace(from, to));
    }
    let marked = format!("\u{feff}{answer}");
    at_every_boundary(AnswerKind::EventStream, &marked, &format!("\u{feff}{expected}"));
}

#[test]
fn an_event_without_its_last_blank_line_or_line_end_is_filtered_too() {
    let list = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"delete"},{"name":"ok"}]}}"#;
    let shown = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"ok"}]}}"#;
    for end in ["", "\n", "\r\n", "\r", "\nid: 3", "\n\n"] {
        let summary = at_every_boundary(
            AnswerKind::EventStream,
            &format!("data:{list}{end}"),
            &format!("data: {shown}{end}"),
        );
        assert_eq!(summary.removed, 1);
    }
}

#[test]
fn a_message_over_several_data_lines_is_one_message() {
    let answer = "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\r\nid: 5\r\ndata:{\"tools\":[\r\ndata: {\"name\":\"delete\"},\r\ndata: {\"name\":\"ok\"}\r\ndata\r\ndata: ]}}\r\n\r\n";
    let expected = "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\r\ndata: {\"tools\":[\r\ndata: {\"name\":\"ok\"}\r\ndata: \r\ndata: ]}}\r\nid: 5\r\n\r\n";
    at_every_boundary(AnswerKind::EventStream, answer, expected);
}

#[test]
fn the_legacy_stream_of_2024_passes_its_endpoint_and_loses_its_tools() {
    let endpoint = "event: endpoint\r\ndata: /tools/messages/?session_id=af-1\r\n\r\n";
    let list = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"delete"}]}}"#;
    let answer = format!("{endpoint}event: message\r\ndata: {list}\r\n\r\n");
    let expected = answer.replace(r#"{"name":"delete"}"#, "");
    at_every_boundary(AnswerKind::EventStream, &answer, &expected);
}

#[test]
fn an_event_is_handed_on_at_its_end_and_a_comment_at_the_end_of_its_line() {
    let mut filter = AnswerFilter::new(AnswerKind::EventStream, AnswerLimits::default());
    let mut out = Vec::new();
    for (chunk, handed) in [
        (": ping\r", ": ping\r"),
        ("\n", "\n"),
        ("id: 1\ndata: {\"a\"", ""),
        (":1}\n", ""),
        ("\n", "id: 1\ndata: {\"a\":1}\n\n"),
        (":\r\n", ":\r\n"),
        ("id: 2\rdata: \r\r", "id: 2\rdata: \r\r"),
    ] {
        out.clear();
        filter.push(chunk.as_bytes(), &mut keep, &mut out).unwrap();
        assert_eq!(String::from_utf8_lossy(&out), handed, "after {chunk:?}");
    }
}

#[test]
fn what_holds_no_tools_passes_as_it_is() {
    for answer in [
        "",
        r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"done"}]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Unknown tool: x"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"capabilities":{"tools":{"listChanged":true}}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"tools":[{"name":"delete"}]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"tools":[{"name":"delete"}]}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#,
        "not json at all",
    ] {
        at_every_boundary(AnswerKind::Json, answer, answer);
    }
    at_every_boundary(AnswerKind::EventStream, "id: 1\ndata: \n\n", "id: 1\ndata: \n\n");
    at_every_boundary(AnswerKind::EventStream, "\n\n\r\n: a\n\nfield\n\n", "\n\n\r\n: a\n\nfield\n\n");
}

#[test]
fn a_server_discover_that_carries_tools_is_filtered() {
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"tools":[{"name":"delete"}]}}"#;
    at_every_boundary(AnswerKind::Json, answer, &answer.replace(r#"{"name":"delete"}"#, ""));
}

#[test]
fn an_element_that_is_no_tool_definition_is_not_shown() {
    let answer = r#"{"id":1,"result":{"tools":["delete",{"name":7},{"name":"ok"},{"name":"a","Name":"delete"},null,{}]}}"#;
    let expected = r#"{"id":1,"result":{"tools":[{"name":"ok"}]}}"#;
    let summary = at_every_boundary(AnswerKind::Json, answer, expected);
    assert_eq!(summary.removed, 5);
}

#[test]
fn a_server_that_shows_two_readers_two_lists_is_cut_off() {
    let cut = |answer: &str| {
        let stream = format!("data: {answer}\n\n");
        let one = filtered(AnswerKind::Json, answer.as_bytes(), &[], keep).unwrap_err();
        let other = filtered(AnswerKind::EventStream, stream.as_bytes(), &[], keep).unwrap_err();
        assert_eq!(one, other, "{answer}");
        one
    };
    for twice in [
        r#"{"id":1,"result":{"tools":[]},"result":{"tools":[{"name":"delete"}]}}"#,
        r#"{"id":1,"result":{"tools":[],"tools":[{"name":"delete"}]}}"#,
        r#"{"id":1,"result":{"tools":[],"\u0074ools":[{"name":"delete"}]}}"#,
        r#"{"id":1,"result":{"tools":[{"name":"ok","name":"delete"}]}}"#,
    ] {
        assert!(matches!(cut(twice), AnswerProblem::Json(StrictJsonProblem::DuplicateKey { .. })), "{twice}");
    }
    assert!(matches!(cut(r#"{"result":{"Tools":[]}}"#), AnswerProblem::LookAlike { known: "tools" }));
    assert!(matches!(
        cut(r#"{"Result":{"tools":[]},"result":{}}"#),
        AnswerProblem::LookAlike { known: "result" }
    ));
    for broken in [r#"{"result":{"tools":[{"name":"delete"}]"#, r#"{"result":{"tools":[{"name":NaN}]}}"#] {
        assert!(matches!(cut(broken), AnswerProblem::Json(_)), "{broken}");
    }
    let escaped = r#"{"id":1,"result":{"\u0074\u006fols":[{"name":"delete"}]}}"#;
    at_every_boundary(AnswerKind::Json, escaped, &escaped.replace(r#"{"name":"delete"}"#, ""));
}

#[test]
fn a_message_that_only_clients_that_split_at_lf_see_is_refused() {
    let tools = r#"{"tools":[{"name":"delete"}]}"#;
    for hidden in [
        format!("data: {{\"id\":1,\"result\":\r{tools}}}\n\n"),
        format!("data: {{\"id\":1,\"result\"\r:{tools}}}\n\n"),
        format!("data: {{\"id\":1,\"result\":\r\r{tools}}}\n\n"),
        format!("data: {{\"id\":1\r,\"result\":{tools}}}\n\n"),
        format!("data: \r{{\"id\":1,\"result\":{tools}}}\n\n"),
    ] {
        for cut in 0..=hidden.len() {
            let problem = filtered(AnswerKind::EventStream, hidden.as_bytes(), &[cut], keep).unwrap_err();
            assert_eq!(problem, AnswerProblem::HiddenLine, "{hidden:?}");
        }
    }
    let plain = "id: 1\revent: message\rdata: {\"jsonrpc\":\"2.0\"}\r\rretry: 5\r\rdata: {}\r\r";
    at_every_boundary(AnswerKind::EventStream, plain, plain);
}

#[test]
fn an_event_of_any_name_is_a_message_to_clients_that_do_not_look_at_names() {
    for text in [
        &br#"{"id":1,"result":{"tools":[]},"result":{"tools":[{"name":"delete"}]}}"#[..],
        b"{\"id\":1,\"x\":\"\xFF\",\"result\":{\"tools\":[{\"name\":\"delete\"}]}}",
        b"{\"id\":1,\"result\":{\"tools\":[{\"name\":\"delete\"}]}} rest",
    ] {
        let answer = [b"event: endpoint\ndata: ", text, b"\n\n"].concat();
        let refused = filtered(AnswerKind::EventStream, &answer, &[], keep);
        assert!(matches!(refused, Err(AnswerProblem::Json(_))), "{}", text.escape_ascii());
    }
}

#[test]
fn a_byte_order_mark_does_not_count_towards_the_limit_in_whatever_chunk_it_comes() {
    let event = b"\xEF\xBB\xBFdata: 12\n\n";
    for (message, fits) in [(10, true), (9, false)] {
        for cut in 0..event.len() {
            let limits = AnswerLimits { message, ..AnswerLimits::default() };
            let mut filter = AnswerFilter::new(AnswerKind::EventStream, limits);
            let mut out = Vec::new();
            let pushed = filter
                .push(&event[..cut], &mut keep, &mut out)
                .and_then(|()| filter.push(&event[cut..], &mut keep, &mut out));
            assert_eq!(pushed.is_ok(), fits, "cut at {cut}");
        }
    }
}

#[test]
fn a_message_over_the_limit_cuts_the_answer_and_the_filter_stays_shut() {
    let limits = AnswerLimits { message: 100, ..AnswerLimits::default() };
    for kind in [AnswerKind::Json, AnswerKind::EventStream] {
        let mut filter = AnswerFilter::new(kind, limits);
        let mut out = Vec::new();
        filter.push(&[b'x'; 60], &mut keep, &mut out).unwrap();
        let problem = filter.push(&[b'x'; 60], &mut keep, &mut out).unwrap_err();
        assert_eq!(problem, AnswerProblem::TooLarge { limit: 100 });
        assert_eq!(filter.push(b"", &mut keep, &mut out).unwrap_err(), problem);
        assert_eq!(filter.finish(&mut keep, &mut out).unwrap_err(), problem);
        assert!(out.is_empty());
    }
    // Many events of one stream are many messages.
    let mut filter = AnswerFilter::new(AnswerKind::EventStream, limits);
    let mut out = Vec::new();
    let events = "data: {\"jsonrpc\":\"2.0\"}\n\n".repeat(1_000);
    filter.push(events.as_bytes(), &mut keep, &mut out).unwrap();
    assert_eq!(out, events.as_bytes());
}

#[test]
fn the_form_of_a_body_is_what_a_client_will_see_in_its_content_type() {
    let of = |text: &'static str| AnswerKind::of(Some(&HeaderValue::from_static(text)));
    assert_eq!(of("application/json; charset=utf-8"), Ok(Some(AnswerKind::Json)));
    assert_eq!(of("Application/JSON"), Ok(Some(AnswerKind::Json)));
    assert_eq!(of("text/event-stream;charset=utf-8"), Ok(Some(AnswerKind::EventStream)));
    assert_eq!(of("text/html"), Ok(None));
    assert_eq!(AnswerKind::of(None), Ok(None));
    assert!(of("application/json; a=text/event-stream").is_err());
    assert_eq!(of("text/event-stream; charset=\"UTF8\""), Ok(Some(AnswerKind::EventStream)));
    for charset in
        ["charset=utf-7", "charset=utf-16", "charset = utf-7", "charset*=utf-8''x", "charset=utf-8x"]
    {
        let said = HeaderValue::from_str(&format!("text/event-stream; {charset}")).unwrap();
        assert!(AnswerKind::of(Some(&said)).is_err(), "{charset}");
    }
}

#[test]
fn a_message_inside_a_string_that_old_clients_would_see_cuts_the_answer() {
    for end in ["\u{2028}", "\u{2029}", "\u{85}", "\u{b}", "\u{c}", "\u{1c}", "\u{1e}"] {
        let hidden =
            format!(r#"{end}{end}data: {{"id":1,"result":{{"tools":[{{"name":"delete"}}]}}}}{end}{end}"#);
        for event in ["message", "other"] {
            let answer = format!("event: {event}\ndata: {{\"a\":\"{hidden}\"}}\n\n");
            let problem = filtered(AnswerKind::EventStream, answer.as_bytes(), &[], keep).unwrap_err();
            assert_eq!(problem, AnswerProblem::HiddenLine);
        }
    }
    // The same characters anywhere else are text.
    let text = "data: {\"a\":\"tools\u{2028}and data\u{85}\"}\n\n";
    at_every_boundary(AnswerKind::EventStream, text, text);
}

#[test]
fn a_list_in_another_encoding_cuts_the_answer() {
    let list = r#"{"result":{"tools":[{"name":"delete"}]}}"#;
    let utf16: Vec<u8> = list.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(matches!(filtered(AnswerKind::Json, &utf16, &[], keep), Err(AnswerProblem::Json(_))));
    let marked = format!("\u{feff}{list}");
    assert!(matches!(filtered(AnswerKind::Json, marked.as_bytes(), &[], keep), Err(AnswerProblem::Json(_))));
}

#[test]
fn an_event_of_very_many_lines_cuts_the_answer() {
    let answer = format!("{}data: {{\"tools\":1}}\n\n", ":\n".repeat(70_000));
    let problem = filtered(AnswerKind::EventStream, answer.as_bytes(), &[], keep);
    // Comments go on at the end of their line, so they are no lines of an event; fields are.
    assert!(problem.is_ok());
    let answer = format!("{}data: {{\"tools\":1}}\n\n", "a\n".repeat(70_000));
    let problem = filtered(AnswerKind::EventStream, answer.as_bytes(), &[], keep).unwrap_err();
    assert_eq!(problem, AnswerProblem::TooManyLines { limit: 65_536 });
}
