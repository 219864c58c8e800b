//! The suite every event store must pass, on PostgreSQL: one server, a namespace for each scenario.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]
#![allow(clippy::print_stdout, reason = "which scenario failed is printed")]

#[path = "postgres_server/mod.rs"]
#[allow(dead_code, unreachable_pub, reason = "tests of other kinds use the rest")]
mod postgres_server;

use creto_event_store::conformance;
use creto_event_store::postgres::{PostgresEventStore, PostgresOptions};
use postgres_server::PostgresServer;

macro_rules! on_postgres {
    ($($scenario:ident)+) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn every_scenario_holds_on_postgres() {
            let server = PostgresServer::start().await;
            let store = PostgresEventStore::open(PostgresOptions::new(&server.url())).await.unwrap();
            $(
                println!("{}", stringify!($scenario));
                Box::pin(conformance::$scenario(&store)).await;
            )+
            store.close().await;
        }
    };
}

creto_event_store::every_scenario!(on_postgres);
