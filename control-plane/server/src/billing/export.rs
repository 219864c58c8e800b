//! Export to Stripe: sums of finished hours into the outbox, and what waits there to Stripe.
//!
//! Sums are made of the last day each hour, and of all that Stripe still takes once a day and at the start: usage that
//! comes late, or that came while the control plane was away, is in one of them. The outbox sends what is more than it
//! sent before, so that an hour that is summed again counts once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use creto_billing::{
    BillingError, BillingSettings, BillingStore, ExportMeter, Exporter, MAX_EVENT_AGE_DAYS, MeterEventMode,
    MeteredUsage, StripeClient, hour_totals,
};
use creto_rating::Moment;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::apart::apart;
use super::{stops, upkeep};
use crate::services::now_us;

/// How often the outbox is looked at.
pub(crate) const EXPORT_EVERY: Duration = Duration::from_secs(2);
/// Passes over one namespace's outbox in a row, 100 items each; the rest waits for the next.
pub(crate) const MOST_PASSES: usize = 50;
/// Totals put into the outbox in one transaction.
const TOTALS_AT_ONCE: usize = 1_000;
/// How long usage of an hour is waited for before it is summed, in microseconds.
pub(crate) const HOUR_GRACE_US: i64 = 120_000_000;
/// How long to wait after sums that failed.
const AGAIN_AFTER_US: i64 = 60_000_000;
const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;
/// How far back hours are summed: a day less than Stripe takes, so that what waits in the outbox is not too old there.
const FURTHEST_US: i64 = (MAX_EVENT_AGE_DAYS - 1) * DAY_US;

/// What was summed of a namespace so far, by this process.
#[derive(Clone)]
struct Summed {
    meters: Vec<ExportMeter>,
    from: Option<Moment>,
    /// All hours before this one.
    to_us: i64,
    /// When all hours were summed last.
    whole_at_us: i64,
}

/// Exports all namespaces whose settings say so.
#[derive(Clone)]
pub(super) struct Export {
    store: Arc<dyn BillingStore>,
    usage: MeteredUsage,
    client: Arc<StripeClient>,
    summed: Arc<Mutex<HashMap<String, Summed>>>,
    /// Namespaces whose sums failed, and when they are made again.
    again: Arc<Mutex<HashMap<String, i64>>>,
}

fn instant(us: i64) -> Result<Moment, BillingError> {
    Moment::from_micros(us).map_err(|error| BillingError::Damaged { what: "time", cause: error.to_string() })
}

impl Export {
    pub(super) fn new(store: Arc<dyn BillingStore>, usage: MeteredUsage, client: Arc<StripeClient>) -> Self {
        Self { store, usage, client, summed: Arc::default(), again: Arc::default() }
    }

    /// Exports until the control plane stops. What it is in the middle of then is sent again under the same identifier.
    pub(super) async fn keep(self, mut stopping: watch::Receiver<bool>) {
        let mut ticks = interval(EXPORT_EVERY);
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
                done = self.everywhere() => if let Err(error) = done {
                    tracing::warn!(%error, "nothing is exported to Stripe now");
                }
            }
        }
    }

    async fn everywhere(&self) -> Result<(), BillingError> {
        for namespace in upkeep::namespaces(self.store.as_ref()).await? {
            let now_us = now_us();
            if self.again.lock().get(&namespace).is_none_or(|at| now_us >= *at) {
                match self.sum(&namespace, now_us).await {
                    Ok(()) => {
                        self.again.lock().remove(&namespace);
                    }
                    Err(error) => {
                        tracing::warn!(%error, namespace, "usage is not put into the outbox yet");
                        self.again.lock().insert(namespace.clone(), now_us + AGAIN_AFTER_US);
                    }
                }
            }
            if let Err(error) = self.send(&namespace).await {
                tracing::warn!(%error, namespace, "what waits in the outbox is not sent yet");
            }
        }
        Ok(())
    }

    /// Puts what finished hours came to into the outbox.
    async fn sum(&self, namespace: &str, now_us: i64) -> Result<(), BillingError> {
        let Some(BillingSettings { export_usage, export_usage_from: Some(from), .. }) =
            self.store.settings(namespace).await?
        else {
            return Ok(());
        };
        let to_us = (now_us - HOUR_GRACE_US).div_euclid(HOUR_US) * HOUR_US;
        // Whole hours: one that is cut would be told by its part.
        let first_us = from.micros().saturating_add(HOUR_US - 1).div_euclid(HOUR_US) * HOUR_US;
        let first_us = first_us.max(to_us - FURTHEST_US);
        let known = self.summed.lock().get(namespace).cloned();
        let known = known.filter(|known| known.meters == export_usage && known.from == Some(from));
        let (from_us, whole_at_us) = match known {
            Some(known) if known.to_us >= to_us => return Ok(()),
            Some(known) if now_us - known.whole_at_us < DAY_US => {
                (first_us.max(known.to_us.min(to_us - DAY_US)), known.whole_at_us)
            }
            _ => (first_us, now_us),
        };
        if export_usage.is_empty() || from_us >= to_us {
            return Ok(());
        }
        let (store, usage, meters) = (Arc::clone(&self.store), self.usage.clone(), export_usage.clone());
        let of = namespace.to_owned();
        let summing =
            apart(move || async move { enqueue(store, usage, &of, &meters, (from_us, to_us)).await });
        let failed = |error: tokio::task::JoinError| BillingError::Damaged {
            what: "sum of usage",
            cause: error.to_string(),
        };
        summing.await.map_err(failed)??;
        let summed = Summed { meters: export_usage, from: Some(from), to_us, whole_at_us };
        self.summed.lock().insert(namespace.to_owned(), summed);
        Ok(())
    }

    /// Sends what is due.
    async fn send(&self, namespace: &str) -> Result<(), BillingError> {
        let exporter =
            Exporter::new(self.store.as_ref(), self.client.as_ref(), namespace, MeterEventMode::Single);
        for _ in 0..MOST_PASSES {
            let now = instant(now_us())?;
            if !self.store.is_due(namespace, now).await? {
                return Ok(());
            }
            let (events, invoices) =
                (exporter.export_meter_events(now).await?, exporter.export_invoices(now).await?);
            let (acked, later) = (events.acked + invoices.acked, events.later + invoices.later);
            let dead = events.dead + invoices.dead;
            if dead > 0 {
                tracing::error!(namespace, dead, "items were given up: `GetExport` says which and why");
            }
            tracing::info!(namespace, acked, later, "exported to Stripe");
            if later > 0 {
                // It is away or busy: the rest would fare the same.
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Sums hours, a day at a time, or less where a day has too many customers and meters.
async fn enqueue(
    store: Arc<dyn BillingStore>,
    usage: MeteredUsage,
    namespace: &str,
    meters: &[ExportMeter],
    (mut from_us, to_us): (i64, i64),
) -> Result<(), BillingError> {
    let mut step = DAY_US;
    while from_us < to_us {
        let until_us = to_us.min(from_us + step);
        let span = (instant(from_us)?, instant(until_us)?);
        let found = match hour_totals(store.as_ref(), &usage, namespace, meters, span).await {
            Err(BillingError::TooMany { .. }) if step > HOUR_US => {
                step = (step / 2).max(HOUR_US).div_euclid(HOUR_US) * HOUR_US;
                continue;
            }
            found => found?,
        };
        if found.unreadable > 0 {
            tracing::warn!(
                namespace,
                events = found.unreadable,
                "events without the number that is exported"
            );
        }
        for totals in found.totals.chunks(TOTALS_AT_ONCE) {
            let enqueued = store.enqueue_usage(namespace, totals, instant(now_us())?).await?;
            if !enqueued.lower.is_empty() {
                let hours = enqueued.lower.len();
                tracing::warn!(
                    namespace,
                    hours,
                    "hours came to less than Stripe was told; it is not taken back"
                );
            }
        }
        from_us = until_us;
    }
    Ok(())
}
