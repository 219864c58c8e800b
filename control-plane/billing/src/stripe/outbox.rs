//! The outbox: what is to be exported, kept with the change that caused it, until Stripe has it.
//!
//! An item is claimed before it is sent: `pending` becomes `sending` on disk, so that a process that dies leaves its item
//! to be sent again under the same identifier. It ends `acked`, or `dead` with a reason an operator can act on.

use async_trait::async_trait;
use creto_rating::{Moment, Quantity};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::BillingError;
use crate::invoice::InvoiceDocument;

/// Items one claim gives.
pub const MAX_CLAIM: u32 = 100;
/// Rows one purge forgets, of each table.
pub const MAX_PURGE: u32 = 5_000;
/// Bytes an error of an item is kept with.
pub const MAX_ERROR_BYTES: usize = 500;

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboxKind {
    /// Usage of an hour.
    MeterEvent,
    /// An invoice.
    Invoice,
}

impl OutboxKind {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MeterEvent => "meter_event",
            Self::Invoice => "invoice",
        }
    }
}

/// How far an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboxState {
    /// To be sent.
    Pending,
    /// Claimed: it may have been sent.
    Sending,
    /// Stripe has it.
    Acked,
    /// It will not be sent; the error says why.
    Dead,
}

impl OutboxState {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Acked => "acked",
            Self::Dead => "dead",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Pending, Self::Sending, Self::Acked, Self::Dead].into_iter().find(|state| state.name() == name)
    }
}

/// An item to be exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxItem {
    /// Its identifier, made from what it is: the same thing has the same.
    pub id: String,
    /// What it is.
    pub kind: OutboxKind,
    /// What is sent, as JSON of our own.
    pub payload: String,
}

/// An item as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptItem {
    /// The item.
    pub item: OutboxItem,
    /// How far it is.
    pub state: OutboxState,
    /// Which of its steps are done, as JSON of our own.
    pub progress: Option<String>,
    /// How often it was claimed.
    pub attempts: u32,
    /// When it is due again.
    pub next_at: Moment,
    /// When it was claimed first.
    pub first_sent_at: Option<Moment>,
    /// What went wrong last.
    pub error: Option<String>,
}

/// Usage of one customer by one meter in one hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HourTotal {
    /// The customer.
    pub customer: String,
    /// Its id at Stripe.
    pub stripe_customer: String,
    /// The name of the meter's events at Stripe.
    pub event_name: String,
    /// The first instant of the hour, UTC.
    pub hour: Moment,
    /// What was used in it, as known now.
    pub total: Quantity,
}

/// What became of totals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Enqueued {
    /// Totals that grew and are to be sent: all of it, or what came late.
    pub queued: u64,
    /// Totals that are as they were sent.
    pub unchanged: u64,
    /// Totals below what was sent. Meter events are never taken back: the next invoice carries the difference.
    pub lower: Vec<HourTotal>,
}

/// A meter event as it waits in the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeterEvent {
    /// The name of the meter's events.
    pub event_name: String,
    /// The customer's id at Stripe.
    pub stripe_customer: String,
    /// Units, in decimal digits.
    pub value: Quantity,
    /// The first instant of the hour.
    pub hour: Moment,
    /// Which report of the hour it is, from 1.
    pub revision: u32,
}

impl HourTotal {
    /// The identifier of a report of this hour: the same for the same report, whoever makes it and when.
    #[must_use]
    pub fn identifier(&self, namespace: &str, revision: u32) -> String {
        let parts =
            serde_json::json!([namespace, self.hour.micros(), self.customer, self.event_name, revision]);
        hex::encode(Sha256::digest(parts.to_string()))
    }
}

/// An invoice as it waits in the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvoiceExport {
    /// The customer's id at Stripe.
    pub stripe_customer: String,
    /// The namespace.
    pub namespace: String,
    /// The invoice.
    pub invoice: String,
    /// Its number.
    pub number: String,
    /// What amounts are in, in capitals.
    pub currency: String,
    /// Digits of the minor unit.
    pub digits: u8,
    /// Days left to pay.
    pub days_until_due: i64,
    /// Description and minor units of each item; what credit paid is below zero.
    pub items: Vec<(String, i64)>,
}

/// The outbox item of an invoice. Its items add up to what is due.
#[must_use]
pub fn invoice_item(document: &InvoiceDocument, stripe_customer: &str) -> OutboxItem {
    let mut items: Vec<(String, i64)> =
        document.lines.iter().map(|line| (line.description.clone(), line.net_minor)).collect();
    items.extend(document.taxes.iter().map(|tax| (format!("{} {}%", tax.code, tax.percent), tax.minor)));
    items.extend(
        document.credits.iter().map(|credit| (format!("Credit note {}", credit.credit_note), -credit.minor)),
    );
    if document.prepaid_minor > 0 {
        items.push(("Prepaid credit".to_owned(), -document.prepaid_minor));
    }
    items.retain(|(_, minor)| *minor != 0);
    let days = (document.due_at.micros() - document.issued_at.micros()) / 86_400_000_000;
    let export = InvoiceExport {
        stripe_customer: stripe_customer.to_owned(),
        namespace: document.namespace.clone(),
        invoice: document.id.clone(),
        number: document.number.clone(),
        currency: document.currency.code().to_owned(),
        digits: document.currency.digits(),
        days_until_due: days,
        items,
    };
    let id = hex::encode(Sha256::digest(format!("invoice {} {}", document.namespace, document.id)));
    OutboxItem { id, kind: OutboxKind::Invoice, payload: serde_json::json!(export).to_string() }
}

/// The outbox.
#[async_trait]
pub trait OutboxStore: Send + Sync {
    /// Puts items in. Those that were put in before are not changed. Returns how many are new.
    async fn enqueue(&self, namespace: &str, items: &[OutboxItem], at: Moment) -> Result<u64, BillingError>;
    /// Puts in what hours came to, less what was put in for them before.
    async fn enqueue_usage(
        &self,
        namespace: &str,
        totals: &[HourTotal],
        at: Moment,
    ) -> Result<Enqueued, BillingError>;
    /// Claims items that are due, oldest first, at most [`MAX_CLAIM`]: they are `sending` and due again at `until`.
    async fn claim(
        &self,
        namespace: &str,
        kind: OutboxKind,
        at: Moment,
        until: Moment,
    ) -> Result<Vec<KeptItem>, BillingError>;
    /// Notes that Stripe has items.
    async fn acked(&self, namespace: &str, ids: &[String]) -> Result<(), BillingError>;
    /// Notes which steps of an item are done.
    async fn progressed(&self, namespace: &str, id: &str, progress: &str) -> Result<(), BillingError>;
    /// Sends items again at `next_at`; they stay as they were sent.
    async fn retry(
        &self,
        namespace: &str,
        ids: &[String],
        next_at: Moment,
        error: &str,
    ) -> Result<(), BillingError>;
    /// Notes that what was claimed of items did not arrive: they count as never sent.
    async fn not_received(&self, namespace: &str, ids: &[String]) -> Result<(), BillingError>;
    /// Gives items up.
    async fn dead(&self, namespace: &str, ids: &[String], error: &str) -> Result<(), BillingError>;
    /// Items in a state, oldest first, at most [`crate::MAX_PAGE`].
    async fn outbox(&self, namespace: &str, state: OutboxState) -> Result<Vec<KeptItem>, BillingError>;
    /// Whether an item is to be sent by `at`. Changes nothing.
    async fn is_due(&self, namespace: &str, at: Moment) -> Result<bool, BillingError>;
    /// How many items wait to be sent, or for their outcome.
    async fn waiting(&self, namespace: &str) -> Result<u64, BillingError>;
    /// Forgets items that Stripe had before an instant, and what was sent of hours before another, at most [`MAX_PURGE`]
    /// of each: call it until it forgot nothing. Returns how many went.
    async fn purge(&self, namespace: &str, acked: Moment, hours: Moment) -> Result<u64, BillingError>;
}
