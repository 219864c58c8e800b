//! Credit notes: what corrects an invoice that was issued.

use creto_rating::{Currency, Moment};
use serde::{Deserialize, Serialize};

/// Lines one credit note may have.
pub const MAX_CREDIT_LINES: usize = 10_000;
/// Characters a reason may have.
pub const MAX_REASON_CHARS: usize = 500;

/// A part of a line that is given back. Minor units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreditLine {
    /// The line of the invoice, from 1.
    pub line: u32,
    /// What is given back, with tax; above zero.
    pub total_minor: i64,
}

/// A credit note to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCreditNote {
    /// The invoice it corrects.
    pub invoice: String,
    /// What is given back. Two entries of one line count together.
    pub lines: Vec<CreditLine>,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Moment,
    /// The idempotency key.
    pub key: String,
}

/// What a credit note says: everything that was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreditNoteDocument {
    /// The schema, 1.
    pub schema: u32,
    /// The namespace.
    pub namespace: String,
    /// Its number, without gaps in its namespace.
    pub number: String,
    /// The id of the invoice it corrects.
    pub invoice: String,
    /// The number of that invoice.
    pub invoice_number: String,
    /// Who gets it back.
    pub customer: String,
    /// What amounts are in.
    pub currency: Currency,
    /// When it was issued.
    pub issued_at: Moment,
    /// Why.
    pub reason: String,
    /// What is given back, line by line.
    pub lines: Vec<CreditedLine>,
    /// All of it, with tax.
    pub total_minor: i64,
    /// The tax in it.
    pub tax_minor: i64,
}

/// A line that is given back, in part or whole. Minor units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreditedLine {
    /// The line of the invoice, from 1.
    pub line: u32,
    /// What that line says.
    pub description: String,
    /// Without tax.
    pub net_minor: i64,
    /// The tax.
    pub tax_minor: i64,
    /// Both.
    pub total_minor: i64,
}

/// A credit note with what is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCreditNote {
    /// What was signed.
    pub document: CreditNoteDocument,
    /// The exact text that was signed and handed out.
    pub json: String,
    /// What later invoices can still be paid with, in minor units.
    pub left_minor: i64,
}
