//! `creto run` whole: a control plane, a sidecar and a command. Needs creto-proxy and creto-control-plane beside the
//! creto program: `cargo build -p creto-proxy -p creto-control-plane`.
#![forbid(unsafe_code)]
// A panic is a test's failure report.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Variables that this machine may have set for itself.
const INHERITED: [&str; 10] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
];

fn creto(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_creto"));
    command.args(arguments).env("CRETO_HOME", home);
    for name in INHERITED {
        command.env_remove(name);
    }
    command
}

fn finished(mut command: Command) -> Output {
    command.output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_exit_code_of_the_command_is_passed_through_and_the_summary_told() {
    let home = tempfile::tempdir().unwrap();
    let output = finished(creto(home.path(), &["run", "--", "sh", "-c", "exit 7"]));
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
    assert!(stderr(&output).contains("made 0 calls"), "{}", stderr(&output));
}

#[test]
fn the_command_is_brought_to_its_sidecar_and_trusts_it() {
    let home = tempfile::tempdir().unwrap();
    let script = "echo $HTTPS_PROXY; grep -c BEGIN $REQUESTS_CA_BUNDLE; grep -c BEGIN $NODE_EXTRA_CA_CERTS";
    let output = finished(creto(home.path(), &["run", "--", "sh", "-c", script]));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("http://127.0.0.1:"), "{said}{}", stderr(&output));
    assert!(lines[1].parse::<u32>().unwrap() >= 1, "{said}");
    assert_eq!(lines[2], "1", "{said}");
}

#[test]
fn what_the_user_has_set_is_kept_and_said() {
    let home = tempfile::tempdir().unwrap();
    let mut command = creto(home.path(), &["run", "--", "sh", "-c", "echo $CURL_CA_BUNDLE"]);
    command.env("CURL_CA_BUNDLE", "/mine.pem");
    let output = finished(command);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "/mine.pem\n");
    assert!(
        stderr(&output).contains("kept") && stderr(&output).contains("CURL_CA_BUNDLE"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn signals_reach_the_command() {
    let home = tempfile::tempdir().unwrap();
    let script = "trap 'exit 42' TERM; echo waiting; while :; do sleep 0.05; done";
    let mut child = creto(home.path(), &["run", "--", "sh", "-c", script])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "waiting\n");
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(42));
}

#[test]
fn a_command_that_a_signal_ends_is_128_and_its_number() {
    let home = tempfile::tempdir().unwrap();
    let output = finished(creto(home.path(), &["run", "--", "sh", "-c", "kill -KILL $$"]));
    assert_eq!(output.status.code(), Some(137), "{}", stderr(&output));
}

#[test]
fn a_refused_call_is_counted_in_the_summary_file() {
    let home = tempfile::tempdir().unwrap();
    let policy = home.path().join("policy.toml");
    fs::write(&policy, "version = 1\nname = \"p\"\n[[allow]]\nname = \"a\"\nhost = \"a.example\"\n").unwrap();
    let summary = home.path().join("summary.json");
    let arguments = [
        "run",
        "--policy",
        policy.to_str().unwrap(),
        "--summary",
        summary.to_str().unwrap(),
        "--",
        "curl",
        "-s",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "http://b.example/",
    ];
    let output = finished(creto(home.path(), &arguments));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "403", "{}", stderr(&output));
    let said: serde_json::Value = serde_json::from_str(&fs::read_to_string(&summary).unwrap()).unwrap();
    assert_eq!(
        (&said["calls"], &said["refused"], &said["allowed"]),
        (&1.into(), &1.into(), &0.into()),
        "{said}"
    );
    // The policy and the agent of the run went with it.
    assert!(fs::read_dir(home.path().join("runs")).unwrap().next().is_none());
}
