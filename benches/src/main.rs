//! `make bench`: prints the tables of measurements. `bench <group>` runs one group.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout)]

mod approvals;
mod decision;
mod ingest;
mod models;
mod month;
mod process;
mod proxy;
mod push;
mod quota;

use std::alloc::System;
use std::process::ExitCode;

use creto_bench_report::{report, timing};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// Counts, so that "does not allocate" is a figure.
#[global_allocator]
pub(crate) static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

type Group = fn() -> Result<(), Box<dyn std::error::Error>>;

const GROUPS: [(&str, Group); 8] = [
    ("approvals", approvals::run),
    ("decision", decision::run),
    ("ingest", ingest::run),
    ("models", models::run),
    ("month", month::run),
    ("proxy", proxy::run),
    ("push", push::run),
    ("quota", quota::run),
];

fn main() -> ExitCode {
    let only = std::env::args().nth(1);
    let wanted: Vec<_> =
        GROUPS.iter().filter(|(name, _)| only.as_ref().is_none_or(|only| only == name)).collect();
    if wanted.is_empty() {
        let names: Vec<_> = GROUPS.iter().map(|(name, _)| *name).collect();
        eprintln!("no such group; there are: {}", names.join(", "));
        return ExitCode::FAILURE;
    }
    for (name, run) in wanted {
        if let Err(error) = run() {
            eprintln!("{name}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
