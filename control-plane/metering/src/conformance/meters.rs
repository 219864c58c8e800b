//! Meters.

use super::{HOUR_US, MINUTE_US, NOW_US, define, frame, sample, send, total};
use crate::{Aggregation, EventStore, Meter, MeterError, RejectCode, StoreError, built_in_meters};

/// Without being defined.
pub async fn built_in_meters_are_everywhere(store: &dyn EventStore) {
    let namespace = "meters-built-in";
    let names: Vec<_> = store.meters(namespace).await.unwrap().into_iter().map(|meter| meter.name).collect();
    let expected =
        ["calls", "egress.bytes", "llm.cost", "llm.input_tokens", "llm.output_tokens", "llm.tokens"];
    assert!(names.iter().map(|name| &**name).eq(expected), "{names:?}");
    let call = sample()
        .of("creto.call")
        .text("provider", "openai")
        .text("model", "gpt-5")
        .text("host", "api.openai.com")
        .number("total_tokens", "120")
        .number("input_tokens", "100")
        .number("output_tokens", "20")
        .number("cost", "0.00123")
        .number("request_bytes", "4096")
        .flag("estimated", false);
    let other = sample().of("creto.call").text("host", "example.com").number("request_bytes", "10");
    assert_eq!(send(store, namespace, 1, &[call.clone(), call, other]).await.accepted, 3);
    assert_eq!(total(store, namespace, "calls").await, ("3".into(), 3));
    assert_eq!(total(store, namespace, "llm.tokens").await, ("240".into(), 2));
    assert_eq!(total(store, namespace, "llm.cost").await, ("0.00246".into(), 2));
    assert_eq!(total(store, namespace, "egress.bytes").await, ("8202".into(), 3));
}

/// A name stands for one thing.
pub async fn a_meter_does_not_change(store: &dyn EventStore) {
    let namespace = "meters-change";
    let meter = Meter::new("m", "use", Aggregation::Sum, "units").by(&["b", "a"]).in_unit("unit");
    store.put_meter(namespace, &meter).await.unwrap();
    store.put_meter(namespace, &meter).await.unwrap();
    assert_eq!(store.meters(namespace).await.unwrap().len(), built_in_meters().len() + 1);
    let changes = [
        Meter { event_type: "other".into(), ..meter.clone() },
        Meter { aggregation: Aggregation::Max, ..meter.clone() },
        Meter { field: "others".into(), ..meter.clone() },
        meter.clone().by(&["a"]),
        Meter::new("calls", "use", Aggregation::Count, ""),
    ];
    for change in changes {
        let refused = store.put_meter(namespace, &change).await;
        assert_eq!(refused, Err(StoreError::MeterChanged(change.name.clone())), "{change:?}");
    }
    assert!(store.meters(namespace).await.unwrap().contains(&meter));
}

/// With what is wrong.
pub async fn a_wrong_meter_is_refused(store: &dyn EventStore) {
    let namespace = "meters-wrong";
    let sum = |name: &str| Meter::new(name, "use", Aggregation::Sum, "units");
    let many: Vec<String> = (0..9).map(|n| format!("d{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let wrong = [
        sum(""),
        sum("a name"),
        Meter::new("m", "", Aggregation::Count, ""),
        Meter::new("m", "use", Aggregation::Count, "units"),
        Meter::new("m", "use", Aggregation::Max, ""),
        sum("m").by(&["a", "a"]),
        sum("m").by(&["agent"]),
        sum("m").by(&many),
    ];
    for wrong in wrong {
        let refused = store.put_meter(namespace, &wrong).await;
        assert!(matches!(refused, Err(StoreError::Meter(_))), "{wrong:?}: {refused:?}");
    }
    let refused = store.put_meter(namespace, &sum("m").by(&many)).await;
    assert_eq!(refused, Err(StoreError::Meter(MeterError::TooManyDimensions(9))));
}

/// Also beside older meters of the same dimensions.
pub async fn a_meter_counts_from_its_definition_on(store: &dyn EventStore) {
    let namespace = "meters-since";
    let units = sample().number("units", "1");
    let outcome = send(store, namespace, 1, std::slice::from_ref(&units)).await;
    assert_eq!(outcome.rejected[0].code, RejectCode::UnknownEventType);
    let meter = |name| Meter::new(name, "use", Aggregation::Sum, "units").by(&["model"]);
    store.put_meter(namespace, &meter("first")).await.unwrap();
    send(store, namespace, 2, &vec![units.clone(); 10]).await;
    store.put_meter(namespace, &meter("second")).await.unwrap();
    // Before and after, in windows that have something already and in new ones.
    let late = units.clone().at(NOW_US - HOUR_US);
    send(store, namespace, 12, &[units.clone(), units.clone(), late.clone()]).await;
    store.put_meter(namespace, &meter("third")).await.unwrap();
    send(store, namespace, 15, &[units.clone().at(NOW_US - MINUTE_US), late, units]).await;
    assert_eq!(total(store, namespace, "first").await, ("16".into(), 16));
    assert_eq!(total(store, namespace, "second").await, ("6".into(), 6));
    assert_eq!(total(store, namespace, "third").await, ("3".into(), 3));
}

/// Each event is counted by what is defined when it comes in, and recomputing agrees.
pub async fn a_meter_is_defined_while_events_come_in(store: &dyn EventStore) {
    let namespace = "meters-race";
    define(store, namespace).await;
    let events = async {
        for part in 0..40_u64 {
            let samples = vec![sample().number("units", "2").number("more", "1"); 25];
            let frame = frame("p", 1, part * 25 + 1, &samples);
            store.ingest_frame(namespace, frame, NOW_US).await.unwrap();
        }
    };
    let definitions = async {
        for number in 0..10 {
            let name = format!("more.{number}");
            let meter = Meter::new(&name, "use", Aggregation::Sum, "more").by(&["model"]);
            store.put_meter(namespace, &meter).await.unwrap();
        }
    };
    futures::future::join(events, definitions).await;
    assert_eq!(total(store, namespace, "use.sum").await, ("2000".into(), 1_000));
    for number in 0..10 {
        let (_, events) = total(store, namespace, &format!("more.{number}")).await;
        assert!(events <= 1_000);
    }
}
