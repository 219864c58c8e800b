//! The store on PostgreSQL: what it must do beyond what every store must.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

#[allow(unreachable_pub, reason = "a module of several tests")]
mod frames;

use std::ops::ControlFlow;
use std::sync::Arc;

use creto_event_store::postgres::{Partitioning, PostgresEventStore, PostgresOptions};
use creto_event_store::{
    Aggregation, Event, EventId, EventStore, Meter, MeterQuery, NamedEvent, NamedOutcome, StoreError, Tally,
    Value, Window,
};
use creto_test_services::PostgresServer;
use frames::frame;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use sqlx::{Connection as _, PgConnection};

/// Wednesday, 14 October 2026, 10:20:00 UTC.
const NOW: i64 = 1_791_973_200_000_000;
const MINUTE: i64 = 60_000_000;
const DAY: i64 = 86_400_000_000;

async fn open(server: &PostgresServer) -> PostgresEventStore {
    PostgresEventStore::open(PostgresOptions::new(&server.url())).await.unwrap()
}

fn event(event_type: &str, at_us: i64, properties: &[(&str, Value)]) -> Event {
    Event {
        id: EventId::Named { source: "".into(), id: "".into() },
        event_type: event_type.into(),
        agent: "researcher".into(),
        customer: "acme".into(),
        subscription: "sub-1".into(),
        delegation: "root/researcher".into(),
        at_us,
        logical: 0,
        properties: properties.iter().map(|(name, value)| (Arc::from(*name), value.clone())).collect(),
        signature: None,
    }
}

fn named(id: &str, event: Event) -> NamedEvent {
    NamedEvent {
        source: "/third-party".into(),
        id: id.into(),
        event_type: event.event_type,
        agent: event.agent,
        customer: event.customer,
        subscription: event.subscription,
        delegation: event.delegation,
        at_us: Some(event.at_us),
        logical: event.logical,
        properties: event.properties,
        signature: event.signature,
    }
}

fn number(text: &str) -> Value {
    Value::Number(text.parse().unwrap())
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

/// Meters of every aggregation over one type; of sums more than lie side by side in one row.
fn meters() -> Vec<Meter> {
    let of_each = Aggregation::ALL.into_iter().map(|aggregation| {
        let field = match aggregation {
            Aggregation::Count => "",
            Aggregation::UniqueCount => "model",
            _ => "value",
        };
        Meter::new(aggregation.as_str(), "used", aggregation, field).by(&["region", "model"])
    });
    let more = (2..=6).map(|which| {
        let (name, field) = (format!("sum-{which}"), if which % 2 == 0 { "value" } else { "other" });
        Meter::new(&name, "used", Aggregation::Sum, field).by(&["model", "region"])
    });
    of_each.chain(more).collect()
}

async fn scanned(store: &PostgresEventStore, namespace: &str) -> Vec<(Event, u64)> {
    let mut events = Vec::new();
    store
        .scan(namespace, 0, i64::MAX, &mut |event, order| {
            events.push((event.clone(), order));
            ControlFlow::Continue(())
        })
        .await
        .unwrap();
    events
}

/// Events in a few minutes of two months, with texts no database likes.
fn any_event() -> impl Strategy<Value = Event> {
    let model = prop_oneof![
        Just("gpt-5".to_owned()),
        Just(String::new()),
        Just("a\0b".to_owned()),
        Just("\u{ffffd}0 'x' \\ \"y\"\n".to_owned()),
        Just("é".repeat(40)),
    ];
    let value = prop_oneof![
        (-1_000_i64..1_000).prop_map(|value| value.to_string()),
        (0_u64..1_000_000_000_000_000_000).prop_map(|digits| format!("999999999999999999.{digits:018}")),
        (0_u64..1_000).prop_map(|digits| format!("-0.000000000000000{digits:03}")),
    ];
    let at = (0_i64..3, 0_i64..180_000_000).prop_map(|(day, within)| NOW - day * 10 * DAY - within);
    let region = prop_oneof![
        Just(None),
        Just(Some(text("eu"))),
        Just(Some(number("1.50"))),
        Just(Some(Value::Flag(true)))
    ];
    (at, 0_u32..2, 0_usize..3, model, proptest::option::weighted(0.9, value), region).prop_map(
        |(at_us, logical, who, model, value, region)| {
            let mut properties = vec![("model", text(&model))];
            properties.extend(value.map(|value| ("value", number(&value))));
            properties.extend(region.map(|region| ("region", region)));
            properties.extend((logical == 1).then(|| ("other", number("0.5"))));
            let agent: Arc<str> = ["a", "b", ""][who].into();
            Event { agent, logical, ..event("used", at_us, &properties) }
        },
    )
}

/// Whatever came in, in whatever parts: rollups, events in SQL, and events one by one say the same.
#[tokio::test]
async fn rollups_are_what_the_events_come_to() {
    let server = PostgresServer::start().await;
    let store = open(&server).await;
    assert_eq!(store.partitioning(), Partitioning::Months);
    for meter in meters() {
        store.put_meter("acme", &meter).await.unwrap();
    }
    let mut runner = TestRunner::deterministic();
    let mut sent = Vec::new();
    let mut sequence = 1;
    for size in [1, 40, 300, 7, 150] {
        let events = proptest::collection::vec(any_event(), size).new_tree(&mut runner).unwrap().current();
        let (frames, named_events) = events.split_at(size.div_ceil(2));
        let outcome = store.ingest_frame("acme", frame("p", 7, sequence, frames), NOW).await.unwrap();
        assert_eq!((outcome.accepted, outcome.rejected.len()), (frames.len() as u64, 0));
        sequence += frames.len() as u64;
        let named_events: Vec<NamedEvent> = named_events
            .iter()
            .enumerate()
            .map(|(at, event)| named(&format!("{size}-{at}"), event.clone()))
            .collect();
        let outcomes = store.ingest_named("acme", named_events, NOW).await.unwrap();
        assert!(outcomes.iter().all(|outcome| *outcome == NamedOutcome::Accepted), "{outcomes:?}");
        sent.extend(events);
    }
    let kept = scanned(&store, "acme").await;
    assert_eq!(kept.len(), sent.len());
    assert!(kept.is_sorted_by(|(_, a), (_, b)| a < b), "orders rise");
    // In a frame, properties stand in the order of its columns.
    let plain = |event: &Event| {
        let mut properties = event.properties.clone();
        properties.sort_by(|a, b| a.0.cmp(&b.0));
        (event.at_us, event.logical, event.agent.to_string(), format!("{properties:?}"))
    };
    let mut all =
        [sent.iter().map(plain).collect::<Vec<_>>(), kept.iter().map(|(event, _)| plain(event)).collect()];
    all.iter_mut().for_each(|events| events.sort());
    assert_eq!(all[0], all[1]);
    let (from, to) = (NOW - 25 * DAY - 2 * MINUTE, NOW + MINUTE);
    for meter in meters() {
        let plain = MeterQuery::new(&meter.name, from, to);
        let mut queries = vec![
            plain.clone(),
            plain.clone().by(&["agent"]).only("model", "a\0b"),
            plain.clone().by(&["region", "model", "customer"]),
            plain.clone().only("region", "1.5"),
            plain.clone().only("agent", ""),
            plain.clone().only("region", "true").only("agent", "a"),
            MeterQuery::new(&meter.name, NOW - 2 * MINUTE, NOW - MINUTE).by(&["agent"]),
        ];
        queries.extend(
            Window::ALL.into_iter().map(|window| plain.clone().every(window).by(&["agent", "region"])),
        );
        for query in queries {
            let mut tally = Tally::new(&meter, &query).unwrap();
            for (event, order) in &kept {
                tally.add(event, *order).unwrap();
            }
            let expected = tally.values().unwrap();
            assert!(!expected.is_empty() || query.filter.len() > 1, "{query:?} asks for nothing");
            assert_eq!(store.query("acme", &query).await.unwrap(), expected, "rollups, {query:?}");
            assert_eq!(store.recompute("acme", &query).await.unwrap(), expected, "events, {query:?}");
        }
    }
    // Nothing of it is there for others.
    store.put_meter("other", &meters()[0]).await.unwrap();
    let other = MeterQuery::new("count", from, to);
    assert_eq!(store.query("other", &other).await.unwrap(), []);
    assert_eq!(store.recompute("other", &other).await.unwrap(), []);
    assert_eq!(scanned(&store, "other").await, []);
}

#[tokio::test]
async fn replicas_that_start_at_once_make_one_schema() {
    let server = PostgresServer::start().await;
    let starting = (0..6).map(|_| {
        PostgresEventStore::open(PostgresOptions { connections: 2, ..PostgresOptions::new(&server.url()) })
    });
    for store in futures_all(starting).await {
        store.unwrap().put_meter("acme", &meters()[0]).await.unwrap();
    }
    // And again, on what is there; nothing is applied twice.
    let again = open(&server).await;
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    let versions: Vec<i64> = sqlx::query_scalar("SELECT version FROM creto_events.schema_migrations")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert_eq!(versions, [1, 2, 3]);
    assert_eq!(again.meters("acme").await.unwrap().len(), 7);
    sqlx::query("INSERT INTO creto_events.schema_migrations (version) VALUES (99)")
        .execute(&mut connection)
        .await
        .unwrap();
    let refused = PostgresEventStore::open(PostgresOptions::new(&server.url())).await.unwrap_err();
    assert!(matches!(refused, StoreError::NewerSchema { found: 99, known: 3, .. }), "{refused}");
}

/// All at once, in tasks of their own.
async fn futures_all<T: Send + 'static>(
    futures: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = futures.map(tokio::spawn).collect();
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.unwrap());
    }
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_producer_through_two_replicas_counts_once() {
    let server = PostgresServer::start().await;
    let replicas = [open(&server).await, open(&server).await];
    let frames: Vec<_> = (0..20_u64)
        .map(|at| {
            let events: Vec<Event> = (0..50)
                .map(|which| event("creto.call", NOW - which * MINUTE, &[("total_tokens", number("3"))]))
                .collect();
            frame("sidecar/1", 9, at * 50 + 1, &events)
        })
        .collect();
    // Each replica is sent all of it, at once, as by a producer that does not know which one answers; and so are named
    // events.
    let send = |store: PostgresEventStore, frames: Vec<creto_event_store::Frame>| async move {
        let mut accepted = 0;
        for (at, frame) in frames.into_iter().enumerate() {
            // Who is ahead is waited for.
            accepted += store.ingest_frame("acme", frame, NOW).await.unwrap().accepted;
            let events = (0..20).map(|which| {
                let event = event("creto.call", NOW, &[("total_tokens", number("1"))]);
                named(&format!("{}", (at + which) % 30), event)
            });
            let outcomes = store.ingest_named("acme", events.collect(), NOW).await.unwrap();
            accepted += outcomes.iter().filter(|outcome| **outcome == NamedOutcome::Accepted).count() as u64;
        }
        accepted
    };
    let sent: Vec<_> = (0..4).map(|at| send(replicas[at % 2].clone(), frames.clone())).collect();
    let accepted: u64 = futures_all(sent.into_iter()).await.iter().sum();
    assert_eq!(accepted, 1_030);
    let query = MeterQuery::new("llm.tokens", NOW - DAY, NOW + MINUTE);
    for store in &replicas {
        let answer = store.query("acme", &query).await.unwrap();
        assert_eq!((answer[0].value.to_i64(), answer[0].events), (Some(3_030), 1_030));
        assert_eq!(store.recompute("acme", &query).await.unwrap(), answer);
    }
    let accounts = replicas[0].producers("acme").await.unwrap();
    for account in &accounts {
        assert_eq!(account.sent, account.accepted + account.duplicate + account.rejected, "{account:?}");
    }
    let sidecar = accounts.iter().find(|account| &*account.producer == "sidecar/1").unwrap();
    assert_eq!((sidecar.sent, sidecar.accepted, sidecar.highest_sequence), (4_000, 1_000, 1_000));
}

#[tokio::test]
async fn a_meter_put_through_one_replica_counts_through_the_other_from_then_on() {
    let server = PostgresServer::start().await;
    let (one, other) = (open(&server).await, open(&server).await);
    let used = |at| event("creto.call", at, &[("total_tokens", number("2"))]);
    assert_eq!(other.ingest_frame("acme", frame("p", 1, 1, &[used(NOW)]), NOW).await.unwrap().accepted, 1);
    let meter = Meter::new("seen", "creto.call", Aggregation::Count, "");
    one.put_meter("acme", &meter).await.unwrap();
    assert_eq!(
        other.ingest_frame("acme", frame("p", 1, 2, &[used(NOW), used(NOW)]), NOW).await.unwrap().accepted,
        2
    );
    let query = MeterQuery::new("seen", NOW - DAY, NOW + MINUTE);
    for store in [&one, &other] {
        let answer = store.query("acme", &query).await.unwrap();
        assert_eq!(answer[0].events, 2);
        assert_eq!(store.recompute("acme", &query).await.unwrap(), answer);
    }
}

#[tokio::test]
async fn months_come_ahead_late_and_go_whole() {
    let server = PostgresServer::start().await;
    let store = open(&server).await;
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    let mut partitions = async || {
        let names: Vec<String> = sqlx::query_scalar(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
             WHERE i.inhparent = 'creto_events.events'::regclass ORDER BY 1",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        names
    };
    let call = |at| event("creto.call", at, &[]);
    store.ingest_frame("acme", frame("p", 1, 1, &[call(NOW)]), NOW).await.unwrap();
    assert_eq!(partitions().await, ["events_2026_10", "events_2026_11"]);
    store.ingest_frame("acme", frame("p", 1, 2, &[call(NOW - 30 * DAY)]), NOW).await.unwrap();
    assert_eq!(partitions().await, ["events_2026_09", "events_2026_10", "events_2026_11"]);
    // Nothing is made for what is rejected.
    let old = store.ingest_frame("acme", frame("p", 1, 3, &[call(NOW - 60 * DAY)]), NOW).await.unwrap();
    assert_eq!(old.rejected[0].code.as_str(), "time_too_old");
    assert_eq!(store.expire(NOW).await.unwrap(), 0);
    // 1 January: September is over 90 days old, October is not yet, as a whole.
    let later = NOW + 79 * DAY;
    assert_eq!(store.expire(later).await.unwrap(), 1);
    assert_eq!(partitions().await, ["events_2026_10", "events_2026_11"]);
    let query = MeterQuery::new("calls", NOW - 40 * DAY, NOW + MINUTE);
    assert_eq!(store.query("acme", &query).await.unwrap()[0].events, 2, "rollups stay");
    let gone = store.recompute("acme", &query).await.unwrap_err();
    assert!(matches!(gone, StoreError::Gone { .. }), "{gone}");
    let kept = MeterQuery::new("calls", NOW - DAY, NOW + MINUTE);
    assert_eq!(store.recompute("acme", &kept).await.unwrap()[0].events, 1);
    assert!(store.scan("acme", 0, NOW, &mut |_, _| ControlFlow::Continue(())).await.is_err());
    // A partition that somebody else dropped is made again.
    sqlx::query("DROP TABLE creto_events.events_2026_11").execute(&mut connection).await.unwrap();
    let november = NOW + 20 * DAY;
    assert_eq!(
        store.ingest_frame("acme", frame("p", 1, 4, &[call(november)]), november).await.unwrap().accepted,
        1
    );
}

#[tokio::test]
async fn a_server_that_is_away_acknowledges_nothing_and_may_be_tried_again() {
    let mut server = PostgresServer::start().await;
    let store = open(&server).await;
    let call = || event("creto.call", NOW, &[("total_tokens", number("1"))]);
    store.ingest_frame("acme", frame("p", 1, 1, &[call()]), NOW).await.unwrap();
    server.kill9();
    let away = store.ingest_frame("acme", frame("p", 1, 2, &[call()]), NOW).await.unwrap_err();
    assert!(matches!(away, StoreError::Away(_)), "{away}");
    let away = store.ingest_named("acme", vec![named("1", call())], NOW).await.unwrap_err();
    assert!(matches!(away, StoreError::Away(_)), "{away}");
    let query = MeterQuery::new("llm.tokens", NOW - DAY, NOW + MINUTE);
    assert!(matches!(store.query("acme", &query).await, Err(StoreError::Away(_))));
    server.run().await;
    assert_eq!(store.ingest_frame("acme", frame("p", 1, 2, &[call()]), NOW).await.unwrap().accepted, 1);
    assert_eq!(store.query("acme", &query).await.unwrap()[0].events, 2);
}

#[tokio::test]
async fn a_server_that_forgets_is_refused() {
    let server = PostgresServer::start().await;
    let url = server.url().replace("creto@", "nobody@");
    let refused = PostgresEventStore::open(PostgresOptions::new(&url)).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Open { .. }), "{refused}");
    assert!(!format!("{:?}", PostgresOptions::new("postgres://u:secret@h/d")).contains("secret"));
    let forgetful = PostgresServer::start_with(&["fsync=off"]).await;
    let refused = PostgresEventStore::open(PostgresOptions::new(&forgetful.url())).await.unwrap_err();
    assert!(refused.to_string().contains("fsync is off"), "{refused}");
    // Only what is committed at leisure by default is not: we ask for more.
    let relaxed = PostgresServer::start_with(&["synchronous_commit=off"]).await;
    let store = open(&relaxed).await;
    store.ingest_frame("acme", frame("p", 1, 1, &[event("creto.call", NOW, &[])]), NOW).await.unwrap();
}

#[tokio::test]
async fn what_is_too_old_goes_in_parts_and_all_of_it() {
    let server = PostgresServer::start().await;
    let store = open(&server).await;
    let call = || event("creto.call", NOW, &[]);
    store.ingest_frame("acme", frame("p", 1, 1, &[call()]), NOW).await.unwrap();
    store.ingest_named("acme", vec![named("kept", call())], NOW).await.unwrap();
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    for sql in [
        "INSERT INTO creto_events.named SELECT 'acme', '/old', n::text, '', 1 FROM generate_series(1, 25000) n",
        "INSERT INTO creto_events.producers SELECT 'acme', false, 'old-' || n, 1, 1, 1, 1, 0, '{}', 1 \
         FROM generate_series(1, 12000) n",
        "UPDATE creto_events.namespaces SET epochs = epochs + 12000",
    ] {
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }
    // As somebody who is at work on one of them: it goes the next time, and nobody waits.
    let mut other = PgConnection::connect(&server.url()).await.unwrap();
    sqlx::raw_sql("BEGIN; SELECT * FROM creto_events.named WHERE id = '17' FOR UPDATE")
        .execute(&mut other)
        .await
        .unwrap();
    store.expire(NOW).await.unwrap();
    let mut left = async || {
        let sql = "SELECT (SELECT count(*) FROM creto_events.named), \
             (SELECT count(*) FROM creto_events.producers WHERE NOT named), (SELECT sum(epochs)::bigint FROM creto_events.namespaces)";
        sqlx::query_as::<_, (i64, i64, i64)>(sql).fetch_one(&mut connection).await.unwrap()
    };
    assert_eq!(left().await, (2, 1, 1));
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    store.expire(NOW).await.unwrap();
    assert_eq!(left().await, (1, 1, 1));
}

#[tokio::test]
async fn a_namespace_that_has_its_share_leaves_others_theirs() {
    let server = PostgresServer::start().await;
    let options = PostgresOptions { namespace_bytes: 1 << 20, ..PostgresOptions::new(&server.url()) };
    let store = PostgresEventStore::open(options).await.unwrap();
    let note = "x".repeat(900);
    let events = vec![event("creto.call", NOW, &[("note", text(&note))]); 200];
    let mut sent = 0;
    let refused = loop {
        match store.ingest_frame("acme", frame("p", 1, sent + 1, &events), NOW).await {
            Ok(outcome) => sent = outcome.mark,
            Err(error) => break error,
        }
        assert!(sent < 10_000, "a mebibyte holds no more");
    };
    assert!(matches!(refused, StoreError::Full { most: 1_048_576, .. }), "{refused}");
    assert!(sent >= 600, "{sent}");
    let late = store.ingest_named("acme", vec![named("1", event("creto.call", NOW, &[]))], NOW).await;
    assert!(matches!(late, Err(StoreError::Full { .. })), "{late:?}");
    // What is there is known when it is sent again, and others go on.
    let again = store.ingest_frame("acme", frame("p", 1, 1, &events), NOW).await.unwrap();
    assert_eq!(again.duplicate, 200);
    assert_eq!(store.ingest_frame("other", frame("p", 1, 1, &events), NOW).await.unwrap().accepted, 200);
    // A replica that starts now knows, too; and all together may have no more than they may.
    let options = PostgresOptions { namespace_bytes: 1 << 20, ..PostgresOptions::new(&server.url()) };
    let replica = PostgresEventStore::open(options).await.unwrap();
    let refused = replica.ingest_frame("acme", frame("p", 1, sent + 1, &events), NOW).await;
    assert!(matches!(refused, Err(StoreError::Full { .. })), "{refused:?}");
    let options = PostgresOptions {
        namespace_bytes: 1 << 20,
        disk_bytes: 1 << 20,
        ..PostgresOptions::new(&server.url())
    };
    let small = PostgresEventStore::open(options).await.unwrap();
    let refused = small.ingest_frame("third", frame("p", 1, 1, &events), NOW).await;
    assert!(matches!(refused, Err(StoreError::Full { .. })), "{refused:?}");
}
