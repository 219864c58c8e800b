//! Programs beside a sidecar that has no control plane.

use std::collections::HashMap;

use creto_proto::v1::{self, call_entry::Entry};
use creto_test_support::{Detached, DetachedSidecar, agent_environment, eventually, write_bundle};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

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
                Some(Entry::Begun(begun)) => Some(begun),
                _ => None,
            })
            .collect()
    }

    /// Every call that is on record, oldest first: how it began and how it ended. Waits until all have ended, and stops
    /// the sidecar.
    pub async fn into_records(self) -> Vec<(v1::CallBegun, v1::CallEnded)> {
        eventually("all calls have ended", || async {
            let metrics = self.metrics().await;
            (sum(&metrics, "creto_calls_total{") == sum(&metrics, "creto_calls_ended_total{")).then_some(())
        })
        .await;
        let (mut order, mut begun) = (Vec::new(), HashMap::new());
        for entry in self.sidecar.into_entries() {
            match entry.entry {
                Some(Entry::Begun(call)) => drop(begun.insert(entry.sequence, call)),
                Some(Entry::Ended(ended)) => order.push(ended),
                None => {}
            }
        }
        order.sort_by_key(|ended| ended.begun_sequence);
        let calls = order.into_iter().map(|ended| (begun.remove(&ended.begun_sequence).unwrap(), ended));
        calls.collect()
    }

    async fn metrics(&self) -> String {
        let mut stream = TcpStream::connect(self.sidecar.admin()).await.unwrap();
        let asked = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(asked).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

/// The sum of a metric over its labels.
fn sum(metrics: &str, name: &str) -> u64 {
    let lines = metrics.lines().filter(|line| line.starts_with(name));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
}
