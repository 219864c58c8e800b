//! Opening push streams, and showing which sidecar runs what.

use std::sync::Arc;

use creto_identity::{Delegations, IdentityError, now_ms, page_limit, page_of};
use creto_proto::v1::{ListSidecarsRequest, ListSidecarsResponse, SidecarStatus};
use creto_store::{KeptSidecar, Store};
use tokio::sync::watch;

use crate::connections::Connections;
use crate::{BundleSigner, Changes, SyncEnd, SyncSession};

/// Which sidecar a stream is for, as its certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SidecarIdentity {
    /// Its namespace.
    pub namespace: String,
    /// Its id.
    pub sidecar_id: String,
    /// The agent it serves.
    pub agent_name: String,
}

/// What all streams share.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) delegations: Delegations,
    pub(crate) signer: Arc<BundleSigner>,
    pub(crate) changes: Changes,
    pub(crate) connections: Connections,
    pub(crate) stopping: watch::Receiver<bool>,
}

/// Opens push streams.
#[derive(Clone)]
pub struct PolicySync {
    shared: Arc<Shared>,
}

impl PolicySync {
    /// `stopping` turns true when the control plane stops; `max_streams` bounds the streams open at once.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        delegations: Delegations,
        signer: Arc<BundleSigner>,
        changes: Changes,
        (max_streams, stopping): (usize, watch::Receiver<bool>),
    ) -> Self {
        let connections = Connections::new(max_streams);
        Self { shared: Arc::new(Shared { store, delegations, signer, changes, connections, stopping }) }
    }

    /// Opens a sidecar's stream.
    ///
    /// # Errors
    /// [`SyncEnd::TooMany`].
    pub fn open(&self, sidecar: SidecarIdentity) -> Result<SyncSession, SyncEnd> {
        let connection = self.shared.connections.open(&sidecar.namespace, &sidecar.sidecar_id)?;
        Ok(SyncSession::new(Arc::clone(&self.shared), sidecar, connection))
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
        let connected = self.shared.connections.is_open(&kept.namespace, &kept.sidecar_id);
        SidecarStatus {
            sidecar_id: kept.sidecar_id,
            agent_name: kept.agent_name,
            connected,
            offered_epoch: kept.offered_epoch,
            applied_epoch: kept.applied_epoch,
            rejection: kept.rejection,
            last_seen_ms: if connected { now_ms() } else { kept.last_seen_ms },
        }
    }
}
