//! Evaluating allocates nothing, unless an expression makes new text or lists.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::{alloc::System, collections::BTreeMap, hint::black_box};

use creto_expression::{List, Program, Schema, Slot, Timestamp, Type, Value, Verdict, View};
use serde_json::json;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

struct Call {
    headers: BTreeMap<String, String>,
    arguments: serde_json::Value,
    tools: Vec<String>,
}

impl View for Call {
    fn get<'v>(&'v self, slot: Slot) -> Value<'v> {
        match slot.0 {
            0 => Value::Str("POST"),
            1 => Value::Lookup(&self.headers),
            2 => Value::Json(&self.arguments),
            3 => Value::List(List::from_strings(&self.tools)),
            4 => Value::Timestamp(Timestamp::new(1_234_567_890, 0).unwrap()),
            5 => Value::Unknown,
            _ => Value::Absent,
        }
    }
}

#[test]
fn deciding_over_borrowed_facts_allocates_nothing() {
    let schema = Schema::new([
        ("request.method", Type::String, Slot(0)),
        ("request.headers", Type::string_map(), Slot(1)),
        ("mcp.tool.arguments", Type::Dyn, Slot(2)),
        ("llm.tools", Type::strings(), Slot(3)),
        ("request.time", Type::Timestamp, Slot(4)),
        ("llm.request_model", Type::String, Slot(5)),
        ("llm.streaming", Type::Bool, Slot(6)),
    ])
    .unwrap();
    let call = Call {
        headers: [("x-team".to_owned(), "search".to_owned())].into(),
        arguments: json!({"repo": "acme/site", "limit": 50, "filter": {"state": "open", "pages": [1, 2]}}),
        tools: vec!["search".to_owned(), "fetch".to_owned()],
    };
    let programs: Vec<(Program, bool)> = [
        ("request.method == 'POST' && request.method != 'GET' && request.method < 'PUT'", true),
        ("request.method.startsWith('PO') && request.method.endsWith('ST') && request.method.contains('OS')", true),
        ("request.method in ['GET', 'PUT', 'POST'] && !(request.method in ['a', 'b'])", true),
        ("request.method.matches('^P(OST|UT)$')", true),
        ("request.method.upperAscii() == 'POST'", true),
        ("request.headers['x-team'] == 'search' && 'x-team' in request.headers && !('x' in request.headers)", true),
        ("has(request.headers.team) || !has(mcp.tool.arguments.force) && has(mcp.tool.arguments.filter.state)", true),
        ("mcp.tool.arguments.repo.startsWith('acme/') && mcp.tool.arguments.limit <= 100", true),
        ("mcp.tool.arguments.filter.pages[1] == 2 && mcp.tool.arguments['filter']['state'] in ['open']", true),
        ("mcp.tool.arguments.filter == {'state': 'open', 'pages': [1, 2]}", true),
        ("llm.tools.all(tool, tool in ['search', 'fetch']) && llm.tools.exists(tool, tool == 'fetch')", true),
        ("llm.tools[0] == 'search' && 'fetch' in llm.tools && size(llm.tools) == 2", true),
        ("request.time > timestamp('2001-01-01T00:00:00Z') + duration('1h') && request.time.getHours() == 23", true),
        ("size(request.method) + 1 == 5 ? true : false", true),
        ("llm.streaming || llm.request_model == 'x' || request.method == 'POST'", true),
        ("mcp.tool.arguments.missing == 1 && request.method == 'GET'", false),
    ]
    .map(|(source, expected)| (Program::compile(source, &schema).expect(source), expected))
    .into();
    let wanted = |expected| if expected { Verdict::True } else { Verdict::False };
    for (program, expected) in &programs {
        // Patterns make room for their search on first use.
        assert_eq!(program.evaluate(&call), wanted(*expected), "{program:?}");
    }
    for (program, _) in &programs {
        let region = Region::new(ALLOCATOR);
        for _ in 0..100 {
            black_box(program.evaluate(black_box(&call)));
        }
        let change = region.change();
        assert_eq!(change.allocations + change.reallocations, 0, "{program:?}");
    }
}
