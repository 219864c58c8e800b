//! `creto quota` against a control plane. Needs creto-control-plane beside the creto program:
//! `cargo build -p creto-control-plane`.
#![forbid(unsafe_code)]
// A panic is a test's failure report.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// A control plane over the home's data; ended with the test.
struct Plane {
    child: Child,
    home: tempfile::TempDir,
}

impl Plane {
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_creto")).with_file_name("creto-control-plane");
        let mut child = Command::new(program)
            .arg("--data")
            .arg(home.path().join("control-plane"))
            .args(["--listen", "127.0.0.1:0", "--log-format", "json"])
            .stdout(Stdio::piped())
            .stderr(fs::File::create(home.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("listening on "), "{line}");
        Self { child, home }
    }

    fn creto(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_creto"))
            .args(arguments)
            .env("CRETO_HOME", self.home.path())
            .env_remove("CRETO_CONTROL_PLANE")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// What it prints.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.creto(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.done(arguments)).unwrap()
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn quotas_are_listed_with_what_is_used_of_them() {
    let plane = Plane::start();
    assert_eq!(plane.json(&["quota", "list", "--json"]), serde_json::json!([]));
    let policy = plane.home.path().join("policy.toml");
    let text = "version = 1\nname = \"p\"\n[[budget]]\nname = \"money\"\nlimit = \"2.50\"\ncurrency = \"USD\"\n\
                period = \"daily\"\nper = \"policy\"\n";
    fs::write(&policy, text).unwrap();
    plane.done(&["policy", "apply", policy.to_str().unwrap()]);
    plane.done(&["agents", "create", "one", "--label", "quota.tokens-per-month=5000"]);
    plane.done(&["agents", "create", "two"]);
    let of_one = plane.json(&["quota", "list", "--agent", "one", "--json"]);
    let shown: Vec<_> = of_one
        .as_array()
        .unwrap()
        .iter()
        .map(|state| {
            (state["policy"].as_str().unwrap(), state["scope"].as_str().unwrap(), state["amount"].as_u64())
        })
        .collect();
    assert_eq!(shown, [("agent", "agent/one", Some(5000)), ("p", "policy", Some(2_500_000_000))]);
    let table = plane.done(&["quota", "list", "--agent", "two"]);
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 2, "{table}");
    assert!(lines[0].starts_with("POLICY  QUOTA  WHOSE   USED   OF"), "{table}");
    assert!(lines[1].contains("$0.00  $2.50 llm.cost daily  0%"), "{table}");
    assert_eq!(plane.json(&["quota", "events", "--json"]), serde_json::json!([]));
    let nobody = plane.creto(&["quota", "list", "--agent", "nobody"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("The quotas cannot be listed."));
}
