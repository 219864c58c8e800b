//! The compiled set finds the holds that the definition finds: each asked by itself, over random documents and calls.

use creto_call::{Call, Decision, Details, Kind, McpCall, Meaning, ModelCall, RuleName};
use creto_policy::{Document, MAX_HELD, PolicySet};
use proptest::{prelude::*, sample::select};
use serde_json::json;

use crate::world::{PEOPLE, call, mcp, model, names, tool};

const HOSTS: &[&str] = &["*", "a.example", "*.example", "b.example", "10.0.0.0/8", "10.1.2.3"];
const CALL_HOSTS: &[&str] = &["a.example", "b.example", "c.b.example", "10.1.2.3", "other"];
/// What else it asks. The definition of each is the deny rule with the same lines, which other tests hold to theirs.
const ASKED: &[&str] = &[
    "",
    "method = \"GET\"",
    "method = [\"POST\", \"PUT\"]",
    "port = \"any\"",
    "path = \"/a/**\"",
    "path = [\"/b\", \"/a/x\"]\nmethod = \"POST\"",
    "model = \"gpt-*\"",
    "model = [\"claude-*\", \"GPT-5\"]",
    "provider = \"openai\"",
    "tool = \"read_*\"",
    "tool = [\"write\", \"read_it\"]",
    "tool = \"write\"\narguments = { n = { min = 2 } }",
    "mcp_server = \"crm\"",
    "mcp_method = \"tools/list\"",
    "when = 'request.size > 50'",
    "when = 'request.method == \"POST\"'",
    "when = 'llm.max_output_tokens > 10'",
];

fn meanings() -> (Vec<ModelCall>, Vec<McpCall>) {
    let models =
        vec![model("openai", Some("gpt-5")), model("anthropic", Some("claude-x")), model("openai", None)];
    let messages = vec![
        tool("crm", "read_it", json!({})),
        tool("", "write", json!({"n": 3})),
        tool("crm", "write", json!({"n": 1})),
        mcp("crm", "tools/list"),
        mcp("", "initialize"),
    ];
    (models, messages)
}

#[derive(Clone, Debug)]
struct Drawn {
    hosts: Vec<&'static str>,
    asks: &'static str,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    (proptest::collection::vec(select(HOSTS), 1..3), select(ASKED))
        .prop_map(|(hosts, asks)| Drawn { hosts, asks })
}

fn table(kind: &str, name: &str, drawn: &Drawn) -> String {
    let people = if kind == "hold" { PEOPLE } else { "" };
    format!("[[{kind}]]\nname = \"{name}\"\nhost = {:?}\n{}\n{people}", drawn.hosts, drawn.asks)
}

fn parsed(name: &str, observes: bool, tables: &str) -> Document {
    let mode = if observes { "observe" } else { "enforce" };
    let text = format!(
        "version = 1\nname = \"{name}\"\nmode = \"{mode}\"\n[[allow]]\nname = \"all\"\nhost = \"*\"\nport = \"any\"\n{tables}"
    );
    Document::parse("p.toml", &text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Whether a deny rule with the same lines would refuse the call.
fn denies(drawn: &Drawn, call: &Call<'_>) -> bool {
    let set = PolicySet::compile([&parsed("alone", false, &table("deny", "d", drawn))]);
    matches!(set.decide(call), Decision::Deny(refusal) if refusal.by == Some(RuleName { policy: "alone", rule: "d" }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_hold_matches_exactly_what_a_deny_rule_of_its_lines_denies(
        documents in proptest::collection::vec((any::<bool>(), proptest::collection::vec(drawn(), 0..14)), 1..4),
        calls in proptest::collection::vec(
            (select(CALL_HOSTS), select(vec![443_u16, 8080]), select(vec!["GET", "POST", "PUT"]),
             select(vec!["/a/x", "/b", "/c", "/a/../b"]), 0_usize..9, any::<bool>()), 6),
    ) {
        let names_of = ["one", "two", "zzz"];
        let compiled: Vec<Document> = documents
            .iter()
            .zip(names_of)
            .map(|((observes, holds), name)| {
                let tables: String = holds.iter().enumerate().map(|(n, drawn)| table("hold", &format!("h{n}"), drawn)).collect();
                parsed(name, *observes, &tables)
            })
            .collect();
        let set = PolicySet::compile(&compiled);
        let (models, messages) = meanings();
        for (host, port, method, path, meaning, body_read) in calls {
            let meaning = match meaning {
                n @ 0..3 => Meaning::Model(&models[n]),
                n @ 3..8 => Meaning::Mcp(&messages[n - 3]),
                _ => Meaning::Plain,
            };
            let details = Details { size: Some(100), body_read, meaning, ..Details::default() };
            let call = Call { port, details, ..call(method, host, path) };
            let (mut held, mut observed) = (Vec::new(), Vec::new());
            for ((observes, holds), name) in documents.iter().zip(names_of) {
                for (n, drawn) in holds.iter().enumerate().filter(|(_, drawn)| denies(drawn, &call)) {
                    let _ = drawn;
                    if *observes { &mut observed } else { &mut held }.push(format!("{name}/h{n}"));
                }
            }
            let found = set.holds(&call, None);
            prop_assert_eq!(found.too_many(), held.len() > MAX_HELD, "{:?} {:?}", call, held);
            prop_assert_eq!(set.could_hold(&call), !held.is_empty());
            let grpc = Call { kind: Kind::Grpc, ..call };
            prop_assert!(!set.needs_body(&grpc));
            if found.too_many() {
                continue;
            }
            prop_assert_eq!(names(found.held()), held.clone());
            observed.truncate(MAX_HELD);
            prop_assert_eq!(names(found.observed()), observed);
            // What was not held before its body was read is not held after.
            if !body_read && held.is_empty() && !set.needs_body(&call) {
                let read = Call { details: Details { body_read: true, ..details }, ..call };
                prop_assert!(set.holds(&read, None).held().next().is_none());
            }
            let explained = set.explain(&call);
            prop_assert_eq!(explained.verdict == "held", !held.is_empty());
        }
    }
}
