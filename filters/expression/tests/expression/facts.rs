//! A call to ask about, and short ways to ask.

use std::{collections::BTreeMap, sync::LazyLock};

use creto_expression::{
    Duration, ExpressionFault, FaultKind, List, Program, Schema, Slot, Timestamp, Type, Value, Verdict, View,
};
use serde_json::json;

pub(crate) fn attributes() -> Vec<(&'static str, Type)> {
    vec![
        ("request.method", Type::String),
        ("request.host", Type::String),
        ("request.headers", Type::string_map()),
        ("request.size", Type::Int),
        ("agent.labels", Type::string_map()),
        ("llm.request_model", Type::String),
        ("llm.streaming", Type::Bool),
        ("llm.tools", Type::strings()),
        ("mcp.tool.name", Type::String),
        ("mcp.tool.arguments", Type::Dyn),
        ("t.int", Type::Int),
        ("t.uint", Type::Uint),
        ("t.double", Type::Double),
        ("t.bytes", Type::Bytes),
        ("t.time", Type::Timestamp),
        ("t.length", Type::Duration),
        ("t.any", Type::Dyn),
        ("t.nothing", Type::Dyn),
    ]
}

pub(crate) fn schema() -> &'static Schema {
    static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
        Schema::new((0u8..).map(Slot).zip(attributes()).map(|(slot, (name, kind))| (name, kind, slot)))
            .unwrap()
    });
    &SCHEMA
}

/// The facts of a call, by slot.
#[derive(Clone, Debug)]
pub(crate) struct Facts<'f>(Vec<Value<'f>>);

impl View for Facts<'_> {
    fn get<'v>(&'v self, slot: Slot) -> Value<'v> {
        self.0.get(usize::from(slot.0)).copied().unwrap_or(Value::Absent)
    }
}

impl<'f> Facts<'f> {
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value<'f>>) -> Self {
        let slot = schema().slot(name).unwrap();
        self.0[usize::from(slot.0)] = value.into();
        self
    }

    pub(crate) fn without(self, name: &str) -> Self {
        self.with(name, Value::Absent)
    }
}

/// A call of a tool by a labelled agent. `t.nothing` is absent.
pub(crate) fn call() -> Facts<'static> {
    static HEADERS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
        [("content-type", "application/json"), ("x-team", "search")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    });
    static ARGUMENTS: LazyLock<serde_json::Value> = LazyLock::new(|| {
        json!({
            "repo": "acme/site", "limit": 50, "ratio": 0.5, "big": 18_446_744_073_709_551_615u64, "dry_run": true,
            "none": null, "labels": ["bug", "ui"], "filter": {"state": "open", "pages": [1, 2, 3]}, "": 0
        })
    });
    let values = attributes().len();
    Facts(vec![Value::Absent; values])
        .with("request.method", "POST")
        .with("request.host", "api.example.com")
        .with("request.headers", Value::Lookup(&*HEADERS))
        .with("request.size", 1200i64)
        .with("agent.labels", Value::Lookup(&*HEADERS))
        .with("llm.request_model", "gpt-5-mini")
        .with("llm.streaming", true)
        .with("llm.tools", List::from_strs(&["search", "fetch"]))
        .with("mcp.tool.name", "search_issues")
        .with("mcp.tool.arguments", &*ARGUMENTS)
        .with("t.int", -7i64)
        .with("t.uint", 7u64)
        .with("t.double", 2.5)
        .with("t.bytes", &b"\x00\xff"[..])
        .with("t.time", Timestamp::new(1_234_567_890, 123_456_789).unwrap())
        .with("t.length", Duration::from_nanos(5_400_123_000_000))
        .with("t.any", 7i64)
}

#[track_caller]
pub(crate) fn program(source: &str) -> Program {
    Program::compile(source, schema()).unwrap_or_else(|problems| panic!("{source}: {problems:#?}"))
}

#[track_caller]
pub(crate) fn ask(source: &str, facts: &Facts<'_>) -> Verdict {
    program(source).evaluate(facts)
}

#[track_caller]
pub(crate) fn all_true(sources: &[&str]) {
    for source in sources {
        assert_eq!(ask(source, &call()), Verdict::True, "{source}");
    }
}

#[track_caller]
pub(crate) fn all_false(sources: &[&str]) {
    for source in sources {
        assert_eq!(ask(source, &call()), Verdict::False, "{source}");
    }
}

/// Each fails with that, at that part of its text.
#[track_caller]
pub(crate) fn all_fail(kind: FaultKind, sources: &[(&str, &str)]) {
    for (source, part) in sources {
        let fault = fault(source, &call());
        assert_eq!((fault.kind(), source.get(fault.span())), (kind, Some(*part)), "{source}");
    }
}

#[track_caller]
pub(crate) fn fault(source: &str, facts: &Facts<'_>) -> ExpressionFault {
    match ask(source, facts) {
        Verdict::Error(fault) => fault,
        verdict => panic!("{source}: {verdict:?}"),
    }
}

/// Each is refused at load with this message, at that part of its text.
#[track_caller]
pub(crate) fn all_refused(cases: &[(&str, &str, &str)]) {
    for (source, part, message) in cases {
        let problems = Program::compile(source, schema()).expect_err(source);
        let found: Vec<_> = problems
            .iter()
            .map(|problem| (source.get(problem.span.clone()).unwrap(), &*problem.message))
            .collect();
        assert_eq!(found, [(*part, *message)], "{source}");
    }
}
