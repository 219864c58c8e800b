//! The strict JSON reader.

use creto_mcp::strict_json::{Bounds, StrictJsonProblem, looks_like, parse};
use serde_json::json;

fn problem(text: &str) -> StrictJsonProblem {
    parse(text.as_bytes(), Bounds::default()).expect_err(text)
}

#[test]
fn plain_json_is_read_as_everybody_reads_it() {
    let text = r#" {"a":[1,-2,3.5,"x\u00e4\ud83d\ude00",true,null],"b":{"a":{}}} "#;
    let read = parse(text.as_bytes(), Bounds::default()).unwrap();
    assert_eq!(read, json!({"a": [1, -2, 3.5, "xä😀", true, null], "b": {"a": {}}}));
    assert_eq!(read, serde_json::from_str::<serde_json::Value>(text).unwrap());
}

#[test]
fn a_key_that_occurs_twice_is_refused_at_any_level_and_in_any_spelling() {
    for text in [
        r#"{"a":1,"a":1}"#,
        r#"{"x":{"y":[{"a":1,"b":2,"a":3}]}}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"{"":1,"":2}"#,
    ] {
        assert!(matches!(problem(text), StrictJsonProblem::DuplicateKey { .. }), "{text}");
    }
    let long = format!(r#"{{"{0}":1,"{0}":2}}"#, "k".repeat(10_000));
    assert!(problem(&long).to_string().len() < 200);
}

#[test]
fn what_is_not_one_json_value_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "{'a':1}",
        "{\"a\":1} {}",
        "{} x",
        "NaN",
        "Infinity",
        "01",
        "1e999",
        "\u{feff}{}",
        "{\"a\":1}//",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"a\u{1}b\"",
        "nul",
    ] {
        assert!(matches!(problem(text), StrictJsonProblem::Syntax { .. }), "{text}");
    }
    let text = b"{\"a\":\"\xff\"}";
    assert_eq!(parse(text, Bounds::default()), Err(StrictJsonProblem::NotUtf8 { at: 6 }));
}

#[test]
fn depth_size_and_count_are_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(nested(64).as_bytes(), Bounds::default()).is_ok());
    assert_eq!(problem(&nested(65)), StrictJsonProblem::TooDeep { limit: 64 });
    assert_eq!(problem(&"[{\"a\":".repeat(500_000)), StrictJsonProblem::TooDeep { limit: 64 });
    // A bound beyond what the reader's stack is good for does not hold.
    let deep = Bounds { depth: usize::MAX, ..Bounds::default() };
    let refused = parse(nested(100_000).as_bytes(), deep).unwrap_err();
    assert_eq!(refused, StrictJsonProblem::TooDeep { limit: 120 });

    let small = Bounds { bytes: 10, ..Bounds::default() };
    assert!(parse(b"[1,2,3,45]", small).is_ok());
    assert_eq!(parse(b"[1,2,3,456]", small), Err(StrictJsonProblem::TooLong { bytes: 11, limit: 10 }));

    let few = Bounds { values: 4, ..Bounds::default() };
    assert!(parse(b"[1,2,3]", few).is_ok());
    assert_eq!(parse(b"[1,2,3,4]", few), Err(StrictJsonProblem::TooManyValues { limit: 4 }));
}

#[test]
fn a_look_alike_is_another_key_that_a_reader_without_letter_case_takes_for_it() {
    for key in ["Method", "METHOD", "mEthod"] {
        assert!(looks_like(key, "method"), "{key}");
    }
    assert!(looks_like("paramſ", "params"));
    assert!(looks_like("ta\u{212a}Id", "taKId"));
    for key in ["method", "methods", "metho", "", "met hod"] {
        assert!(!looks_like(key, "method"), "{key}");
    }
}
