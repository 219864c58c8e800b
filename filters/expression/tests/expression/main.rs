//! Expressions over the facts of calls.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod absence;
mod bounds;
mod collections;
mod facts;
mod laws;
mod numbers;
mod problems;
mod text;
mod times;
