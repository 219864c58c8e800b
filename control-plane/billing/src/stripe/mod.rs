//! Export to Stripe: usage as meter events, invoices as invoices, each exactly once.

mod client;
mod connection;
mod exporter;
mod invoice;
mod key;
mod outbox;
mod rate;
mod usage;

pub use client::{STRIPE_VERSION, StripeAddress, StripeClient, StripeError, StripeSetupError};
pub use exporter::{
    CLAIM_SECONDS, ExportReport, Exporter, FIRST_WAIT_MILLIS, LONGEST_WAIT_MILLIS, MAX_EVENT_AGE_DAYS,
    MAX_EVENT_AHEAD_MINUTES, MeterEventMode, RESEND_HOURS,
};
pub use invoice::MAX_STRIPE_ITEMS;
pub use key::{ApiKey, ApiKeyError};
pub use outbox::{
    Enqueued, HourTotal, InvoiceExport, KeptItem, MAX_CLAIM, MAX_ERROR_BYTES, MAX_PURGE, MeterEvent,
    OutboxItem, OutboxKind, OutboxState, OutboxStore, invoice_item,
};
pub use rate::{EVENT_BURST, EVENTS_PER_SECOND};
pub use usage::{ExportMeter, HourTotals, MAX_HOUR_TOTALS, hour_totals};
