//! Memory while long requests are in flight: read, decided on, and on their way to an upstream that is slow.

use std::io;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use crate::models::answers::long_request;
use crate::models::upstream::{Conduct, SLOW, Upstream};
use crate::models::wire::{ClientWire, Way, header, length};
use crate::models::{secret, start};
use crate::process::{peak_kib, reset_peak, resident_kib};
use crate::report::Report;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const REQUESTS: usize = 100;
/// Length of a body, bytes.
const LENGTH: usize = 5 << 20;

pub(crate) fn measure(report: &mut Report) -> Outcome<()> {
    one(report, "inflight_100x5mb", None)?;
    one(report, "inflight_100x5mb_32", Some(32))
}

fn one(report: &mut Report, name: &str, memory: Option<u32>) -> Outcome<()> {
    let upstream = Upstream::start(Conduct::ReadsSlowly(REQUESTS), &secret())?;
    let folder = tempfile::tempdir()?;
    let sidecar = start(&upstream, &folder.path().join("key"), |detached| match memory {
        Some(mib) => detached.flag("--body-memory").flag(mib.to_string()),
        None => detached,
    })?;
    std::thread::park_timeout(Duration::from_secs(2));
    let idle = resident_kib(sidecar.pid())?;
    let way = Way::through(&sidecar, upstream.port);
    let wires = (0..REQUESTS).map(|_| way.connect()).collect::<io::Result<Vec<_>>>()?;
    reset_peak(sidecar.pid())?;
    let connected = resident_kib(sidecar.pid())?;

    let context = long_request(LENGTH);
    let ready = Barrier::new(REQUESTS + 1);
    let total = std::thread::scope(|scope| -> Outcome<Duration> {
        let (context, ready) = (&context, &ready);
        let clients: Vec<_> = wires
            .into_iter()
            .enumerate()
            .map(|(n, mut wire)| scope.spawn(move || ask(&mut wire, n, upstream.port, context, ready)))
            .collect();
        ready.wait();
        let begun = Instant::now();
        let mut faults = Vec::new();
        for client in clients {
            faults.extend(client.join().map_err(|_| "a client ended early")?.err());
        }
        match faults.first() {
            None => Ok(begun.elapsed()),
            Some(first) => {
                Err(format!("{name}: {} of {REQUESTS} requests failed, one so: {first}", faults.len()).into())
            }
        }
    })?;
    let peak = peak_kib(sidecar.pid())?;

    let note = format!(
        "highest of the sidecar while {REQUESTS} requests of 5 MiB are in flight at once, policy on the model, TLS both \
         sides, --body-memory={}; the upstream reads {:.0} MB/s a body and answers once it has all {REQUESTS}; all 200, \
         each body whole by its SHA-256; the kernel's socket buffers (up to tcp_wmem a connection) are not in it",
        memory.unwrap_or(128),
        SLOW / 1e6
    );
    report.add(&format!("models.{name}_rss_mb"), peak / 1024.0, "MB", note);
    let note = format!("started, no call yet; {:.1} with {REQUESTS} TLS connections", connected / 1024.0);
    report.add(&format!("models.{name}_idle_mb"), idle / 1024.0, "MB", note);
    report.add(
        &format!("models.{name}_total_s"),
        total.as_secs_f64(),
        "s",
        "from the first request's first byte to the last answer's last; same",
    );
    Ok(())
}

/// Sends a request of its own and checks that it arrived as it was sent.
fn ask(wire: &mut ClientWire, n: usize, port: u16, context: &str, ready: &Barrier) -> io::Result<()> {
    // The number is as long for all, so that lengths stay.
    let body = context.replacen("request 000", &format!("request {n:03}"), 1);
    let sum = hex::encode(Sha256::digest(body.as_bytes()));
    ready.wait();
    wire.send(
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost:{port}\r\ncontent-type: application/json\r\n\
             authorization: Bearer creto-placeholder-models\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
        .as_bytes(),
    )?;
    wire.send(body.as_bytes())?;
    let head = wire.head()?;
    if !head.starts_with("http/1.1 200") {
        return Err(wire.refused(&head));
    }
    if header(&head, "x-body-sha256") != Some(&sum) {
        return Err(io::Error::other(format!("request {n} arrived otherwise than it was sent: {head}")));
    }
    wire.body(length(&head)?, |_| ())
}
