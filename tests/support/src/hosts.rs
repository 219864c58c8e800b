//! A name for 127.0.0.1 other than `localhost`, for programs that never use a proxy for that one.

use std::fs::File;
use std::io::Write;

/// The name.
pub const UPSTREAM_NAME: &str = "upstream.creto.test";

/// Sees to it that [`UPSTREAM_NAME`] stands in `/etc/hosts`. Safe to call from many tests at once.
pub fn ensure_upstream_name() {
    let lock = File::create(std::env::temp_dir().join("creto-test-hosts.lock")).unwrap();
    lock.lock().unwrap();
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    if hosts.lines().any(|line| line.split_whitespace().skip(1).any(|name| name == UPSTREAM_NAME)) {
        return;
    }
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open("/etc/hosts")
        .unwrap_or_else(|e| panic!("add `127.0.0.1 {UPSTREAM_NAME}` to /etc/hosts (not writable: {e})"));
    let newline = if hosts.is_empty() || hosts.ends_with('\n') { "" } else { "\n" };
    writeln!(file, "{newline}127.0.0.1 {UPSTREAM_NAME}").unwrap();
}
