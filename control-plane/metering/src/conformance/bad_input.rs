//! Events that cannot be counted: each kind has its code, and none keeps out others.

use creto_proto::v1::PropertyColumn;

use super::{DAY_US, MINUTE_US, NOW_US, Sample, define, frame, message, sample, send, total};
use crate::{
    EventStore, Frame, MAX_NAME_BYTES, MAX_PROPERTIES, MAX_TEXT_BYTES, NamedOutcome, RejectCode, Value,
};

fn good() -> Sample {
    sample().number("units", "1")
}

/// Good and bad in turn.
pub async fn half_a_frame_that_is_bad_is_rejected_and_the_rest_counts(store: &dyn EventStore) {
    let namespace = "bad-half";
    define(store, namespace).await;
    let samples: Vec<_> =
        (1..=20).map(|n| if n % 2 == 0 { good().of("unheard-of") } else { good() }).collect();
    let outcome = send(store, namespace, 1, &samples).await;
    assert_eq!((outcome.mark, outcome.accepted, outcome.duplicate), (20, 10, 0));
    let sequences: Vec<_> = outcome.rejected.iter().map(|rejected| rejected.sequence).collect();
    assert_eq!(sequences, (1..=10).map(|n| 2 * n).collect::<Vec<u64>>());
    assert!(outcome.rejected.iter().all(|rejected| rejected.code == RejectCode::UnknownEventType));
    assert!(outcome.rejected[0].detail.contains("unheard-of"), "{:?}", outcome.rejected[0]);
    // They are under the mark: sent again they are duplicates, and later frames go on.
    assert_eq!(send(store, namespace, 1, &samples).await.duplicate, 20);
    assert_eq!(send(store, namespace, 21, &[good()]).await.accepted, 1);
    assert_eq!(total(store, namespace, "use.count").await, ("11".into(), 11));
}

/// What is wrong with an event, and the code it must get.
fn wrong() -> Vec<(&'static str, Sample, RejectCode)> {
    let long = "x".repeat(MAX_NAME_BYTES + 1);
    let mut many = good();
    for property in 0..MAX_PROPERTIES {
        many = many.flag(&format!("p{property}"), true);
    }
    vec![
        ("unknown type", good().of("unheard-of"), RejectCode::UnknownEventType),
        ("no type", good().of(""), RejectCode::BadName),
        ("long type", good().of(&long), RejectCode::BadName),
        ("type with a space", good().of("a use"), RejectCode::BadName),
        ("long agent", good().agent(&long), RejectCode::BadName),
        ("agent with a line break", good().agent("a\nb"), RejectCode::BadName),
        ("old", good().at(NOW_US - 36 * DAY_US), RejectCode::TimeTooOld),
        ("far past", good().at(0), RejectCode::TimeTooOld),
        ("before 1970", good().at(-5), RejectCode::TimeTooOld),
        ("future", good().at(NOW_US + 6 * MINUTE_US), RejectCode::TimeInFuture),
        ("far future", good().at(i64::MAX / 2), RejectCode::TimeInFuture),
        ("text for a number", sample().text("units", "12"), RejectCode::BadValue),
        ("flag for a number", sample().flag("units", true), RejectCode::BadValue),
        ("long property", good().flag(&long, true), RejectCode::BadName),
        ("long text", good().text("note", &"x".repeat(MAX_TEXT_BYTES + 1)), RejectCode::TooLong),
        ("too many properties", many, RejectCode::TooManyProperties),
        ("nothing counted", sample().of("sized"), RejectCode::MissingValue),
    ]
}

async fn define_more(store: &dyn EventStore, namespace: &str) {
    define(store, namespace).await;
    let sized = crate::Meter::new("sized", "sized", crate::Aggregation::Sum, "bytes");
    store.put_meter(namespace, &sized).await.unwrap();
}

/// The table of what can be wrong, in frames; and numbers that are none.
pub async fn each_kind_of_bad_event_has_its_code(store: &dyn EventStore) {
    let namespace = "bad-codes";
    define_more(store, namespace).await;
    let mut sequence = 1;
    for (what, bad, code) in wrong() {
        let outcome = send(store, namespace, sequence, &[good(), bad, good()]).await;
        sequence += 3;
        assert_eq!(outcome.accepted, 2, "{what}");
        assert_eq!(outcome.rejected.len(), 1, "{what}");
        assert_eq!((outcome.rejected[0].sequence, outcome.rejected[0].code), (sequence - 2, code), "{what}");
        assert!(!outcome.rejected[0].detail.is_empty(), "{what}");
    }
    for text in ["NaN", "inf", "-Infinity", "", "1e40", "12,5", "0x10", "1.0000000000000000001"] {
        let mut wrong = message("p", 1, sequence, &[good(), sample(), good()]);
        wrong.strings.push(text.into());
        let column = PropertyColumn {
            name: wrong.properties[0].name,
            events: vec![1],
            decimals: vec![wrong.strings.len() as u32],
            ..PropertyColumn::default()
        };
        wrong.properties.push(column);
        let outcome = store.ingest_frame(namespace, Frame::new(wrong).unwrap(), NOW_US).await.unwrap();
        sequence += 3;
        assert_eq!(outcome.rejected.len(), 1, "{text}");
        assert_eq!(outcome.rejected[0].code, RejectCode::BadValue, "{text}");
    }
    // More than 18 digits before the point.
    let mut large = message("p", 1, sequence, &[good()]);
    large.properties[0].numbers = vec![i64::MAX];
    let outcome = store.ingest_frame(namespace, Frame::new(large).unwrap(), NOW_US).await.unwrap();
    assert_eq!(outcome.rejected[0].code, RejectCode::BadValue);
    // Below zero is a number.
    let outcome = send(store, namespace, sequence + 1, &[sample().number("units", "-3")]).await;
    assert_eq!(outcome.accepted, 1);
    let good = 2 * (wrong().len() + 8) as i64;
    assert_eq!(total(store, namespace, "use.sum").await, ((good - 3).to_string(), good as u64 + 1));
    let account = &store.producers(namespace).await.unwrap()[0];
    assert_eq!(account.rejected_by_code.get("bad_value"), Some(&11));
    assert_eq!(account.rejected as usize, wrong().len() + 9);
}

/// The same table, of third parties.
pub async fn each_kind_of_bad_named_event_has_its_code(store: &dyn EventStore) {
    let namespace = "bad-named-codes";
    define_more(store, namespace).await;
    let mut expected = vec![];
    let mut events = vec![];
    for (what, bad, code) in wrong() {
        events.push(bad.named("shop", what));
        expected.push((what, code));
    }
    let mut twice = good().named("shop", "twice");
    twice.properties.push(("units".into(), Value::Flag(true)));
    events.push(twice);
    expected.push(("twice", RejectCode::BadName));
    events.push(good().named("", "no source"));
    expected.push(("no source", RejectCode::BadName));
    events.push(good().named("shop", &"x".repeat(2_000)));
    expected.push(("long id", RejectCode::BadName));
    let outcomes = store.ingest_named(namespace, events, NOW_US).await.unwrap();
    for (outcome, (what, expected)) in outcomes.iter().zip(&expected) {
        match outcome {
            NamedOutcome::Rejected { code, detail } => {
                assert_eq!(code, expected, "{what}: {detail}");
                assert!(!detail.is_empty(), "{what}");
            }
            other => panic!("{what}: {other:?}"),
        }
    }
    assert_eq!(outcomes.len(), expected.len());
    assert_eq!(total(store, namespace, "use.count").await.1, 0);
}

/// To the microsecond.
pub async fn time_is_accepted_up_to_its_bounds(store: &dyn EventStore) {
    let namespace = "bad-times";
    define(store, namespace).await;
    let times = [
        (NOW_US - 35 * DAY_US, None),
        (NOW_US - 35 * DAY_US - 1, Some(RejectCode::TimeTooOld)),
        (NOW_US + 5 * MINUTE_US, None),
        (NOW_US + 5 * MINUTE_US + 1, Some(RejectCode::TimeInFuture)),
    ];
    let samples: Vec<_> = times.iter().map(|(at, _)| good().at(*at)).collect();
    let outcome = send(store, namespace, 1, &samples).await;
    let rejected: Vec<_> = outcome.rejected.iter().map(|one| (one.sequence, one.code)).collect();
    assert_eq!(rejected, vec![(2, RejectCode::TimeTooOld), (4, RejectCode::TimeInFuture)]);
    // What is too old was not so when it happened.
    let early = frame("early", 1, 1, &samples[1..2]);
    assert_eq!(store.ingest_frame(namespace, early, NOW_US - DAY_US).await.unwrap().accepted, 1);
}

/// A count needs no property, a sum does.
pub async fn what_only_some_meters_find_is_counted_by_those(store: &dyn EventStore) {
    let namespace = "bad-partly";
    define(store, namespace).await;
    let outcome = send(store, namespace, 1, &[sample(), good(), sample().text("user", "u")]).await;
    assert_eq!(outcome.accepted, 3);
    assert_eq!(total(store, namespace, "use.count").await, ("3".into(), 3));
    assert_eq!(total(store, namespace, "use.sum").await, ("1".into(), 1));
    assert_eq!(total(store, namespace, "use.users").await, ("1".into(), 1));
}
