//! Sends what waits in the outbox, and notes what became of it.
//!
//! An identifier is unique at Stripe for 24 hours. An item whose outcome is unknown is sent again under the same one within
//! 23; after that nobody can tell whether a second sending would count twice, so it is given up and told.

use std::time::Duration;

use creto_rating::Moment;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::client::{Body, Call, StripeClient, StripeError};
use super::invoice;
use super::outbox::{KeptItem, MeterEvent, OutboxKind};
use crate::BillingError;
use crate::store::BillingStore;

/// Days back a meter event may lie.
pub const MAX_EVENT_AGE_DAYS: i64 = 35;
/// Minutes ahead a meter event may lie.
pub const MAX_EVENT_AHEAD_MINUTES: i64 = 5;
/// Hours within which an identifier is known at Stripe, with an hour to spare.
pub const RESEND_HOURS: i64 = 23;
/// How long a claimed item is left to the one who claimed it, in seconds. Longer than a call takes.
pub const CLAIM_SECONDS: i64 = 120;
/// The wait after the first failure, in milliseconds; it doubles with each.
pub const FIRST_WAIT_MILLIS: u64 = 1_000;
/// The longest wait, in milliseconds.
pub const LONGEST_WAIT_MILLIS: u64 = 600_000;

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;

/// How meter events are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeterEventMode {
    /// One by one: each is checked before it is answered.
    Single,
    /// Up to 100 in a call on the stream: checked after it is answered, so that refusals are seen at Stripe only.
    Stream,
}

/// What one pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportReport {
    /// Items Stripe has now.
    pub acked: u64,
    /// Items that are sent again later.
    pub later: u64,
    /// Items that were given up.
    pub dead: u64,
}

/// Exports one namespace.
#[derive(Debug)]
pub struct Exporter<'e, S: BillingStore + ?Sized> {
    store: &'e S,
    client: &'e StripeClient,
    namespace: &'e str,
    mode: MeterEventMode,
    session: Mutex<Option<String>>,
}

/// What became of one call.
enum Fate {
    Acked,
    Later { cause: String, after: Option<Duration>, received: bool },
    Dead(String),
}

fn fate(error: StripeError) -> Fate {
    match error {
        StripeError::NotReceived { cause, after } => Fate::Later { cause, after, received: false },
        StripeError::Unknown { cause, after } => Fate::Later { cause, after, received: true },
        // A key or a permission is wrong, not the item: the operator sets it right, and it goes on.
        refused @ StripeError::Refused { status: 401 | 403, .. } => {
            Fate::Later { cause: refused.to_string(), after: None, received: false }
        }
        refused @ StripeError::Refused { .. } => Fate::Dead(refused.to_string()),
    }
}

fn moved(at: Moment, micros: i64) -> Result<Moment, BillingError> {
    Moment::from_micros(at.micros().saturating_add(micros))
        .map_err(|error| BillingError::Damaged { what: "time", cause: error.to_string() })
}

impl<'e, S: BillingStore + ?Sized> Exporter<'e, S> {
    /// An exporter of a namespace.
    #[must_use]
    pub fn new(store: &'e S, client: &'e StripeClient, namespace: &'e str, mode: MeterEventMode) -> Self {
        Self { store, client, namespace, mode, session: Mutex::new(None) }
    }

    /// Sends the meter events that are due at `at`, at most [`super::MAX_CLAIM`]. Call it again until it did nothing.
    ///
    /// # Errors
    /// [`BillingError`] when the store fails. What was sent and not noted is sent again under the same identifier.
    pub async fn export_meter_events(&self, at: Moment) -> Result<ExportReport, BillingError> {
        let until = moved(at, CLAIM_SECONDS * SECOND)?;
        let claimed = self.store.claim(self.namespace, OutboxKind::MeterEvent, at, until).await?;
        let mut report = ExportReport::default();
        let mut events = Vec::new();
        for item in claimed {
            let event: MeterEvent = match serde_json::from_str(&item.item.payload) {
                Ok(event) => event,
                Err(error) => {
                    self.settle(&[item], Fate::Dead(format!("unreadable: {error}")), at, &mut report).await?;
                    continue;
                }
            };
            match unsendable(&item, Some(event.hour), at) {
                Some(reason) => self.settle(&[item], Fate::Dead(reason), at, &mut report).await?,
                None => events.push((item, event)),
            }
        }
        if self.mode == MeterEventMode::Stream && events.len() > 1 {
            let bodies: Vec<Value> = events.iter().map(|(item, event)| written(item, event)).collect();
            let items: Vec<KeptItem> = events.iter().map(|(item, _)| item.clone()).collect();
            self.client.pace(bodies.len()).await;
            match self.send_stream(bodies).await {
                Ok(()) => self.settle(&items, Fate::Acked, at, &mut report).await?,
                // One of them is refused: one by one it shows which.
                Err(StripeError::Refused { status: 400..=499, .. }) => {
                    self.send_singly(events, at, &mut report).await?;
                }
                Err(error) => self.settle(&items, fate(error), at, &mut report).await?,
            }
        } else {
            self.send_singly(events, at, &mut report).await?;
        }
        Ok(report)
    }

    async fn send_singly(
        &self,
        events: Vec<(KeptItem, MeterEvent)>,
        at: Moment,
        report: &mut ExportReport,
    ) -> Result<(), BillingError> {
        for (item, event) in events {
            self.client.pace(1).await;
            let body = Body::Json(written(&item, &event));
            let idempotency = Some(item.item.id.as_str());
            let call = Call { path: "/v2/billing/meter_events", body, idempotency, token: None };
            let fate = match self.client.call(call).await {
                Ok(_) => Fate::Acked,
                Err(error) if is_duplicate(&error) => Fate::Acked,
                Err(error) => fate(error),
            };
            self.settle(&[item], fate, at, report).await?;
        }
        Ok(())
    }

    /// Sends a batch on the stream; with a new session when the old one has ended.
    async fn send_stream(&self, events: Vec<Value>) -> Result<(), StripeError> {
        let mut session = self.session.lock().await;
        for attempt in 0..2 {
            let token = match session.take() {
                Some(token) => token,
                None => self.open_session().await?,
            };
            let body = Body::Json(json!({ "events": events }));
            let call =
                Call { path: "/v2/billing/meter_event_stream", body, idempotency: None, token: Some(&token) };
            match self.client.call(call).await {
                Err(StripeError::Refused { status: 401, .. }) if attempt == 0 => {}
                Err(error) => return Err(error),
                Ok(_) => {
                    *session = Some(token);
                    return Ok(());
                }
            }
        }
        let cause = "the stream refuses a new session".to_owned();
        Err(StripeError::NotReceived { cause, after: None })
    }

    async fn open_session(&self) -> Result<String, StripeError> {
        let path = "/v2/billing/meter_event_session";
        let call = Call { path, body: Body::Json(json!({})), idempotency: None, token: None };
        let answer = self.client.call(call).await.map_err(|error| match error {
            // No event was sent yet.
            StripeError::Unknown { cause, after } => StripeError::NotReceived { cause, after },
            refused @ StripeError::Refused { .. } => {
                StripeError::NotReceived { cause: refused.to_string(), after: None }
            }
            other @ StripeError::NotReceived { .. } => other,
        })?;
        let token = answer.get("authentication_token").and_then(Value::as_str);
        token.map(str::to_owned).ok_or_else(|| StripeError::NotReceived {
            cause: "a session without a token".to_owned(),
            after: None,
        })
    }

    /// Sends the invoices that are due at `at`.
    ///
    /// # Errors
    /// As [`Exporter::export_meter_events`].
    pub async fn export_invoices(&self, at: Moment) -> Result<ExportReport, BillingError> {
        let until = moved(at, CLAIM_SECONDS * SECOND)?;
        let claimed = self.store.claim(self.namespace, OutboxKind::Invoice, at, until).await?;
        let mut report = ExportReport::default();
        for item in claimed {
            let fate = match unsendable(&item, None, at) {
                Some(reason) => Fate::Dead(reason),
                None => match invoice::send(self.store, self.client, self.namespace, &item).await {
                    Ok(()) => Fate::Acked,
                    Err(invoice::Failed::Store(error)) => return Err(*error),
                    Err(invoice::Failed::Never(reason)) => Fate::Dead(reason),
                    Err(invoice::Failed::Call(error)) => fate(error),
                },
            };
            self.settle(&[item], fate, at, &mut report).await?;
        }
        Ok(report)
    }

    async fn settle(
        &self,
        items: &[KeptItem],
        fate: Fate,
        at: Moment,
        report: &mut ExportReport,
    ) -> Result<(), BillingError> {
        let ids: Vec<String> = items.iter().map(|item| item.item.id.clone()).collect();
        let count = ids.len() as u64;
        match fate {
            Fate::Acked => {
                report.acked += count;
                self.store.acked(self.namespace, &ids).await
            }
            Fate::Dead(reason) => {
                report.dead += count;
                self.store.dead(self.namespace, &ids, &reason).await
            }
            Fate::Later { cause, after, received } => {
                report.later += count;
                let attempts = items.iter().map(|item| item.attempts).max().unwrap_or(1);
                let wait = after.unwrap_or_default().max(backoff(attempts));
                let next = moved(at, i64::try_from(wait.as_micros()).unwrap_or(HOUR))?;
                self.store.retry(self.namespace, &ids, next, &cause).await?;
                if !received {
                    // The clock of the identifier starts with the first call that may have arrived.
                    let fresh = items.iter().filter(|item| item.first_sent_at == Some(at));
                    let fresh: Vec<String> = fresh.map(|item| item.item.id.clone()).collect();
                    self.store.not_received(self.namespace, &fresh).await?;
                }
                Ok(())
            }
        }
    }
}

/// Doubles with each attempt; half of it is chance, so that those who failed together do not come back together.
fn backoff(attempts: u32) -> Duration {
    let doubled = FIRST_WAIT_MILLIS.saturating_mul(1 << attempts.saturating_sub(1).min(20));
    let longest = doubled.min(LONGEST_WAIT_MILLIS);
    let mut bytes = [0_u8; 8];
    // Without chance the longest wait is taken.
    let chance = getrandom::fill(&mut bytes).map_or(u64::MAX, |()| u64::from_le_bytes(bytes));
    let half = longest / 2;
    Duration::from_millis(half + if chance == u64::MAX { half } else { chance % (half + 1) })
}

/// Why an item must not be sent (any more).
fn unsendable(item: &KeptItem, hour: Option<Moment>, at: Moment) -> Option<String> {
    if let Some(hour) = hour {
        if at.micros() - hour.micros() > MAX_EVENT_AGE_DAYS * 24 * HOUR {
            return Some(format!(
                "the hour lies more than {MAX_EVENT_AGE_DAYS} days back: bill it as a line of the next invoice"
            ));
        }
        if hour.micros() - at.micros() > MAX_EVENT_AHEAD_MINUTES * 60 * SECOND {
            return Some(format!(
                "the hour lies more than {MAX_EVENT_AHEAD_MINUTES} minutes ahead: check the clock"
            ));
        }
    }
    let first = item.first_sent_at?;
    (at.micros() - first.micros() > RESEND_HOURS * HOUR).then(|| {
        format!(
            "its outcome is unknown since {first}, longer than Stripe knows its identifier: look there for `{}`, \
             and send it by hand if it is missing",
            item.item.id
        )
    })
}

fn written(item: &KeptItem, event: &MeterEvent) -> Value {
    json!({
        "event_name": event.event_name,
        "identifier": item.item.id,
        "timestamp": event.hour.to_string(),
        "payload": { "stripe_customer_id": event.stripe_customer, "value": event.value.to_string() },
    })
}

/// Stripe has an event of this identifier: an earlier sending of ours arrived.
fn is_duplicate(error: &StripeError) -> bool {
    match error {
        StripeError::Refused { status: 400 | 409, code, message } => {
            code.contains("duplicate_meter_event") || message.contains("already exists with identifier")
        }
        _ => false,
    }
}
