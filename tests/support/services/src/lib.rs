//! Real services that tests start: on free loopback ports, in folders that go with them.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot start its services fails")]

mod postgres;

pub use postgres::PostgresServer;
