//! Latency that the sidecar adds, at a fixed rate: open loop, so that a slow answer does not hide the ones behind it.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::proxy::Subject;
use crate::report::Report;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const RATE: u64 = 1000;
const SECONDS: u64 = 5;
const CONNECTIONS: u64 = 32;
const ROUNDS: usize = 3;

pub(crate) fn measure(
    report: &mut Report,
    runtime: &Runtime,
    backend: u16,
    subject: &Subject,
) -> Outcome<()> {
    let path = subject.base_url.find("/up/").map_or("/up/json", |at| &subject.base_url[at..]).to_owned();
    let mut direct = Vec::new();
    let mut through = Vec::new();
    for _ in 0..ROUNDS {
        direct.extend(runtime.block_on(open_loop(backend, "/json"))?);
        through.extend(runtime.block_on(open_loop(subject.port, &path))?);
    }
    direct.sort_unstable();
    through.sort_unstable();
    for (name, percent) in [("proxy.added_p50_ms", 50.0), ("proxy.added_p99_ms", 99.0)] {
        let at = |times: &[u64]| times[((times.len() - 1) as f64 * percent / 100.0) as usize] as f64 / 1e6;
        let note =
            format!("1,000 requests/s, open loop; direct {:.3}, through {:.3}", at(&direct), at(&through));
        report.add(name, at(&through) - at(&direct), "ms", note);
    }
    Ok(())
}

/// Times from when a request was due to when its answer was there, nanoseconds.
async fn open_loop(port: u16, path: &str) -> Outcome<Vec<u64>> {
    let start = Instant::now() + Duration::from_millis(100);
    let mut tasks = tokio::task::JoinSet::new();
    for connection in 0..CONNECTIONS {
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
            stream.set_nodelay(true)?;
            let mut times = Vec::new();
            let mut answer = [0; 4096];
            for n in (connection..RATE * SECONDS).step_by(CONNECTIONS as usize) {
                let due = start + Duration::from_micros(n * 1_000_000 / RATE);
                tokio::time::sleep_until(due.into()).await;
                // The timer's own lateness, up to a millisecond, is not the proxy's.
                let sent = Instant::now();
                stream.write_all(request.as_bytes()).await?;
                let got = stream.read(&mut answer).await?;
                if !answer[..got].starts_with(b"HTTP/1.1 200") {
                    return Err(std::io::Error::other("not a 200"));
                }
                times.push(sent.elapsed().as_nanos() as u64);
            }
            Ok(times)
        });
    }
    let mut all = Vec::new();
    while let Some(times) = tasks.join_next().await {
        all.extend(times??);
    }
    Ok(all)
}
