//! Billing over the wire: from events that come in to invoices that go out.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod documents;
#[path = "../fixture/mod.rs"]
mod fixture;
mod kill;
mod month;
mod shop;
mod stripe;
#[allow(dead_code, reason = "billing's own tests use the rest")]
#[path = "../../../billing/tests/billing/stripe_server.rs"]
mod stripe_server;
mod triggers;
