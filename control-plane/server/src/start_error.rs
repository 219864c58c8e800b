//! Why a control plane does not start.

use std::path::PathBuf;

use creto_identity::IdentityError;
use creto_secrets::KeyFileError;
use creto_store::StoreError;
use thiserror::Error;

/// Why a control plane does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A file or folder cannot be read or written.
    #[error("{path}: {source}; check that the data folder belongs to this user and has space")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A control plane runs over the folder already.
    #[error("another control plane runs over {0}: stop it, or use another folder")]
    InUse(PathBuf),
    /// Keys are missing beside a database that needs them.
    #[error(
        "{0} is missing beside an existing database: restore it from a backup, for sidecars trust no other; to start anew, use an empty folder"
    )]
    KeyMissing(PathBuf),
    /// A key file holds something else.
    #[error("{0} is damaged: restore it from a backup")]
    KeyDamaged(PathBuf),
    /// The key of secrets is missing while there are secrets.
    #[error(
        "{0} is missing and the database holds secrets under its key: restore it from a backup; if it is lost, write a new key there (`openssl rand -hex 32`) and put every secret again"
    )]
    SecretsKeyMissing(PathBuf),
    /// The key file of secrets is not one.
    #[error(
        "{path}: {source}; it has a key a line, the newest first: correct it, or restore it from a backup"
    )]
    SecretsKeys {
        /// Which.
        path: PathBuf,
        /// Why.
        source: KeyFileError,
    },
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Identity does not start.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Events of metering cannot be kept.
    #[error("events do not open: {0}")]
    Events(#[from] creto_event_store::StoreError),
    /// The built-in prices cannot be read.
    #[error("the built-in prices of models cannot be read: {0}")]
    Prices(#[from] creto_prices::PriceListError),
    /// Quotas cannot be kept.
    #[error("quotas do not open: {0}")]
    Quotas(#[from] crate::QuotaError),
    /// Bills cannot be kept.
    #[error("billing does not open: {0}")]
    Billing(#[from] creto_billing::BillingError),
    /// Requests for approval cannot be kept.
    #[error("approvals do not open: {0}")]
    Approvals(#[from] creto_approvals::ApprovalError),
    /// The approvals page does not start.
    #[error(transparent)]
    Dashboard(#[from] creto_dashboard::DashboardError),
    /// The people of the approvals page cannot be kept.
    #[error("accounts do not open: {0}")]
    People(#[from] creto_dashboard::people::PeopleError),
    /// The key of invoices cannot be used.
    #[error("invoices cannot be signed: {0}")]
    InvoiceKey(#[from] creto_billing::SignatureError),
    /// The key of invoices is missing beside bills that it signed.
    #[error(
        "{0} is missing beside billing.db: restore it from a backup, for invoices are verified with its public key"
    )]
    InvoiceKeyMissing(PathBuf),
    /// The file with Stripe's key cannot be used.
    #[error("the key of Stripe in {path} cannot be used: {cause}")]
    StripeKey {
        /// Which.
        path: PathBuf,
        /// Why, without the key.
        cause: String,
    },
    /// The address given for Stripe cannot be used.
    #[error("--stripe-url: {0}")]
    StripeUrl(String),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another with --listen")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// TLS does not start.
    #[error("TLS does not start: {0}")]
    Tls(#[from] crate::DoorError),
}
