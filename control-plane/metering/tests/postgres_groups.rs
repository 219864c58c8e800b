//! Frames that wait for PostgreSQL are taken in together: whole or not at all, and each is answered for itself.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

#[allow(unreachable_pub, reason = "a module of several tests")]
mod frames;

use std::time::Duration;

use creto_event_store::postgres::{PostgresEventStore, PostgresOptions};
use creto_event_store::{EpochBounds, Event, EventId, EventStore, FrameOutcome, MeterQuery, StoreError};
use creto_test_services::PostgresServer;
use frames::frame;
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Wednesday, 14 October 2026, 10:20:00 UTC.
const NOW: i64 = 1_791_973_200_000_000;
const MINUTE: i64 = 60_000_000;
const PRODUCERS: u64 = 20;
const EVENTS: u64 = 5;

type Outcome = Result<FrameOutcome, StoreError>;

fn calls() -> Vec<Event> {
    let call = Event {
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
    };
    vec![call; EVENTS as usize]
}

/// A store with one connection that writes, over a namespace that is there.
async fn open(server: &PostgresServer) -> PostgresEventStore {
    let epochs = EpochBounds { of_producer: 1, ..EpochBounds::default() };
    let options = PostgresOptions { connections: 2, epochs, ..PostgresOptions::new(&server.url()) };
    let store = PostgresEventStore::open(options).await.unwrap();
    let first = frame("sidecar/known", 1, 1, &calls());
    store.ingest_frame("acme", first, NOW).await.unwrap();
    store
}

fn send(store: &PostgresEventStore, producer: &str, epoch: u64, first: u64) -> JoinHandle<Outcome> {
    let (store, sent) = (store.clone(), frame(producer, epoch, first, &calls()));
    tokio::spawn(async move { store.ingest_frame("acme", sent, NOW).await })
}

/// Holds up whoever needs a table, until it is dropped.
async fn hold(server: &PostgresServer, table: &str) -> PgConnection {
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    let lock = format!("BEGIN; LOCK TABLE creto_events.{table} IN ACCESS EXCLUSIVE MODE");
    sqlx::raw_sql(sqlx::AssertSqlSafe(lock)).execute(&mut connection).await.unwrap();
    connection
}

/// Waits until a connection of the store waits for a table.
async fn waits(connection: &mut PgConnection) {
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'creto-events' AND wait_event_type = 'Lock'";
    for _ in 0..1_000 {
        let count: i64 = sqlx::query_scalar(waiting).fetch_one(&mut *connection).await.unwrap();
        if count > 0 {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
    panic!("nobody waits");
}

/// Sends one frame that is held up, and then the others, which wait behind it.
async fn gather(
    server: &PostgresServer,
    store: &PostgresEventStore,
    others: impl Iterator<Item = JoinHandle<Outcome>>,
) -> (Outcome, Vec<Outcome>) {
    let mut held = hold(server, "producers").await;
    let first = send(store, "sidecar/first", 1, 1);
    waits(&mut held).await;
    let others: Vec<_> = others.collect();
    sleep(Duration::from_millis(100)).await;
    held.close().await.unwrap();
    let mut outcomes = Vec::new();
    for other in others {
        outcomes.push(other.await.unwrap());
    }
    (first.await.unwrap(), outcomes)
}

/// Transactions that left events.
async fn transactions(server: &PostgresServer) -> i64 {
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    let count = "SELECT count(DISTINCT xmin::text) FROM creto_events.events";
    sqlx::query_scalar(count).fetch_one(&mut connection).await.unwrap()
}

async fn assert_counted(store: &PostgresEventStore, events: u64) {
    let query = MeterQuery::new("calls", NOW, NOW + MINUTE);
    let found = store.query("acme", &query).await.unwrap();
    assert_eq!(found, store.recompute("acme", &query).await.unwrap());
    assert_eq!(found[0].value.to_string(), events.to_string());
    let accounts = store.producers("acme").await.unwrap();
    assert_eq!(accounts.iter().map(|account| account.accepted).sum::<u64>(), events);
    for account in accounts {
        assert_eq!(account.sent, account.accepted + account.duplicate + account.rejected, "{account:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn frames_that_wait_are_one_transaction_and_each_has_its_own_answer() {
    let server = PostgresServer::start().await;
    let store = open(&server).await;
    // One whose beginning is missing, and one that is known, come last; none is sent before it is asked for.
    let others = (0..PRODUCERS + 2).map(|which| match which.checked_sub(PRODUCERS) {
        None => send(&store, &format!("sidecar/{which}"), which, 1),
        Some(0) => send(&store, "sidecar/gap", 1, 50),
        Some(_) => send(&store, "sidecar/known", 1, 1),
    });
    let (first, mut outcomes) = gather(&server, &store, others).await;
    assert_eq!(first.unwrap().accepted, EVENTS);
    let known = outcomes.pop().unwrap().unwrap();
    assert_eq!((known.mark, known.accepted, known.duplicate), (EVENTS, 0, EVENTS));
    let gap = outcomes.pop().unwrap();
    assert!(matches!(gap, Err(StoreError::Gap { mark: 0, first: 50, .. })), "{gap:?}");
    for outcome in outcomes {
        let outcome = outcome.unwrap();
        assert_eq!((outcome.mark, outcome.accepted, outcome.duplicate), (EVENTS, EVENTS, 0));
    }
    // That of the opening, that which was held up, and all others.
    assert_eq!(transactions(&server).await, 3);
    assert_counted(&store, (2 + PRODUCERS) * EVENTS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_frame_that_ends_the_transaction_of_all_takes_only_itself_with_it() {
    let server = PostgresServer::start().await;
    let store = open(&server).await;
    // This producer may have no other epoch: what was begun with it is given up.
    let bad = || send(&store, "sidecar/known", 2, 1);
    let producers = (0..PRODUCERS).map(|which| match which {
        7 => bad(),
        _ => send(&store, &format!("sidecar/{which}"), which, 1),
    });
    let (_, outcomes) = gather(&server, &store, producers).await;
    for (which, outcome) in outcomes.into_iter().enumerate() {
        if which == 7 {
            assert!(matches!(outcome, Err(StoreError::Full { most: 1, .. })), "{outcome:?}");
        } else {
            assert_eq!(outcome.unwrap().accepted, EVENTS, "{which}");
        }
    }
    assert_counted(&store, (1 + PRODUCERS) * EVENTS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_group_that_is_killed_leaves_nothing_and_all_of_it_may_be_sent_again() {
    for kills_the_server in [false, true] {
        let mut server = PostgresServer::start().await;
        let store = open(&server).await;
        let all = || -> Vec<JoinHandle<Outcome>> {
            (0..PRODUCERS).map(|which| send(&store, &format!("sidecar/{which}"), which, 1)).collect()
        };
        let mut before = hold(&server, "producers").await;
        let first = send(&store, "sidecar/first", 1, 1);
        waits(&mut before).await;
        let group = all();
        sleep(Duration::from_millis(100)).await;
        // The first one goes; the others stop where their events are written and nothing is counted yet.
        let mut counting = PgConnection::connect(&server.url()).await.unwrap();
        let until_sums = "BEGIN; LOCK TABLE creto_events.sums IN ACCESS EXCLUSIVE MODE";
        sqlx::raw_sql(until_sums).execute(&mut counting).await.unwrap();
        before.close().await.unwrap();
        sleep(Duration::from_millis(100)).await;
        waits(&mut counting).await;
        if kills_the_server {
            server.kill9();
            server.run().await;
        } else {
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE application_name = 'creto-events' AND wait_event_type = 'Lock'";
            // The first one is told that it is over, and so are all that are taken in after it.
            while group.iter().any(|one| !one.is_finished()) || !first.is_finished() {
                sqlx::query(end).execute(&mut counting).await.unwrap();
                sleep(Duration::from_millis(20)).await;
            }
            counting.close().await.unwrap();
        }
        let mut again = 0;
        for (which, one) in group.into_iter().enumerate() {
            let outcome = one.await.unwrap();
            match outcome {
                // After the server came back they may have been taken in.
                Ok(outcome) => {
                    assert!(kills_the_server && outcome.accepted == EVENTS, "{which}: {outcome:?}");
                }
                Err(error) => {
                    assert!(matches!(error, StoreError::Away(_)), "{which}: {error}");
                    again += EVENTS;
                }
            }
        }
        let first = first.await.unwrap();
        assert!(matches!(first, Err(StoreError::Away(_))), "{first:?}");
        let (mut accepted, mut duplicate) = (0, 0);
        for one in all() {
            let outcome = one.await.unwrap().unwrap();
            assert_eq!(outcome.mark, EVENTS);
            accepted += outcome.accepted;
            duplicate += outcome.duplicate;
        }
        assert_eq!((accepted, duplicate), (again, PRODUCERS * EVENTS - again), "{kills_the_server}");
        assert_counted(&store, (1 + PRODUCERS) * EVENTS).await;
    }
}
