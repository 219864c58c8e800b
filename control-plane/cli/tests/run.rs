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
const INHERITED: [&str; 12] = [
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
    "NO_PROXY",
    "no_proxy",
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
    assert!(fs::read_dir(home.path().join("runs")).unwrap().next().is_none());
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

#[test]
fn runs_at_once_share_one_control_plane_that_ends_with_the_last() {
    let home = tempfile::tempdir().unwrap();
    let summaries: Vec<_> = (0..3).map(|n| home.path().join(format!("{n}.json"))).collect();
    // The one that starts the control plane ends first.
    let runs: Vec<_> = summaries
        .iter()
        .enumerate()
        .map(|(n, summary)| {
            let script =
                format!("sleep {n}; curl -s -o /dev/null http://refused.example/; curl -s http://b.example/");
            let arguments = ["run", "--summary", summary.to_str().unwrap(), "--", "sh", "-c", &script];
            creto(home.path(), &arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for run in runs {
        let output = run.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
    for summary in summaries {
        let said: serde_json::Value = serde_json::from_str(&fs::read_to_string(&summary).unwrap()).unwrap();
        assert_eq!(said["calls"], 2, "{said}");
    }
    assert!(fs::read_dir(home.path().join("runs")).unwrap().next().is_none());
    assert!(!home.path().join("control-plane/control-plane.json").try_exists().unwrap());
}

#[test]
fn every_record_of_a_call_made_last_is_handed_in() {
    let home = tempfile::tempdir().unwrap();
    let summary = home.path().join("summary.json");
    let script = "for n in 1 2 3 4 5 6 7 8 9; do curl -s -o /dev/null http://b.example/$n & done; wait";
    let output = finished(creto(
        home.path(),
        &["run", "--summary", summary.to_str().unwrap(), "--", "sh", "-c", script],
    ));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said: serde_json::Value = serde_json::from_str(&fs::read_to_string(&summary).unwrap()).unwrap();
    assert_eq!((&said["calls"], &said["refused"]), (&9.into(), &9.into()), "{said}");
    assert!(fs::read_dir(home.path().join("runs")).unwrap().next().is_none(), "{}", stderr(&output));
}

#[test]
fn records_that_cannot_be_handed_in_stay_and_are_named() {
    let home = tempfile::tempdir().unwrap();
    // The control plane is killed before the call is made.
    let script = format!(
        "kill -KILL $(cat {0}/control-plane/runs.lock); sleep 0.3; curl -s -o /dev/null http://b.example/",
        home.path().display()
    );
    let output = finished(creto(home.path(), &["run", "--", "sh", "-c", &script]));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("what is missing stays in"), "{}", stderr(&output));
    let kept = fs::read_dir(home.path().join("runs")).unwrap().next().unwrap().unwrap().path();
    assert!(kept.join("sidecar/spool").try_exists().unwrap());
    let doctor = finished(creto(home.path(), &["doctor", "--json"]));
    assert!(String::from_utf8_lossy(&doctor.stdout).contains(kept.to_str().unwrap()), "{doctor:?}");
}

#[test]
fn a_killed_run_takes_its_processes_along() {
    let home = tempfile::tempdir().unwrap();
    let mut child = creto(home.path(), &["run", "--", "sh", "-c", "echo waiting; exec sleep 3"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let plane = fs::read_to_string(home.path().join("control-plane/runs.lock")).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let process = Path::new("/proc").join(plane.trim());
    while process.try_exists().unwrap() {
        assert!(std::time::Instant::now() < deadline, "the control plane {plane} outlives its run");
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
}
