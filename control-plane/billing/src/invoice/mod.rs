//! Invoices: drawn up as drafts that may change, finalized into documents that never do.

mod amounts;
mod document;
mod draft;
mod line;

use std::fmt;

use creto_rating::{Currency, Moment, Period};
use serde::{Deserialize, Serialize};

pub use amounts::{Amounts, TaxAmount};
pub(crate) use document::Issue;
pub use document::{AppliedCredit, InvoiceDocument, Prepaid, TaxSum};
pub use draft::{Booking, Draft, LateCredit, RatedLine};
pub(crate) use draft::{bounded, draw_up, rated_lines};
pub use line::{LineFacts, LineItem};

/// The largest amount of an invoice in minor units: what every reader of JSON holds exactly (2^53 - 1).
pub const MAX_MINOR: i64 = 9_007_199_254_740_991;
/// Lines one invoice may have.
pub const MAX_LINES: usize = 100_000;

/// Where an invoice stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceState {
    /// Drawn up; may be drawn up again.
    Draft,
    /// Numbered, signed and issued; it never changes.
    Finalized,
    /// Paid, or nothing was due.
    Paid,
    /// Taken back; its number stays used.
    Void,
}

impl InvoiceState {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Finalized => "finalized",
            Self::Paid => "paid",
            Self::Void => "void",
        }
    }

    /// Whether it may become `next`: draft to finalized, finalized to paid or void, and nothing else.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!((self, next), (Self::Draft, Self::Finalized) | (Self::Finalized, Self::Paid | Self::Void))
    }
}

impl fmt::Display for InvoiceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why there is an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceKind {
    /// A period ended.
    Period,
    /// Usage passed a threshold within a period, or something is paid in advance.
    Progressive,
}

impl InvoiceKind {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Period => "period",
            Self::Progressive => "progressive",
        }
    }
}

/// An invoice with where it stands. What it says is either the draft or the signed document, never both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// Its id.
    pub id: String,
    /// The subscription.
    pub subscription: String,
    /// Who pays.
    pub customer: String,
    /// Why it was drawn up.
    pub kind: InvoiceKind,
    /// What it covers.
    pub period: Period,
    /// What its amounts are in.
    pub currency: Currency,
    /// What it says, and where it stands.
    pub standing: Standing,
}

/// Where an invoice stands, with all that is known there and only there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not issued.
    Draft(Box<Draft>),
    /// Issued.
    Issued {
        /// What was signed.
        signed: Box<SignedInvoice>,
        /// Finalized, paid or void.
        after: Outcome,
    },
}

/// What became of an issued invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It waits to be paid.
    Open,
    /// It was paid.
    Paid(Moment),
    /// It was taken back.
    Void {
        /// When.
        at: Moment,
        /// Why.
        reason: String,
    },
}

/// A finalized invoice: the document, and the exact bytes that were signed and handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedInvoice {
    /// What it says.
    pub document: InvoiceDocument,
    /// The canonical JSON with key id and signature.
    pub json: String,
}

impl Invoice {
    /// Where it stands, in one word.
    #[must_use]
    pub const fn state(&self) -> InvoiceState {
        match &self.standing {
            Standing::Draft(_) => InvoiceState::Draft,
            Standing::Issued { after: Outcome::Open, .. } => InvoiceState::Finalized,
            Standing::Issued { after: Outcome::Paid(_), .. } => InvoiceState::Paid,
            Standing::Issued { after: Outcome::Void { .. }, .. } => InvoiceState::Void,
        }
    }

    /// The draft, while it is one.
    #[must_use]
    pub fn draft(&self) -> Option<&Draft> {
        match &self.standing {
            Standing::Draft(draft) => Some(draft),
            Standing::Issued { .. } => None,
        }
    }

    /// What was signed, once it is issued.
    #[must_use]
    pub fn signed(&self) -> Option<&SignedInvoice> {
        match &self.standing {
            Standing::Draft(_) => None,
            Standing::Issued { signed, .. } => Some(signed.as_ref()),
        }
    }
}
