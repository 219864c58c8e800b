//! Laws that hold for every expression that the grammar makes.

use creto_expression::{FaultKind, Map, Program, Type, Value, Verdict};
use proptest::{
    prelude::*,
    sample::{Index, select},
};
use serde_json::json;

use crate::facts::{Facts, attributes, call, schema};

/// Expressions, most of which fit their types.
fn source() -> impl Strategy<Value = String> {
    let leaf = select(vec![
        "1",
        "-1",
        "0",
        "7u",
        "0u",
        "2.5",
        "0.0",
        "9223372036854775807",
        "'GET'",
        "'POST'",
        "''",
        "'é'",
        "b'a'",
        "true",
        "false",
        "null",
        "[]",
        "[1, 2]",
        "['POST', 'x']",
        "{}",
        "{'a': 1}",
        "request.method",
        "request.host",
        "request.headers",
        "request.size",
        "llm.request_model",
        "llm.streaming",
        "llm.tools",
        "mcp.tool.arguments",
        "mcp.tool.arguments.repo",
        "mcp.tool.arguments.limit",
        "mcp.tool.arguments.labels",
        "mcp.tool.arguments.no",
        "t.int",
        "t.uint",
        "t.double",
        "t.bytes",
        "t.time",
        "t.length",
        "t.any",
        "t.nothing",
        "x",
        "duration('1h')",
        "timestamp(0)",
        "has(t.any)",
        "has(mcp.tool.arguments.repo)",
        "has(t.nothing.x)",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(5, 40, 4, |inner| {
        let operator = select(vec![
            "&&", "||", "==", "!=", "<", "<=", ">", ">=", "in", "+", "-", "*", "/", "%", "&&", "||", "==",
        ]);
        let unary = select(vec![
            "!({})", "-({})", "dyn({})", "size({})", "string({})", "int({})", "uint({})", "double({})", "bool({})",
            "bytes({})", "timestamp({})", "duration({})", "({}).lowerAscii()", "({}).upperAscii()", "({}).trim()",
            "({}).reverse()", "({}).join()", "({}).getHours()", "({}).getFullYear('+02:00')", "({}).matches('^a+$')",
            "({}).repo", "has(({}).repo)", "[{}]", "{{'a': {}}}", "dyn({})", "dyn({})",
        ]);
        let binary = select(vec![
            "({}).contains({})", "({}).startsWith({})", "({}).endsWith({})", "({})[{}]", "({}).all(x, {})",
            "({}).exists(x, {})", "({}).exists_one(x, {})", "({}).filter(x, {})", "({}).map(x, {})", "[{}, {}]",
            "{{{}: {}}}", "({}).split({})", "({}).indexOf({})", "({}).charAt({})", "({}).substring({})",
            "({}).lastIndexOf({})", "({}).join({})",
        ]);
        let ternary = select(vec![
            "({}) ? ({}) : ({})", "({}).map(x, {}, {})", "({}).replace({}, {})", "({}).substring({}, {})",
            "({}).indexOf({}, {})", "({}).lastIndexOf({}, {})", "({}).split({}, {})", "({}) && ({}) && ({})",
        ]);
        prop_oneof![
            3 => (inner.clone(), operator, inner.clone()).prop_map(|(a, op, b)| format!("({a}) {op} ({b})")),
            2 => (unary, inner.clone()).prop_map(|(form, a)| fill(form, &[&a])),
            2 => (binary, inner.clone(), inner.clone()).prop_map(|(form, a, b)| fill(form, &[&a, &b])),
            1 => (ternary, inner.clone(), inner.clone(), inner).prop_map(|(form, a, b, c)| fill(form, &[&a, &b, &c])),
        ]
    })
}

fn fill(form: &str, parts: &[&str]) -> String {
    let form = form.replace("{{", "\u{1}").replace("}}", "\u{2}");
    let filled = parts.iter().fold(form, |form, part| form.replacen("{}", part, 1));
    filled.replace('\u{1}', "{").replace('\u{2}', "}")
}

/// A value of a type, or of any.
fn value(kind: &Type) -> BoxedStrategy<Value<'static>> {
    match kind {
        Type::Int => prop_oneof![any::<i64>(), -3..10i64].prop_map(Value::Int).boxed(),
        Type::Uint => any::<u64>().prop_map(Value::Uint).boxed(),
        Type::Double => any::<f64>().prop_map(Value::Double).boxed(),
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::String => select(vec!["", "GET", "POST", "é", "1", "a", "true"]).prop_map(Value::Str).boxed(),
        Type::Dyn => prop_oneof![
            Just(Value::Null),
            value(&Type::Int),
            value(&Type::String),
            value(&Type::Bool),
            Just(Value::Map(Map::from_pairs(&[(Value::Str("repo"), Value::Int(1))]))),
        ]
        .boxed(),
        _ => Just(Value::Absent).boxed(),
    }
}

fn is_budget(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Error(fault) if matches!(fault.kind(), FaultKind::Steps | FaultKind::Memory))
}

fn compile(source: &str) -> Option<Program> {
    Program::compile(source, schema()).ok()
}

/// A call with one attribute changed.
fn changed() -> impl Strategy<Value = (&'static str, Facts<'static>)> {
    any::<Index>().prop_flat_map(|index| {
        let all = attributes();
        let (name, kind) = index.get(&all).clone();
        value(&kind).prop_map(move |value| (name, call().with(name, value)))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_text_makes_loading_fail(source in "[a-z.()'\\[\\]{}!&|=<>+*/%?:, 0-9\"-]{0,40}") {
        if let Err(problems) = Program::compile(&source, schema()) {
            prop_assert!(!problems.is_empty());
            for problem in problems {
                prop_assert!(source.get(problem.span.clone()).is_some(), "{:?}", problem);
            }
        }
    }

    #[test]
    fn every_expression_has_a_verdict_and_a_place_for_its_error(source in source(), facts in changed()) {
        // The variable of a macro is known outside of one too: through a macro around everything.
        let source = format!("[dyn(1)].all(x, ({source}) == true)");
        match Program::compile(&source, schema()) {
            Ok(program) => {
                if let Verdict::Error(fault) = program.evaluate(&facts.1) {
                    prop_assert!(source.get(fault.span()).is_some_and(|part| !part.is_empty()), "{:?}", fault);
                }
            }
            Err(problems) => {
                for problem in problems {
                    prop_assert!(source.get(problem.span.clone()).is_some(), "{:?}", problem);
                }
            }
        }
    }

    #[test]
    fn a_verdict_without_an_attribute_stands_whatever_it_turns_out_to_be(source in source(), later in changed()) {
        let Some(program) = compile(&format!("({source}) == true")) else { return Ok(()) };
        let (name, later) = later;
        let early = program.evaluate(&later.clone().with(name, Value::Unknown));
        let verdict = program.evaluate(&later);
        if early != Verdict::Unknown && !is_budget(early) && !is_budget(verdict) {
            prop_assert_eq!(early, verdict, "{} of {}", name, source);
        }
        if !program.slots().contains(schema().slot(name).unwrap()) {
            prop_assert_eq!(early, verdict, "{} is not read by {}", name, source);
        }
    }

    #[test]
    fn logic_is_the_same_in_any_order(a in source(), b in source(), facts in changed()) {
        let (a, b) = (format!("({a}) == true"), format!("({b}) == true"));
        let ask = |source: &str| compile(source).map(|program| program.evaluate(&facts.1));
        let (Some(first), Some(second)) = (ask(&a), ask(&b)) else { return Ok(()) };
        if is_budget(first) || is_budget(second) {
            return Ok(());
        }
        let same = |x: Option<Verdict>, y: Option<Verdict>| match (x, y) {
            (Some(Verdict::Error(_)), Some(Verdict::Error(_))) => true,
            (x, y) => x == y,
        };
        for operator in ["&&", "||"] {
            let (one, other) = (ask(&format!("{a} {operator} {b}")), ask(&format!("{b} {operator} {a}")));
            prop_assert!(same(one, other), "{:?} {:?}", one, other);
        }
        // De Morgan holds with errors and unknowns, too.
        let (one, other) = (ask(&format!("!({a} && {b})")), ask(&format!("!({a}) || !({b})")));
        prop_assert!(same(one, other), "{:?} {:?}", one, other);
        prop_assert_eq!(ask(&format!("{a} || true")), Some(Verdict::True));
        prop_assert_eq!(ask(&format!("{a} && false")), Some(Verdict::False));
        let twice = ask(&format!("!!({a})"));
        prop_assert!(same(twice, Some(first)));
    }

    #[test]
    fn literals_and_attributes_with_their_values_are_the_same(
        source in source(), int in -3..10i64, text in select(vec!["", "GET", "é", "12"]), truth in any::<bool>(),
    ) {
        // Folding of constants must not change what an expression says.
        let folded = source
            .replace("t.int", &format!("({int})"))
            .replace("request.method", &format!("'{text}'"))
            .replace("llm.streaming", &truth.to_string());
        let facts = call().with("t.int", int).with("request.method", text).with("llm.streaming", truth);
        let ask = |source: &str| compile(&format!("({source}) == true")).map(|program| program.evaluate(&facts));
        if let (Some(one), Some(other)) = (ask(&source), ask(&folded)) {
            match (one, other) {
                (Verdict::Error(one), Verdict::Error(other)) => {
                    let budget = is_budget(Verdict::Error(one)) || is_budget(Verdict::Error(other));
                    prop_assert!(budget || one.kind() == other.kind(), "{} {}", one, other);
                }
                (one, other) => prop_assert!(one == other || is_budget(one) || is_budget(other), "{one:?} {other:?} {folded}"),
            }
        }
    }

    #[test]
    fn json_and_literals_are_the_same(limit in any::<i64>(), repo in "[a-c/]{0,4}", flag in any::<bool>()) {
        let arguments = json!({ "limit": limit, "repo": repo, "flag": flag, "list": [limit, repo, null] });
        let facts = call().with("mcp.tool.arguments", &arguments);
        let source = format!(
            "mcp.tool.arguments == {{'limit': dyn({limit}), 'repo': '{repo}', 'flag': {flag}, 'list': [dyn({limit}), '{repo}', null]}}"
        );
        prop_assert_eq!(compile(&source).map(|program| program.evaluate(&facts)), Some(Verdict::True));
    }
}
