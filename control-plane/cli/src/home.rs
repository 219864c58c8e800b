//! The home folder: where `creto` keeps its keys, its control plane's data and its sidecars.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::failure::{Failure, Outcome};

/// The folders of one home.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    root: PathBuf,
    data: PathBuf,
}

/// What a running control plane writes of itself.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Running {
    /// `https://host:port`.
    pub(crate) address: String,
    /// Its process.
    pub(crate) pid: u32,
}

impl Home {
    /// `given`, else `$XDG_DATA_HOME/creto`, else `~/.local/share/creto`; the control plane's data in `data` or in
    /// `control-plane` below it.
    ///
    /// # Errors
    /// When the environment names no home at all.
    pub(crate) fn find(given: Option<&Path>, data: Option<&Path>) -> Outcome<Self> {
        let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = given
            .map(Path::to_path_buf)
            .or_else(|| folder("XDG_DATA_HOME").map(|share| share.join("creto")))
            .or_else(|| folder("HOME").map(|home| home.join(".local/share/creto")));
        let Some(root) = root else {
            return Err(Failure::new("There is no home folder to work in.")
                .why("neither CRETO_HOME, XDG_DATA_HOME nor HOME is set")
                .next("Give a folder with --home or CRETO_HOME."));
        };
        let data = data.map_or_else(|| root.join("control-plane"), Path::to_path_buf);
        Ok(Self { root, data })
    }

    /// Data folder of the control plane.
    #[must_use]
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Private keys, one file a name.
    #[must_use]
    pub(crate) fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// State of the sidecars that `creto up` starts, one folder an agent.
    #[must_use]
    pub(crate) fn sidecar(&self, agent: &str) -> PathBuf {
        self.root.join("sidecars").join(agent)
    }

    /// State of one `creto run`, removed at its end.
    #[must_use]
    pub(crate) fn run(&self, agent: &str) -> PathBuf {
        self.root.join("runs").join(agent)
    }

    /// The folders of runs whose sidecar ended and may have left records: one that serves says so in `ready.json`.
    #[must_use]
    pub(crate) fn left_behind(&self) -> Vec<PathBuf> {
        let there = |path: &Path| path.try_exists().unwrap_or(false);
        let folders = fs::read_dir(self.root.join("runs")).into_iter().flatten().flatten();
        let mut found: Vec<PathBuf> = folders
            .map(|entry| entry.path())
            .filter(|run| there(&run.join("sidecar/spool")) && !there(&run.join("sidecar/ready.json")))
            .collect();
        found.sort();
        found
    }

    /// Lock on finding out whether a control plane runs here, and starting one.
    #[must_use]
    pub(crate) fn start_lock(&self) -> PathBuf {
        self.data.join("start.lock")
    }

    /// Lock shared by the runs that use a control plane started for runs; it holds the process id of that one.
    #[must_use]
    pub(crate) fn users_lock(&self) -> PathBuf {
        self.data.join("runs.lock")
    }

    /// Whether this control plane was started by `creto run`, and so ends with the last run that uses it.
    #[must_use]
    pub(crate) fn is_for_runs(&self, running: &Running) -> bool {
        fs::read_to_string(self.users_lock()).is_ok_and(|text| text.trim().parse() == Ok(running.pid))
    }

    /// The control plane that says it runs here; it may have died without taking the word back.
    #[must_use]
    pub(crate) fn running(&self) -> Option<Running> {
        let text = fs::read_to_string(self.data.join("control-plane.json")).ok()?;
        let running: Running = serde_json::from_str(&text).ok()?;
        let alive = Path::new("/proc").join(running.pid.to_string()).try_exists().unwrap_or(true);
        alive.then_some(running)
    }
}

/// Makes a folder, and those above it, for the owner only.
///
/// # Errors
/// When the system refuses.
pub(crate) fn make_private_folder(folder: &Path) -> Outcome {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| {
        Failure::new(format!("The folder {} cannot be made.", folder.display()))
            .why(error)
            .next("Choose another home with CRETO_HOME, or make the folder writable.")
    })
}

/// Writes a file that only the owner reads, whole or not at all.
///
/// # Errors
/// When the system refuses.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Outcome {
    let half = path.with_extension("new");
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&half)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&half, path));
    written.map_err(|error| {
        Failure::new(format!("The file {} cannot be written.", path.display()))
            .why(error)
            .next("Make room or make its folder writable.")
    })
}
