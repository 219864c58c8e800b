//! The suite every event store must pass, on PostgreSQL: one server, a namespace for each scenario.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]
#![allow(clippy::print_stdout, reason = "which scenario failed is printed")]

use creto_event_store::conformance;
use creto_event_store::postgres::{PostgresEventStore, PostgresOptions};
use creto_test_services::PostgresServer;

macro_rules! on_postgres {
    ($($scenario:ident)+) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn every_scenario_holds_on_postgres() {
            let server = PostgresServer::start().await;
            let options = PostgresOptions {
                epochs: conformance::EPOCHS,
                series: conformance::SERIES,
                ..PostgresOptions::new(&server.url())
            };
            let store = PostgresEventStore::open(options).await.unwrap();
            $(
                println!("{}", stringify!($scenario));
                Box::pin(conformance::$scenario(&store)).await;
            )+
            conformance::assert_the_rest_is_other(&store, "series-many").await;
            store.close().await;
        }
    };
}

creto_event_store::every_scenario!(on_postgres);
