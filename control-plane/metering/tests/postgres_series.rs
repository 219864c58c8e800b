//! Series of a namespace on PostgreSQL: nobody waits to have new ones counted, and there is an end to them all the same.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::time::Duration;

use creto_event_store::conformance::{self, NOW_US, frame, sample};
use creto_event_store::postgres::{PostgresEventStore, PostgresOptions};
use creto_event_store::{Aggregation, EventStore as _, Meter};
use creto_test_services::PostgresServer;
use sqlx::{Connection as _, PgConnection};

/// Much less than the server lets anybody wait for a lock.
const SOON: Duration = Duration::from_secs(8);

async fn number(server: &PostgresServer, sql: &'static str) -> i64 {
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
}

const SERIES: &str = "SELECT count(*) FROM creto_events.series";
const COUNTED: &str = "SELECT coalesce(sum(series), 0)::bigint FROM creto_events.series_added";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn series_that_are_new_wait_for_nobody_who_adds_others() {
    let server = PostgresServer::start().await;
    let store = PostgresEventStore::open(PostgresOptions::new(&server.url())).await.unwrap();
    conformance::define(&store, "acme").await;
    let first = [sample().agent("first").number("units", "1")];
    store.ingest_frame("acme", frame("p", 1, 1, &first), NOW_US).await.unwrap();
    // Another control plane adds some, and does not come to an end.
    let mut other = PgConnection::connect(&server.url()).await.unwrap();
    let adds = "BEGIN; SELECT * FROM creto_events.namespaces WHERE namespace = 'acme' FOR UPDATE; \
         INSERT INTO creto_events.series_added (namespace, series) VALUES ('acme', 1); \
         INSERT INTO creto_events.series (meter, key, agent, customer, subscription, dimensions) \
         VALUES (1, 'x', '', '', '', '{}')";
    sqlx::raw_sql(adds).execute(&mut other).await.unwrap();
    let second = [sample().agent("second").number("units", "1")];
    let sent = store.ingest_frame("acme", frame("p", 1, 2, &second), NOW_US);
    let outcome = tokio::time::timeout(SOON, sent).await.expect("it waits for another's series").unwrap();
    assert_eq!(outcome.accepted, 1);
    other.close().await.unwrap();
    assert_eq!(number(&server, COUNTED).await, number(&server, SERIES).await);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn control_planes_at_once_add_no_more_than_each_may_add_unseen() {
    const MOST: u64 = 200;
    const PLANES: u64 = 3;
    let server = PostgresServer::start().await;
    let options = PostgresOptions { series: MOST, ..PostgresOptions::new(&server.url()) };
    let mut sending = Vec::new();
    for plane in 0..PLANES {
        let store = PostgresEventStore::open(options.clone()).await.unwrap();
        let meter = Meter::new("many", "use", Aggregation::Sum, "units").by(&["request"]);
        store.put_meter("acme", &meter).await.unwrap();
        sending.push(tokio::spawn(async move {
            for batch in 0..40 {
                let sample = |event: u64| {
                    let request = format!("{plane}-{}", batch * 20 + event);
                    sample().agent("a").number("units", "1").text("request", &request)
                };
                let samples: Vec<_> = (0..20).map(sample).collect();
                let sent = frame(&format!("p{plane}"), 1, 1 + batch * 20, &samples);
                assert_eq!(store.ingest_frame("acme", sent, NOW_US).await.unwrap().accepted, 20);
            }
            store
        }));
    }
    let mut stores = Vec::new();
    for one in sending {
        stores.push(one.await.unwrap());
    }
    // Each to nine tenths without a look at what the others add, the last tenth closely; and what the rest is part of.
    let (series, unseen) = (number(&server, SERIES).await, (MOST - MOST / 10) * PLANES);
    let wholes = 10;
    assert!(series.cast_unsigned() <= unseen + MOST / 10 + wholes, "{series}");
    assert!(series.cast_unsigned() >= MOST, "{series}");
    assert_eq!(number(&server, COUNTED).await, series);
    let query = conformance::today("many");
    let all = stores[0].query("acme", &query).await.unwrap();
    assert_eq!(all, stores[1].recompute("acme", &query).await.unwrap());
    assert_eq!(all[0].events, PLANES * 40 * 20);
    for store in stores {
        store.close().await;
    }
}
