//! Time to the first streamed byte: through the sidecar and straight to the same upstream, in turn.

use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::models::upstream::{Conduct, MORE_EVENTS, PACE, THINKS, Upstream};
use crate::models::wire::{ClientWire, Way};
use crate::models::{secret, start};
use crate::process::cpu_seconds;
use crate::report::Report;
use crate::timing::wait_until;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Streams begun a second.
const RATE: u32 = 200;
const CONNECTIONS: u32 = 16;
/// Seconds of one round.
const SECONDS: u32 = 3;
const ROUNDS: usize = 6;

pub(crate) fn measure(report: &mut Report) -> Outcome<()> {
    // What starts while this thread is bound is bound with it: the upstream and the clients, not the sidecar.
    let cores = Cores::of_this_machine()?;
    let folder = tempfile::tempdir()?;
    cores.bind_load()?;
    let upstream = Upstream::start(Conduct::Streams, &secret())?;
    let sidecar = start(&upstream, &folder.path().join("key"), |detached| detached)?;
    cores.bind_sidecar(sidecar.pid())?;

    let mut direct = connections(&Way::direct(upstream.port, &upstream.ca_pem))?;
    let mut through = connections(&Way::through(&sidecar, upstream.port))?;
    // An agent has the placeholder only.
    let own = request(upstream.port, &secret());
    let placeholder = request(upstream.port, "creto-placeholder-models");
    open_loop(&mut direct, &own, 1)?;
    open_loop(&mut through, &placeholder, 1)?;
    let asked = upstream.seen.usage_asked.load(Ordering::Relaxed);
    if asked != (RATE as usize) {
        return Err(format!("{asked} of {RATE} streams through the sidecar asked for their usage").into());
    }

    let mut times = [Vec::new(), Vec::new()];
    let (mut spent, mut streams) = (0.0, 0);
    for _ in 0..ROUNDS {
        times[0].extend(open_loop(&mut direct, &own, SECONDS)?);
        let before = cpu_seconds(sidecar.pid())?;
        let round = open_loop(&mut through, &placeholder, SECONDS)?;
        spent += cpu_seconds(sidecar.pid())? - before;
        streams += round.len();
        times[1].extend(round);
    }
    cores.free()?;

    for times in &mut times {
        times.sort_unstable();
    }
    let method = format!(
        "from the request to the first byte of the SSE body, percentile through minus percentile direct, {streams} \
         streams each, {RATE}/s open loop, {SECONDS} s in turn, kept-alive TLS both ways; through: intercepted, model \
         allowed, usage asked for and stripped, metered, credential put in; upstream thinks {THINKS:?}, {MORE_EVENTS} \
         more events {PACE:?} apart; {}",
        cores.said()
    );
    for (name, percent, method) in
        [("models.ttfb_added_p50_ms", 50.0, method.as_str()), ("models.ttfb_added_p99_ms", 99.0, "same")]
    {
        let at = |times: &[u64]| times[((times.len() - 1) as f64 * percent / 100.0) as usize] as f64 / 1e6;
        let (direct, through) = (at(&times[0]), at(&times[1]));
        let note = format!("direct {direct:.3}, through {through:.3}; {method}");
        report.add(name, through - direct, "ms", note);
    }
    let note = format!("CPU of the sidecar a stream of {} events, same runs", MORE_EVENTS + 4);
    report.add("models.stream_cpu_us", spent * 1e6 / streams as f64, "us", note);
    Ok(())
}

fn connections(way: &Way) -> Outcome<Vec<ClientWire>> {
    Ok((0..CONNECTIONS).map(|_| way.connect()).collect::<io::Result<_>>()?)
}

fn request(port: u16, token: &str) -> Vec<u8> {
    let body = concat!(
        r#"{"model":"gpt-5-mini","messages":[{"role":"system","content":"Be kind and brief to everyone."},"#,
        r#"{"role":"user","content":"Name twenty rivers of Europe, each with its length and where it ends."}],"#,
        r#""temperature":1,"max_completion_tokens":400,"stream":true}"#
    );
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost:{port}\r\naccept: application/json\r\n\
         content-type: application/json\r\nuser-agent: OpenAI/Python 2.8.0\r\nauthorization: Bearer {token}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Times to the first byte of each stream, nanoseconds.
fn open_loop(connections: &mut [ClientWire], request: &[u8], seconds: u32) -> Outcome<Vec<u64>> {
    let start = Instant::now() + Duration::from_millis(50);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..)
            .zip(connections)
            .map(|(first, wire)| {
                scope.spawn(move || -> io::Result<Vec<u64>> {
                    let mut times = Vec::new();
                    for n in (first..RATE * seconds).step_by(CONNECTIONS as usize) {
                        let due = start + Duration::from_secs(1) * n / RATE;
                        // A stream that had to wait for the one before counts from when it was due; that the clock
                        // woke us late is nobody's delay.
                        let late = Instant::now() > due;
                        wait_until(due);
                        let from = if late { due } else { Instant::now() };
                        wire.send(request)?;
                        let head = wire.head()?;
                        if !head.starts_with("http/1.1 200") {
                            return Err(wire.refused(&head));
                        }
                        wire.wait_for(b"data: ")?;
                        times.push(from.elapsed().as_nanos() as u64);
                        let end = wire.wait_for(b"data: [DONE]\n\n\r\n0\r\n\r\n")?;
                        // Only who asks is told the usage.
                        if wire.take(end).windows(10).any(|at| at == b"\"usage\":{\"") {
                            return Err(io::Error::other("a stream tells the usage to who did not ask"));
                        }
                    }
                    Ok(times)
                })
            })
            .collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| "a client ended early")??);
        }
        Ok(all)
    })
}

/// Who runs where: else the scheduler decides anew each round what shares a core with what.
struct Cores {
    before: CpuSet,
    /// Of the sidecar, and of clients and upstream.
    apart: Option<[usize; 2]>,
}

impl Cores {
    fn of_this_machine() -> Outcome<Self> {
        let before = sched_getaffinity(None)?;
        let mut usable = (0..CpuSet::MAX_CPU).filter(|core| before.is_set(*core));
        let apart = usable.next().zip(usable.next()).map(|(first, second)| [first, second]);
        Ok(Self { before, apart })
    }

    fn bind_load(&self) -> Outcome<()> {
        if let Some([_, load]) = self.apart {
            sched_setaffinity(None, &only(load))?;
        }
        Ok(())
    }

    fn bind_sidecar(&self, pid: u32) -> Outcome<()> {
        let Some([core, _]) = self.apart else { return Ok(()) };
        for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
            let task: i32 = task?.file_name().to_string_lossy().parse()?;
            sched_setaffinity(rustix::thread::Pid::from_raw(task), &only(core))?;
        }
        Ok(())
    }

    fn free(&self) -> Outcome<()> {
        Ok(sched_setaffinity(None, &self.before)?)
    }

    fn said(&self) -> String {
        match self.apart {
            Some([core, load]) => format!("sidecar on core {core}, clients and upstream on core {load}"),
            None => "all on one core".to_owned(),
        }
    }
}

fn only(core: usize) -> CpuSet {
    let mut set = CpuSet::new();
    set.set(core);
    set
}
