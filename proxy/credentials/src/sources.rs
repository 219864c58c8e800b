//! All sources of one sidecar: two credentials over the same source share what was read.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::Arc,
};

use parking_lot::Mutex;

use crate::{
    Secret, SecretFault, SecretSource,
    source::{SecretFile, SecretVariable},
    stored::StoredCache,
};

pub(crate) struct SecretSources {
    files: Mutex<HashMap<PathBuf, Arc<SecretFile>>>,
    variables: Mutex<HashMap<String, Arc<SecretVariable>>>,
    stored: StoredCache,
}

impl SecretSources {
    pub(crate) fn new(stored: StoredCache) -> Self {
        Self { files: Mutex::default(), variables: Mutex::default(), stored }
    }

    pub(crate) async fn load(&self, source: &SecretSource) -> Result<Secret, SecretFault> {
        match source {
            SecretSource::File(path) => {
                let file = Arc::clone(
                    self.files
                        .lock()
                        .entry(path.clone())
                        .or_insert_with(|| Arc::new(SecretFile::new(path.clone()))),
                );
                file.load().await
            }
            SecretSource::Env(name) => {
                let variable = Arc::clone(
                    self.variables
                        .lock()
                        .entry(name.clone())
                        .or_insert_with(|| Arc::new(SecretVariable::new(name.clone()))),
                );
                variable.load()
            }
            SecretSource::Stored(name) => self.stored.load(name).await,
        }
    }

    pub(crate) fn forget(&self, stored_name: &str) {
        self.stored.forget(stored_name);
    }

    pub(crate) fn refused(&self, stored_name: &str) {
        self.stored.refused(stored_name);
    }

    /// Drops every source but these, and the secrets read from them.
    pub(crate) fn retain(&self, keep: &HashSet<&SecretSource>) {
        self.files.lock().retain(|path, _| keep.contains(&SecretSource::File(path.clone())));
        self.variables.lock().retain(|name, _| keep.contains(&SecretSource::Env(name.clone())));
        self.stored.retain(|name| keep.contains(&SecretSource::Stored(name.to_owned())));
    }
}
