//! The state folder.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

/// What cannot be done with the state folder.
#[derive(Debug, Error)]
pub enum StateError {
    /// Reading or writing failed.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file holds something else.
    #[error(
        "{path} cannot be read: {reason}; remove the state folder and enrol again if it was edited by hand"
    )]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// Who this sidecar is, from enrolment on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// Of this file: 1.
    pub(crate) schema: u32,
    pub(crate) sidecar_id: String,
    pub(crate) namespace: String,
    pub(crate) agent_name: String,
    /// Client certificate, DER in hex.
    pub(crate) certificate: String,
    /// Key that signs bundles, hex: pinned.
    pub(crate) bundle_key: String,
    pub(crate) chain_key_id: u32,
}

impl Identity {
    /// The client certificate; empty when the file was damaged, and then the control plane refuses it.
    pub(crate) fn certificate_der(&self) -> Vec<u8> {
        hex::decode(&self.certificate).unwrap_or_default()
    }
}

/// Secrets of this sidecar; in one file that only its owner reads.
#[derive(Clone)]
pub(crate) struct Secrets {
    /// Ed25519 seed of the client certificate.
    pub(crate) seed: Zeroizing<[u8; 32]>,
    /// Key of compact chains.
    pub(crate) chain_key: Zeroizing<[u8; 32]>,
}

/// Where the sidecar listens, for whoever started it.
#[derive(Debug, Serialize)]
pub(crate) struct Ready {
    pub(crate) proxy: SocketAddr,
    pub(crate) transparent: Option<SocketAddr>,
    pub(crate) admin: SocketAddr,
}

/// The folder and the files in it.
#[derive(Clone, Debug)]
pub(crate) struct StateFolder(PathBuf);

impl StateFolder {
    /// Opens the folder, or makes it (mode 0700).
    pub(crate) fn open(path: &Path) -> Result<Self, StateError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|source| StateError::File { path: path.to_owned(), source })?;
        Ok(Self(path.to_owned()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn spool(&self) -> PathBuf {
        self.0.join("spool")
    }

    /// The identity, if this sidecar has enrolled.
    pub(crate) fn identity(&self) -> Result<Option<(Identity, Secrets)>, StateError> {
        let Some(text) = self.read("sidecar.json")? else { return Ok(None) };
        let path = self.0.join("sidecar.json");
        let identity: Identity = serde_json::from_slice(&text)
            .map_err(|error| StateError::Content { path, reason: error.to_string() })?;
        let path = self.0.join("identity.key");
        let bytes = Zeroizing::new(self.read("identity.key")?.unwrap_or_default());
        let (Some(seed), Some(chain_key)) = (
            bytes.get(..32).and_then(|b| b.try_into().ok()),
            bytes.get(32..64).and_then(|b| b.try_into().ok()),
        ) else {
            return Err(StateError::Content { path, reason: "it does not hold two keys of 32 bytes".into() });
        };
        Ok(Some((identity, Secrets { seed: Zeroizing::new(seed), chain_key: Zeroizing::new(chain_key) })))
    }

    /// Keeps an identity: the keys first, so that an identity on disk always has its keys.
    pub(crate) fn keep_identity(&self, identity: &Identity, secrets: &Secrets) -> Result<(), StateError> {
        let mut keys = Zeroizing::new(Vec::with_capacity(64));
        keys.extend_from_slice(secrets.seed.as_ref());
        keys.extend_from_slice(secrets.chain_key.as_ref());
        self.write("identity.key", &keys)?;
        let json = serde_json::to_vec_pretty(identity).map_err(|error| StateError::Content {
            path: self.0.join("sidecar.json"),
            reason: error.to_string(),
        })?;
        self.write("sidecar.json", &json)
    }

    /// The last good bundle.
    pub(crate) fn bundle(&self) -> Result<Option<Vec<u8>>, StateError> {
        self.read("bundle.bin")
    }

    /// Keeps a bundle as the last good one. The one before it is not kept: it may allow what this one takes away.
    pub(crate) fn keep_bundle(&self, signed: &[u8]) -> Result<(), StateError> {
        self.write("bundle.bin", signed)
    }

    /// Whether the control plane has cut this sidecar off, and no bundle has come since.
    pub(crate) fn is_cut_off(&self) -> Result<bool, StateError> {
        Ok(self.read("cut-off")?.is_some())
    }

    pub(crate) fn set_cut_off(&self, cut_off: bool) -> Result<(), StateError> {
        if cut_off {
            self.write("cut-off", b"the control plane refuses this sidecar\n")
        } else {
            self.remove("cut-off")
        }
    }

    /// Pins of tools, if any were ever kept.
    pub(crate) fn pins(&self) -> Result<Option<Vec<u8>>, StateError> {
        self.read("tool-pins.json")
    }

    pub(crate) fn keep_pins(&self, json: &[u8]) -> Result<(), StateError> {
        self.write("tool-pins.json", json)
    }

    /// The sidecar does not start on pins it cannot read: without them any definition would pass as the first.
    pub(crate) fn damaged_pins(&self, problem: &creto_mcp::PinFileProblem) -> StateError {
        StateError::Content { path: self.0.join("tool-pins.json"), reason: problem.to_string() }
    }

    pub(crate) fn announce(&self, ready: &Ready) -> Result<(), StateError> {
        let json = serde_json::to_vec(ready).map_err(|error| StateError::Content {
            path: self.0.join("ready.json"),
            reason: error.to_string(),
        })?;
        self.write("ready.json", &json)
    }

    pub(crate) fn withdraw(&self) -> Result<(), StateError> {
        self.remove("ready.json")
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StateError> {
        let path = self.0.join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StateError::File { path, source }),
        }
    }

    fn remove(&self, name: &str) -> Result<(), StateError> {
        let path = self.0.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(StateError::File { path, source }),
            _ => Ok(()),
        }
    }

    /// Whole or not at all, and on stable storage when it returns; mode 0600.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        let path = self.0.join(name);
        let fresh = self.0.join(format!("{name}.new"));
        let written = (|| {
            let mut file =
                fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&fresh, &path)?;
            fs::File::open(&self.0)?.sync_all()
        })();
        written.map_err(|source| StateError::File { path, source })
    }
}
