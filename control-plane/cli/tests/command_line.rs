//! The `creto` program as its users meet it, as far as no control plane is needed.
#![forbid(unsafe_code)]
// A panic is a test's failure report.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const GOOD: &str = r#"version = 1
name = "web-research"

[[allow]]
name = "read"
host = "api.github.com"
method = ["GET", "HEAD"]
path = "/repos/**"

[[deny]]
name = "no-deletes"
host = "*"
port = "any"
method = "DELETE"
"#;

fn creto(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_creto"))
        .args(arguments)
        .env("CRETO_HOME", home)
        .env_remove("CRETO_CONTROL_PLANE")
        .env_remove("CRETO_POLICY")
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_policy_that_holds_is_said_to() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("policy.toml");
    fs::write(&file, GOOD).unwrap();
    let output = creto(home.path(), &["policy", "check", file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), "web-research holds: 2 rules, 0 routes\n");
}

#[test]
fn an_error_in_a_policy_is_shown_with_its_line_and_a_caret() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("policy.toml");
    fs::write(&file, GOOD.replace("method = [\"GET\"", "metod = [\"GET\"")).unwrap();
    let output = creto(home.path(), &["policy", "check", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let shown = stderr(&output);
    assert!(shown.contains("policy.toml:7:1"), "{shown}");
    assert!(shown.contains("7 | metod = [\"GET\", \"HEAD\"]"), "{shown}");
    assert!(shown.contains("| ^^^^^"), "{shown}");
    assert!(shown.contains("`method`") || shown.contains("'method'") || shown.contains("method"), "{shown}");
    assert_eq!(stdout(&output), "");
}

#[test]
fn programs_get_failures_as_json() {
    let home = tempfile::tempdir().unwrap();
    let output = creto(home.path(), &["policy", "check", "/nowhere/policy.toml", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert!(error["error"]["what"].as_str().unwrap().contains("/nowhere/policy.toml"), "{error}");
    assert!(error["error"]["next"].is_string(), "{error}");
}

#[test]
fn a_missing_file_is_named_with_the_reason_and_the_next_step() {
    let home = tempfile::tempdir().unwrap();
    let output = creto(home.path(), &["policy", "check", "/nowhere/policy.toml"]);
    let shown = stderr(&output).replace('\n', " ");
    assert!(shown.contains("/nowhere/policy.toml") && shown.contains("No such file"), "{shown}");
    assert!(shown.contains("help:"), "{shown}");
}

#[test]
fn explain_says_which_rule_of_a_document_decides() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("policy.toml");
    fs::write(&file, GOOD).unwrap();
    let file = file.to_str().unwrap();
    for (method, url, verdict, rule) in [
        ("GET", "https://api.github.com/repos/a/b", "allowed", Some("read")),
        ("DELETE", "https://api.github.com/repos/a", "denied", Some("no-deletes")),
        ("GET", "https://example.com/", "denied", None),
    ] {
        let output = creto(home.path(), &["policy", "explain", "--method", method, url, file, "--json"]);
        assert!(output.status.success(), "{}", stderr(&output));
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["verdict"], verdict, "{method} {url}: {said}");
        assert_eq!(said["rule"].as_str(), rule, "{method} {url}: {said}");
    }
}

#[test]
fn without_a_control_plane_a_command_says_how_to_start_one() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [&["agents", "list"][..], &["calls"], &["sidecars"], &["policy", "list"]] {
        let output = creto(home.path(), arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let shown = stderr(&output);
        assert!(shown.contains("No control plane runs") && shown.contains("creto up"), "{shown}");
    }
}

#[test]
fn a_command_that_is_not_there_is_127_and_starts_nothing() {
    let home = tempfile::tempdir().unwrap();
    let output = creto(home.path(), &["run", "--", "no-such-command-anywhere"]);
    assert_eq!(output.status.code(), Some(127));
    assert!(stderr(&output).contains("no-such-command-anywhere"));
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn a_run_with_a_policy_that_does_not_hold_is_125() {
    let home = tempfile::tempdir().unwrap();
    let output = creto(home.path(), &["run", "--policy", "/nowhere/policy.toml", "--", "true"]);
    assert_eq!(output.status.code(), Some(125), "{}", stderr(&output));
}

#[test]
fn a_run_without_the_sidecars_program_is_125_and_says_what_to_build() {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_creto"))
        .args(["run", "--", "true"])
        .env("CRETO_HOME", home.path())
        .env("CRETO_CONTROL_PLANE_BIN", "/nowhere/creto-control-plane")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(stderr(&output).contains("/nowhere/creto-control-plane"), "{}", stderr(&output));
}

#[test]
fn a_wrong_command_line_is_2() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [
        &["nonsense"][..],
        &["run"],
        &["delegate", "--to", "a"],
        &["delegate", "--to", "a", "--permission", "*:*", "--expires", "soon"],
    ] {
        assert_eq!(creto(home.path(), arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn the_doctor_gives_every_row_a_state_and_a_next_step() {
    let home = tempfile::tempdir().unwrap();
    let output = creto(home.path(), &["doctor", "--json"]);
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = rows.as_array().unwrap();
    assert!(rows.iter().any(|row| row["check"] == "kernel"), "{rows:?}");
    for row in rows {
        let state = row["state"].as_str().unwrap();
        assert!(["ok", "warn", "fail"].contains(&state), "{row}");
        assert!(state == "ok" || !row["next"].as_str().unwrap().is_empty(), "{row}");
    }
}
