//! `creto approvals` and `creto operators` against a control plane. Needs creto-control-plane beside the creto program:
//! `cargo build -p creto-control-plane`.
#![forbid(unsafe_code)]
// A panic is a test's failure report.
#![allow(clippy::unwrap_used)]

mod asker;
mod commands;
mod document;
#[allow(dead_code, reason = "billing's own tests use the rest")]
#[path = "../billing/plane.rs"]
mod plane;
mod terminal;
