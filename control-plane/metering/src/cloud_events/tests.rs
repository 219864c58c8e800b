//! What is read, what is refused, and that one does not cost the other.

use std::fmt::Write as _;

use creto_rating::Quantity;
use proptest::prelude::*;
use serde_json::json;

use super::{BATCH, BodyError, MAX_BODY_BYTES, MAX_ITEM_BYTES, MAX_ITEMS, ReadEvents, STRUCTURED, read};
use crate::{MAX_ID_BYTES, MAX_PROPERTIES, MAX_TEXT_BYTES, NamedEvent, Value};

const NONE: [(&str, &[u8]); 0] = [];

fn structured(body: &str) -> ReadEvents {
    read(STRUCTURED, NONE.into_iter(), body.as_bytes()).unwrap()
}

fn batch(body: &str) -> ReadEvents {
    read(BATCH, NONE.into_iter(), body.as_bytes()).unwrap()
}

/// The event a body is.
fn event(body: &str) -> NamedEvent {
    let read = structured(body);
    assert_eq!(read.refused, []);
    read.events[0].1.clone()
}

/// The code of the one event a body refuses.
fn code(body: &str) -> &'static str {
    let read = structured(body);
    assert!(read.events.is_empty(), "{body} was read");
    let problem = &read.refused[0].problem;
    assert!(problem.to_string().len() < 400, "{problem}");
    problem.code()
}

/// A whole event, with these members in place of its own or on top of them.
fn with(members: &[(&str, &str)]) -> String {
    let whole = [
        ("specversion", "\"1.0\""),
        ("id", "\"e-1\""),
        ("source", "\"/billing\""),
        ("type", "\"storage.used\""),
        ("time", "\"2026-10-14T10:20:00Z\""),
    ];
    let kept = whole.iter().filter(|(name, _)| members.iter().all(|(other, _)| other != name));
    let mut text = String::from("{");
    for (name, value) in kept.chain(members).filter(|(_, value)| !value.is_empty()) {
        let comma = if text.len() > 1 { "," } else { "" };
        write!(text, "{comma}\"{name}\":{value}").unwrap();
    }
    text + "}"
}

fn number(text: &str) -> Value {
    Value::Number(text.parse::<Quantity>().unwrap())
}

#[test]
fn an_event_keeps_all_that_it_says() {
    let event = event(&with(&[
        ("time", "\"2026-10-14T12:20:00.123456789+02:00\""),
        ("agent", "\"researcher\""),
        ("customer", "\"acme\""),
        ("subscription", "\"sub-1\""),
        ("delegation", "\"root/researcher\""),
        ("signature", "\"AQID\""),
        ("subject", "\"someone\""),
        ("traceparent", "\"00-1-2-01\""),
        ("sampledrate", "3"),
        ("datacontenttype", "\"application/json; charset=utf-8\""),
        (
            "data",
            r#"{"bytes": 12345678901234567.890123456789012345, "region": "eu \"1\"", "cold": true, "none": null}"#,
        ),
    ]));
    assert_eq!((&*event.source, &*event.id, &*event.event_type), ("/billing", "e-1", "storage.used"));
    assert_eq!(event.at_us, Some(1_791_973_200_123_456));
    assert_eq!((&*event.agent, &*event.customer), ("researcher", "acme"));
    assert_eq!((&*event.subscription, &*event.delegation), ("sub-1", "root/researcher"));
    assert_eq!(event.signature.as_deref(), Some(&[1, 2, 3][..]));
    let expected = [
        ("bytes", number("12345678901234567.890123456789012345")),
        ("region", Value::Text("eu \"1\"".into())),
        ("cold", Value::Flag(true)),
    ];
    assert_eq!(event.properties, expected.map(|(name, value)| (name.into(), value)));
}

#[test]
fn the_subject_is_the_customer_where_none_is_named() {
    assert_eq!(&*event(&with(&[("subject", "\"acme\"")])).customer, "acme");
}

#[test]
fn numbers_keep_every_digit() {
    for (written, value) in [
        ("0.1", "0.1"),
        ("-0", "0"),
        ("1e3", "1000"),
        ("5.46875e-07", "0.000000546875"),
        ("9007199254740993", "9007199254740993"),
        ("0.100000000000000005", "0.100000000000000005"),
    ] {
        let event = event(&with(&[("data", &format!("{{\"v\":{written}}}"))]));
        assert_eq!(event.properties[0].1, number(value), "{written}");
    }
}

#[test]
fn every_bad_event_has_its_code() {
    let long = |bytes: usize| format!("\"{}\"", "x".repeat(bytes));
    let properties = |count: usize| {
        let all: Vec<String> = (0..count).map(|at| format!("\"p{at}\":{at}")).collect();
        format!("{{{}}}", all.join(","))
    };
    let table = [
        (String::new(), "bad_json"),
        ("[]".into(), "bad_json"),
        ("{".into(), "bad_json"),
        ("12".into(), "bad_json"),
        (with(&[]) + "x", "bad_json"),
        (with(&[("data", "{\"v\":NaN}")]), "bad_json"),
        (with(&[("data", "{\"v\":01}")]), "bad_json"),
        (with(&[("id", r#""\ud800""#)]), "bad_json"),
        (with(&[("specversion", "")]), "missing_attribute"),
        (with(&[("id", "")]), "missing_attribute"),
        (with(&[("source", "null")]), "missing_attribute"),
        (with(&[("type", "")]), "missing_attribute"),
        (with(&[("specversion", "\"0.3\"")]), "wrong_specversion"),
        (with(&[("specversion", "1.0")]), "wrong_specversion"),
        (with(&[("specversion", "\"1.0.0.0.0\"")]), "wrong_specversion"),
        (with(&[("id", "12")]), "bad_attribute"),
        (with(&[("id", "\"\"")]), "bad_attribute"),
        (with(&[("agent", r#""a\u0000b""#)]), "bad_attribute"),
        (with(&[("agent", "{\"name\":\"a\"}")]), "bad_attribute"),
        (with(&[("id", &long(MAX_ID_BYTES + 1))]), "attribute_too_long"),
        (with(&[("source", &long(MAX_ID_BYTES + 1))]), "attribute_too_long"),
        (with(&[("type", &long(200))]), "attribute_too_long"),
        (with(&[("time", "")]), "time_missing"),
        (with(&[("time", "null")]), "time_missing"),
        (with(&[("time", "\"yesterday\"")]), "bad_time"),
        (with(&[("time", "\"2026-10-14\"")]), "bad_time"),
        (with(&[("time", "\"2026-10-14T10:20:00\"")]), "bad_time"),
        (with(&[("time", "\"2026-10-14 10:20:00Z\"")]), "bad_time"),
        (with(&[("time", "\"2026-02-29T10:20:00Z\"")]), "bad_time"),
        (with(&[("time", "\"2026-10-14T25:20:00Z\"")]), "bad_time"),
        (with(&[("time", "\"2026-10-14T10:20:00.Z\"")]), "bad_time"),
        (with(&[("time", "\"2026-10-14T10:20:00+02:00[Europe/Berlin]\"")]), "bad_time"),
        (with(&[("time", "1791973200")]), "bad_attribute"),
        (with(&[("data", "[1]")]), "unsupported_data"),
        (with(&[("data", "5")]), "unsupported_data"),
        (with(&[("data_base64", "\"AQID\"")]), "unsupported_data"),
        (with(&[("datacontenttype", "\"text/csv\""), ("data", "{}")]), "unsupported_data"),
        (with(&[("data", "{\"usage\":{\"tokens\":5}}")]), "nested_data"),
        (with(&[("data", "{\"usage\":[5]}")]), "nested_data"),
        (with(&[("data", "{\"v\":\"NaN\"}")]), "not_finite"),
        (with(&[("data", "{\"v\":\"-Infinity\"}")]), "not_finite"),
        (with(&[("data", "{\"v\":1e300}")]), "bad_number"),
        (with(&[("data", "{\"v\":0.0000000000000000001}")]), "bad_number"),
        (with(&[("data", "{\"v\":1,\"v\":1}")]), "duplicate_key"),
        (with(&[("data", r#"{"v":1,"\u0076":2}"#)]), "duplicate_key"),
        (with(&[("agent", "\"a\""), ("agent", "\"a\"")]), "duplicate_key"),
        (with(&[("data", "{}"), ("data", "{}")]), "duplicate_key"),
        (with(&[("data", &properties(MAX_PROPERTIES + 1))]), "too_many_properties"),
        (with(&[("data", &format!("{{\"v\":{}}}", long(MAX_TEXT_BYTES + 1)))]), "text_too_long"),
        (with(&[("data", r#"{"v":"a\u0000b"}"#)]), "bad_text"),
        (with(&[("data", "{\"\":1}")]), "bad_property_name"),
        (with(&[("data", "{\"a b\":1}")]), "bad_property_name"),
        (with(&[("data", &format!("{{{}:1}}", long(200)))]), "bad_property_name"),
        (with(&[("signature", "\"§\"")]), "bad_signature"),
        (with(&[("pad", &long(MAX_ITEM_BYTES))]), "event_too_large"),
    ];
    for (body, expected) in table {
        if body.is_empty() || body == "[]" {
            assert!(read(STRUCTURED, NONE.into_iter(), body.as_bytes()).is_err(), "{body}");
        } else {
            assert_eq!(code(&body), expected, "{body}");
        }
    }
    let many: Vec<String> = (0..80).map(|at| format!("x{at}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "1")).collect();
    assert_eq!(code(&with(&many)), "too_many_attributes");
    assert_eq!(event(&with(&[("data", &properties(MAX_PROPERTIES))])).properties.len(), MAX_PROPERTIES);
}

#[test]
fn of_a_batch_half_bad_the_good_are_read_and_the_bad_are_listed() {
    let body = format!(
        " [ {}, 5, {}, {{\"specversion\": tru}}, , {}, [{{}}], {} ] ",
        with(&[]),
        with(&[("id", "\"e,]}2\"")]),
        with(&[("time", "")]),
        with(&[("id", "\"e-3\"")]),
    );
    let read = batch(&body);
    let ids: Vec<_> = read.events.iter().map(|(index, event)| (*index, &*event.id)).collect();
    assert_eq!(ids, [(0, "e-1"), (2, "e,]}2"), (7, "e-3")]);
    let codes: Vec<_> = read.refused.iter().map(|item| (item.index, item.problem.code())).collect();
    let bad = "bad_json";
    assert_eq!(codes, [(1, bad), (3, bad), (4, bad), (5, "time_missing"), (6, bad)]);
}

#[test]
fn an_empty_batch_is_nothing() {
    assert_eq!(batch(" [ ] "), ReadEvents::default());
}

#[test]
fn a_body_whose_events_cannot_be_told_apart_is_refused_whole() {
    let refused = |kind: &str, body: &[u8]| read(kind, NONE.into_iter(), body).unwrap_err();
    for body in ["", " ", "[", "[1", "[1,", "[\"", "[}]", "[1]]", "[1] 2", "[{]", "[\"\\\"]"] {
        let error = refused(BATCH, body.as_bytes());
        assert_eq!(error.code(), "bad_json", "{body}: {error}");
    }
    assert_eq!(refused(BATCH, b"[\xff]"), BodyError::NotText(1));
    assert_eq!(refused(BATCH, b"{}").code(), "bad_json");
    assert_eq!(refused(STRUCTURED, b"[]").code(), "bad_json");
    assert_eq!(refused("text/plain", b"[]").code(), "unsupported_content_type");
    assert_eq!(refused(BATCH, &vec![b' '; MAX_BODY_BYTES + 1]), BodyError::TooLarge(MAX_BODY_BYTES + 1));
    let items = |count: usize| format!("[{}]", vec!["1"; count].join(","));
    assert_eq!(refused(BATCH, items(MAX_ITEMS + 1).as_bytes()), BodyError::TooManyItems);
    assert_eq!(batch(&items(MAX_ITEMS)).refused.len(), MAX_ITEMS);
}

#[test]
fn plain_json_is_an_event_or_a_batch() {
    let plain =
        |body: String| read("Application/JSON; charset=utf-8", NONE.into_iter(), body.as_bytes()).unwrap();
    assert_eq!(plain(with(&[])).events.len(), 1);
    assert_eq!(plain(format!("[{},{}]", with(&[]), with(&[("id", "\"2\"")]))).events.len(), 2);
}

#[test]
fn an_event_in_headers_is_the_same_event() {
    let headers: [(&str, &[u8]); 8] = [
        ("Host", b"creto"),
        ("ce-specversion", b"1.0"),
        ("CE-ID", b"e%2D1"),
        ("ce-source", b"\"/bil\\ling\""),
        ("ce-type", b"storage.used"),
        ("ce-time", b"2026-10-14T10:20:00Z"),
        ("ce-customer", b"Euro%20%E2%82%AC"),
        ("ce-unknown", b"x"),
    ];
    let read_with = |headers: &[(&'static str, &'static [u8])], body: &str| {
        read("application/json", headers.iter().copied(), body.as_bytes()).unwrap()
    };
    let binary = read_with(&headers, "{\"bytes\":0.1}");
    let same = event(&with(&[("customer", "\"Euro €\""), ("data", "{\"bytes\":0.1}")]));
    assert_eq!(binary, ReadEvents { events: vec![(0, same)], refused: Vec::new() });
    assert_eq!(read_with(&headers, "").events.len(), 1);
    for (name, value, expected) in [
        ("ce-id", &b"%4"[..], "bad_attribute"),
        ("ce-id", b"%zz", "bad_attribute"),
        ("ce-id", b"%ff", "bad_attribute"),
        ("ce-id", b"", "bad_attribute"),
        ("ce-id", b"a%00", "bad_attribute"),
        ("ce-time", b"now", "bad_time"),
        ("ce-specversion", b"2.0", "wrong_specversion"),
    ] {
        let mut changed = headers;
        let which = changed.iter().position(|(known, _)| known.eq_ignore_ascii_case(name)).unwrap();
        changed[which].1 = value;
        assert_eq!(read_with(&changed, "{}").refused[0].problem.code(), expected, "{name}");
    }
    let mut twice = headers;
    twice[0] = ("ce-id", b"e-2");
    assert_eq!(read_with(&twice, "{}").refused[0].problem.code(), "duplicate_key");
    let csv = read("text/csv", headers.into_iter(), b"a;b").unwrap();
    assert_eq!(csv.refused[0].problem.code(), "unsupported_data");
}

fn any_item() -> impl Strategy<Value = (String, bool)> {
    let good = ("[a-z\\[\\]{},\" \\\\é]{1,12}", any::<i32>()).prop_map(|(id, bytes)| {
        let id = json!(id).to_string();
        (with(&[("id", &id), ("data", &format!("{{\"bytes\":{bytes}}}"))]), true)
    });
    let bad = prop_oneof![
        Just("5".to_owned()),
        Just("{}".to_owned()),
        Just("\"[,\"".to_owned()),
        Just("{\"data\": tru}".to_owned()),
        Just(with(&[("specversion", "\"9\"")])),
    ];
    prop_oneof![good, bad.prop_map(|bad| (bad, false))]
}

proptest! {
    /// Whatever is mixed, each event comes out at its place as it would alone.
    #[test]
    fn a_batch_is_its_events_one_by_one(items in prop::collection::vec(any_item(), 0..40)) {
        let texts: Vec<&str> = items.iter().map(|(text, _)| text.as_str()).collect();
        let read = batch(&format!("[{}]", texts.join(" ,\n")));
        prop_assert_eq!(read.events.len() + read.refused.len(), items.len());
        for (index, event) in &read.events {
            prop_assert!(items[*index].1);
            prop_assert_eq!(event, &structured(texts[*index]).events[0].1);
        }
        for item in &read.refused {
            prop_assert!(!items[item.index].1);
            prop_assert_eq!(&item.problem, &structured(texts[item.index]).refused[0].problem);
        }
    }

    /// No body, however broken, does more than be refused.
    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..300), cut in 0_usize..400) {
        let _ = read(BATCH, NONE.into_iter(), &body);
        let whole = format!("[{},{}]", with(&[("data", "{\"v\":1.5}")]), with(&[]));
        let cut = cut.min(whole.len());
        let mut broken = whole.as_bytes()[..cut].to_vec();
        prop_assert_eq!(read(BATCH, NONE.into_iter(), &broken).is_ok(), cut == whole.len());
        broken.extend_from_slice(&body);
        let _ = read("application/json", NONE.into_iter(), &broken);
        let _ = read("application/json", [("ce-specversion", &body[..])].into_iter(), &broken);
    }

    /// A decimal comes out as it went in.
    #[test]
    fn decimals_survive(whole in 0_u64..1_000_000_000_000_000_000, fraction in 0_u64..1_000_000_000_000_000_000) {
        let written = format!("{whole}.{fraction:018}");
        let event = event(&with(&[("data", &format!("{{\"v\":{written}}}"))]));
        prop_assert_eq!(&event.properties[0].1, &number(&written));
    }
}
