//! The state folder.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::plane::KeptAge;

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

    /// Revocation notices in force, as they were signed.
    pub(crate) fn revoked(&self) -> Result<Option<Vec<u8>>, StateError> {
        self.read("revoked.bin")
    }

    pub(crate) fn keep_revoked(&self, notices: Option<&[u8]>) -> Result<(), StateError> {
        match notices {
            Some(bytes) => self.write("revoked.bin", bytes),
            None => self.remove("revoked.bin"),
        }
    }

    /// How old the policy was when that was kept; none for a file that says nothing, as after a crash.
    pub(crate) fn age(&self) -> Result<Option<KeptAge>, StateError> {
        Ok(self.read("confirmed.json")?.and_then(|json| serde_json::from_slice(&json).ok()))
    }

    pub(crate) fn keep_age(&self, age: &KeptAge) -> Result<(), StateError> {
        self.write_json("confirmed.json", age)
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
        self.write_json("ready.json", ready)
    }

    pub(crate) fn withdraw(&self) -> Result<(), StateError> {
        self.remove("ready.json")
    }

    pub(crate) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StateError> {
        let path = self.0.join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StateError::File { path, source }),
        }
    }

    pub(crate) fn remove(&self, name: &str) -> Result<(), StateError> {
        let path = self.0.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(StateError::File { path, source }),
            _ => Ok(()),
        }
    }

    /// Whole or not at all, and on stable storage when it returns; mode 0600.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        self.write_new(name, bytes)?;
        self.rename_new(name)?;
        self.sync()
    }

    /// Where a file is written before it takes its name.
    pub(crate) fn fresh(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.new"))
    }

    /// The first part of [`StateFolder::write`]: beside the file of that name.
    pub(crate) fn write_new(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        let path = self.fresh(name);
        let written = (|| {
            let mut file =
                fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            file.write_all(bytes)?;
            file.sync_all()
        })();
        written.map_err(|source| StateError::File { path, source })
    }

    /// The second part: in its place.
    pub(crate) fn rename_new(&self, name: &str) -> Result<(), StateError> {
        let path = self.0.join(name);
        fs::rename(self.fresh(name), &path).map_err(|source| StateError::File { path, source })
    }

    /// The last part: the names are on stable storage.
    pub(crate) fn sync(&self) -> Result<(), StateError> {
        let synced = fs::File::open(&self.0).and_then(|folder| folder.sync_all());
        synced.map_err(|source| StateError::File { path: self.0.clone(), source })
    }

    fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), StateError> {
        let json = serde_json::to_vec(value)
            .map_err(|error| StateError::Content { path: self.0.join(name), reason: error.to_string() })?;
        self.write(name, &json)
    }
}
