//! The programs under test.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Packages whose programs tests start, built together when one is missing.
const PACKAGES: [&str; 3] = ["creto-control-plane", "creto-proxy", "creto-cli"];

/// Path of `creto-control-plane`, `creto-proxy` or `creto`: in `$CRETO_BIN_DIR`, else beside the test's own folder
/// in the target directory. There a missing program is built, once, behind a file lock.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    if let Some(folder) = std::env::var_os("CRETO_BIN_DIR") {
        let path = PathBuf::from(folder).join(name);
        assert!(path.is_file(), "{} is missing (CRETO_BIN_DIR is set)", path.display());
        return path;
    }
    static PROFILE: OnceLock<PathBuf> = OnceLock::new();
    let profile = PROFILE.get_or_init(|| {
        let own = std::env::current_exe().unwrap();
        let folder = own.parent().unwrap();
        // Tests lie in <target>/<profile>/deps; benches and examples may lie one higher.
        if folder.ends_with("deps") { folder.parent().unwrap().to_owned() } else { folder.to_owned() }
    });
    let path = profile.join(name);
    if !path.is_file() {
        build(profile);
    }
    assert!(path.is_file(), "{} was not built: does its package have a binary of this name?", path.display());
    path
}

fn build(profile: &Path) {
    let lock = File::create(profile.join(".creto-test-build.lock")).unwrap();
    lock.lock().unwrap();
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.arg("build").current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    command.env("CARGO_TARGET_DIR", profile.parent().unwrap());
    match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => {}
        Some(other) => {
            command.args(["--profile", other]);
        }
    }
    for package in PACKAGES {
        command.args(["-p", package]);
    }
    let status = command.status().unwrap_or_else(|e| panic!("cargo cannot be started: {e}"));
    assert!(status.success(), "the programs under test do not build");
}
