//! What the workers share.

use std::net::SocketAddr;
use std::sync::Arc;

use creto_credentials::Injector;
use creto_proxy_tls::Interception;
use creto_swap::Retired;
use pingora_core::server::ShutdownWatch;
use tokio::sync::watch;

use crate::admin::metrics::{Metrics, Readings};
use crate::approvals::ApprovalDesk;
use crate::enforcement::{Enforced, Enforcement};
use crate::options::Timeouts;
use crate::path::body_room::BodyRoom;
use crate::path::observe::AnswerRoom;
use crate::path::record::Recorder;
use crate::pins::ToolPins;
use crate::plane::{Events, Freshness, PlaneStatus};
use crate::quota::LeaseDesk;
use crate::upstream::Upstreams;

/// One sidecar.
#[derive(Debug)]
pub(crate) struct Sidecar {
    /// Its id at the control plane.
    pub(crate) id: String,
    /// Where agents reach it: calls to this address are base-URL calls, however they are written.
    pub(crate) address: SocketAddr,
    pub(crate) enforced: Arc<Enforced>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) upstreams: Arc<Upstreams>,
    pub(crate) interception: Interception,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) plane: PlaneStatus,
    /// How old what is enforced is.
    pub(crate) freshness: Arc<Freshness>,
    pub(crate) events: Arc<Events>,
    /// Puts credentials in.
    pub(crate) injector: Injector,
    /// Where calls wait for people.
    pub(crate) approvals: Arc<ApprovalDesk>,
    /// What may be used without asking.
    pub(crate) leases: Arc<LeaseDesk>,
    /// What tools were when they were first seen.
    pub(crate) pins: Arc<ToolPins>,
    /// Memory for request bodies that are read before they are decided on.
    pub(crate) bodies: BodyRoom,
    /// Memory for answers that are held because they may list tools.
    pub(crate) answers: Arc<AnswerRoom>,
    pub(crate) timeouts: Timeouts,
    pub(crate) stopping: watch::Sender<bool>,
}

impl Sidecar {
    /// Enforces the next snapshot, and lets go of what belongs to none.
    pub(crate) fn enforce(&self, next: Enforcement) -> Retired {
        let policy = next.policy.clone();
        let credentials: Vec<_> = next.credentials.iter().map(|one| one.as_ref().clone()).collect();
        // Pins before policy: no call is judged by a policy whose pins are not known yet.
        self.pins.follow(policy.as_deref());
        let retired = self.enforced.replace(next);
        self.injector.retain(&credentials);
        self.approvals.look_again();
        retired
    }

    /// What metrics show that is not counted.
    pub(crate) fn readings(&self) -> Readings {
        let enforcement = self.enforced.load();
        Readings {
            policy_epoch: enforcement.epoch,
            policy_staleness: self.freshness.age(),
            policy_state: self.freshness.last_level().as_str(),
            unknown_resources: enforcement.unknown_resources,
            documents_read: self.plane.documents_read(),
            events_dropped: self.events.dropped(),
            control_plane_connected: self.plane.is_connected(),
            spool_pending: self.plane.spool_pending(),
        }
    }

    /// Turns true when the process is asked to stop.
    pub(crate) fn shutdown(&self) -> ShutdownWatch {
        self.stopping.subscribe()
    }
}
