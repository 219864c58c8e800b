//! Raises triggers: from what quotas tell, and from types of events that nothing counts.
//!
//! A trigger is raised once for its kind, key and window, and how far quotas were read is kept behind it: whatever dies
//! in between, it is raised, and not twice.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use creto_billing::{BillingError, BillingStore, InvoiceKey, Trigger};
use creto_quota_issuer::{Level, MAX_EVENTS_READ, QuotaEvent};
use creto_rating::Moment;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::stops;
use super::unknown_types::{UnknownType, UnknownTypes};
use crate::QuotaError;
use crate::quotas::QuotaDesk;
use crate::services::now_us;

/// How often what quotas tell is read.
pub(crate) const WATCH_EVERY: Duration = Duration::from_secs(2);
/// The name under which it is kept how far they were read.
const CURSOR: &str = "quota-events";

/// The same, for the issuer that this control plane asks: several control planes may keep their bills in one database, and
/// each count the events of its own issuer.
pub(super) fn cursor_of(quotas: &QuotaDesk, key: &InvoiceKey) -> String {
    if quotas.is_own() { format!("{CURSOR} {}", key.id()) } else { CURSOR.to_owned() }
}

#[derive(Debug, thiserror::Error)]
enum WatchError {
    #[error(transparent)]
    Quotas(#[from] QuotaError),
    #[error(transparent)]
    Billing(#[from] BillingError),
}

/// Watches until the control plane stops.
pub(super) async fn watch(
    store: Arc<dyn BillingStore>,
    (quotas, cursor): (QuotaDesk, String),
    unknown: Arc<UnknownTypes>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut ticks = interval(WATCH_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watching = Watching { store, quotas, cursor, read: HashMap::new() };
    loop {
        tokio::select! {
            biased;
            () = stops(&mut stopping) => return,
            _ = ticks.tick() => {}
        }
        for namespace in watching.quotas.namespaces().await {
            if let Err(error) = watching.quotas_of(&namespace).await {
                tracing::warn!(%error, namespace, "what quotas tell raises no trigger yet");
            }
        }
        let mut left = Vec::new();
        for found in unknown.take() {
            if let Err(error) = watching.unknown_type(&found).await {
                tracing::warn!(%error, namespace = found.namespace, "a type of events raises no trigger yet");
                // What the store refuses is refused again.
                if matches!(error, BillingError::Away(_)) {
                    left.push(found);
                }
            }
        }
        unknown.put_back(left);
    }
}

struct Watching {
    store: Arc<dyn BillingStore>,
    quotas: QuotaDesk,
    cursor: String,
    /// How far each namespace was read, as it is kept.
    read: HashMap<String, u64>,
}

impl Watching {
    async fn quotas_of(&mut self, namespace: &str) -> Result<(), WatchError> {
        let mut after = match self.read.get(namespace) {
            Some(after) => *after,
            None => u64::try_from(self.store.cursor(namespace, &self.cursor).await?).unwrap_or_default(),
        };
        loop {
            let events = self.quotas.events_after(namespace, after).await?;
            let more = events.len() >= MAX_EVENTS_READ as usize;
            for event in &events {
                if let Some(trigger) = self.trigger(namespace, event).await? {
                    raise(self.store.as_ref(), namespace, &trigger, us(event.window.start_ms)).await?;
                }
            }
            if let Some(last) = events.last() {
                after = last.sequence;
                let position = i64::try_from(after).unwrap_or(i64::MAX);
                self.store.move_cursor(namespace, &self.cursor, position).await?;
            }
            self.read.insert(namespace.to_owned(), after);
            if !more {
                return Ok(());
            }
        }
    }

    async fn trigger(&self, namespace: &str, event: &QuotaEvent) -> Result<Option<Trigger>, QuotaError> {
        let budget = event.limit.to_string();
        Ok(match event.level {
            Level::Warning => Some(Trigger::BudgetNearlySpent {
                percent: self.quotas.warn_percent(namespace, &budget).await?,
                budget,
                used: event.used,
                limit: event.measure,
            }),
            Level::Spike => Some(Trigger::Spike {
                budget,
                hour: event.used,
                mean: event.measure / u64::from(event.hours.max(1)),
            }),
            // The warning came before; the loss is the issuer's, and told by it.
            Level::Exhausted | Level::DataLost => None,
        })
    }

    async fn unknown_type(&self, found: &UnknownType) -> Result<(), BillingError> {
        let trigger = Trigger::UnknownResourceType {
            resource_type: found.event_type.clone(),
            event: found.event.clone(),
        };
        raise(self.store.as_ref(), &found.namespace, &trigger, found.day_us).await
    }
}

/// Raises a trigger of a window that begins at `window_us`; the log tells the first time.
///
/// # Errors
/// [`BillingError`].
pub(super) async fn raise(
    store: &dyn BillingStore,
    namespace: &str,
    trigger: &Trigger,
    window_us: i64,
) -> Result<(), BillingError> {
    let instant = |us| {
        Moment::from_micros(us)
            .map_err(|error| BillingError::Damaged { what: "time", cause: error.to_string() })
    };
    if store.raise(namespace, trigger, instant(window_us)?, instant(now_us())?).await? {
        tracing::warn!(namespace, kind = trigger.kind(), key = trigger.key(), "a trigger was raised");
    }
    Ok(())
}

fn us(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1_000)
}
