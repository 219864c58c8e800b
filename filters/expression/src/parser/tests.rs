use proptest::prelude::*;

use super::parse;
use crate::{
    CompileProblem, MAX_DEPTH, MAX_SOURCE_BYTES,
    problem::Findings,
    syntax::{Expr, ExprKind, Name, Operator, Span},
};

fn read(source: &str) -> Result<Expr, CompileProblem> {
    let mut findings = Findings::default();
    let expr = parse(source, &mut findings);
    match (expr, findings.into_problems().pop()) {
        (Some(expr), None) => Ok(expr),
        (None, Some(problem)) => Err(problem),
        other => panic!("either a tree or a problem: {other:?}"),
    }
}

fn shown(source: &str) -> String {
    read(source).unwrap_or_else(|problem| panic!("{source}: {problem:?}")).to_string()
}

#[test]
fn operators_bind_as_the_specification_orders_them() {
    for (source, expected) in [
        ("a || b && c", "(a || (b && c))"),
        ("a && b || c && d || e", "((a && b) || (c && d) || e)"),
        ("a == b && c", "((a == b) && c)"),
        ("a < b == c", "((a < b) == c)"),
        ("a + b * c", "(a + (b * c))"),
        ("a * b + c", "((a * b) + c)"),
        ("a - b - c", "((a - b) - c)"),
        ("a / b % c * d", "(((a / b) % c) * d)"),
        ("a + b in c", "((a + b) in c)"),
        ("!a.b", "(!a.`b`)"),
        ("!a == b", "((!a) == b)"),
        ("!!a", "(!(!a))"),
        ("-a * b", "((-(a)) * b)"),
        ("--a", "(-((-(a))))"),
        ("a-1", "(a - 1)"),
        ("a - -1", "(a - -1)"),
        ("-1.5", "-1.5"),
        ("--1", "(-(-1))"),
        ("- 1", "-1"),
        ("a ? b : c ? d : e", "(a ? b : (c ? d : e))"),
        ("a || b ? c : d", "((a || b) ? c : d)"),
        ("(a ? b : c) ? d : e", "((a ? b : c) ? d : e)"),
        ("(a || b) && c", "((a || b) && c)"),
        ("a.b[c].d(e)[0]", "a.`b`[c].d(e)[0]"),
        (".a.b", ".a.`b`"),
        ("f(a, b)", "f(a, b)"),
        ("[a, b,]", "[a, b]"),
        ("[]", "[]"),
        ("{a: b, 'c': d,}", "{a: b, \"\\U00000063\": d, }"),
        ("{}", "{}"),
        ("{}.a", "{}.`a`"),
        ("a.`b-c/d.e f`", "a.`b-c/d.e f`"),
        ("a.package.`in`", "a.`package`.`in`"),
        ("a // comment\n && b", "(a && b)"),
        ("\ta\r\n\x0c&&b", "(a && b)"),
    ] {
        assert_eq!(shown(source), expected, "{source}");
    }
}

#[test]
fn literals_are_what_they_say() {
    for (source, expected) in [
        ("0", ExprKind::Int(0)),
        ("0x2A", ExprKind::Int(42)),
        ("-0x2a", ExprKind::Int(-42)),
        ("9223372036854775807", ExprKind::Int(i64::MAX)),
        ("-9223372036854775808", ExprKind::Int(i64::MIN)),
        ("18446744073709551615u", ExprKind::Uint(u64::MAX)),
        ("0xFFu", ExprKind::Uint(255)),
        ("1.5", ExprKind::Double(1.5)),
        (".5", ExprKind::Double(0.5)),
        ("1e3", ExprKind::Double(1000.0)),
        ("-2.5E-1", ExprKind::Double(-0.25)),
        ("true", ExprKind::Bool(true)),
        ("null", ExprKind::Null),
        (r#""a'b""#, ExprKind::Text("a'b".into())),
        (r#"'a"b'"#, ExprKind::Text("a\"b".into())),
        (r#""\a\b\f\n\r\t\v\\\?\"\'\`""#, ExprKind::Text("\x07\x08\x0c\n\r\t\x0b\\?\"'`".into())),
        (r#""\x41\u00e9\U0001F600\101""#, ExprKind::Text("Aé😀A".into())),
        (r#""\377""#, ExprKind::Text("ÿ".into())),
        (r#"r"\n""#, ExprKind::Text("\\n".into())),
        (r#"R'\'"#, ExprKind::Text("\\".into())),
        ("'''a\n'b'\n'''", ExprKind::Text("a\n'b'\n".into())),
        ("\"\"\"a\"\"b\"\"\"", ExprKind::Text("a\"\"b".into())),
        ("''", ExprKind::Text(String::new())),
        ("''''''", ExprKind::Text(String::new())),
        (r#"b"é\xff\377""#, ExprKind::Bytes(vec![0xc3, 0xa9, 0xff, 0xff])),
        (r#"bR"\x""#, ExprKind::Bytes(b"\\x".to_vec())),
    ] {
        assert_eq!(read(source).map(|expr| expr.kind), Ok(expected), "{source}");
    }
}

#[test]
fn what_is_no_expression_is_refused_where_it_stands() {
    for (source, at, message) in [
        ("", 0..0, "the expression ends where a value should follow"),
        ("a &&", 4..4, "the expression ends where a value should follow"),
        ("a b", 2..3, "an operator, or the end should stand here"),
        ("a = b", 2..3, "`=` means nothing here"),
        ("a & b", 2..3, "`&` means nothing here"),
        ("é", 0..2, "`é` means nothing here"),
        ("(a", 2..2, "the expression ends where `)` should follow"),
        ("[a b]", 3..4, "`,` or `]` should stand here"),
        ("{a}", 2..3, "`:` and a value should stand here"),
        ("a.", 2..2, "the expression ends where the name of a field or function should follow"),
        ("a.true", 2..6, "the name of a field or function should stand here"),
        ("a.`b", 2..4, "this is not a field name in backquotes"),
        ("if", 0..2, "`if` is a reserved word"),
        ("'a", 0..2, "this text has no end"),
        ("'a\nb'", 0..2, "this text has no end"),
        (r"'\q'", 1..3, "this is not an escape"),
        (r"'\400'", 1..3, "this is not an escape"),
        (r"'\ud800'", 1..7, "this is not an escape"),
        (r"b'\u0041'", 2..4, "this is not an escape"),
        ("9223372036854775808", 0..19, "this number does not fit in 64 bits with a sign"),
        ("18446744073709551616u", 0..21, "this is not a number that fits in 64 bits"),
        ("1x", 0..2, "this is not a number that fits in 64 bits"),
        ("0x", 0..2, "this is not a number that fits in 64 bits"),
        ("1e999", 0..5, "this is not a number that fits in 64 bits"),
        ("a.?b", 2..3, "optional values are not supported"),
        ("a[?b]", 2..3, "optional values are not supported"),
        ("A.B{c: 1}", 0..4, "messages are not supported"),
        ("a ? b", 5..5, "the expression ends where `:` and the other value should follow"),
        ("[,]", 1..2, "a value should stand here"),
    ] {
        let problem = read(source).expect_err(source);
        assert_eq!((problem.span.clone(), problem.message.as_str()), (at, message), "{source}");
    }
}

#[test]
fn rows_may_be_long_and_nesting_may_not() {
    for between in [" || ", " && "] {
        assert!(read(&vec!["a"; 500].join(between)).is_ok());
    }
    for between in ["+", "-", "*", "==", " in ", " ? b : "] {
        assert!(read(&vec!["a"; 32].join(between)).is_ok(), "{between}");
        let problem = read(&vec!["a"; 200].join(between)).expect_err(between);
        assert!(problem.message.contains("levels deep"), "{between}: {problem}");
    }
    for (open, close) in
        [("(", ")"), ("[", "]"), ("!", ""), ("f(", ")"), ("{1:", "}"), ("a[", "]"), ("-", "")]
    {
        let nested = |levels: usize| format!("{}a{}", open.repeat(levels), close.repeat(levels));
        assert!(read(&nested(32)).is_ok(), "{open}");
        let problem = read(&nested(MAX_DEPTH + 1)).expect_err(open);
        assert!(problem.message.contains("levels deep"), "{open}: {problem}");
        assert!(read(&nested(1000)).is_err(), "{open}");
    }
    assert!(read(&format!("a{}", ".b".repeat(32))).is_ok());
    assert!(read(&format!("a{}", "[0]".repeat(200))).is_err());
    assert!(read(&" ".repeat(MAX_SOURCE_BYTES - 1).replacen(' ', "a", 1)).is_ok());
    assert!(read(&"a".repeat(MAX_SOURCE_BYTES + 1)).is_err());
}

fn expr(kind: ExprKind) -> Expr {
    Expr { kind, span: Span::default(), depth: 0 }
}

fn name(text: String) -> Name {
    Name { text, span: Span::default() }
}

/// Trees of every kind of node.
fn tree() -> impl Strategy<Value = Expr> {
    use proptest::collection::vec;
    let word =
        || proptest::sample::select(vec!["a", "b1", "_c", "r", "b", "in_", "nulls"]).prop_map(str::to_owned);
    let leaf = prop_oneof![
        Just(ExprKind::Null),
        any::<bool>().prop_map(ExprKind::Bool),
        any::<i64>().prop_map(ExprKind::Int),
        any::<u64>().prop_map(ExprKind::Uint),
        (-1e9..1e9f64).prop_map(ExprKind::Double),
        any::<String>().prop_map(|text| ExprKind::Text(text.chars().take(5).collect())),
        vec(any::<u8>(), 0..5).prop_map(ExprKind::Bytes),
        (word(), any::<bool>()).prop_map(|(name, absolute)| ExprKind::Ident { name, absolute }),
    ]
    .prop_map(expr);
    let operator = proptest::sample::select(vec![
        Operator::Equal,
        Operator::NotEqual,
        Operator::Less,
        Operator::LessEqual,
        Operator::Greater,
        Operator::GreaterEqual,
        Operator::In,
        Operator::Add,
        Operator::Subtract,
        Operator::Multiply,
        Operator::Divide,
        Operator::Remainder,
    ]);
    leaf.prop_recursive(5, 24, 3, move |inner| {
        let boxed = inner.clone().prop_map(Box::new).boxed();
        let row = vec(inner.clone(), 0..4).boxed();
        // A sign before a number is a part of the number, and a sign of its own elsewhere.
        let signed = boxed
            .clone()
            .prop_filter("a number", |of| !matches!(of.kind, ExprKind::Int(_) | ExprKind::Double(_)));
        prop_oneof![
            (boxed.clone(), word()).prop_map(|(of, field)| ExprKind::Select { of, field: name(field) }),
            (boxed.clone(), boxed.clone()).prop_map(|(of, key)| ExprKind::Index { of, key }),
            (word(), row.clone())
                .prop_map(|(text, arguments)| ExprKind::Call { name: name(text), arguments }),
            (boxed.clone(), word(), row.clone()).prop_map(|(of, text, arguments)| ExprKind::Method {
                of,
                name: name(text),
                arguments
            }),
            row.clone().prop_map(ExprKind::List),
            vec((inner.clone(), inner.clone()), 0..3).prop_map(ExprKind::Map),
            boxed.clone().prop_map(ExprKind::Not),
            signed.prop_map(ExprKind::Negate),
            (operator.clone(), boxed.clone(), boxed.clone())
                .prop_map(|(operator, left, right)| ExprKind::Binary { operator, left, right }),
            vec(inner.clone(), 2..4).prop_map(ExprKind::And),
            vec(inner, 2..4).prop_map(ExprKind::Or),
            (boxed.clone(), boxed.clone(), boxed).prop_map(|(condition, yes, no)| ExprKind::Choose {
                condition,
                yes,
                no
            }),
        ]
        .prop_map(expr)
    })
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_fail(source in any::<String>()) {
        let _ = read(&source);
    }

    #[test]
    fn no_row_of_tokens_makes_the_parser_fail(tokens in proptest::collection::vec(proptest::sample::select(vec![
        "a", ".", "(", ")", "[", "]", "{", "}", ",", ":", "?", "!", "-", "+", "*", "/", "%", "<", "<=", "==", "!=",
        " in ", "&&", "||", "1", "1u", "1.5", "'x'", "b'x'", "\"\"\"", "true", "null", "has", "all", "`", "\\", "//",
        "\n", "é", "r", "0x", "e9",
    ]), 0..60)) {
        let source = tokens.concat();
        if let Err(problem) = read(&source) {
            prop_assert!(source.get(problem.span.clone()).is_some(), "{problem:?} is off in {source}");
        }
    }

    #[test]
    fn a_printed_tree_is_read_back_as_it_was(tree in tree()) {
        let printed = tree.to_string();
        prop_assume!(printed.len() <= MAX_SOURCE_BYTES);
        prop_assert_eq!(shown(&printed), printed);
    }
}
