//! Billing, told in sentences.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod advance;
mod catalogue;
mod conformance;
mod corrections;
mod export;
mod kill;
mod lasting;
mod lasting_kill;
mod metered;
mod paper;
mod periods;
mod prepaid;
mod previews;
mod properties;
mod runs;
mod signatures;
mod stores;
mod stripe_server;
mod world;
