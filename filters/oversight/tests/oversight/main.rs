//! What oversight promises, one file a promise.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod actions;
mod approvals;
mod grants;
mod panels;
mod votes;
mod world;
