//! What happened in sidecars, for those who audit.

use std::sync::Arc;

use creto_identity::{IdentityError, now_ms, page_limit, page_of};
use creto_proto::v1::{
    ListSidecarEventsRequest, ListSidecarEventsResponse, Report, SidecarEvent, SidecarEventRecord,
};
use creto_store::{KeptSidecarEvent, Store, StoreError};
use tokio::time::{Duration, Instant};

use crate::SidecarIdentity;

/// Events kept of each sidecar: the oldest go.
pub const MAX_EVENTS_EACH: u32 = 100;
/// Events taken of a stream in [`EVENTS_PERIOD`]; what is more is counted in the log.
pub const MAX_EVENTS: usize = 64;
/// How long a stream's events are counted together.
pub const EVENTS_PERIOD: Duration = Duration::from_secs(10);
/// Longest detail of an event that is kept, in characters.
pub const MAX_DETAIL_CHARS: usize = 2_000;

/// Keeps events.
#[derive(Clone)]
pub struct SidecarEvents {
    store: Arc<dyn Store>,
}

/// How many events a stream has brought lately.
#[derive(Default)]
pub(crate) struct EventRoom {
    since: Option<Instant>,
    taken: usize,
}

impl SidecarEvents {
    /// Over a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Keeps what a stream reports, as far as there is room.
    pub(crate) async fn keep(
        &self,
        sidecar: &SidecarIdentity,
        report: &Report,
        room: &mut EventRoom,
    ) -> Result<(), StoreError> {
        let now = Instant::now();
        if room.since.is_none_or(|since| now.duration_since(since) >= EVENTS_PERIOD) {
            *room = EventRoom { since: Some(now), taken: 0 };
        }
        let fitting = MAX_EVENTS.saturating_sub(room.taken).min(report.events.len());
        let lost = report.events.len() - fitting;
        if lost > 0 {
            tracing::warn!(sidecar = sidecar.sidecar_id, lost, "more events than are kept of one sidecar");
        }
        room.taken += fitting;
        if fitting == 0 {
            return Ok(());
        }
        let kept: Vec<_> = report.events.iter().take(fitting).map(|event| kept(sidecar, event)).collect();
        for event in &kept {
            tracing::warn!(
                sidecar = event.sidecar_id,
                agent = event.agent_name,
                epoch = event.epoch,
                detail = event.detail,
                "sidecar reports"
            );
        }
        self.store.add_sidecar_events(&kept, MAX_EVENTS_EACH).await
    }

    /// A page of events, newest first.
    ///
    /// # Errors
    /// [`IdentityError`] for a page size or token out of range, or when the store fails.
    pub async fn list(
        &self,
        request: &ListSidecarEventsRequest,
    ) -> Result<ListSidecarEventsResponse, IdentityError> {
        let limit = page_limit(request.page_size)?;
        let before = match request.page_token.as_str() {
            "" => u64::MAX,
            token => token.parse().map_err(|_| {
                IdentityError::invalid("page_token", "send the last answer's next_page_token")
            })?,
        };
        let sidecar = Some(request.sidecar_id.as_str()).filter(|id| !id.is_empty());
        let page = self
            .store
            .sidecar_events(&request.namespace, sidecar, before, limit)
            .await
            .map_err(IdentityError::Store)?;
        let numbers: Vec<u64> = page.iter().map(|event| event.number).collect();
        let records = page.into_iter().map(record).collect();
        let (events, more) = page_of(records, limit, |_: &SidecarEventRecord| "more".to_owned());
        let last = numbers.get(events.len().saturating_sub(1)).filter(|_| !more.is_empty());
        let next_page_token = last.map(u64::to_string).unwrap_or_default();
        Ok(ListSidecarEventsResponse { events, next_page_token })
    }
}

fn kept(sidecar: &SidecarIdentity, event: &SidecarEvent) -> KeptSidecarEvent {
    KeptSidecarEvent {
        namespace: sidecar.namespace.clone(),
        number: 0,
        sidecar_id: sidecar.sidecar_id.clone(),
        agent_name: sidecar.agent_name.clone(),
        at_ms: event.at_ms,
        kept_at_ms: now_ms(),
        kind: event.kind,
        epoch: event.epoch,
        detail: event.detail.chars().take(MAX_DETAIL_CHARS).collect(),
    }
}

fn record(kept: KeptSidecarEvent) -> SidecarEventRecord {
    SidecarEventRecord {
        sidecar_id: kept.sidecar_id,
        agent_name: kept.agent_name,
        event: Some(SidecarEvent {
            at_ms: kept.at_ms,
            kind: kept.kind,
            epoch: kept.epoch,
            detail: kept.detail,
        }),
        kept_at_ms: kept.kept_at_ms,
    }
}
