//! The walk against serde_json, on valid and broken documents.

use std::ops::Range;

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::{MAX_DEPTH, MAX_OPEN_KEYS, Scalar, Shape, Sink, utf8, walk};
use crate::BodyProblem;

/// Builds the document again out of what it is told.
#[derive(Default)]
struct Build {
    open: Vec<(Option<String>, Value)>,
    key: Option<String>,
    done: Option<Value>,
}

impl Build {
    fn add(&mut self, key: Option<String>, value: Value) {
        match self.open.last_mut() {
            None => self.done = Some(value),
            Some((_, Value::Array(items))) => items.push(value),
            Some((_, Value::Object(fields))) => {
                fields.insert(key.expect("a member has a key"), value);
            }
            Some(_) => unreachable!("only these hold others"),
        }
    }
}

impl Sink for Build {
    type Place = ();

    fn top(&mut self) {}

    fn member(&mut self, (): (), key: &str) -> Result<(), BodyProblem> {
        self.key = Some(key.to_owned());
        Ok(())
    }

    fn element(&mut self, (): ()) -> Result<(), BodyProblem> {
        self.key = None;
        Ok(())
    }

    fn scalar(&mut self, (): (), value: Scalar<'_>, _span: Range<usize>) -> Result<(), BodyProblem> {
        let value = match value {
            Scalar::Null => Value::Null,
            Scalar::Bool(value) => Value::Bool(value),
            Scalar::Number(number) => serde_json::from_str(number).expect("a number by RFC 8259"),
            Scalar::Text(text) => Value::String(text.read().into_owned()),
        };
        let key = self.key.take();
        self.add(key, value);
        Ok(())
    }

    fn open(&mut self, (): (), shape: Shape, _at: usize) -> Result<(), BodyProblem> {
        let empty = if shape == Shape::Object { Value::Object(Map::new()) } else { Value::Array(Vec::new()) };
        self.open.push((self.key.take(), empty));
        Ok(())
    }

    fn close(&mut self, (): (), _shape: Shape, _at: usize) -> Result<(), BodyProblem> {
        let (key, value) = self.open.pop().expect("it was opened");
        self.add(key, value);
        Ok(())
    }
}

fn read(document: &str) -> Result<Value, BodyProblem> {
    let mut build = Build::default();
    walk(document, &mut build)?;
    Ok(build.done.expect("a document has a value"))
}

fn documents() -> impl Strategy<Value = Value> {
    let text = || "(\\PC|[\"\\\\\n\t\u{1}/é\u{1F600}]){0,12}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1.0e9..1.0e9_f64).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 20, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
            proptest::collection::btree_map(text(), inner, 0..24)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Every character as an escape.
fn escaped(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            format!("[ {} ]", items.iter().map(escaped).collect::<Vec<_>>().join(" ,\n"))
        }
        Value::Object(fields) => {
            let members: Vec<_> =
                fields.iter().map(|(key, value)| format!("{} :\t{}", quoted(key), escaped(value))).collect();
            format!("{{ {} }}", members.join("\r, "))
        }
        other => other.to_string(),
    }
}

fn quoted(text: &str) -> String {
    let units: Vec<_> = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
    format!("\"{}\"", units.concat())
}

proptest! {
    #[test]
    fn what_is_read_is_what_was_written(document in documents()) {
        for text in [document.to_string(), serde_json::to_string_pretty(&document).unwrap(), escaped(&document)] {
            let same: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(read(&text).unwrap(), same);
        }
    }

    #[test]
    fn a_document_cut_short_is_refused(document in documents(), cut in any::<prop::sample::Index>()) {
        let text = Value::from(vec![document]).to_string();
        let mut end = cut.index(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        prop_assert!(read(&text[..end]).is_err());
    }

    #[test]
    fn what_is_accepted_is_json_and_what_is_refused_is_not(text in "[\\[\\]{}\",:0-9eE+.\\-\\\\untrfalsd \u{1}é]{0,24}") {
        let theirs = serde_json::from_str::<Value>(&text);
        match read(&text) {
            Ok(value) => prop_assert_eq!(theirs.unwrap(), value),
            // serde_json takes the last of two equal keys.
            Err(problem) => prop_assert!(theirs.is_err() || problem.to_string().contains("twice")),
        }
    }
}

#[test]
fn what_two_readers_read_in_two_ways_is_refused() {
    for (document, words) in [
        (r#"{"a":1,"a":2}"#, "twice"),
        (r#"{"model":1,"\u006dodel":2}"#, "twice"),
        (r#"[{"x":{"b":1,"c":2,"b":3}}]"#, "twice"),
        (r#"{"a":1}{"#, "after its end"),
        (r#"{"a":1},"#, "after its end"),
        (r#"{"a":1} x"#, "after its end"),
        ("\u{feff}{}", "a value is expected"),
        (r#"{"a":NaN}"#, "a value is expected"),
        (r#"{"a":Infinity}"#, "a value is expected"),
        (r#"{"a":-Infinity}"#, "a value is expected"),
        (r#"{"a":01}"#, "a comma or a closing bracket"),
        (r#"{"a":+1}"#, "a value is expected"),
        (r#"{"a":.5}"#, "a value is expected"),
        (r#"{"a":1.}"#, "a value is expected"),
        (r#"{"a":0x10}"#, "a comma or a closing bracket"),
        (r#"{"a":1,}"#, "a key is expected"),
        ("[1,]", "a value is expected"),
        ("[,1]", "a value is expected"),
        (r#"{"a" 1}"#, "a colon is missing"),
        (r#"{'a':1}"#, "a key is expected"),
        ("{a:1}", "a key is expected"),
        ("{}//x", "after its end"),
        ("/* x */{}", "a value is expected"),
        (r#"{"a":"\ud800"}"#, "surrogate"),
        (r#"{"a":"\udc00"}"#, "surrogate"),
        (r#"{"a":"\ud800\u0041"}"#, "surrogate"),
        (r#"{"\ud83d":1}"#, "surrogate"),
        (r#""\x41""#, "escape"),
        (r#""\u00g0""#, "escape"),
        (r#""\u+041""#, "escape"),
        ("\"a\nb\"", "control"),
        ("\"a\0b\"", "control"),
        ("[1}", "a comma or a closing bracket"),
        ("{\"a\":1]", "a comma or a closing bracket"),
        ("nulll", "after its end"),
        ("tru", "a value is expected"),
        ("", "too early"),
        ("[", "too early"),
        ("\u{a0}1", "a value is expected"),
        ("\u{c}1", "a value is expected"),
    ] {
        let problem = read(document).expect_err(document).to_string();
        assert!(problem.contains(words), "{document}: {problem}");
    }
    assert!(utf8(b"{\"a\":\"\xff\"}").is_err());
    assert!(utf8(b"{\"a\":\"\xed\xa0\x80\"}").is_err(), "a surrogate in UTF-8");
    assert!(utf8(b"{\"\xc0\xae\":1}").is_err(), "an overlong form");
}

#[test]
fn nesting_ends_at_its_bound_and_no_earlier() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(&nested(MAX_DEPTH)).is_ok());
    assert!(read(&nested(MAX_DEPTH + 1)).is_err());
    let bomb = format!("{}1", "{\"a\":".repeat(1_000_000));
    assert!(read(&bomb).is_err());
}

#[test]
fn an_object_with_too_many_keys_is_refused_and_many_objects_are_not() {
    let object = |keys: usize| {
        let members: Vec<_> = (0..keys).map(|key| format!("\"{key}\":0")).collect();
        format!("{{{}}}", members.join(","))
    };
    assert!(read(&object(MAX_OPEN_KEYS)).is_ok());
    assert!(read(&object(MAX_OPEN_KEYS + 1)).is_err());
    let many = format!("[{}]", vec![object(100); 1_000].join(","));
    assert!(read(&many).is_ok(), "100,000 keys, never more than 100 open");
    let again = object(30).replace("\"29\"", "\"3\"");
    assert!(read(&again).is_err(), "a key beyond those compared one by one");
    let again = object(300).replace("\"299\"", "\"298\"");
    assert!(read(&again).is_err(), "two keys in the set");
}
