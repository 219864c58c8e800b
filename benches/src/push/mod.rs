//! Group `push`: one control plane, ten thousand sidecars. How long an edit takes until all enforce it, what a stream
//! costs, and how the control plane comes back when all of them do.

mod fleet;
mod plane;
mod sidecar;
mod storm;

use std::time::{Duration, Instant};

use crate::process::{cpu_seconds, resident_kib};
use crate::report::Report;
use crate::timing::median;
use fleet::Fleet;
use plane::Plane;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Sidecars when nothing else is said.
const SIDECARS: usize = 10_000;
/// Edits measured.
const EDITS: usize = 7;
/// Suspensions measured.
const SUSPENSIONS: usize = 20;
/// How long anything may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn run() -> Outcome<()> {
    let sidecars = std::env::var("CRETO_BENCH_SIDECARS").map_or(Ok(SIDECARS), |text| text.parse())?;
    // Two for the simulated sidecars; the control plane has its own, on the same two cores.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(measure(sidecars))
}

async fn measure(sidecars: usize) -> Outcome<()> {
    plane::raise_file_limit()?;
    let mut report = Report::new("push");
    let mut plane = Plane::start().await?;
    plane.apply(1).await?;
    let begun = Instant::now();
    let fleet = Fleet::enrol(&plane, sidecars).await?;
    report.add(
        "push.enrolled_s",
        begun.elapsed().as_secs_f64(),
        "s",
        format!("{sidecars} agents, delegations and sidecars"),
    );

    let before = resident_kib(plane.pid())?;
    let begun = Instant::now();
    fleet.open();
    fleet.enforced(1, PATIENCE).await?;
    report.add(
        "push.first_s",
        begun.elapsed().as_secs_f64(),
        "s",
        format!(
            "{sidecars} TLS connections and streams opened at once, the first generation enforced on all"
        ),
    );
    let first = fleet.total(|state| state.bytes) as f64 / sidecars as f64;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let each = (resident_kib(plane.pid())? - before) / sidecars as f64;
    report.add(
        "push.stream_kb",
        each,
        "KiB",
        "memory of the control plane a stream: TLS, HTTP/2 and what it knows",
    );
    report.add(
        "push.first_bytes",
        first,
        "bytes",
        "a sidecar's first generation: 4 policies, agent, chain, signed manifest",
    );

    edits(&mut report, &plane, &fleet, sidecars).await?;
    suspensions(&mut report, &plane, &fleet).await?;
    storm::measure(&mut report, &mut plane, &fleet, sidecars).await?;
    report.finish()
}

async fn edits(report: &mut Report, plane: &Plane, fleet: &Fleet, sidecars: usize) -> Outcome<()> {
    let (mut p50, mut p99, mut last, mut bytes, mut cpu) = (vec![], vec![], vec![], vec![], vec![]);
    for edit in 0..EDITS {
        let revision = edit + 2;
        let (used, sent) = (cpu_seconds(plane.pid())?, fleet.total(|state| state.bytes));
        let begun = Instant::now();
        plane.apply(revision).await?;
        let enforced = fleet.enforced(revision, PATIENCE).await?;
        let since = |percent: f64| enforced.percentile(begun, percent).as_secs_f64() * 1e3;
        p50.push(since(50.0));
        p99.push(since(99.0));
        last.push(since(100.0));
        bytes.push((fleet.total(|state| state.bytes) - sent) as f64 / sidecars as f64);
        cpu.push((cpu_seconds(plane.pid())? - used) / sidecars as f64 * 1e6);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let note = format!(
        "from before the edit is applied to enforced on all but 1 in 100 of {sidecars}, which share 2 cores with the \
         control plane; each verifies signature and digests and decides by it, the compiled policy is shared"
    );
    report.add("push.10k_p50_ms", median(p50), "ms", "same, on half of them");
    report.add("push.10k_p99_ms", median(p99), "ms", note);
    report.add("push.10k_max_ms", median(last), "ms", "same, on all");
    report.add("push.edit_bytes", median(bytes), "bytes", "a stream, an edit of one of 4 policies");
    report.add("push.edit_cpu_us", median(cpu), "us", "of the control plane, a sidecar and edit");
    Ok(())
}

async fn suspensions(report: &mut Report, plane: &Plane, fleet: &Fleet) -> Outcome<()> {
    let mut times = Vec::new();
    for n in 0..SUSPENSIONS {
        let at = (n * 487 + 13) % fleet.len();
        let begun = Instant::now();
        plane.suspend(&fleet::agent_name(at)).await?;
        times.push(fleet.suspended(at, PATIENCE).await?.duration_since(begun).as_secs_f64() * 1e3);
        plane.resume(&fleet::agent_name(at)).await?;
        fleet.resumed(at, PATIENCE).await?;
    }
    times.sort_by(f64::total_cmp);
    report.add(
        "push.suspend_p50_ms",
        times[times.len() / 2],
        "ms",
        "from before one agent is suspended to its sidecar refusing",
    );
    report.add("push.suspend_max_ms", times[times.len() - 1], "ms", format!("slowest of {SUSPENSIONS}"));
    Ok(())
}
