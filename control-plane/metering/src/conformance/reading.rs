//! The events themselves, and what is worked out from them.

use std::ops::ControlFlow;

use super::{DAY_US, HOUR_US, MINUTE_US, NOW_US, Sample, ask, define, frame, meters, sample, send};
use crate::{Event, EventId, EventStore, MeterQuery, Value, Window};

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

fn any_sample(numbers: &mut Numbers) -> Sample {
    let pick = |numbers: &mut Numbers, prefix: &str, of: u64| format!("{prefix}{}", numbers.below(of));
    let mut one = sample()
        .agent(&pick(numbers, "agent-", 5))
        .at(NOW_US - numbers.below(30 * 24 * 3_600) as i64 * 1_000_000 - numbers.below(1_000_000) as i64);
    one.customer = pick(numbers, "customer-", 3);
    one.logical = numbers.below(3) as u32;
    if numbers.below(4) > 0 {
        let sign = if numbers.below(5) == 0 { "-" } else { "" };
        let text = format!("{sign}{}.{:03}", numbers.below(1_000), numbers.below(1_000));
        one = one.number("units", &text);
    }
    if numbers.below(3) > 0 {
        one = one.text("model", &pick(numbers, "m", 4));
    }
    if numbers.below(2) > 0 {
        one = one.text("user", &pick(numbers, "u", 40));
    }
    one
}

/// All meters, windows and groups, over a month of events in frames and by name.
pub async fn rollups_equal_a_recomputation(store: &dyn EventStore) {
    let namespace = "reading-equal";
    define(store, namespace).await;
    let mut numbers = Numbers(7);
    for part in 0..6_u64 {
        let samples: Vec<_> = (0..100).map(|_| any_sample(&mut numbers)).collect();
        let producer = format!("p{}", part % 2);
        let frame = frame(&producer, 1, part / 2 * 100 + 1, &samples);
        assert_eq!(store.ingest_frame(namespace, frame, NOW_US).await.unwrap().accepted, 100);
        let named = (0..20).map(|n| any_sample(&mut numbers).named("shop", &format!("{part}-{n}"))).collect();
        store.ingest_named(namespace, named, NOW_US).await.unwrap();
    }
    let midnight = NOW_US - NOW_US % DAY_US;
    for meter in meters() {
        for (from, to) in [(-31 * DAY_US, DAY_US), (-20 * DAY_US - 77 * MINUTE_US, -5 * HOUR_US - MINUTE_US)]
        {
            let query = MeterQuery::new(&meter.name, midnight + from, midnight + to);
            let mut events = 0;
            for value in ask(store, namespace, &query).await {
                events += value.events;
            }
            assert!(events > 0);
            for window in Window::ALL {
                let values = ask(store, namespace, &query.clone().every(window)).await;
                assert_eq!(values.iter().map(|value| value.events).sum::<u64>(), events);
            }
            ask(store, namespace, &query.clone().by(&["agent", "model"]).every(Window::Day)).await;
            ask(store, namespace, &query.only("customer", "customer-1").by(&["subscription"])).await;
        }
    }
}

async fn all(store: &dyn EventStore, namespace: &str, from: i64, to: i64) -> Vec<(Event, u64)> {
    let mut events = vec![];
    let mut each = |event: &Event, order: u64| {
        events.push((event.clone(), order));
        ControlFlow::Continue(())
    };
    store.scan(namespace, from, to, &mut each).await.unwrap();
    events
}

/// As they were sent, without what was not taken in, and without other times.
pub async fn events_are_shown_in_the_order_they_came(store: &dyn EventStore) {
    let namespace = "reading-scan";
    define(store, namespace).await;
    let one = sample().number("units", "2.5").number("whole", "3").text("model", "m").flag("estimated", true);
    let late = one.clone().at(NOW_US - DAY_US);
    send(store, namespace, 1, &[one.clone(), one.clone().of("unheard-of"), late.clone()]).await;
    let mut named = one.named("shop", "7");
    named.signature = Some(vec![1, 2, 3].into());
    store.ingest_named(namespace, vec![named.clone()], NOW_US).await.unwrap();
    send(store, namespace, 2, &[one.clone(), one.clone(), one.clone()]).await;
    let events = all(store, namespace, 0, NOW_US + DAY_US).await;
    assert!(events.windows(2).all(|two| two[0].1 < two[1].1), "{events:?}");
    let id = |sequence| EventId::Sequenced { producer: "p".into(), epoch: 1, sequence };
    let ids: Vec<_> = events.iter().map(|(event, _)| event.id.clone()).collect();
    let shop = EventId::Named { source: "shop".into(), id: "7".into() };
    assert_eq!(ids, vec![id(1), id(3), shop, id(4)]);
    let mut first = events[0].0.clone();
    first.properties.sort_by(|a, b| a.0.cmp(&b.0));
    let expected = Event {
        id: id(1),
        event_type: "use".into(),
        agent: "a".into(),
        customer: "acme".into(),
        subscription: "sub-1".into(),
        delegation: "root/a".into(),
        at_us: NOW_US,
        logical: 0,
        properties: vec![
            ("estimated".into(), Value::Flag(true)),
            ("model".into(), Value::Text("m".into())),
            ("units".into(), Value::Number("2.5".parse().unwrap())),
            ("whole".into(), Value::Number("3".parse().unwrap())),
        ],
        signature: None,
    };
    assert_eq!(first, expected);
    assert_eq!(events[2].0, named.into_event(NOW_US));
    // Half-open, to the microsecond; numbers stay.
    assert_eq!(all(store, namespace, NOW_US - DAY_US, NOW_US).await, vec![events[1].clone()]);
    assert_eq!(all(store, namespace, NOW_US - DAY_US + 1, NOW_US).await, vec![]);
    assert_eq!(all(store, namespace, NOW_US, NOW_US + 1).await.len(), 3);
}

/// Whoever has seen enough.
pub async fn reading_ends_when_told(store: &dyn EventStore) {
    let namespace = "reading-ends";
    define(store, namespace).await;
    for part in 0..5 {
        send(store, namespace, part * 10 + 1, &vec![sample(); 10]).await;
    }
    let mut seen = 0;
    let mut each = |_: &Event, _: u64| {
        seen += 1;
        if seen == 13 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    store.scan(namespace, 0, NOW_US + 1, &mut each).await.unwrap();
    assert_eq!(seen, 13);
}
