//! What the workers share.

use std::net::SocketAddr;
use std::sync::Arc;

use creto_proxy_tls::Interception;
use pingora_core::server::ShutdownWatch;
use tokio::sync::watch;

use crate::admin::metrics::Metrics;
use crate::enforcement::Enforced;
use crate::options::Timeouts;
use crate::path::record::Recorder;
use crate::plane::PlaneStatus;
use crate::upstream::Upstreams;

/// One sidecar.
#[derive(Debug)]
pub(crate) struct Sidecar {
    /// Where agents reach it: calls to this address are base-URL calls, however they are written.
    pub(crate) address: SocketAddr,
    pub(crate) enforced: Enforced,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) upstreams: Upstreams,
    pub(crate) interception: Interception,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) plane: PlaneStatus,
    pub(crate) timeouts: Timeouts,
    pub(crate) stopping: watch::Sender<bool>,
}

impl Sidecar {
    /// Turns true when the process is asked to stop.
    pub(crate) fn shutdown(&self) -> ShutdownWatch {
        self.stopping.subscribe()
    }
}
