//! Closed-loop load by wrk, and the CPU that a process spends on it.

use std::process::Command;

use crate::process::cpu_seconds;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// What one run of load showed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) cpu_us_per_request: f64,
    pub(crate) requests_per_second: f64,
}

impl Load {
    /// A short warm-up, then 4 seconds over 32 connections.
    pub(crate) fn run(url: &str, pid: u32) -> Outcome<Self> {
        wrk(url, 1)?;
        let before = cpu_seconds(pid)?;
        let requests = wrk(url, 4)?;
        let spent = cpu_seconds(pid)? - before;
        Ok(Self { cpu_us_per_request: spent * 1e6 / requests, requests_per_second: requests / 4.0 })
    }
}

/// Requests that were answered with 2xx.
fn wrk(url: &str, seconds: u32) -> Outcome<f64> {
    let output = Command::new("wrk").args(["-t1", "-c32", &format!("-d{seconds}s"), url]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if let Some(line) = text.lines().find(|line| line.contains("Non-2xx") || line.contains("Socket errors")) {
        return Err(format!("{url}: {}", line.trim()).into());
    }
    let line = text
        .lines()
        .find(|line| line.contains(" requests in "))
        .ok_or_else(|| format!("wrk said: {text}"))?;
    Ok(line.split_whitespace().next().unwrap_or("0").parse()?)
}
