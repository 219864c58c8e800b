//! Requests to PostgreSQL that are given up in the middle: whoever asks next is answered what was asked.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

#[allow(unreachable_pub, reason = "a module of several tests")]
mod frames;

use std::time::Duration;

use creto_event_store::postgres::{PostgresEventStore, PostgresOptions};
use creto_event_store::{Event, EventId, EventStore, MeterQuery, NamedEvent, NamedOutcome};
use creto_test_services::PostgresServer;
use frames::frame;
use tokio::time::timeout;

/// Wednesday, 14 October 2026, 10:20:00 UTC.
const NOW: i64 = 1_791_973_200_000_000;
const MINUTE: i64 = 60_000_000;
const ROUNDS: u64 = 200;
/// Events of a frame.
const EVENTS: u64 = 20;

fn call() -> Event {
    Event {
        id: EventId::Named { source: "".into(), id: "".into() },
        event_type: "creto.call".into(),
        agent: "researcher".into(),
        customer: "".into(),
        subscription: "".into(),
        delegation: "".into(),
        at_us: NOW,
        logical: 0,
        properties: Vec::new(),
        signature: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_its_sender_gave_up_leaves_no_connection_that_answers_others_wrongly() {
    let server = PostgresServer::start().await;
    let mut options = PostgresOptions::new(&server.url());
    options.connections = 2;
    let store = PostgresEventStore::open(options).await.unwrap();
    let events = vec![call(); EVENTS as usize];
    let mut given_up = 0;
    for round in 0..ROUNDS {
        let sent = frame("sidecar/one", 1, round * EVENTS + 1, &events);
        // At another point of the transaction each time.
        let patience = Duration::from_micros(round * 7_919 % 12_000);
        if timeout(patience, store.ingest_frame("acme", sent.clone(), NOW)).await.is_err() {
            given_up += 1;
        }
        let outcome = store.ingest_frame("acme", sent, NOW).await;
        assert_eq!(outcome.map(|outcome| outcome.mark).unwrap(), (round + 1) * EVENTS, "after {given_up}");
    }
    assert!(given_up > ROUNDS / 10, "only {given_up} were given up");
    assert_counted(&store, ROUNDS * EVENTS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn named_events_that_their_sender_gave_up_leave_no_connection_that_answers_others_wrongly() {
    let server = PostgresServer::start().await;
    let mut options = PostgresOptions::new(&server.url());
    options.connections = 2;
    let store = PostgresEventStore::open(options).await.unwrap();
    let mut given_up = 0;
    for round in 0..ROUNDS {
        let events: Vec<NamedEvent> = (0..EVENTS).map(|which| named(round * EVENTS + which)).collect();
        // The transaction itself is left in the middle, in a `COPY` sometimes.
        let patience = Duration::from_micros(round * 7_919 % 12_000);
        if timeout(patience, store.ingest_named("acme", events.clone(), NOW)).await.is_err() {
            given_up += 1;
        }
        let outcomes = store.ingest_named("acme", events, NOW).await.unwrap();
        let known =
            |outcome: &NamedOutcome| matches!(outcome, NamedOutcome::Accepted | NamedOutcome::Duplicate);
        assert!(outcomes.iter().all(known), "{outcomes:?} after {given_up}");
    }
    assert!(given_up > ROUNDS / 10, "only {given_up} were given up");
    assert_counted(&store, ROUNDS * EVENTS).await;
}

fn named(number: u64) -> NamedEvent {
    let call = call();
    NamedEvent {
        source: "/third-party".into(),
        id: number.to_string().into(),
        event_type: call.event_type,
        agent: call.agent,
        customer: call.customer,
        subscription: call.subscription,
        delegation: call.delegation,
        at_us: Some(call.at_us),
        logical: call.logical,
        properties: call.properties,
        signature: None,
    }
}

async fn assert_counted(store: &PostgresEventStore, events: u64) {
    let query = MeterQuery::new("calls", NOW, NOW + MINUTE);
    let found = store.query("acme", &query).await.unwrap();
    assert_eq!(found[0].value.to_string(), events.to_string());
    assert_eq!(found, store.recompute("acme", &query).await.unwrap());
}
