//! `make bench ONLY=peers`: the same decision by us and by peers. Run from the root of the repository.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::process::Command;

use creto_bench_peers::{CHAIN, Outcome, RULES, Round, SCENES, WHEN, print};
use creto_bench_report::report::{Report, machine};
use creto_bench_report::timing::median;

/// Measurements of every subject, all others between them.
const ROUNDS: usize = 5;

fn main() -> Outcome<()> {
    let allocations = allocations()?;
    let mut report = Report::new("peers");
    let mut figures = BTreeMap::new();
    let mut engines = Vec::new();
    for scene in SCENES {
        let mut subjects = scene()?;
        let mut rounds = vec![Vec::with_capacity(ROUNDS); subjects.len()];
        for _ in 0..ROUNDS {
            for (subject, rounds) in subjects.iter_mut().zip(&mut rounds) {
                rounds.push(subject.measure());
            }
        }
        for (subject, rounds) in subjects.iter().zip(&rounds) {
            let engine = subject.name.split('.').next().unwrap_or_default().to_owned();
            if !engines.contains(&engine) {
                engines.push(engine);
            }
            let built = if subject.name.ends_with("_built") { ", with making its request" } else { "" };
            let note = format!(
                "{}{built}; median of {ROUNDS} rounds of {} samples, alternating; {}",
                subject.note,
                subject.samples(),
                machine()
            );
            let mut add = |what: &str, value: f64, unit, note: &str| {
                let name = format!("peer.{}_{what}", subject.name);
                report.add(&name, value, unit, note);
                figures.insert(name, value);
            };
            let of = |part: fn(&Round) -> f64| median(rounds.iter().map(part).collect());
            add("p50_ns", of(|round| round.p50), "ns", &note);
            add("p99_ns", of(|round| round.p99), "ns", "same");
            add("loop_ns", of(|round| round.in_loop), "ns", "same, mean of a closed loop");
            if let Some(count) = allocations.get(&subject.name) {
                add("allocations", *count, "", "a decision");
            }
        }
    }
    report.write()?;
    heading()?;
    print(RULES, "", &engines, &figures)?;
    print(("the same, with making the request", RULES.1), "_built", &engines, &figures)?;
    print(WHEN, "", &engines, &figures)?;
    print(("the same, with making the request", WHEN.1), "_built", &engines, &figures)?;
    print(CHAIN, "", &engines, &figures)
}

/// Allocations of every subject, counted by the program beside this one.
fn allocations() -> Outcome<BTreeMap<String, f64>> {
    let program = std::env::current_exe()?.with_file_name("peers-allocations");
    let output = Command::new(&program)
        .output()
        .map_err(|error| format!("{}: {error}; build the whole of benches/peers", program.display()))?;
    if !output.status.success() {
        return Err(format!("{}: {}", program.display(), String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn heading() -> Outcome<()> {
    use std::io::Write as _;
    writeln!(
        std::io::stdout(),
        "\npeers on {}; medians of {ROUNDS} alternating rounds, allocations of the last column; \
         notes in target/bench/peers.json",
        machine()
    )?;
    Ok(())
}
