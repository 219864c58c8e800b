//! What hostile expressions and hostile calls can cost.

use std::ops::ControlFlow;

use creto_expression::{
    FaultKind, List, Lookup, MAX_COST, MAX_ELEMENTS, MAX_MEMORY, MAX_STEPS, MAX_VALUE_DEPTH, Program,
    Sequence, Value, Verdict,
};
use serde_json::json;

use crate::facts::{ask, call, fault, program, schema};

#[test]
fn an_expression_whose_worst_case_is_too_dear_is_refused() {
    let nested = |levels: usize| {
        let names = ["a", "b", "c"];
        let open: String =
            names.iter().take(levels).map(|name| format!("mcp.tool.arguments.x.exists({name}, ")).collect();
        format!("{open}true{}", ")".repeat(levels))
    };
    assert!(program(&nested(1)).cost() < 10_000);
    assert!(program(&nested(2)).cost() <= MAX_COST);
    let problems = Program::compile(&nested(3), schema()).unwrap_err();
    assert!(problems[0].message.starts_with("the worst case costs "), "{problems:?}");
    // Lists that are written out count as long as they are.
    assert!(
        program("[1, 2].all(a, [1, 2].all(b, [1, 2].all(c, [1, 2].all(d, a + b + c + d > 0))))").cost()
            < 5_000
    );
    let ten = format!("{}true{}", "[1].all(x, ".repeat(10), ")".repeat(10));
    let problems = Program::compile(&ten, schema()).unwrap_err();
    assert_eq!(problems[0].message, "more than 8 macros inside each other");
}

#[test]
fn a_chain_of_macros_is_priced_without_effort() {
    let chain = format!("mcp.tool.arguments.x{}.all(x, true)", ".map(x, {x: x})".repeat(50));
    // Types and prices of a chain must not double with every link.
    let _ = Program::compile(&chain, schema());
    let chain = format!("mcp.tool.arguments.x{}.all(x, true)", ".map(x, [x, x])".repeat(50));
    let _ = Program::compile(&chain, schema());
    let chain = format!("[1]{} == []", ".map(x, [x, x])".repeat(50));
    let fault = fault(
        &format!("{chain} || [1]{} == [1]{}", ".map(x, [x, x])".repeat(50), ".map(x, [x, x])".repeat(50)),
        &call(),
    );
    assert!(matches!(fault.kind(), FaultKind::Steps), "{fault}");
}

#[test]
fn macros_stop_at_their_most_elements() {
    let list = |count: usize| json!({ "x": vec![1; count] });
    let (most, more) = (list(MAX_ELEMENTS), list(MAX_ELEMENTS + 1));
    let source = "mcp.tool.arguments.x.all(x, x == 1)";
    assert_eq!(ask(source, &call().with("mcp.tool.arguments", &most)), Verdict::True);
    assert_eq!(fault(source, &call().with("mcp.tool.arguments", &more)).kind(), FaultKind::TooManyElements);
}

#[test]
fn the_step_budget_ends_an_evaluation_and_nothing_takes_that_in() {
    let large = json!({ "x": vec![1; 1000] });
    let facts = call().with("mcp.tool.arguments", &large);
    let source = "true && mcp.tool.arguments.x.exists(a, mcp.tool.arguments.x.exists(b, a + b == 3)) || true";
    assert_eq!(fault(source, &facts).kind(), FaultKind::Steps);
    let text = "x".repeat(64 * MAX_STEPS + 64);
    let facts = call().with("request.host", text.as_str());
    for source in [
        "request.host.contains('y')",
        "request.host == request.host",
        "request.host < request.host",
        "size(request.host) == 1",
        "request.host.matches('y')",
        "request.host.indexOf('y') == 0",
        "request.host in ['y']",
    ] {
        assert_eq!(fault(source, &facts).kind(), FaultKind::Steps, "{source}");
    }
    assert_eq!(ask("request.host.startsWith('x') && request.host == 'x'", &facts), Verdict::False);
    assert_eq!(fault("int(request.host) == 1 || true", &facts).kind(), FaultKind::Steps);
}

#[test]
fn the_memory_budget_ends_an_evaluation() {
    let text = "x".repeat(MAX_MEMORY / 2 + 1);
    let facts = call().with("request.host", text.as_str());
    for source in [
        "request.host + request.host == '' || true",
        "request.host.replace('x', 'yyyy') == ''",
        "request.host.upperAscii() == request.host.upperAscii()",
        "[request.host, request.host].join('') == ''",
        "bytes(request.host) + bytes(request.host) == b''",
        "request.host.reverse() == request.host.reverse()",
    ] {
        assert_eq!(fault(source, &facts).kind(), FaultKind::Memory, "{source}");
    }
    assert_eq!(fault("request.host.split('') == []", &facts).kind(), FaultKind::TooManyElements);
}

#[test]
fn constants_that_grow_stay_small_in_the_program() {
    let line = format!("'{}'", "a".repeat(60));
    let grown = format!("{line}{}.size() == 0", format!(".replace('a', {line})").repeat(40));
    assert_eq!(fault(&grown, &call()).kind(), FaultKind::Memory);
}

#[test]
fn values_nested_too_deeply_are_not_compared() {
    let mut deep = json!(1);
    for _ in 0..MAX_VALUE_DEPTH + 2 {
        deep = json!([deep]);
    }
    let facts = call().with("mcp.tool.arguments", &deep);
    assert_eq!(fault("mcp.tool.arguments == mcp.tool.arguments", &facts).kind(), FaultKind::TooDeep);
}

#[test]
fn a_map_or_list_that_miscounts_itself_does_no_harm() {
    struct Liar;
    impl Lookup for Liar {
        fn get(&self, _: &str) -> Option<&str> {
            None
        }
        fn len(&self) -> usize {
            2
        }
        fn each<'s>(&'s self, visit: &mut dyn FnMut(&'s str, &'s str) -> ControlFlow<()>) {
            while visit("key", "value").is_continue() {}
        }
    }
    impl Sequence for Liar {
        fn len(&self) -> usize {
            1000
        }
        fn get(&self, index: usize) -> Option<Value<'_>> {
            (index < 2).then_some(Value::Str("x"))
        }
    }
    let facts =
        call().with("request.headers", Value::Lookup(&Liar)).with("t.any", List::from_sequence(&Liar));
    assert_eq!(ask("request.headers.all(x, x == 'key')", &facts), Verdict::True);
    assert_eq!(ask("request.headers == request.headers", &facts), Verdict::False);
    assert_eq!(ask("t.any.all(x, x == 'x') && t.any.map(x, x).size() == 2", &facts), Verdict::True);
}

#[test]
fn the_deepest_expressions_fit_on_half_the_stack_of_a_worker() {
    let deep = |open: &str, inner: &str, close: &str| {
        let source = |levels: usize| format!("{}{inner}{}", open.repeat(levels), close.repeat(levels));
        (1..=64).rev().map(source).find_map(|source| Program::compile(&source, schema()).ok()).unwrap()
    };
    let check = move || {
        for (open, inner, close) in [
            ("(", "true", ")"),
            ("!", "llm.streaming", ""),
            ("true && (true || ", "llm.streaming", ")"),
            ("true ? (", "llm.streaming", ") : false"),
            ("[", "t.int", "] == []"),
            ("[true].all(x, x && ", "llm.streaming", ")"),
            ("dyn(", "llm.streaming", ")"),
            ("{'a': ", "llm.streaming", "}.a"),
            ("bool(string(", "llm.streaming", "))"),
        ] {
            let program = deep(open, inner, close);
            assert!(!matches!(program.evaluate(&call()), Verdict::Unknown), "{program:?}");
        }
    };
    // A tokio worker has 2 MiB. How much a debug build takes depends on how it is cut into units.
    std::thread::Builder::new().stack_size(1 << 20).spawn(check).unwrap().join().unwrap();
}

#[test]
fn patterns_are_counted() {
    let row = |count: usize| vec!["request.host.matches('a')"; count].join("||");
    program(&row(16));
    let problems = Program::compile(&row(17), schema()).unwrap_err();
    assert_eq!(problems[0].message, "more than 16 patterns in one expression");
}
