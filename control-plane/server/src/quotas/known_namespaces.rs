//! Which namespaces the issuer was told of.
//!
//! A namespace that the issuer does not know is either new or one whose quotas are lost, and in the second case it may
//! grant nothing. This file says which: it stands beside the issuer's data, and is not lost with it.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use creto_identity::check_name;
use creto_quota_issuer::Issuer;
use tokio::sync::Mutex;

use super::QuotaError;

/// One name a line.
pub(super) struct KnownNamespaces {
    path: PathBuf,
    known: Mutex<BTreeSet<String>>,
}

impl KnownNamespaces {
    /// What the file says; nothing where there is none.
    pub(super) fn read(path: &Path) -> Result<Self, QuotaError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(source) => return Err(QuotaError::File { path: path.into(), source }),
        };
        // A line that was cut short by a crash is no name, or one that is told again without harm.
        let names = text.lines().filter(|line| check_name("namespace", line).is_ok());
        Ok(Self { path: path.into(), known: Mutex::new(names.map(str::to_owned).collect()) })
    }

    /// All of them.
    pub(super) async fn all(&self) -> Vec<String> {
        self.known.lock().await.iter().cloned().collect()
    }

    /// Tells the issuer of a namespace that no quota was ever used in.
    pub(super) async fn open(&self, namespace: &str, issuer: &dyn Issuer) -> Result<(), QuotaError> {
        let mut known = self.known.lock().await;
        if known.contains(namespace) {
            return Ok(());
        }
        issuer.open_namespace(namespace).await?;
        // Before anything is granted: after a crash in between, the issuer knows it and is told again.
        self.write(namespace).map_err(|source| QuotaError::File { path: self.path.clone(), source })?;
        known.insert(namespace.to_owned());
        Ok(())
    }

    fn write(&self, namespace: &str) -> std::io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)?;
        file.write_all(format!("\n{namespace}\n").as_bytes())?;
        file.sync_all()
    }
}
