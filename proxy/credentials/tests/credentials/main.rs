//! Credentials, as the sidecar uses them.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod inject;
mod oauth;
mod placeholders;
mod scrub;
mod secrecy;
mod sources;
mod stored;
mod support;
