//! Prepaid credit, with a ledger that accounts for every minor unit.

use std::collections::BTreeSet;

use creto_rating::{Currency, Moment, Source, Wallet};
use serde::{Deserialize, Serialize};

/// Credits one wallet may hold that are not spent.
pub const MAX_OPEN_CREDITS: usize = 10_000;
/// Wallets one customer may have.
pub const MAX_WALLETS: usize = 100;
/// Entries one reading of the ledger gives.
pub const MAX_LEDGER_PAGE: u32 = 1_000;

/// A wallet to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewWallet {
    /// Its id, unique in the namespace.
    pub id: String,
    /// Whose it is.
    pub customer: String,
    /// Its currency, which must be the customer's.
    pub currency: Currency,
    /// Lower is spent first.
    pub priority: u8,
    /// The meters it pays for; every line when left out.
    #[serde(default)]
    pub only: Option<BTreeSet<String>>,
    /// When it is made.
    pub created_at: Moment,
}

/// Credit to be: a top-up that was paid for, or a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewCredit {
    /// The wallet.
    pub wallet: String,
    /// Its id, unique in the wallet, and the idempotency key: the same id with the same contents comes in once.
    pub id: String,
    /// Granted or purchased.
    pub source: Source,
    /// Lower is spent first.
    pub priority: u8,
    /// Minor units, above zero.
    pub minor: i64,
    /// When it comes in.
    pub received_at: Moment,
    /// The first instant it can no longer be spent.
    #[serde(default)]
    pub expires_at: Option<Moment>,
}

/// What moved credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Movement {
    /// Paid for.
    TopUp,
    /// Given.
    Grant,
    /// Spent on a line of an invoice.
    Consumed,
    /// Given back because the invoice was voided.
    Returned,
    /// Not spent in time.
    Expired,
}

impl Movement {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TopUp => "top_up",
            Self::Grant => "grant",
            Self::Consumed => "consumed",
            Self::Returned => "returned",
            Self::Expired => "expired",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::TopUp, Self::Grant, Self::Consumed, Self::Returned, Self::Expired]
            .into_iter()
            .find(|movement| movement.name() == name)
    }
}

/// One movement of one credit. Entries are never changed; what is left of a credit is the sum of its entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LedgerEntry {
    /// Its place in the ledger of the namespace, from 1.
    pub sequence: i64,
    /// The wallet.
    pub wallet: String,
    /// The credit.
    pub credit: String,
    /// What moved it.
    pub movement: Movement,
    /// Minor units: above zero what came in, below what went out.
    pub minor: i64,
    /// The invoice, where one is the cause.
    pub invoice: Option<String>,
    /// Its line, from 1.
    pub line: Option<u32>,
    /// When.
    pub at: Moment,
}

/// A wallet as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeptWallet {
    /// Whose it is.
    pub customer: String,
    /// The wallet with its credits that are not spent.
    pub wallet: Wallet,
}
