//! The tokenizer against serde_json: what is valid, and what stands at the wanted paths.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{Field, Kind, MAX_DEPTH, Node, Scalar, Short, Sink, To, Tokenizer};

static ROOT: Node = Node {
    keys: &[
        ("a", To::Leaf(Field::Input)),
        ("b", To::Node(&INNER)),
        ("text", To::Leaf(Field::Text)),
        ("model", To::Leaf(Field::Model)),
    ],
    items: Some(To::Node(&INNER)),
    field: Some(Field::Answer),
};
static INNER: Node = Node {
    keys: &[("a", To::Leaf(Field::Output)), ("b", To::Node(&LIST)), ("model", To::Leaf(Field::Tier))],
    items: None,
    field: Some(Field::Usage),
};
static LIST: Node = Node { keys: &[], items: Some(To::Node(&INNER)), field: None };

/// What a sink was told, one line each.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    lines: Vec<String>,
    text: Vec<u8>,
}

impl Sink for Told {
    fn scalar(&mut self, field: Field, value: Scalar<'_>) {
        let value = match value {
            Scalar::Text(text) => format!("text {text:?}"),
            Scalar::Number(number) => {
                format!("number {} {} {}", number.negative, number.whole, number.fraction || number.exponent)
            }
            other => format!("{other:?}"),
        };
        self.lines.push(format!("{field:?} {value}"));
    }
    fn piece(&mut self, _: Field, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
    }
    fn open(&mut self, field: Field) {
        self.lines.push(format!("open {field:?}"));
    }
    fn close(&mut self, field: Field) {
        self.lines.push(format!("close {field:?}"));
    }
}

/// What a sink should be told of `value`, found the slow way.
fn expect(value: &Value, target: Option<To>, told: &mut Told) {
    let field = target.and_then(To::field);
    let node = target.and_then(To::node);
    match value {
        Value::Object(members) => {
            told.lines.extend(field.map(|field| format!("open {field:?}")));
            for (key, member) in members {
                expect(member, node.and_then(|node| node.member(key.as_bytes())), told);
            }
            told.lines.extend(node.and_then(|node| node.field).map(|field| format!("close {field:?}")));
        }
        Value::Array(items) => {
            told.lines.extend(field.map(|field| format!("open {field:?}")));
            for item in items {
                expect(item, node.and_then(|node| node.items), told);
            }
            told.lines.extend(node.and_then(|node| node.field).map(|field| format!("close {field:?}")));
        }
        scalar => {
            let Some(field) = field else { return };
            match scalar {
                Value::String(text) if field.kind() == Kind::Text => {
                    told.text.extend_from_slice(text.as_bytes());
                }
                Value::String(text) => {
                    told.lines.push(format!("{field:?} text {:?}", Short::cut(text.as_bytes())));
                }
                Value::Number(number) => {
                    let (negative, whole) = match number.as_i64() {
                        Some(signed) => (signed < 0, signed.unsigned_abs()),
                        None => (false, number.as_u64().unwrap()),
                    };
                    told.lines.push(format!("{field:?} number {negative} {whole} false"));
                }
                Value::Bool(value) => told.lines.push(format!("{field:?} Bool({value})")),
                _ => told.lines.push(format!("{field:?} Null")),
            }
        }
    }
}

/// Writes JSON in one of the many ways a document can be written, as `style` chooses.
struct Writer {
    style: Vec<u8>,
    at: usize,
    out: String,
}

impl Writer {
    fn next(&mut self) -> u8 {
        self.at += 1;
        self.style.get(self.at % self.style.len().max(1)).copied().unwrap_or(0)
    }

    fn space(&mut self) {
        match self.next() % 8 {
            0 => self.out.push_str(" \n"),
            1 => self.out.push_str("\t\r"),
            _ => {}
        }
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for character in text.chars() {
            let escaped = match character {
                '"' => Some("\\\""),
                '\\' => Some("\\\\"),
                '/' if self.next().is_multiple_of(2) => Some("\\/"),
                '\n' => Some("\\n"),
                '\t' => Some("\\t"),
                _ => None,
            };
            if let Some(escaped) = escaped {
                self.out.push_str(escaped);
            } else if (character as u32) < 0x20
                || (self.next().is_multiple_of(8) && (character as u32) < 0xd800)
            {
                self.out.push_str(&format!("\\u{:04X}", character as u32));
            } else {
                self.out.push(character);
            }
        }
        self.out.push('"');
    }

    fn value(&mut self, value: &Value) {
        self.space();
        match value {
            Value::Object(members) => {
                self.out.push('{');
                self.space();
                for (at, (key, member)) in members.iter().enumerate() {
                    if at > 0 {
                        self.out.push(',');
                        self.space();
                    }
                    self.string(key);
                    self.space();
                    self.out.push(':');
                    self.value(member);
                }
                self.out.push('}');
            }
            Value::Array(items) => {
                self.out.push('[');
                self.space();
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        self.out.push(',');
                    }
                    self.value(item);
                }
                self.out.push(']');
            }
            Value::String(text) => self.string(text),
            other => self.out.push_str(&other.to_string()),
        }
        self.space();
    }
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just("a".to_owned()),
        4 => Just("b".to_owned()),
        2 => Just("model".to_owned()),
        2 => Just("text".to_owned()),
        1 => ".{0,9}",
    ]
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        "[a-z/\"\\\\\n é😀]{0,200}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Reads `bytes` cut at `cuts`; what was told, and whether it was one document.
fn read(bytes: &[u8], cuts: &[usize]) -> (Told, bool) {
    let mut told = Told::default();
    let mut tokenizer = Tokenizer::new(&ROOT);
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let mut from = 0;
    for cut in cuts {
        tokenizer.feed(&bytes[from..cut], &mut told);
        from = cut;
    }
    tokenizer.feed(&bytes[from..], &mut told);
    let whole = tokenizer.end(&mut told);
    (told, whole)
}

fn is_valid(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_stands_at_the_wanted_paths_is_told(
        value in document(),
        style in prop::collection::vec(any::<u8>(), 1..64),
        cuts in prop::collection::vec(any::<usize>(), 0..6),
    ) {
        let mut writer = Writer { style, at: 0, out: String::new() };
        writer.value(&value);
        let mut expected = Told::default();
        expect(&value, Some(To::Node(&ROOT)), &mut expected);
        let (told, whole) = read(writer.out.as_bytes(), &cuts);
        prop_assert!(whole, "{}", writer.out);
        prop_assert_eq!(told, expected);
    }

    #[test]
    fn a_damaged_document_is_refused_where_serde_refuses_it(
        value in document(),
        damage in prop::collection::vec((any::<usize>(), 0..3u8, prop::sample::select(br#"{}[]:,"\0123e.-+tfn ux"#.to_vec())), 1..4),
        cuts in prop::collection::vec(any::<usize>(), 0..4),
    ) {
        let mut bytes = value.to_string().into_bytes();
        for (at, how, byte) in damage {
            let at = at % (bytes.len() + 1);
            match how {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => { bytes.remove(at); }
                _ if at < bytes.len() => bytes[at] = byte,
                _ => bytes.push(byte),
            }
        }
        prop_assert_eq!(read(&bytes, &cuts).1, is_valid(&bytes), "{}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn bytes_that_look_like_json_are_judged_as_serde_judges_them(
        bytes in prop::collection::vec(prop::sample::select(br#"{{}}[[]]::,,"""\\0123e.-+ux "#.to_vec()), 0..24),
    ) {
        prop_assert_eq!(read(&bytes, &[]).1, is_valid(&bytes), "{}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_bytes_are_read_the_same_however_they_are_cut(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        cuts in prop::collection::vec(any::<usize>(), 0..8),
    ) {
        prop_assert_eq!(read(&bytes, &cuts), read(&bytes, &[]));
    }
}

#[test]
fn scalars_alone_are_documents() {
    for (text, valid) in [
        ("0", true),
        ("-0", true),
        ("01", false),
        ("-", false),
        ("1.", false),
        (".5", false),
        ("1.5e+3", true),
        ("1e", false),
        ("1e+", false),
        ("12 ", true),
        ("1 2", false),
        ("null", true),
        ("nul", false),
        ("nulll", false),
        ("true", true),
        ("\"a\"", true),
        ("\"a", false),
        ("\"\\x\"", false),
        ("\"\\u12\"", false),
        ("\"\\ud800\"", true),
        ("\"\n\"", false),
        ("", false),
        (" ", false),
        ("[1,]", false),
        ("{\"a\":1,}", false),
        ("{,}", false),
        ("[,]", false),
        ("[]]", false),
        ("{\"a\"}", false),
        ("[}", false),
    ] {
        assert_eq!(read(text.as_bytes(), &[]).1, valid, "{text}");
        assert_eq!(read(text.as_bytes(), &[1, 2, 3]).1, valid, "{text} in pieces");
        assert_eq!(is_valid(text.as_bytes()), valid, "{text} by serde_json");
    }
}

#[test]
fn nesting_is_read_to_its_bound_and_refused_beyond() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(nested(MAX_DEPTH).as_bytes(), &[]).1);
    assert!(!read(nested(MAX_DEPTH + 1).as_bytes(), &[]).1);
    assert!(!read("{\"a\":".repeat(100_000).as_bytes(), &[]).1);
}

#[test]
fn a_long_string_is_found_to_end_where_it_ends() {
    for len in 0..200 {
        for special in ["\"", "\\n\"", "\u{1}"] {
            let text = format!("{{\"text\":\"{}{special}", "x".repeat(len));
            let (told, _) = read(text.as_bytes(), &[]);
            let expected = if special == "\\n\"" { len + 1 } else { len };
            assert_eq!(told.text.len(), expected, "{len} {special:?}");
        }
    }
}
