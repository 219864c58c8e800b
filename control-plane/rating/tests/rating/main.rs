//! Rating, from outside: the field's worked numbers, bad input, and the properties every bill must have.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod aggregations;
mod bad_input;
mod bills;
mod calendars;
mod carried;
mod expressions;
mod in_advance;
mod intervals;
mod late;
mod misspelt;
mod models;
mod numbers;
mod progressive;
mod properties;
mod sharing;
mod speech;
mod thresholds;
mod wallets;
