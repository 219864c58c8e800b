//! PostgreSQL is killed at random points while events come in through two replicas.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]
#![allow(clippy::print_stdout, reason = "what happened is printed")]

#[allow(unreachable_pub, reason = "a module of several tests")]
mod frames;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use creto_event_store::postgres::{PostgresEventStore, PostgresOptions};
use creto_event_store::{
    Aggregation, Event, EventId, EventStore, Meter, MeterQuery, NamedEvent, NamedOutcome, StoreError, Value,
    Window,
};
use creto_test_services::PostgresServer;
use frames::frame;
use tokio::time::sleep;

/// Wednesday, 14 October 2026, 10:20:00 UTC.
const NOW: i64 = 1_791_973_200_000_000;
const MINUTE: i64 = 60_000_000;
/// More than connections that write, so that their frames are taken in together.
const PRODUCERS: u64 = 6;
const CONNECTIONS: u32 = 3;
/// How often it is killed; `CRETO_KILLS` says otherwise.
const KILLS: u64 = 12;

/// Numbers that differ by who asks.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

#[derive(Default)]
struct Storm {
    over: AtomicBool,
    /// Requests that came to nothing, or whose answer was lost.
    failed: AtomicU64,
    /// Requests that were acknowledged.
    done: AtomicU64,
}

impl Storm {
    /// Asks until there is an answer: the same again, as it may have been carried out.
    async fn until_answered<T, F: Future<Output = Result<T, StoreError>>>(&self, ask: impl Fn() -> F) -> T {
        loop {
            match ask().await {
                Ok(answer) => {
                    self.done.fetch_add(1, Ordering::Relaxed);
                    return answer;
                }
                Err(StoreError::Away(_)) => {
                    self.failed.fetch_add(1, Ordering::Relaxed);
                    sleep(Duration::from_millis(20)).await;
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}

/// The event of a sequence: what it says follows from it.
fn event(sequence: u64) -> Event {
    let value = |number: u64| Value::Number(number.to_string().parse().unwrap());
    let member = Value::Text(format!("m{}", sequence % 700).into());
    Event {
        id: EventId::Named { source: "".into(), id: "".into() },
        event_type: "used".into(),
        agent: format!("agent-{}", sequence % 5).into(),
        customer: "acme".into(),
        subscription: "".into(),
        delegation: "".into(),
        at_us: NOW - (sequence as i64 * 7_919) % (5 * MINUTE),
        logical: 0,
        properties: vec![("value".into(), value(sequence)), ("member".into(), member)],
        signature: None,
    }
}

/// A producer whose frames are answered by either replica, and who sometimes sends what was acknowledged again. Returns
/// its last sequence.
async fn producer(stores: [PostgresEventStore; 2], storm: Arc<Storm>, which: u64) -> u64 {
    let (name, epoch) = (format!("sidecar/{which}"), 40 + which);
    let mut numbers = Numbers(which);
    let mut mark = 0;
    while !storm.over.load(Ordering::SeqCst) {
        let again = if numbers.below(10) == 0 { numbers.below(mark + 1).min(30) } else { 0 };
        let first = mark + 1 - again;
        let events: Vec<Event> = (first..first + again + 1 + numbers.below(120)).map(event).collect();
        let store = &stores[numbers.below(2) as usize];
        let sent = frame(&name, epoch, first, &events);
        let outcome = storm.until_answered(|| store.ingest_frame("acme", sent.clone(), NOW)).await;
        assert_eq!(outcome.mark, first + events.len() as u64 - 1);
        assert_eq!((outcome.accepted + outcome.duplicate) as usize, events.len());
        mark = outcome.mark;
    }
    mark
}

/// A third party; returns how many different events it sent.
async fn third_party(stores: [PostgresEventStore; 2], storm: Arc<Storm>) -> u64 {
    let mut numbers = Numbers(99);
    let mut sent = 0;
    while !storm.over.load(Ordering::SeqCst) {
        let first = sent - numbers.below(5).min(sent);
        let end = sent + 1 + numbers.below(20);
        let named = |sequence: u64| {
            let event = event(sequence);
            NamedEvent {
                source: "/third-party".into(),
                id: sequence.to_string().into(),
                event_type: event.event_type,
                agent: event.agent,
                customer: event.customer,
                subscription: event.subscription,
                delegation: event.delegation,
                at_us: Some(event.at_us),
                logical: event.logical,
                properties: event.properties,
                signature: None,
            }
        };
        let events: Vec<NamedEvent> = (first..end).map(named).collect();
        let store = &stores[numbers.below(2) as usize];
        let outcomes = storm.until_answered(|| store.ingest_named("acme", events.clone(), NOW)).await;
        let known =
            |outcome: &NamedOutcome| matches!(outcome, NamedOutcome::Accepted | NamedOutcome::Duplicate);
        assert!(outcomes.iter().all(known), "{outcomes:?}");
        sent = end;
    }
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn acknowledged_events_are_there_exactly_once_however_often_postgres_is_killed() {
    let kills = std::env::var("CRETO_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let mut server = PostgresServer::start().await;
    let open = || {
        let options = PostgresOptions { connections: CONNECTIONS, ..PostgresOptions::new(&server.url()) };
        PostgresEventStore::open(options)
    };
    let stores = [open().await.unwrap(), open().await.unwrap()];
    let meters = Aggregation::ALL.map(|aggregation| {
        let field = match aggregation {
            Aggregation::Count => "",
            Aggregation::UniqueCount => "member",
            _ => "value",
        };
        Meter::new(aggregation.as_str(), "used", aggregation, field)
    });
    for meter in &meters {
        stores[0].put_meter("acme", meter).await.unwrap();
    }
    let storm = Arc::new(Storm::default());
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|which| tokio::spawn(producer(stores.clone(), Arc::clone(&storm), which)))
        .collect();
    let third_party = tokio::spawn(third_party(stores.clone(), Arc::clone(&storm)));
    let mut numbers = Numbers(7);
    for kill in 0..kills {
        // All are at work again; then at any moment.
        let done = storm.done.load(Ordering::Relaxed);
        while storm.done.load(Ordering::Relaxed) < done + 2 * PRODUCERS {
            sleep(Duration::from_millis(5)).await;
        }
        sleep(Duration::from_millis(numbers.below(300))).await;
        if kill % 3 == 2 {
            // After a restart it takes a moment until somebody is connected.
            let which = numbers.below(1_000) as usize;
            let mut looks = 0;
            while !server.kill_a_backend(which) {
                looks += 1;
                assert!(looks < 500, "nobody connects to PostgreSQL");
                sleep(Duration::from_millis(10)).await;
            }
            sleep(Duration::from_millis(50)).await;
            server.answering().await;
        } else {
            server.kill9();
            sleep(Duration::from_millis(numbers.below(100))).await;
            server.run().await;
        }
    }
    sleep(Duration::from_millis(200)).await;
    storm.over.store(true, Ordering::SeqCst);
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for (which, producer) in producers.into_iter().enumerate() {
        expected.insert(format!("sidecar/{which}"), producer.await.unwrap());
    }
    expected.insert("/third-party".into(), third_party.await.unwrap());
    let total: u64 = expected.values().sum();
    let failed = storm.failed.load(Ordering::Relaxed);
    println!("{kills} kills, {total} events acknowledged, {failed} requests failed and were sent again");
    assert!(failed >= kills / 2, "only {failed} requests were hit by {kills} kills");

    // Each event once, as it was sent.
    let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    stores[1]
        .scan("acme", 0, i64::MAX, &mut |kept, _| {
            let (whose, sequence) = match &kept.id {
                EventId::Sequenced { producer, sequence, .. } => (producer, *sequence),
                EventId::Named { source, id } => (source, id.parse().unwrap()),
            };
            let sent = event(sequence);
            assert_eq!(
                (&kept.properties, kept.at_us, &kept.agent),
                (&sent.properties, sent.at_us, &sent.agent)
            );
            found.entry(whose.to_string()).or_default().push(sequence);
            ControlFlow::Continue(())
        })
        .await
        .unwrap();
    for (whose, last) in &expected {
        let sequences = found.get_mut(whose).unwrap();
        sequences.sort_unstable();
        let first = u64::from(whose.starts_with("sidecar"));
        assert!(sequences.iter().copied().eq(first..*last + first), "{whose}: {} of {last}", sequences.len());
    }
    // Rollups are what the events come to, for every aggregation; so are the accounts.
    for meter in &meters {
        for window in [None, Some(Window::Minute)] {
            let query =
                MeterQuery { window, ..MeterQuery::new(&meter.name, NOW - 10 * MINUTE, NOW + MINUTE) };
            let query = query.by(&["agent"]);
            let answer = stores[0].query("acme", &query).await.unwrap();
            assert_eq!(answer, stores[0].recompute("acme", &query).await.unwrap(), "{query:?}");
            assert_eq!(answer.iter().map(|value| value.events).sum::<u64>(), total);
        }
    }
    for account in stores[0].producers("acme").await.unwrap() {
        assert_eq!(account.accepted, expected[&*account.producer], "{account:?}");
        assert_eq!(account.sent, account.accepted + account.duplicate, "{account:?}");
    }
}
