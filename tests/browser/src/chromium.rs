//! Driving Chromium.

use std::path::Path;
use std::process::{Command as Blocking, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

/// How long a program may drive the browser.
const RUN: Duration = Duration::from_secs(150);

/// Runs `programs/NAME.mjs` against a page; gives the JSON of its last line. What it photographs lands in `pictures`.
pub async fn drive(name: &str, url: &str, pictures: &Path, more: &[(&str, &str)]) -> Value {
    let folder = env!("CARGO_MANIFEST_DIR");
    let installed = Blocking::new("bash").arg(format!("{folder}/install.sh")).output().expect("bash starts");
    assert!(installed.status.success(), "install.sh: {}", String::from_utf8_lossy(&installed.stderr));
    let place = String::from_utf8(installed.stdout).unwrap();
    let place = place.trim().lines().last().unwrap_or_default();
    let home = tempfile::tempdir().unwrap();
    let program = Command::new("node")
        .arg(format!("{folder}/programs/{name}.mjs"))
        .env("PLAYWRIGHT", format!("{place}/node_modules/playwright-core/index.mjs"))
        .env("HOME", home.path())
        .env("PROFILE", home.path().join("profile"))
        .env("PICTURES", pictures)
        .env("PAGE_URL", url)
        .envs(more.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(RUN, program).await.expect("the browser hangs").expect("node starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name} failed\nout: {out}\nerr: {err}");
    serde_json::from_str(out.trim().lines().last().unwrap_or_default())
        .unwrap_or_else(|e| panic!("{e}: {out}\n{err}"))
}
