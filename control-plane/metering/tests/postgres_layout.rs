//! How PostgreSQL keeps the events in pieces: a hypertable of TimescaleDB where the server has it, partitions of its own
//! where it has not. One of the two is looked at in any case, and which one is printed.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]
#![allow(clippy::print_stdout, reason = "which layout was looked at is printed")]

use creto_event_store::conformance::{self, DAY_US, MINUTE_US, NOW_US, frame, sample};
use creto_event_store::postgres::{Partitioning, PostgresEventStore, PostgresOptions};
use creto_event_store::{EventStore as _, MeterQuery, StoreError};
use creto_test_services::PostgresServer;
use sqlx::{Connection as _, PgConnection};

const IS_OFFERED: &str = "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')";
const IS_PARTITIONED: &str = "SELECT relkind = 'p' FROM pg_class WHERE oid = 'creto_events.events'::regclass";
const IS_HYPERTABLE: &str = "SELECT count(*) FROM timescaledb_information.hypertables \
     WHERE hypertable_schema = 'creto_events' AND hypertable_name = 'events'";
const PIECES: &str = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'creto_events.events'::regclass";

/// A server of either kind, and how events are kept in it: with TimescaleDB in its database, where it is offered.
async fn server() -> (PostgresServer, Partitioning) {
    let plain = PostgresServer::start().await;
    let mut connection = PgConnection::connect(&plain.url()).await.unwrap();
    if !sqlx::query_scalar::<_, bool>(IS_OFFERED).fetch_one(&mut connection).await.unwrap() {
        println!("this PostgreSQL has no TimescaleDB: plain partitions are looked at");
        return (plain, Partitioning::Months);
    }
    connection.close().await.unwrap();
    drop(plain);
    println!("this PostgreSQL has TimescaleDB: a hypertable is looked at");
    let settings = ["shared_preload_libraries=timescaledb", "timescaledb.telemetry_level=off"];
    let server = PostgresServer::start_with(&settings).await;
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    sqlx::raw_sql("CREATE EXTENSION timescaledb").execute(&mut connection).await.unwrap();
    (server, Partitioning::Hypertable)
}

async fn count(server: &PostgresServer, sql: &'static str) -> i64 {
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
}

async fn assert_layout(server: &PostgresServer, store: &PostgresEventStore, layout: Partitioning) {
    assert_eq!(store.partitioning(), layout);
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    let is_partitioned: bool = sqlx::query_scalar(IS_PARTITIONED).fetch_one(&mut connection).await.unwrap();
    assert_eq!(is_partitioned, layout == Partitioning::Months);
    if layout == Partitioning::Hypertable {
        assert_eq!(count(server, IS_HYPERTABLE).await, 1);
    }
}

macro_rules! on_either_layout {
    ($($scenario:ident)+) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn every_scenario_holds_on_the_layout_of_this_server() {
            let (server, layout) = server().await;
            let options = PostgresOptions {
                epochs: conformance::EPOCHS,
                series: conformance::SERIES,
                ..PostgresOptions::new(&server.url())
            };
            let store = PostgresEventStore::open(options).await.unwrap();
            assert_layout(&server, &store, layout).await;
            $(
                println!("{}", stringify!($scenario));
                Box::pin(conformance::$scenario(&store)).await;
            )+
            assert!(count(&server, PIECES).await > 0);
            store.close().await;
        }
    };
}

creto_event_store::every_scenario!(on_either_layout);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pieces_go_whole_when_they_are_too_old_and_their_bytes_count_while_they_are_there() {
    let (server, layout) = server().await;
    let options = PostgresOptions { disk_bytes: 24 << 20, ..PostgresOptions::new(&server.url()) };
    let store = PostgresEventStore::open(options.clone()).await.unwrap();
    conformance::define(&store, "acme").await;
    // Four months, of which the first two are given up.
    let months = [0, 31, 62, 93].map(|days| NOW_US + days * DAY_US);
    for (at_us, epoch) in months.into_iter().zip(1..) {
        let samples = vec![sample().number("units", "1").at(at_us); 50];
        store.ingest_frame("acme", frame("p", epoch, 1, &samples), at_us).await.unwrap();
    }
    let before = count(&server, PIECES).await;
    assert!(before >= 4, "{before} pieces");
    let now_us = months[3] + 75 * DAY_US;
    let gone = store.expire(now_us).await.unwrap();
    assert!(gone >= 1, "nothing went");
    let after = count(&server, PIECES).await;
    assert_eq!(after, before - i64::try_from(gone).unwrap());
    let day =
        |at_us: i64| MeterQuery::new("use.sum", at_us - at_us % DAY_US, at_us - at_us % DAY_US + DAY_US);
    for at_us in months {
        // Rollups stay.
        let found = store.query("acme", &day(at_us)).await.unwrap();
        assert_eq!(found[0].value.to_string(), "50");
    }
    let kept = store.query("acme", &day(months[3])).await.unwrap();
    assert_eq!(kept, store.recompute("acme", &day(months[3])).await.unwrap());
    let refused = store.recompute("acme", &day(months[0])).await;
    assert!(matches!(refused, Err(StoreError::Gone { .. })), "{refused:?}");

    // What events take is known, wherever the server keeps them: there is an end to it.
    let long = "x".repeat(1_000);
    let samples: Vec<_> =
        (0..1_000).map(|_| sample().number("units", "1").text("note", &long).at(months[3])).collect();
    let mut mark = 50;
    let full = loop {
        // As another replica that comes: it looks anew.
        let replica = PostgresEventStore::open(options.clone()).await.unwrap();
        let sent =
            replica.ingest_frame("acme", frame("p", 4, mark + 1, &samples), months[3] + MINUTE_US).await;
        replica.close().await;
        match sent {
            Ok(outcome) => mark = outcome.mark,
            Err(error) => break error,
        }
        assert!(mark < 100_000, "{layout:?}: nobody sees what is on disk");
    };
    assert!(matches!(full, StoreError::Full { most, .. } if most == 24 << 20), "{full}");
    assert!(mark > 5_000, "{mark}");
    store.close().await;
}
