//! The control plane dies and all sidecars come back.

use std::time::{Duration, Instant};

use super::fleet::Fleet;
use super::plane::Plane;
use super::{Outcome, PATIENCE};
use crate::process::{cpu_seconds, peak_kib, resident_kib};
use crate::report::Report;

pub(super) async fn measure(
    report: &mut Report,
    plane: &mut Plane,
    fleet: &Fleet,
    sidecars: usize,
) -> Outcome<()> {
    let streams = fleet.least_streams();
    let (deltas, pushed_back) = (fleet.total(|state| state.deltas), fleet.total(|state| state.pushed_back));
    let before = resident_kib(plane.pid())?;
    plane.restart()?;
    let begun = Instant::now();
    fleet.connected(streams + 1, PATIENCE).await?;
    let back = begun.elapsed();
    tokio::time::sleep(Duration::from_secs(2)).await;
    report.add(
        "push.storm_s",
        back.as_secs_f64(),
        "s",
        format!(
            "kill -9 and restart: until all {sidecars} have TLS, a stream and a confirmation again; none lost"
        ),
    );
    report.add("push.storm_cpu_s", cpu_seconds(plane.pid())?, "s", "of the control plane for it");
    let again = fleet.total(|state| state.deltas) - deltas;
    report.add(
        "push.storm_deltas",
        again as f64,
        "",
        "generations sent again: those who come back have theirs",
    );
    let refused = fleet.total(|state| state.pushed_back) - pushed_back;
    report.add(
        "push.storm_pushed_back",
        refused as f64,
        "",
        "streams told to come again later (1,000 a second are let in)",
    );
    report.add(
        "push.storm_peak_mb",
        peak_kib(plane.pid())? / 1024.0,
        "MiB",
        format!("memory at most; {:.0} before", before / 1024.0),
    );

    let begun = Instant::now();
    plane.apply(60).await?;
    let enforced = fleet.enforced(60, PATIENCE).await?;
    let last = enforced.percentile(begun, 100.0).as_secs_f64() * 1e3;
    report.add("push.after_storm_max_ms", last, "ms", "the next edit, enforced on all");
    Ok(())
}
