//! Billing: usage, rated, into invoices that are issued once and never change.
//!
//! [`BillingRun`] scans usage and draws up drafts; [`InvoiceStore::finalize`] makes a draft a numbered, signed invoice in one
//! transaction. What comes late is billed as the difference to what was billed before, or given back by a credit note.
//!
//! What holds:
//!
//! - Numbers of invoices and credit notes have no gaps and no doubles in a namespace, whatever dies when.
//! - Fees less reductions plus taxes are the total; the total less credit notes and wallets is due. Attribution to agents
//!   and to each dimension adds up exactly. Amounts are whole minor units; there are no floats.
//! - A finalized invoice is never edited: the types have no way to, and the database refuses.
//! - A wallet never falls below zero, and its balance is the sum of its ledger.
//! - The crate has no clock: every instant is given by the caller.
#![forbid(unsafe_code)]

mod canonical;
mod catalogue;

mod credit_note;
mod customer;
mod document;
mod error;
mod invoice;
mod metered_usage;
mod pdf;
mod run;
mod signature;
mod store;
mod stripe;
mod subscription;
mod trigger;
mod usage_source;
mod wallet;

pub use canonical::{CanonicalError, canonical};
pub use catalogue::{MAX_CODE_BYTES, MAX_PLAN_BYTES, MAX_PROBLEMS, PlanDocument, PlanProblems, PlanVersion};
pub use credit_note::{
    CreditLine, CreditNoteDocument, CreditedLine, KeptCreditNote, MAX_CREDIT_LINES, MAX_REASON_CHARS,
    NewCreditNote,
};
pub use customer::{
    BillingSettings, Customer, MAX_ADDRESS_LINES, MAX_EXPORT_METERS, MAX_ID_BYTES, MAX_LINE_CHARS,
    MAX_TAX_IDS, MAX_TERMS_DAYS, Party, TaxId,
};
pub use document::{CreditNoteRequest, MAX_DOCUMENT_BYTES};
pub use error::BillingError;
pub use invoice::{
    Amounts, AppliedCredit, Booking, Draft, Invoice, InvoiceDocument, InvoiceKind, InvoiceState, LateCredit,
    LineFacts, LineItem, MAX_LINES, MAX_MINOR, Outcome, Prepaid, RatedLine, SignedInvoice, Standing,
    TaxAmount, TaxSum,
};
pub use metered_usage::MeteredUsage;
pub use pdf::{MAX_PRINTED_LINES, MAX_PRINTED_PARTS, invoice_pdf};
pub use run::{
    BillingRun, CARRIED_BEHIND_MICROS, FURTHEST_SHARED_MICROS, LATE_WINDOW_MICROS, MAX_PERIODS,
    MAX_SUBSCRIPTIONS, MAX_UNMATCHED_SHOWN, MAX_USAGES_PER_SCAN, RunReport, Unmatched,
};
pub use signature::{InvoiceKey, MAX_SIGNED_BYTES, SignatureError, key_id, verify};
pub use store::{
    BillingStore, CARRIED_APART_MICROS, CARRIED_KEPT_MICROS, CatalogueStore, Finalize, InvoiceSelection,
    InvoiceStore, MAX_CARRIED, MAX_CARRIED_BYTES, MAX_PAGE, SqlStore, SubscriptionStore, TriggerStore,
    UpkeepStore, WalletStore,
};
pub use stripe::*;
pub use subscription::{
    MAX_COUPONS, MAX_METADATA, MAX_METADATA_CHARS, MAX_QUOTAS, NewSubscription, PlanChange, QuotaAction,
    QuotaConfig, SubscriptionRecord, SubscriptionStatus,
};
pub use trigger::{MAX_DETAIL_BYTES, MAX_TRIGGER_PAGE, RaisedTrigger, Trigger};
pub use usage_source::{SourceError, SourcedEvent, UsageSource};
pub use wallet::{
    KeptWallet, LedgerEntry, MAX_LEDGER_PAGE, MAX_OPEN_CREDITS, MAX_WALLETS, Movement, NewCredit, NewWallet,
};
