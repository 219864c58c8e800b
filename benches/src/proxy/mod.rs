//! Group `proxy`: CPU per request beside plain proxies, added latency, memory.

mod latency;
mod load;
mod memory;
mod peers;

use std::collections::BTreeMap;

use creto_test_support::Detached;

use crate::report::Report;
use crate::timing::median;
use load::Load;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Rounds of the comparison; each takes every peer in turn.
const ROUNDS: usize = 5;

/// A sidecar under measurement.
pub(crate) struct Subject {
    pub(crate) pid: u32,
    pub(crate) base_url: String,
    pub(crate) port: u16,
}

pub(crate) fn run() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut report = Report::new("proxy");
    let folder = tempfile::tempdir()?;
    let (_backend, port) = peers::backend(folder.path())?;
    // Ten idle segments are room for seconds of load; more room than that and the disk is measured.
    let start = || {
        let policy = format!(
            "version = 1\nname = \"bench\"\n[[allow]]\nname = \"up\"\nhost = \"127.0.0.1\"\nport = {port}\nmethod = [\"GET\", \"POST\"]\n\
             path = \"/**\"\n[[route]]\nname = \"up\"\nprefix = \"/up\"\nto = \"http://127.0.0.1:{port}\"\n"
        );
        runtime.block_on(Detached::policy(policy).flag("--spool-limit").flag("4096").start())
    };

    {
        let sidecar = start();
        let subject = Subject {
            pid: sidecar.pid(),
            base_url: format!("http://{}/up/json", sidecar.proxy()),
            port: sidecar.proxy().port(),
        };
        memory::measure(&mut report, &subject, &format!("http://{}/up/big", sidecar.proxy()))?;
        latency::measure(&mut report, &runtime, port, &subject)?;
    }
    compare(&mut report, folder.path(), port, &start)?;
    report.finish()
}

/// Every peer in turn, round after round: what the machine does meanwhile hits all alike.
fn compare(
    report: &mut Report,
    folder: &std::path::Path,
    backend: u16,
    start: &dyn Fn() -> creto_test_support::DetachedSidecar,
) -> Outcome<()> {
    let mut peers = vec![peers::nginx(folder, backend)?, peers::haproxy(folder, backend)?];
    match peers::envoy(folder, backend)? {
        Some(peer) => peers.push(peer),
        None => eprintln!("Envoy is not installed: `deploy/setup.sh bench` does it; its rows are left out"),
    }
    let mut cpu: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut rate: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for _ in 0..ROUNDS {
        let sidecar = start();
        let url = format!("http://{}/up/json", sidecar.proxy());
        let mut one = |name, url: &str, pid| -> Outcome<()> {
            let measured = Load::run(url, pid)?;
            cpu.entry(name).or_default().push(measured.cpu_us_per_request);
            rate.entry(name).or_default().push(measured.requests_per_second);
            Ok(())
        };
        one("creto", &url, sidecar.pid())?;
        for peer in &peers {
            one(peer.name, &peer.url, peer.process.pid())?;
        }
    }
    let cpu: BTreeMap<_, _> = cpu.into_iter().map(|(name, values)| (name, median(values))).collect();
    for (name, value) in &cpu {
        report.add(
            &format!("proxy.cpu_us.{name}"),
            *value,
            "us",
            "CPU a request, small JSON, 32 connections, 1 thread",
        );
    }
    for (name, values) in rate {
        report.add(
            &format!("proxy.requests_per_s.{name}"),
            median(values),
            "1/s",
            "same runs; the load shares the machine",
        );
    }
    for peer in ["nginx", "haproxy", "envoy"] {
        if let Some(value) = cpu.get(peer) {
            report.add(
                &format!("proxy.cpu_vs_{peer}"),
                cpu["creto"] / value,
                "",
                "policy and call records on, peer bare; median of rounds",
            );
        }
    }
    Ok(())
}
