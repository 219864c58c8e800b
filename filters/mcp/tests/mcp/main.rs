//! Requests, headers, refusals, answers and pins of MCP, as a sidecar uses them.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod answers;
mod headers;
mod pins;
mod properties;
mod refusals;
mod requests;
mod strict;
