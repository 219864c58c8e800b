//! What the desk promises, on SQLite and on PostgreSQL.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod desk;
mod kill;
mod waiting;
mod world;
