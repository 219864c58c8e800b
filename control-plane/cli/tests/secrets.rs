//! `creto secrets` against a control plane. Needs creto-control-plane beside the creto program:
//! `cargo build -p creto-control-plane`.
#![forbid(unsafe_code)]
// A panic is a test's failure report.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const VALUE: &str = "sk-live-0123456789abcdef";

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

    fn creto(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_creto"))
            .arg("secrets")
            .args(arguments)
            .env("CRETO_HOME", self.home.path())
            .env_remove("CRETO_CONTROL_PLANE")
            .env("NO_COLOR", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that is refused before it reads closes its input.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    fn list(&self) -> serde_json::Value {
        let output = self.creto(&["list", "--json"], b"");
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// As one line: what is shown to people is broken at the terminal's width.
fn stderr(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
}

#[test]
fn a_secret_is_put_listed_replaced_and_deleted() {
    let plane = Plane::start();
    let output = plane.creto(&["put", "openai.key"], format!("{VALUE}\n").as_bytes());
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(
        stdout(&output),
        "kept openai.key, version 1: 24 bytes, without the line end at its end (--exact keeps it)\n"
    );
    let file = plane.home.path().join("value");
    fs::write(&file, "another value\n").unwrap();
    let output = plane.creto(&["put", "openai.key", "--exact", "--from-file", file.to_str().unwrap()], b"");
    assert_eq!(stdout(&output), "kept openai.key, version 2: 14 bytes\n", "{}", stderr(&output));
    let output = plane.creto(&["put", "aws", "--stdin", "--json"], VALUE.as_bytes());
    let put: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&put["name"], &put["version"], &put["namespace"]),
        (&"aws".into(), &1.into(), &"default".into())
    );

    let listed = plane.list();
    let rows = listed.as_array().unwrap();
    let seen: Vec<_> = rows.iter().map(|row| (row["name"].as_str().unwrap(), &row["version"])).collect();
    assert_eq!(seen, [("aws", &1.into()), ("openai.key", &2.into())]);
    let mut keys: Vec<_> = rows[0].as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["created_at", "name", "namespace", "updated_at", "version"]);
    let table = stdout(&plane.creto(&["list"], b""));
    assert!(table.starts_with("NAME") && table.lines().count() == 3, "{table}");
    // A namespace of its own.
    let elsewhere = plane.creto(&["list", "--json", "--namespace", "other"], b"");
    assert_eq!(stdout(&elsewhere), "[]\n");

    assert_eq!(stdout(&plane.creto(&["delete", "aws"], b"")), "deleted aws\n");
    let again = plane.creto(&["delete", "aws"], b"");
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("there is no secret `aws`"), "{}", stderr(&again));
    assert_eq!(plane.list().as_array().unwrap().len(), 1);

    let log = fs::read_to_string(plane.home.path().join("log")).unwrap();
    assert!(log.contains("secret put") && log.contains("secret deleted"), "{log}");
    assert!(!log.contains(VALUE) && !log.contains("another value"), "{log}");
}

#[test]
fn what_cannot_be_kept_is_refused_with_what_to_do_and_without_the_value() {
    let plane = Plane::start();
    let long = vec![b'x'; 70_000];
    let cases: [(&[&str], &[u8], &[&str]); 6] = [
        (&["put", "short"], b"hunter2\n", &["7 bytes", "at least 8", "scrubbed"]),
        (&["put", "long"], &long, &["at most 65536"]),
        (&["put", "Bad_Name"], VALUE.as_bytes(), &["use 1 to 63 of"]),
        (&["put", "key", "--from-file", "/nowhere/value"], b"", &["/nowhere/value", "No such file"]),
        (&["put", "key", "--from-file", "/"], b"", &["directory"]),
        (&["delete", "none"], b"", &["there is no secret `none`", "help:"]),
    ];
    for (arguments, input, expected) in cases {
        let output = plane.creto(arguments, input);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let said = stderr(&output);
        for part in expected {
            assert!(said.contains(part), "{arguments:?}: {part:?} is not in {said}");
        }
        assert!(!said.contains("hunter2") && !said.contains(VALUE), "{said}");
    }
    assert!(plane.list().as_array().unwrap().is_empty());
}

#[test]
fn a_value_on_the_command_line_is_refused_and_not_repeated() {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_creto"))
        .args(["secrets", "put", "key", VALUE])
        .env("CRETO_HOME", home.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("not taken from the command line") && said.contains("pipe it in"), "{said}");
    assert!(!said.contains(VALUE), "{said}");
}
