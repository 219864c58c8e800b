//! `creto billing` and `creto invoice` against a control plane. Needs creto-control-plane beside the creto program:
//! `cargo build -p creto-control-plane`.
#![forbid(unsafe_code)]
// A panic is a test's failure report.
#![allow(clippy::unwrap_used)]

mod apply;
mod document;
mod invoices;
mod plane;
mod refusals;
mod settled;
mod subscriptions;
