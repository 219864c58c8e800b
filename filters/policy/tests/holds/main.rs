//! `[[hold]]`: which allowed calls wait for people, whom they wait for, and what is refused when it is read.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod agreement;
mod bodies;
mod explained;
mod found;
mod matchers;
mod panels;
mod refused;
mod world;
