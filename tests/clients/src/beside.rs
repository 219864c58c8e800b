//! Programs beside a sidecar that has no control plane.

use creto_proto::v1;
use creto_test_support::{Detached, DetachedSidecar, agent_environment, write_bundle};
use tempfile::TempDir;

/// A detached sidecar, and the variables that bring programs to it.
pub struct Beside {
    sidecar: DetachedSidecar,
    variables: Vec<(String, String)>,
    _folder: TempDir,
}

impl Beside {
    /// Starts the sidecar.
    pub async fn start(detached: Detached) -> Self {
        let sidecar = detached.start().await;
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("bundle.pem");
        let authority = sidecar.state().join("ca.pem");
        write_bundle(&authority, &bundle);
        let proxy = format!("http://{}", sidecar.proxy());
        let variables = agent_environment(&proxy, &authority, &bundle);
        Self { sidecar, variables, _folder: folder }
    }

    /// The variables of a program's environment.
    #[must_use]
    pub fn environment(&self) -> &[(String, String)] {
        &self.variables
    }

    /// The sidecar.
    #[must_use]
    pub fn sidecar(&self) -> &DetachedSidecar {
        &self.sidecar
    }

    /// How every call began that is on record, oldest first. Stops the sidecar.
    #[must_use]
    pub fn into_calls(self) -> Vec<v1::CallBegun> {
        let entries = self.sidecar.into_entries().into_iter();
        entries
            .filter_map(|entry| match entry.entry {
                Some(v1::call_entry::Entry::Begun(begun)) => Some(begun),
                _ => None,
            })
            .collect()
    }
}
