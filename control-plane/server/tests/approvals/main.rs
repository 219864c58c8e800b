//! Approvals over the wire: sidecars ask, people decide, what was allowed is taken once.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod asking;
mod deciding;
#[path = "../fixture/mod.rs"]
mod fixture;
mod kill;
mod taking;
mod waiting;
mod watching;
mod world;
