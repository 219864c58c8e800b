//! Errors, absent attributes, attributes that are not known yet, and what takes them in.

use creto_expression::{FaultKind, List, Value, Verdict};

use crate::facts::{all_fail, all_false, all_true, ask, call, fault, program, schema};

#[test]
fn a_term_that_decides_takes_in_the_errors_of_others() {
    all_true(&[
        "true || 1 / 0 == 1",
        "1 / 0 == 1 || true",
        "t.nothing == 1 || request.headers['no'] == '' || request.method == 'POST'",
        "true ? true : 1 / 0 == 1",
        "false ? 1 / 0 == 1 : true",
        "!(false && t.nothing)",
        "dyn(1) || true",
        "[1, 2].exists(x, x / 0 == 1 || x == 2)",
    ]);
    all_false(&["false && 1 / 0 == 1", "1 / 0 == 1 && false", "t.nothing && request.method == 'GET'"]);
    all_fail(
        FaultKind::DivisionByZero,
        &[
            ("1 / 0 == 1 || false", "1 / 0"),
            ("true && 1 / 0 == 1", "1 / 0"),
            ("1 / 0 == 1 || t.nothing", "1 / 0"),
            ("1 / 0 == 1 ? true : true", "1 / 0"),
            ("!(1 / 0 == 1)", "1 / 0"),
        ],
    );
    all_fail(
        FaultKind::NoOverload,
        &[("t.any || false", "t.any"), ("!t.any", "t.any"), ("t.any ? true : true", "t.any")],
    );
}

#[test]
fn an_absent_attribute_is_an_error_that_says_so() {
    all_fail(
        FaultKind::Absent,
        &[
            ("t.nothing == 1", "t.nothing"),
            ("t.nothing.x == 1", "t.nothing"),
            ("'x' in t.nothing", "t.nothing"),
            ("t.nothing == null", "t.nothing"),
            ("has(mcp.tool.arguments[t.nothing].x)", "t.nothing"),
        ],
    );
    let plain = call().without("llm.request_model");
    assert_eq!(fault("llm.request_model.startsWith('gpt')", &plain).kind(), FaultKind::Absent);
    assert_eq!(ask("has(llm.request_model) && llm.request_model.startsWith('gpt')", &plain), Verdict::False);
}

#[test]
fn a_result_that_is_neither_true_nor_false_is_an_error() {
    all_true(&["mcp.tool.arguments.dry_run"]);
    all_fail(
        FaultKind::NotBool,
        &[("t.any", "t.any"), ("mcp.tool.arguments.repo", "mcp.tool.arguments.repo")],
    );
}

#[test]
fn what_is_not_known_yet_leaves_open_only_what_depends_on_it() {
    let early = call().with("mcp.tool.arguments", Value::Unknown).with("llm.streaming", Value::Unknown);
    for (source, expected) in [
        ("mcp.tool.arguments.repo == 'x'", Verdict::Unknown),
        ("has(mcp.tool.arguments.repo)", Verdict::Unknown),
        ("has(mcp.tool.arguments)", Verdict::Unknown),
        ("'repo' in mcp.tool.arguments", Verdict::Unknown),
        ("mcp.tool.arguments.labels.all(x, true)", Verdict::Unknown),
        ("size(mcp.tool.arguments) > 0", Verdict::Unknown),
        ("llm.streaming", Verdict::Unknown),
        ("!llm.streaming", Verdict::Unknown),
        ("llm.streaming ? true : true", Verdict::Unknown),
        ("[llm.streaming] == [true]", Verdict::Unknown),
        ("llm.streaming && request.method == 'POST'", Verdict::Unknown),
        ("llm.streaming && request.method == 'GET'", Verdict::False),
        ("request.method == 'GET' && llm.streaming", Verdict::False),
        ("llm.streaming || request.method == 'POST'", Verdict::True),
        ("llm.streaming || request.method == 'GET'", Verdict::Unknown),
        ("request.method == 'POST' ? true : llm.streaming", Verdict::True),
        ("[1, 2].exists(x, llm.streaming || x == 2)", Verdict::True),
        ("[1, 2].all(x, llm.streaming && x == 1)", Verdict::False),
        // What is not known may still decide, so the error does not.
        ("1 / 0 == 1 || llm.streaming", Verdict::Unknown),
        ("llm.streaming && t.nothing", Verdict::Unknown),
    ] {
        assert_eq!(ask(source, &early), expected, "{source}");
    }
    // Whatever it turns out to be, this is an error.
    assert_eq!(fault("1 / 0 == mcp.tool.arguments.limit", &early).kind(), FaultKind::DivisionByZero);
}

#[test]
fn parts_of_a_value_may_be_unknown_or_absent() {
    let parts = [Value::Int(1), Value::Unknown];
    let half = call().with("t.any", List::from_values(&parts));
    for (source, expected) in [
        ("t.any[0] == 1", Verdict::True),
        ("t.any[1] == 1", Verdict::Unknown),
        ("1 in t.any", Verdict::True),
        ("2 in t.any", Verdict::Unknown),
        ("t.any.exists(x, x == 1)", Verdict::True),
        ("t.any.all(x, x == 2)", Verdict::False),
        ("t.any.all(x, x == 1)", Verdict::Unknown),
        ("t.any == [1, 2]", Verdict::Unknown),
        ("t.any == [2, 2]", Verdict::False),
    ] {
        assert_eq!(ask(source, &half), expected, "{source}");
    }
}

#[test]
fn a_program_says_which_attributes_it_reads() {
    let reads = |source: &str| -> Vec<&str> {
        let slots = program(source).slots();
        schema().names().filter(|name| slots.contains(schema().slot(name).unwrap())).collect()
    };
    assert_eq!(reads("true"), Vec::<&str>::new());
    assert_eq!(reads("request.method == 'GET'"), ["request.method"]);
    assert_eq!(
        reads("has(mcp.tool.arguments.x) || llm.tools.exists(t, t == request.headers[request.host])"),
        ["llm.tools", "mcp.tool.arguments", "request.headers", "request.host"]
    );
    assert_eq!(reads("has(llm.streaming)"), ["llm.streaming"]);
    assert_eq!(
        reads("[1].map(x, x > t.int, {x: t.uint}) == [] ? llm.streaming : true"),
        ["llm.streaming", "t.int", "t.uint"]
    );
}

#[test]
fn programs_are_shared_between_threads_and_equal_by_text() {
    fn shared<T: Send + Sync + Clone + Eq + std::fmt::Debug>(value: T) -> T {
        value
    }
    let one = shared(program("request.method == 'POST'"));
    assert_eq!(one, program("request.method == 'POST'"));
    assert_ne!(one, program("request.method == \"POST\""));
    assert_eq!(one.source(), "request.method == 'POST'");
    assert_eq!(format!("{one:?}"), r#"Program("request.method == 'POST'")"#);
    let verdict = std::thread::scope(|scope| scope.spawn(|| one.evaluate(&call())).join().unwrap());
    assert_eq!(verdict, Verdict::True);
}
