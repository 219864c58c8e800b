//! What time changes: invoices become overdue, credit expires, and what Stripe has is forgotten.

use std::sync::Arc;
use std::time::Duration;

use creto_billing::{BillingError, BillingStore};
use creto_rating::Moment;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::stops;
use crate::services::now_us;

/// How often it is looked at.
pub(crate) const UPKEEP_EVERY: Duration = Duration::from_secs(3_600);
/// How long items that Stripe has are kept, in microseconds: a week.
pub(crate) const ACKED_KEPT_US: i64 = 7 * 86_400_000_000;
/// How long it is kept what was sent of an hour, in microseconds: 70 days, twice as long as Stripe takes more of it.
pub(crate) const HOURS_KEPT_US: i64 = 70 * 86_400_000_000;
/// Rounds in a row for one namespace, each of a bounded size; the rest waits for the next hour.
const MOST_ROUNDS: usize = 100;

/// Looks after it until the control plane stops.
pub(super) async fn keep(store: Arc<dyn BillingStore>, mut stopping: watch::Receiver<bool>) {
    let mut ticks = interval(UPKEEP_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stops(&mut stopping) => return,
            _ = ticks.tick() => {}
        }
        tokio::select! {
            biased;
            () = stops(&mut stopping) => return,
            done = everywhere(store.as_ref()) => if let Err(error) = done {
                tracing::warn!(%error, "overdue invoices and expired credit are not looked at");
            }
        }
    }
}

async fn everywhere(store: &dyn BillingStore) -> Result<(), BillingError> {
    for namespace in namespaces(store).await? {
        if let Err(error) = one(store, &namespace, now_us()).await {
            tracing::warn!(%error, namespace, "overdue invoices and expired credit are not all booked");
        }
    }
    Ok(())
}

/// Every namespace that billing knows.
///
/// # Errors
/// [`BillingError`].
pub(super) async fn namespaces(store: &dyn BillingStore) -> Result<Vec<String>, BillingError> {
    let mut all: Vec<String> = Vec::new();
    loop {
        let after = all.last().cloned().unwrap_or_default();
        let mut page = store.namespaces(&after).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.append(&mut page);
    }
}

async fn one(store: &dyn BillingStore, namespace: &str, now_us: i64) -> Result<(), BillingError> {
    let instant = |us| {
        Moment::from_micros(us)
            .map_err(|error| BillingError::Damaged { what: "time", cause: error.to_string() })
    };
    let now = instant(now_us)?;
    let overdue = store.mark_overdue(namespace, now).await?;
    if overdue > 0 {
        tracing::info!(namespace, overdue, "subscriptions are past due");
    }
    for _ in 0..MOST_ROUNDS {
        if store.expire_credits(namespace, now).await?.is_empty() {
            break;
        }
    }
    let (acked, hours) = (instant(now_us - ACKED_KEPT_US)?, instant(now_us - HOURS_KEPT_US)?);
    for _ in 0..MOST_ROUNDS {
        if store.purge(namespace, acked, hours).await? == 0 {
            break;
        }
    }
    Ok(())
}
