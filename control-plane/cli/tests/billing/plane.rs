//! A real control plane, and the real command.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use creto_client::PlaneEndpoint;
use creto_client::metering::{EventDraft, MeteringClient, MeteringOptions};
use serde_json::Value;

/// Microseconds of a day.
pub(crate) const DAY_US: i64 = 86_400_000_000;

/// A plan of 2.40 a day, with images on top, and a customer on it since yesterday.
pub(crate) const BILLING: &str = r#"
[settings]
terms_days = 14
[settings.issuer]
name = "Studio GmbH"
address = ["Hauptstraße 1", "10115 Berlin"]

[[plans]]
code = "daily"
currency = "EUR"
interval = "daily"
amount = "2.40"
taxes = [{ code = "vat", percent = "19" }]
[[plans.charges]]
code = "images"
metric = { meter = "image.rendered", aggregation = { type = "count" } }
model = { type = "standard", rate = "0.10" }
attribute_by = ["format"]

[[customers]]
id = "acme"
name = "Société Acme"
currency = "EUR"

[[subscriptions]]
id = "acme-daily"
customer = "acme"
plan = "daily"
started_at = YESTERDAY
"#;

/// The first instant of yesterday, UTC, in microseconds.
pub(crate) fn yesterday_us() -> i64 {
    let now = jiff::Timestamp::now().as_microsecond();
    now - now.rem_euclid(DAY_US) - DAY_US
}

/// RFC 3339.
pub(crate) fn shown(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros).unwrap().to_string()
}

/// A control plane over the home's data; ended with the test.
pub(crate) struct Plane {
    child: Child,
    home: tempfile::TempDir,
}

impl Plane {
    pub(crate) fn start() -> Self {
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
        let log = || fs::read_to_string(home.path().join("log")).unwrap();
        assert!(line.starts_with("listening on "), "{line}{}", log());
        Self { child, home }
    }

    /// One with [`BILLING`] applied.
    pub(crate) fn billing() -> Self {
        let plane = Self::start();
        plane.apply("billing.toml", &BILLING.replace("YESTERDAY", &shown(yesterday_us())));
        plane
    }

    /// A path in a folder of the test's own.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Writes a file; its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).unwrap();
        self.path(name).display().to_string()
    }

    /// Applies a file; what happened to each document.
    pub(crate) fn apply(&self, name: &str, text: &str) -> Vec<(String, String, String)> {
        let file = self.file(name, text);
        let told = self.json(&["billing", "apply", &file, "--json"]);
        let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
        let rows = told.as_array().unwrap().iter();
        rows.map(|row| (text(row, "kind"), text(row, "id"), text(row, "change"))).collect()
    }

    /// A command over the home; not run yet.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.home.path())
            .env("CRETO_HOME", self.home.path())
            .env_remove("CRETO_CONTROL_PLANE")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn creto(&self, arguments: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_creto")).args(arguments).output().unwrap()
    }

    /// What it prints.
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let output = self.creto(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(arguments)).unwrap()
    }

    /// What it says when it fails, as one line.
    pub(crate) fn refused(&self, arguments: &[&str]) -> String {
        let output = self.creto(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", stderr(&output));
        stderr(&output)
    }

    /// Images that agents rendered for a subscription at an instant.
    pub(crate) async fn rendered(&self, subscription: &str, at_us: i64, images: &[(&'static str, u32)]) {
        self.done(&["meter", "put", "images", "--type", "image.rendered", "--by", "format"]);
        let token = self.path(&format!("token-{at_us}"));
        self.done(&["meter", "token", &format!("t{at_us}"), "--out", token.to_str().unwrap()]);
        let data = self.path("control-plane");
        let running: Value =
            serde_json::from_str(&fs::read_to_string(data.join("control-plane.json")).unwrap()).unwrap();
        let endpoint = PlaneEndpoint {
            address: running["address"].as_str().unwrap().to_owned(),
            ca_pem: fs::read_to_string(data.join("ca.pem")).unwrap(),
        };
        let options = MeteringOptions::new("default", "studio");
        let token = fs::read_to_string(token).unwrap();
        let client = MeteringClient::connect(&endpoint, token.trim(), options).unwrap();
        for (agent, count) in images {
            for _ in 0..*count {
                let event =
                    EventDraft::new("image.rendered").agent(*agent).subscription(subscription.to_owned());
                client.record(event.at_us(at_us).text("format", "png")).unwrap();
            }
        }
        client.flush().await.unwrap();
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As one line: what is shown to people is broken at the terminal's width.
pub(crate) fn stderr(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
}
