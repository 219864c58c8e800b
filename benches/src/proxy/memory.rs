//! Resident memory: idle, a thousand idle connections, a gibibyte that passes through.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use crate::process::{peak_kib, reset_peak, resident_kib};
use crate::proxy::Subject;
use crate::report::Report;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const CONNECTIONS: usize = 1000;

pub(crate) fn measure(report: &mut Report, subject: &Subject, big: &str) -> Outcome<()> {
    std::thread::park_timeout(Duration::from_secs(2));
    let idle = resident_kib(subject.pid)?;
    report.add("proxy.rss_idle_mb", idle / 1024.0, "MB", "started, policy loaded, no call yet");

    // Each connection makes a call first: what is kept is what a real keep-alive connection keeps.
    let mut held = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(("127.0.0.1", subject.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /up/json HTTP/1.1\r\nhost: a\r\n\r\n")?;
        let mut answer = [0; 2048];
        let got = stream.read(&mut answer)?;
        if !answer[..got].starts_with(b"HTTP/1.1 200") {
            return Err(
                format!("an idle connection's call: {}", String::from_utf8_lossy(&answer[..got])).into()
            );
        }
        held.push(stream);
    }
    std::thread::park_timeout(Duration::from_secs(1));
    let with = resident_kib(subject.pid)?;
    report.add(
        "proxy.idle_connection_kb",
        (with - idle) / CONNECTIONS as f64,
        "KB",
        "1,000 kept-alive connections after a call each, pages of the spool included",
    );
    drop(held);

    std::thread::park_timeout(Duration::from_secs(1));
    reset_peak(subject.pid)?;
    let before = resident_kib(subject.pid)?;
    let status = Command::new("curl").args(["-sf", "-o", "/dev/null", big]).status()?;
    if !status.success() {
        return Err(format!("curl {big}: {status}").into());
    }
    let added = (peak_kib(subject.pid)? - before).max(0.0);
    report.add("proxy.gib_body_added_mb", added / 1024.0, "MB", "highest resident memory while 1 GiB passes");
    Ok(())
}
