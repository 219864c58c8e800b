//! What happened in sidecars, for those who audit.

use std::collections::HashMap;
use std::sync::Arc;

use creto_identity::{IdentityError, now_ms, page_limit, page_of};
use creto_proto::v1::{
    ListSidecarEventsRequest, ListSidecarEventsResponse, Report, SidecarEvent, SidecarEventRecord,
};
use creto_store::{KeptSidecarEvent, Store, StoreError};
use parking_lot::Mutex;
use tokio::time::{Duration, Instant};

use crate::SidecarIdentity;

/// Events kept of each sidecar: the oldest go.
pub const MAX_EVENTS_EACH: u32 = 100;
/// Events taken of a sidecar in [`EVENTS_PERIOD`], whatever streams they come by; what is more is counted in the log.
pub const MAX_EVENTS: usize = 64;
/// How long a sidecar's events are counted together.
pub const EVENTS_PERIOD: Duration = Duration::from_secs(10);
/// Longest detail of an event that is kept, in characters.
pub const MAX_DETAIL_CHARS: usize = 2_000;
/// Sidecars whose events are counted at once: no more are taken while so many reported in the last period.
pub const MAX_REPORTING: usize = 20_000;

/// Keeps events.
#[derive(Clone)]
pub struct SidecarEvents {
    store: Arc<dyn Store>,
    lately: Arc<Mutex<HashMap<SidecarIdentity, Lately>>>,
}

/// How many events a sidecar has brought, and since when.
struct Lately {
    since: Instant,
    taken: usize,
}

impl SidecarEvents {
    /// Over a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, lately: Arc::default() }
    }

    /// Keeps what a sidecar reports, as far as there is room.
    pub(crate) async fn keep(&self, sidecar: &SidecarIdentity, report: &Report) -> Result<(), StoreError> {
        let fitting = self.room_for(sidecar, report.events.len());
        let lost = report.events.len() - fitting;
        if lost > 0 {
            tracing::warn!(sidecar = sidecar.sidecar_id, lost, "more events than are kept of one sidecar");
        }
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

    fn room_for(&self, sidecar: &SidecarIdentity, events: usize) -> usize {
        let mut lately = self.lately.lock();
        let now = Instant::now();
        if lately.len() >= MAX_REPORTING && !lately.contains_key(sidecar) {
            lately.retain(|_, one| now.duration_since(one.since) < EVENTS_PERIOD);
            if lately.len() >= MAX_REPORTING {
                return 0;
            }
        }
        let one = lately.entry(sidecar.clone()).or_insert(Lately { since: now, taken: 0 });
        if now.duration_since(one.since) >= EVENTS_PERIOD {
            *one = Lately { since: now, taken: 0 };
        }
        let fitting = MAX_EVENTS.saturating_sub(one.taken).min(events);
        one.taken += fitting;
        fitting
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
