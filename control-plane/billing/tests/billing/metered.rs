//! What an event store holds, as usage.

use std::ops::ControlFlow;
use std::sync::Arc;

use async_trait::async_trait;
use creto_billing::{BillingRun, MeteredUsage, SourceError, SourcedEvent, UsageSource};
use creto_event_store::{
    Aggregation, EmbeddedEventStore, EmbeddedOptions, Event, EventId, EventStore, Frame, FrameOutcome, Meter,
    MeterQuery, MeterValue, NamedEvent, NamedOutcome, ProducerAccount, StoreError, Value as Stored,
};
use creto_proto::v1::{IngestFrame, PropertyColumn};
use creto_rating::{Moment, Order, Quantity, Value};
use proptest::prelude::*;

use crate::world::{World, at};

/// A store that shows the events it was made with, and then says what it was told to say.
#[derive(Clone)]
struct Shows(Vec<(Event, u64)>, Result<(), StoreError>);

#[async_trait]
impl EventStore for Shows {
    async fn scan(
        &self,
        _namespace: &str,
        from_us: i64,
        to_us: i64,
        each: &mut (dyn for<'e> FnMut(&'e Event, u64) -> ControlFlow<()> + Send),
    ) -> Result<(), StoreError> {
        for (event, number) in self.0.iter().filter(|(event, _)| (from_us..to_us).contains(&event.at_us)) {
            if each(event, *number).is_break() {
                return Ok(());
            }
        }
        self.1.clone()
    }

    async fn put_meter(&self, _: &str, _: &Meter) -> Result<(), StoreError> {
        Ok(())
    }

    async fn meters(&self, _: &str) -> Result<Vec<Meter>, StoreError> {
        Ok(Vec::new())
    }

    async fn ingest_frame(&self, _: &str, _: Frame, _: i64) -> Result<FrameOutcome, StoreError> {
        Err(StoreError::Away("only shows".into()))
    }

    async fn ingest_named(
        &self,
        _: &str,
        _: Vec<NamedEvent>,
        _: i64,
    ) -> Result<Vec<NamedOutcome>, StoreError> {
        Ok(Vec::new())
    }

    async fn query(&self, _: &str, _: &MeterQuery) -> Result<Vec<MeterValue>, StoreError> {
        Ok(Vec::new())
    }

    async fn recompute(&self, _: &str, _: &MeterQuery) -> Result<Vec<MeterValue>, StoreError> {
        Ok(Vec::new())
    }

    async fn producers(&self, _: &str) -> Result<Vec<ProducerAccount>, StoreError> {
        Ok(Vec::new())
    }
}

fn event(id: EventId, at_us: i64, properties: &[(&str, Stored)]) -> Event {
    Event {
        id,
        event_type: "llm.tokens".into(),
        agent: "researcher".into(),
        customer: "acme".into(),
        subscription: "sub".into(),
        delegation: "root/researcher".into(),
        at_us,
        logical: 3,
        properties: properties.iter().map(|(name, value)| ((*name).into(), value.clone())).collect(),
        signature: None,
    }
}

fn nth(sequence: u64) -> EventId {
    EventId::Sequenced { producer: "sidecar/7".into(), epoch: 0xA1, sequence }
}

async fn all(source: &dyn UsageSource, from_us: i64, to_us: i64) -> Result<Vec<SourcedEvent>, SourceError> {
    let mut found = Vec::new();
    let mut each = |sourced: &SourcedEvent| {
        found.push(sourced.clone());
        ControlFlow::Continue(())
    };
    let moment = |micros| Moment::from_micros(micros).unwrap();
    source.scan("default", moment(from_us), moment(to_us), &mut each).await?;
    Ok(found)
}

fn shows(events: Vec<(Event, u64)>) -> MeteredUsage {
    MeteredUsage::new(Arc::new(Shows(events, Ok(()))))
}

#[tokio::test]
async fn an_event_is_usage_with_all_that_it_says() {
    let number: Quantity = "-123456789012345678.000000000000000001".parse().unwrap();
    let properties = [
        ("model", Stored::Text("gpt-5 ✓".into())),
        ("tokens", Stored::Number(number)),
        ("cached", Stored::Flag(true)),
        ("batch", Stored::Flag(false)),
        ("note", Stored::Text("".into())),
    ];
    let found = all(&shows(vec![(event(nth(9), 1_000_007, &properties), 42)]), 0, 2_000_000).await.unwrap();
    let [sourced] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((sourced.subscription.as_str(), sourced.customer.as_str()), ("sub", "acme"));
    let usage = &sourced.event;
    assert_eq!((usage.meter.as_str(), usage.agent.as_str()), ("llm.tokens", "researcher"));
    assert_eq!(usage.id, "sequence/sidecar/7/a1/9");
    assert_eq!(usage.order, Order { at: Moment::from_micros(1_000_007).unwrap(), sequence: 42 });
    let expected = [
        ("model", Value::Text("gpt-5 ✓".into())),
        ("tokens", Value::Number(number)),
        ("cached", Value::Flag(true)),
        ("batch", Value::Flag(false)),
        ("note", Value::Text(String::new())),
    ];
    assert_eq!(usage.properties, expected.map(|(name, value)| (name.to_owned(), value)).into());
}

#[tokio::test]
async fn nothing_of_one_event_is_left_in_the_next() {
    let text = |text: &str| Stored::Text(text.into());
    let number = |units: i32| Stored::Number(units.into());
    let mut strange = event(nth(4), 4, &[]);
    for field in [&mut strange.agent, &mut strange.customer, &mut strange.subscription] {
        *field = "".into();
    }
    let events = [
        event(nth(1), 1, &[("a", text("long text")), ("b", number(5))]),
        event(nth(2), 2, &[("b", text("x")), ("a", number(7))]),
        event(nth(3), 3, &[("a", text("y")), ("c", Stored::Flag(true))]),
        strange,
        event(nth(5), 5, &[("a", text("z"))]),
    ];
    let together = events.iter().cloned().zip(1..).collect();
    let found = all(&shows(together), 0, 10).await.unwrap();
    let mut alone = Vec::new();
    for (event, number) in events.iter().cloned().zip(1..) {
        alone.extend(all(&shows(vec![(event, number)]), 0, 10).await.unwrap());
    }
    assert_eq!(found, alone);
}

proptest! {
    #[test]
    fn no_two_events_share_an_id(
        a in ("[a-z0-9/]{0,6}", "[a-z0-9/]{0,6}", 0_u64..30, 0_u64..30, any::<bool>()),
        b in ("[a-z0-9/]{0,6}", "[a-z0-9/]{0,6}", 0_u64..30, 0_u64..30, any::<bool>()),
    ) {
        let id = |(text, other, epoch, sequence, named): (String, String, u64, u64, bool)| if named {
            EventId::Named { source: text.into(), id: other.into() }
        } else {
            EventId::Sequenced { producer: text.into(), epoch, sequence }
        };
        let (a, b) = (id(a), id(b));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let source = shows(vec![(event(a.clone(), 1, &[]), 1), (event(b.clone(), 2, &[]), 2)]);
        let found = runtime.block_on(all(&source, 0, 10)).unwrap();
        prop_assert_eq!(a == b, found[0].event.id == found[1].event.id);
    }
}

#[tokio::test]
async fn what_the_store_says_is_what_the_run_is_told() {
    let gone = StoreError::Gone { before_us: 17 };
    let source = MeteredUsage::new(Arc::new(Shows(vec![(event(nth(1), 1, &[]), 1)], Err(gone.clone()))));
    assert_eq!(all(&source, 0, 10).await.unwrap_err().0, gone.to_string());
}

#[tokio::test]
async fn a_time_that_no_calendar_holds_ends_the_scan_with_the_event_named() {
    let store = Shows(vec![(event(nth(1), i64::MAX - 1, &[]), 1)], Ok(()));
    /// Asks for all times, whatever it was asked for.
    #[derive(Clone)]
    struct AllTimes(Shows);
    #[async_trait]
    impl EventStore for AllTimes {
        async fn scan(
            &self,
            namespace: &str,
            _: i64,
            _: i64,
            each: &mut (dyn for<'e> FnMut(&'e Event, u64) -> ControlFlow<()> + Send),
        ) -> Result<(), StoreError> {
            self.0.scan(namespace, i64::MIN, i64::MAX, each).await
        }
        async fn put_meter(&self, n: &str, meter: &Meter) -> Result<(), StoreError> {
            self.0.put_meter(n, meter).await
        }
        async fn meters(&self, n: &str) -> Result<Vec<Meter>, StoreError> {
            self.0.meters(n).await
        }
        async fn ingest_frame(&self, n: &str, frame: Frame, now: i64) -> Result<FrameOutcome, StoreError> {
            self.0.ingest_frame(n, frame, now).await
        }
        async fn ingest_named(
            &self,
            n: &str,
            e: Vec<NamedEvent>,
            now: i64,
        ) -> Result<Vec<NamedOutcome>, StoreError> {
            self.0.ingest_named(n, e, now).await
        }
        async fn query(&self, n: &str, q: &MeterQuery) -> Result<Vec<MeterValue>, StoreError> {
            self.0.query(n, q).await
        }
        async fn recompute(&self, n: &str, q: &MeterQuery) -> Result<Vec<MeterValue>, StoreError> {
            self.0.recompute(n, q).await
        }
        async fn producers(&self, n: &str) -> Result<Vec<ProducerAccount>, StoreError> {
            self.0.producers(n).await
        }
    }
    let refused = all(&MeteredUsage::new(Arc::new(AllTimes(store))), 0, 10).await.unwrap_err();
    assert!(refused.0.starts_with("event sequence/sidecar/7/a1/1: a time of "), "{refused}");
}

#[tokio::test]
async fn who_breaks_off_sees_no_more() {
    let events = (1..=5).map(|nth_event| (event(nth(nth_event), 1, &[]), nth_event)).collect();
    let mut seen = 0;
    let mut each = |_: &SourcedEvent| {
        seen += 1;
        if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let (from, to) = (Moment::from_micros(0).unwrap(), Moment::from_micros(9).unwrap());
    shows(events).scan("default", from, to, &mut each).await.unwrap();
    assert_eq!(seen, 2);
}

#[tokio::test]
async fn what_came_into_the_store_is_on_the_draft() {
    let world = World::new().await;
    world.acme().await;
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedEventStore::open(folder.path(), EmbeddedOptions::default()).await.unwrap();
    let meter = Meter::new("bought", "llm.tokens", Aggregation::Sum, "tokens");
    store.put_meter("default", &meter).await.unwrap();
    let january = at("2026-01-15T12:00:00Z").micros();
    let frame = IngestFrame {
        producer: "sidecar/1".into(),
        epoch: 1,
        first_sequence: 1,
        count: 2,
        strings: ["llm.tokens", "alpha", "sub", "tokens"].map(str::to_owned).into(),
        event_type: vec![1, 1],
        agent: vec![2, 2],
        subscription: vec![3, 3],
        at_us: vec![january, 1],
        properties: vec![PropertyColumn { name: 4, numbers: vec![1_000, 500], ..PropertyColumn::default() }],
        ..IngestFrame::default()
    };
    store.ingest_frame("default", Frame::new(frame).unwrap(), january + 10).await.unwrap();
    let named = NamedEvent {
        source: "shop".into(),
        id: "1".into(),
        event_type: "llm.tokens".into(),
        agent: "beta".into(),
        customer: "acme".into(),
        subscription: "".into(),
        delegation: "".into(),
        at_us: Some(january + 1),
        logical: 0,
        properties: vec![("tokens".into(), Stored::Number(500.into()))],
        signature: None,
    };
    store.ingest_named("default", vec![named], january + 10).await.unwrap();
    let source = MeteredUsage::new(Arc::new(store.clone()));
    let found = all(&source, january, january + 2).await.unwrap();
    let ids: Vec<_> = found.iter().map(|sourced| sourced.event.id.as_str()).collect();
    assert_eq!(ids, ["sequence/sidecar/1/1/1", "sequence/sidecar/1/1/2", "named/4/shop/1"]);
    assert!(found.windows(2).all(|two| two[0].event.order < two[1].event.order));
    let run = BillingRun::new("default", at("2026-02-01T00:00:00Z"));
    let report = run.draw_up(world.store.as_ref(), &source).await.unwrap();
    assert_eq!((report.events, report.matched), (3, 3));
    // 20.00, 2,000 tokens at 0.001, and 19 per cent on both.
    assert_eq!(report.totals().values().copied().collect::<Vec<_>>(), [2_618]);
    store.close().await.unwrap();
}
