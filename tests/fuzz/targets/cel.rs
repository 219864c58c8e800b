//! Expressions: any text is read or refused with places in it, and what holds before everything is known holds after.
#![no_main]
#![forbid(unsafe_code)]

use std::{ops::ControlFlow, sync::LazyLock};

use creto_expression::{
    Duration, FaultKind, List, Lookup, Program, Schema, Slot, Timestamp, Type, Value, Verdict, View,
};
use creto_fuzz::Head;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

const ATTRIBUTES: [(&str, Type); 15] = [
    ("request.method", Type::String),
    ("request.host", Type::String),
    ("request.path", Type::String),
    ("request.size", Type::Int),
    ("llm.request_model", Type::String),
    ("llm.streaming", Type::Bool),
    ("mcp.tool.name", Type::String),
    ("mcp.tool.arguments", Type::Dyn),
    ("t.uint", Type::Uint),
    ("t.double", Type::Double),
    ("t.bytes", Type::Bytes),
    ("t.time", Type::Timestamp),
    ("t.length", Type::Duration),
    ("t.any", Type::Dyn),
    ("t.nothing", Type::Dyn),
];
/// Slots behind the above.
const HEADERS: u8 = 15;
const TOOLS: u8 = 16;

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let simple = (0..).zip(ATTRIBUTES).map(|(slot, (name, kind))| (name, kind, Slot(slot)));
    let more =
        [("request.headers", Type::string_map(), Slot(HEADERS)), ("llm.tools", Type::strings(), Slot(TOOLS))];
    Schema::new(simple.chain(more)).expect("the attributes are apart")
});
static ARGUMENTS: LazyLock<serde_json::Value> = LazyLock::new(|| {
    json!({
        "repo": "acme/x", "limit": 100, "big": u64::MAX, "ratio": 1e300, "dry_run": true, "none": null,
        "labels": ["a", "b", 1, 2.5, {"a": [[]]}], "filter": {"state": "open", "": 0},
    })
});
static ODD: LazyLock<serde_json::Value> =
    LazyLock::new(|| json!([{ "a": { "b": [1, "x"] } }, -0.0, i64::MIN, "é"]));

struct Headers;

impl Lookup for Headers {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "accept" => Some("text/html"),
            "x-debug" => Some(""),
            _ => None,
        }
    }

    fn len(&self) -> usize {
        2
    }

    fn each<'s>(&'s self, visit: &mut dyn FnMut(&'s str, &'s str) -> ControlFlow<()>) {
        if visit("accept", "text/html").is_continue() {
            let _ = visit("x-debug", "");
        }
    }
}

/// A call of which some attributes are not known yet.
struct Facts {
    unknown: u32,
}

impl View for Facts {
    fn get<'v>(&'v self, slot: Slot) -> Value<'v> {
        if self.unknown >> slot.0 & 1 == 1 {
            return Value::Unknown;
        }
        match slot.0 {
            0 => Value::Str("POST"),
            1 => Value::Str("api.example.com"),
            2 => Value::Str("/v1/é/x"),
            3 => Value::Int(i64::MAX),
            4 => Value::Str("gpt-5-mini"),
            5 => Value::Bool(true),
            6 => Value::Str("search_issues"),
            7 => Value::Json(&ARGUMENTS),
            8 => Value::Uint(u64::MAX),
            9 => Value::Double(f64::NAN),
            10 => Value::Bytes(b"a\xFFb"),
            11 => Timestamp::new(1_700_000_000, 5).map_or(Value::Absent, Value::Timestamp),
            12 => Value::Duration(Duration::from_nanos(i64::MIN)),
            13 => Value::Json(&ODD),
            HEADERS => Value::Lookup(&Headers),
            TOOLS => Value::List(List::from_strs(&["search", "fetch", "é"])),
            _ => Value::Absent,
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((head, body)) = Head::split(input) else { return };
    let Ok(source) = std::str::from_utf8(body) else { return };
    let program = match Program::compile(source, &SCHEMA) {
        Ok(program) => program,
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(source.get(problem.span.clone()).is_some(), "{problem:?}");
                assert!(!problem.message.is_empty());
            }
            return;
        }
    };
    let known = program.evaluate(&Facts { unknown: 0 });
    let faulty = |verdict: Verdict, kinds: &[FaultKind]| matches!(verdict, Verdict::Error(fault) if kinds.contains(&fault.kind()));
    let out_of_budget = faulty(known, &[FaultKind::Steps, FaultKind::Memory]);
    let some = u32::from(head.first) | u32::from(head.second) << 8;
    for unknown in [some, some << 3, u32::MAX] {
        match program.evaluate(&Facts { unknown }) {
            before @ (Verdict::True | Verdict::False) => {
                assert!(before == known || out_of_budget, "{before:?} {known:?}")
            }
            // One mistake may hide another, but no mistake goes away.
            before @ Verdict::Error(_) => assert!(
                matches!(known, Verdict::Error(_)) || faulty(before, &[FaultKind::Steps, FaultKind::Memory]),
                "{before:?} {known:?}"
            ),
            Verdict::Unknown => {}
        }
        if program.slots().0 & u64::from(unknown) == 0 {
            assert_eq!(program.evaluate(&Facts { unknown }), known);
        }
    }
    if let Verdict::Error(fault) = known {
        assert!(source.get(fault.span()).is_some(), "{fault:?}");
    }
});
