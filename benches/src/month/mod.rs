//! Group `month`: a month of synthetic usage into the embedded event store, a billing run over it to finalized invoices,
//! and every line of them worked out once more by plain SQL in a real PostgreSQL, from the same events.

mod billing;
mod frames;
mod postgres;
mod rows;
mod setup;
#[cfg(test)]
mod tests;
mod usage;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use creto_event_store::{EmbeddedEventStore, EmbeddedOptions};

use self::billing::Billed;
use self::postgres::Postgres;
use crate::report::Report;

type Failed = Box<dyn std::error::Error + Send + Sync>;

pub(crate) const NAMESPACE: &str = "bench";
const EVENTS: u64 = 50_000_000;
/// Says how many events to make, where it is set.
const EVENTS_VARIABLE: &str = "CRETO_BENCH_MONTH_EVENTS";

pub(crate) fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut report = Report::new("month");
    let events = match std::env::var(EVENTS_VARIABLE) {
        Ok(text) => {
            text.parse().map_err(|_| format!("{EVENTS_VARIABLE} is `{text}`: write a number of events"))?
        }
        Err(_) => EVENTS,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    // Not in a folder of memory: what is synced must have a disk to go to.
    std::fs::create_dir_all("target/bench")?;
    let folder = tempfile::tempdir_in("target/bench")?;
    let differences = runtime.block_on(async {
        let billed = billed(&mut report, folder.path(), events).await?;
        differences(&mut report, billed, events).await
    });
    let differences = differences.map_err(|error: Failed| error.to_string())?;
    report.finish()?;
    if differences.is_empty() {
        return Ok(());
    }
    let shown = differences.lines().take(20).collect::<Vec<_>>().join("\n");
    Err(format!("invoices and SQL differ, in {} places:\n{shown}", differences.lines().count()).into())
}

/// Takes the events in and bills them.
async fn billed(report: &mut Report, folder: &Path, events: u64) -> Result<Billed, Failed> {
    forget_peak()?;
    let events_folder = folder.join("events");
    let store = EmbeddedEventStore::open(&events_folder, EmbeddedOptions::default()).await?;
    let began = Instant::now();
    let sent = frames::ingest(&store, events).await?;
    let took = began.elapsed().as_secs_f64();
    let note =
        format!("{events} events of 1,000 agents and 100 customers, {} sent twice; durable", sent.repeated);
    report.add("month.ingest_s", took, "s", note);
    report.add("month.ingest_per_s", events as f64 / took, "events/s", "making the events included");
    report.add("month.ingest_peak_mb", peak_mb()?, "MB", "resident, at most");
    report.add("month.disk_mb", bytes_below(&events_folder)? as f64 / 1e6, "MB", "log and rollups");

    forget_peak()?;
    let billed = billing::run(report, Arc::new(store.clone()), folder).await?;
    report.add("month.bill_peak_mb", peak_mb()?, "MB", "resident, at most, event store included");
    store.close().await?;
    std::fs::remove_dir_all(&events_folder)?;

    Ok(billed)
}

/// Works everything out once more in SQL. Gives every difference, a line each.
async fn differences(report: &mut Report, billed: Billed, events: u64) -> Result<String, Failed> {
    let postgres = tokio::task::spawn_blocking(Postgres::start).await??;
    let postgres = Arc::new(postgres);
    let began = Instant::now();
    let loader = Arc::clone(&postgres);
    tokio::task::spawn_blocking(move || rows::load(&loader, events)).await??;
    let note = "COPY of the generator's events into unlogged tables, one a type";
    report.add("month.postgres_load_s", began.elapsed().as_secs_f64(), "s", note);
    report.add("month.postgres_disk_mb", bytes_below(postgres.folder())? as f64 / 1e6, "MB", "");
    let began = Instant::now();
    let differences = tokio::task::spawn_blocking(move || rows::recompute(&postgres, &billed)).await??;
    let note = "every line, reduction and tax from raw events, in NUMERIC";
    report.add("month.postgres_recompute_s", began.elapsed().as_secs_f64(), "s", note);
    let note = "lines, taxes and totals that differ between invoices and SQL";
    report.add("month.differences", differences.lines().count() as f64, "", note);
    Ok(differences)
}

/// From here on the peak is counted anew.
fn forget_peak() -> Result<(), Failed> {
    Ok(std::fs::write("/proc/self/clear_refs", "5")?)
}

/// The most memory that was resident, in megabytes.
fn peak_mb() -> Result<f64, Failed> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|peak| peak.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    Ok(kilobytes.ok_or("no peak in /proc/self/status")? * 1.024e-3)
}

fn bytes_below(folder: &Path) -> Result<u64, Failed> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        bytes += if about.is_dir() { bytes_below(&entry.path())? } else { about.len() };
    }
    Ok(bytes)
}
