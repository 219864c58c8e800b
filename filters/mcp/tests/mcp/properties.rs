//! Whatever the bytes: no panic, and a filter that removes nothing changes nothing.

use creto_mcp::strict_json::{Bounds, parse};
use creto_mcp::{
    AnswerKind, PinBook, RequestLimits, ToolDefinition, Transport, is_json_rpc, read_request, refuse,
    refuse_unread,
};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::answers::filtered;

/// Pieces of which messages and events are made, and a few that belong in neither.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\\u0074",
        "\n",
        "\r",
        "\r\n",
        "\n\n",
        " ",
        "data:",
        "data: ",
        "event: message",
        "event: endpoint",
        "id: 1",
        ": ping",
        "retry: 1",
        "\u{feff}",
        "\"jsonrpc\":\"2.0\"",
        "\"id\":1",
        "\"result\":",
        "\"tools\":",
        "\"name\":\"a\"",
        "{\"name\":\"b\"}",
        "\"method\":\"tools/call\"",
        "\"params\":",
        "null",
        "1e5",
        "-0.0",
        "true",
        "ä",
        "{\"result\":{\"tools\":[{\"name\":\"c\"},{\"name\":\"d\"}]}}",
    ]);
    let piece = prop_oneof![
        8 => pieces.prop_map(|piece| piece.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..4),
    ];
    vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn cuts(answer: &[u8], at: &[prop::sample::Index]) -> Vec<usize> {
    let mut cuts: Vec<usize> = at.iter().map(|index| index.index(answer.len() + 1)).collect();
    cuts.sort_unstable();
    cuts
}

const KINDS: [AnswerKind; 2] = [AnswerKind::Json, AnswerKind::EventStream];

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop_oneof![soup(), vec(any::<u8>(), 0..200)]) {
        let _ = is_json_rpc(&bytes);
        let _ = PinBook::from_json(&bytes);
        match read_request(&bytes, &RequestLimits::default()) {
            Ok(request) => {
                let error = creto_mcp::RpcError::refused(403, "no", None);
                let answer = refuse(&request, Transport::Streamable, &error);
                prop_assert!(serde_json::from_slice::<Value>(&answer.body).is_ok());
            }
            Err(problem) => {
                let answer = refuse_unread(&problem, Transport::Streamable);
                prop_assert!(serde_json::from_slice::<Value>(&answer.body).is_ok());
            }
        }
    }

    #[test]
    fn a_filter_that_keeps_all_tools_is_the_identity(bytes in soup(), at in vec(any::<prop::sample::Index>(), 0..6)) {
        for kind in KINDS {
            let mut odd = false;
            let keep = |_: &ToolDefinition<'_>| true;
            if let Ok((out, summary)) = filtered(kind, &bytes, &cuts(&bytes, &at), keep) {
                odd |= summary.removed > 0;
                prop_assert!(odd || out == bytes);
                prop_assert_eq!(summary.changed, odd);
            }
        }
    }

    #[test]
    fn the_chunks_of_an_answer_do_not_matter(bytes in soup(), at in vec(any::<prop::sample::Index>(), 0..6)) {
        let keep = |tool: &ToolDefinition<'_>| !matches!(tool.name(), "b" | "c");
        for kind in KINDS {
            let whole = filtered(kind, &bytes, &[], keep);
            prop_assert_eq!(filtered(kind, &bytes, &cuts(&bytes, &at), keep), whole);
        }
    }

    #[test]
    fn a_filtered_list_is_the_list_without_the_refused(
        names in vec("[a-z]{1,3}", 0..8), rest in value(), pretty in any::<bool>(),
    ) {
        let keep = |name: &str| name < "m";
        let tools: Vec<Value> =
            names.iter().map(|name| json!({"name": name, "inputSchema": rest})).collect();
        let message = |tools: &[Value]| json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools, "x": rest}});
        let text = match pretty {
            true => serde_json::to_string_pretty(&message(&tools)).unwrap(),
            false => message(&tools).to_string(),
        };
        let kept: Vec<Value> =
            tools.iter().filter(|tool| keep(tool["name"].as_str().unwrap())).cloned().collect();
        let (out, _) =
            filtered(AnswerKind::Json, text.as_bytes(), &[], |tool| keep(tool.name())).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), message(&kept));
        let event: String = text.lines().map(|line| format!("data: {line}\n")).collect::<String>() + "\n";
        let (out, _) =
            filtered(AnswerKind::EventStream, event.as_bytes(), &[], |tool| keep(tool.name())).unwrap();
        let data: String = String::from_utf8(out).unwrap().replace("data: ", "");
        prop_assert_eq!(serde_json::from_str::<Value>(&data).unwrap(), message(&kept));
    }

    #[test]
    fn the_strict_reader_reads_what_was_written(value in value()) {
        let text = value.to_string();
        prop_assert_eq!(parse(text.as_bytes(), Bounds::default()).unwrap(), value);
    }

    #[test]
    fn no_cut_text_is_read(value in value(), at in any::<prop::sample::Index>()) {
        let text = json!([value]).to_string();
        prop_assert!(parse(&text.as_bytes()[..at.index(text.len())], Bounds::default()).is_err());
    }
}
