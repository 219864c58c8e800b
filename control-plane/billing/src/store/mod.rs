//! Where billing keeps things.
//!
//! A trait a product, all of them together a [`BillingStore`]. [`SqlStore`] keeps them in SQLite or PostgreSQL; the suite in
//! `conformance` (feature of that name) says what any other must do. Every call that changes something is one
//! transaction, and calls of one namespace that change something go one after the other.

mod sql;

use async_trait::async_trait;
use creto_rating::{Carried, Moment, Period, Subscription};

pub use sql::SqlStore;
pub(crate) use sql::carried::near as carried_near;

use crate::BillingError;
use crate::catalogue::{PlanDocument, PlanVersion};
use crate::credit_note::{KeptCreditNote, NewCreditNote};
use crate::customer::{BillingSettings, Customer};
use crate::invoice::{Booking, Draft, Invoice, InvoiceKind, InvoiceState, SignedInvoice};
use crate::signature::InvoiceKey;
use crate::subscription::{NewSubscription, SubscriptionRecord, SubscriptionStatus};
use crate::trigger::{RaisedTrigger, Trigger};
use crate::wallet::{KeptWallet, LedgerEntry, NewCredit, NewWallet};

/// Rows one reading of a list gives.
pub const MAX_PAGE: u32 = 1_000;
/// Instants of a subscription whose units that last are kept. At that, no more are kept, and bills start from older ones.
pub const MAX_CARRIED: usize = 128;
/// Bytes of JSON that the units of one subscription take at one instant. A subscription that has more is not billed.
pub const MAX_CARRIED_BYTES: usize = 32 << 20;
/// How far apart such instants are at least, in microseconds: 7 days.
pub const CARRIED_APART_MICROS: i64 = 7 * 86_400_000_000;
/// How long before the newest of them others are kept, in microseconds: 94 days, so that a period whose invoice is voided is
/// billed again as long as its events are there.
pub const CARRIED_KEPT_MICROS: i64 = 94 * 86_400_000_000;

/// Settings, plans and customers.
#[async_trait]
pub trait CatalogueStore: Send + Sync {
    /// Says who issues the invoices of a namespace, and on what terms. Invoices that are issued do not change.
    async fn put_settings(&self, namespace: &str, settings: &BillingSettings) -> Result<(), BillingError>;
    /// The settings, if there are any.
    async fn settings(&self, namespace: &str) -> Result<Option<BillingSettings>, BillingError>;
    /// Publishes a plan. What is the last version already is not published again.
    async fn publish_plan(&self, namespace: &str, plan: &PlanDocument) -> Result<PlanVersion, BillingError>;
    /// Every version of a plan, in order.
    async fn plan_versions(&self, namespace: &str, code: &str) -> Result<Vec<PlanVersion>, BillingError>;
    /// The last version of every plan, by code.
    async fn plans(&self, namespace: &str) -> Result<Vec<PlanVersion>, BillingError>;
    /// Makes or changes a customer. The currency never changes once there is a subscription or a wallet.
    async fn put_customer(&self, namespace: &str, customer: &Customer) -> Result<(), BillingError>;
    /// A customer.
    async fn customer(&self, namespace: &str, id: &str) -> Result<Option<Customer>, BillingError>;
    /// Customers by id, after one, at most [`MAX_PAGE`].
    async fn customers(&self, namespace: &str, after: &str) -> Result<Vec<Customer>, BillingError>;
}

/// Subscriptions.
#[async_trait]
pub trait SubscriptionStore: Send + Sync {
    /// Subscribes a customer. The same request again gives the same subscription.
    async fn subscribe(
        &self,
        namespace: &str,
        new: &NewSubscription,
    ) -> Result<SubscriptionRecord, BillingError>;
    /// A subscription.
    async fn subscription(
        &self,
        namespace: &str,
        id: &str,
    ) -> Result<Option<SubscriptionRecord>, BillingError>;
    /// Subscriptions by id, after one, at most [`MAX_PAGE`].
    async fn subscriptions(
        &self,
        namespace: &str,
        after: &str,
    ) -> Result<Vec<SubscriptionRecord>, BillingError>;
    /// Changes to the version of a plan in effect at an instant, from that instant on, which must not be billed yet.
    async fn change_plan(
        &self,
        namespace: &str,
        id: &str,
        plan: &str,
        from: Moment,
    ) -> Result<SubscriptionRecord, BillingError>;
    /// Sets the status; cancels with [`SubscriptionStore::cancel`].
    async fn set_status(
        &self,
        namespace: &str,
        id: &str,
        status: SubscriptionStatus,
    ) -> Result<SubscriptionRecord, BillingError>;
    /// Ends a subscription at an instant that is not billed yet.
    async fn cancel(&self, namespace: &str, id: &str, at: Moment)
    -> Result<SubscriptionRecord, BillingError>;
    /// The subscription with its plans, as rating takes it.
    async fn rateable(&self, namespace: &str, id: &str) -> Result<Subscription, BillingError>;
}

/// What finalization needs.
#[derive(Clone, Copy, Debug)]
pub struct Finalize<'f> {
    /// The draft.
    pub invoice: &'f str,
    /// The idempotency key: the same key gives the same invoice again.
    pub key: &'f str,
    /// When it is issued.
    pub at: Moment,
    /// What signs it.
    pub signer: &'f InvoiceKey,
}

/// Which invoices to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvoiceSelection {
    /// Of this subscription only.
    pub subscription: Option<String>,
    /// In this state only.
    pub state: Option<InvoiceState>,
    /// With ids after this one.
    pub after: String,
    /// At most so many, and [`MAX_PAGE`]; that where it is none.
    pub limit: Option<u32>,
}

/// Invoices and credit notes.
#[async_trait]
pub trait InvoiceStore: Send + Sync {
    /// How often the bookings of a subscription changed, and those of periods that start at `from` or later.
    async fn bookings(
        &self,
        namespace: &str,
        subscription: &str,
        from: Moment,
    ) -> Result<(i64, Vec<Booking>), BillingError>;
    /// Net usage billed over the life of a subscription, in minor units.
    async fn usage_billed(&self, namespace: &str, subscription: &str) -> Result<i64, BillingError>;
    /// Periods before the current one whose only invoices are void: they are to be billed again.
    async fn reopened(&self, namespace: &str, subscription: &str) -> Result<Vec<Period>, BillingError>;
    /// The instants whose units that last are kept of a subscription, in order.
    async fn carried_at(&self, namespace: &str, subscription: &str) -> Result<Vec<Moment>, BillingError>;
    /// The units a subscription carried over an instant, if they are kept.
    async fn carried(
        &self,
        namespace: &str,
        subscription: &str,
        at: Moment,
    ) -> Result<Option<Carried>, BillingError>;
    /// Keeps a draft; one of the same kind and period is replaced. Returns it with its id. In the same transaction it keeps
    /// units that last: at most [`MAX_CARRIED`] times, each of [`MAX_CARRIED_BYTES`].
    async fn put_draft(
        &self,
        namespace: &str,
        draft: &Draft,
        carried: &[Carried],
    ) -> Result<Invoice, BillingError>;
    /// Drops a draft of a period, when there is nothing to bill any more. `true` when there was one.
    async fn drop_draft(
        &self,
        namespace: &str,
        subscription: &str,
        kind: InvoiceKind,
        period: &Period,
    ) -> Result<bool, BillingError>;
    /// Closes the current period without an invoice: there was nothing to bill in it. Keeps units as
    /// [`InvoiceStore::put_draft`] does.
    async fn close_period(
        &self,
        namespace: &str,
        subscription: &str,
        period: &Period,
        carried: &[Carried],
    ) -> Result<(), BillingError>;
    /// An invoice.
    async fn invoice(&self, namespace: &str, id: &str) -> Result<Option<Invoice>, BillingError>;
    /// The id of the invoice of a number.
    async fn invoice_numbered(&self, namespace: &str, number: &str) -> Result<Option<String>, BillingError>;
    /// Invoices by id, at most [`MAX_PAGE`].
    async fn invoices(
        &self,
        namespace: &str,
        selection: &InvoiceSelection,
    ) -> Result<Vec<Invoice>, BillingError>;
    /// Issues a draft: late credits become credit notes, credit notes and wallets pay, it gets the next number, is signed
    /// and never changes again.
    async fn finalize(&self, namespace: &str, finalize: &Finalize<'_>)
    -> Result<SignedInvoice, BillingError>;
    /// Records the payment of what is due. The same key records it once.
    async fn pay(
        &self,
        namespace: &str,
        invoice: &str,
        minor: i64,
        at: Moment,
        key: &str,
    ) -> Result<Invoice, BillingError>;
    /// Takes a finalized invoice back: what it booked, spent and credited is as before. The same key does it once.
    async fn void(
        &self,
        namespace: &str,
        invoice: &str,
        reason: &str,
        at: Moment,
        key: &str,
    ) -> Result<Invoice, BillingError>;
    /// Marks subscriptions with unpaid invoices due before an instant as past due; returns how many changed.
    async fn mark_overdue(&self, namespace: &str, at: Moment) -> Result<u64, BillingError>;
    /// Issues a credit note for lines of an invoice. The same key issues it once.
    async fn credit(
        &self,
        namespace: &str,
        new: &NewCreditNote,
        signer: &InvoiceKey,
    ) -> Result<KeptCreditNote, BillingError>;
    /// The credit notes of a customer, oldest first, at most [`MAX_PAGE`].
    async fn credit_notes(
        &self,
        namespace: &str,
        customer: &str,
    ) -> Result<Vec<KeptCreditNote>, BillingError>;
}

/// Wallets.
#[async_trait]
pub trait WalletStore: Send + Sync {
    /// Makes a wallet. The same wallet again changes nothing.
    async fn open_wallet(&self, namespace: &str, wallet: &NewWallet) -> Result<(), BillingError>;
    /// Puts credit in. `true` when it came in now, `false` when the same had come in before.
    async fn add_credit(&self, namespace: &str, credit: &NewCredit) -> Result<bool, BillingError>;
    /// Books what was not spent in time as expired and returns the entries, at most [`crate::MAX_LEDGER_PAGE`]: call it
    /// until there are none. Credit that has expired is not spent, booked or not.
    async fn expire_credits(&self, namespace: &str, at: Moment) -> Result<Vec<LedgerEntry>, BillingError>;
    /// The wallets of a customer with what is left in them.
    async fn wallets(&self, namespace: &str, customer: &str) -> Result<Vec<KeptWallet>, BillingError>;
    /// The ledger of a wallet, after an entry, at most [`crate::MAX_LEDGER_PAGE`].
    async fn ledger(
        &self,
        namespace: &str,
        wallet: &str,
        after: i64,
    ) -> Result<Vec<LedgerEntry>, BillingError>;
}

/// Triggers.
#[async_trait]
pub trait TriggerStore: Send + Sync {
    /// Raises a trigger of a window. `true` the first time for its kind, key and window; after that it is not changed.
    async fn raise(
        &self,
        namespace: &str,
        trigger: &Trigger,
        window: Moment,
        at: Moment,
    ) -> Result<bool, BillingError>;
    /// Triggers, oldest first, those nobody took note of or all, at most [`crate::MAX_TRIGGER_PAGE`].
    async fn triggers(&self, namespace: &str, only_open: bool) -> Result<Vec<RaisedTrigger>, BillingError>;
    /// Takes note. `false` when there is none, or somebody had before.
    async fn acknowledge(
        &self,
        namespace: &str,
        trigger: (&str, &str, Moment),
        by: &str,
        at: Moment,
    ) -> Result<bool, BillingError>;
}

/// What the work in the background needs.
#[async_trait]
pub trait UpkeepStore: Send + Sync {
    /// Namespaces in which anything was ever kept, by name, after one, at most [`MAX_PAGE`].
    async fn namespaces(&self, after: &str) -> Result<Vec<String>, BillingError>;
    /// How far somebody has read; 0 who never said.
    async fn cursor(&self, namespace: &str, name: &str) -> Result<i64, BillingError>;
    /// Notes how far somebody has read. It never goes back.
    async fn move_cursor(&self, namespace: &str, name: &str, position: i64) -> Result<(), BillingError>;
    /// Lets go of the database; whoever asks later is told that it is away.
    async fn close(&self);
}

/// All of it.
pub trait BillingStore:
    CatalogueStore
    + SubscriptionStore
    + InvoiceStore
    + WalletStore
    + TriggerStore
    + crate::stripe::OutboxStore
    + UpkeepStore
{
}

impl<S> BillingStore for S where
    S: CatalogueStore
        + SubscriptionStore
        + InvoiceStore
        + WalletStore
        + TriggerStore
        + crate::stripe::OutboxStore
        + UpkeepStore
{
}
