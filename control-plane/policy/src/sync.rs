//! Opening push streams, and showing which sidecar runs what.

use std::sync::Arc;
use std::time::Duration;

use creto_bundle::{APPROVAL_KEY, BundleSigner, SharedResource};
use creto_identity::{Delegations, IdentityError, now_ms, page_limit, page_of};
use creto_proto::v1::{ListSidecarsRequest, ListSidecarsResponse, SidecarStatus};
use creto_store::{KeptSidecar, Store};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::admission::{Admission, DEFAULT_STREAM_RATE};
use crate::fleet::{DEFAULT_MAX_STREAMS, Fleet};
use crate::room::{DEFAULT_BYTES_IN_FLIGHT, DeltaRoom};
use crate::session::stopped;
use crate::{Answers, Changes, SidecarEvents, SyncEnd, SyncSession};

/// How often what sidecars run is written to the store; lists show it at once.
pub const NOTES_EVERY: Duration = Duration::from_secs(2);

/// Which sidecar a stream is for, as its certificate says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SidecarIdentity {
    /// Its namespace.
    pub namespace: String,
    /// Its id.
    pub sidecar_id: String,
    /// The agent it serves.
    pub agent_name: String,
}

/// What push streams may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncLimits {
    /// Streams open at once.
    pub streams: usize,
    /// Streams opened in a second.
    pub stream_rate: u32,
    /// Bytes of deltas on their way, over all streams.
    pub bytes_in_flight: usize,
}

impl Default for SyncLimits {
    fn default() -> Self {
        Self {
            streams: DEFAULT_MAX_STREAMS,
            stream_rate: DEFAULT_STREAM_RATE,
            bytes_in_flight: DEFAULT_BYTES_IN_FLIGHT,
        }
    }
}

/// What all streams share.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) delegations: Delegations,
    pub(crate) signer: Arc<BundleSigner>,
    /// The public key that verifies approvals: the same for all sidecars.
    pub(crate) approval_key: SharedResource,
    pub(crate) changes: Changes,
    pub(crate) events: SidecarEvents,
    pub(crate) fleet: Fleet,
    pub(crate) room: DeltaRoom,
    pub(crate) stopping: watch::Receiver<bool>,
    admission: Admission,
}

/// Opens push streams.
#[derive(Clone)]
pub struct PolicySync {
    shared: Arc<Shared>,
}

impl PolicySync {
    /// `approval_key` is the public key that sidecars verify approvals with. `stopping` turns true when the control plane
    /// stops.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        delegations: Delegations,
        (signer, approval_key): (Arc<BundleSigner>, [u8; 32]),
        changes: Changes,
        (limits, stopping): (SyncLimits, watch::Receiver<bool>),
    ) -> Self {
        let shared = Shared {
            events: SidecarEvents::new(Arc::clone(&store)),
            store,
            delegations,
            signer,
            approval_key: SharedResource::new(APPROVAL_KEY, approval_key.to_vec()),
            changes,
            fleet: Fleet::new(limits.streams),
            room: DeltaRoom::new(limits.bytes_in_flight),
            stopping,
            admission: Admission::new(limits.stream_rate),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Opens a sidecar's stream: what serves it, and what it is sent.
    ///
    /// # Errors
    /// [`SyncEnd::TooFast`] or [`SyncEnd::TooMany`].
    pub fn open(&self, sidecar: SidecarIdentity) -> Result<(SyncSession, Answers), SyncEnd> {
        self.shared.admission.admit(&sidecar).map_err(SyncEnd::TooFast)?;
        let seat = self.shared.fleet.open(&sidecar)?;
        Ok(SyncSession::new(Arc::clone(&self.shared), sidecar, seat))
    }

    /// Writes what sidecars run to the store until the control plane stops.
    pub async fn keep_notes(self) {
        let mut due = interval(NOTES_EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stopping = self.shared.stopping.clone();
        loop {
            tokio::select! {
                _ = due.tick() => self.write_notes().await,
                () = stopped(&mut stopping) => return,
            }
        }
    }

    /// Writes what sidecars run to the store: the last thing before the store closes.
    pub async fn write_notes(&self) {
        if let Err(error) = self.shared.fleet.write_notes(self.shared.store.as_ref()).await {
            tracing::warn!(%error, "what sidecars run is not noted; it is tried again");
        }
    }

    /// What happened in sidecars.
    #[must_use]
    pub fn events(&self) -> &SidecarEvents {
        &self.shared.events
    }

    /// A page of sidecars with what they run, by id.
    ///
    /// # Errors
    /// [`IdentityError`] for a page size out of range, or when the store fails.
    pub async fn list(&self, request: &ListSidecarsRequest) -> Result<ListSidecarsResponse, IdentityError> {
        let limit = page_limit(request.page_size)?;
        let page = self
            .shared
            .store
            .sidecars(&request.namespace, &request.page_token, limit)
            .await
            .map_err(IdentityError::Store)?;
        let sidecars = page.into_iter().map(|kept| self.status(kept)).collect();
        let (sidecars, next_page_token) =
            page_of(sidecars, limit, |status: &SidecarStatus| status.sidecar_id.clone());
        Ok(ListSidecarsResponse { sidecars, next_page_token })
    }

    fn status(&self, kept: KeptSidecar) -> SidecarStatus {
        let open = self.shared.fleet.runs(&kept.namespace, &kept.sidecar_id);
        let mut status = SidecarStatus {
            sidecar_id: kept.sidecar_id,
            agent_name: kept.agent_name,
            connected: open.is_some(),
            offered_epoch: kept.offered_epoch,
            applied_epoch: kept.applied_epoch,
            rejection: kept.rejection,
            last_seen_ms: if open.is_some() { now_ms() } else { kept.last_seen_ms },
        };
        if let Some(runs) = open.flatten() {
            status.offered_epoch = runs.offered_epoch;
            status.applied_epoch = runs.applied_epoch;
            status.rejection = runs.rejection;
        }
        status
    }
}
