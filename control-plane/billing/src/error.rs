//! What can go wrong, in words an operator can act on.

use std::path::PathBuf;

use creto_rating::{BillError, Currency, Moment, SubscriptionError, UsageError};
use creto_sql::SqlError;

use crate::catalogue::PlanProblems;
use crate::invoice::InvoiceState;
use crate::usage_source::SourceError;

/// Why billing refused, or could not.
#[derive(Debug, thiserror::Error)]
pub enum BillingError {
    /// Nothing of that name.
    #[error("there is no {what} `{id}` in namespace `{namespace}`")]
    NotFound {
        /// The namespace.
        namespace: String,
        /// What was looked for.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// Something else has that name.
    #[error("{what} `{id}` exists already with other contents: choose another id")]
    Exists {
        /// What it is.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// A document with problems, all of them.
    #[error("{what} `{id}` is refused: {}", problems.join("; "))]
    Invalid {
        /// What it is.
        what: &'static str,
        /// Its id.
        id: String,
        /// Each problem.
        problems: Vec<String>,
    },
    /// A plan with problems.
    #[error(transparent)]
    Plan(#[from] PlanProblems),
    /// A new version of a plan that bills otherwise.
    #[error(
        "plan `{code}`: version {version} bills {found}, the versions before {wanted}; publish it under another code"
    )]
    PlanChanged {
        /// The plan.
        code: String,
        /// The version that was refused.
        version: u32,
        /// Its currency or interval.
        found: String,
        /// Theirs.
        wanted: String,
    },
    /// A new version of a plan that takes effect before the one it follows.
    #[error(
        "plan `{code}`: a new version takes effect after {after}, not at {found}; earlier versions are never edited"
    )]
    PlanOrder {
        /// The plan.
        code: String,
        /// When the last version takes effect.
        after: Moment,
        /// What was asked for.
        found: Moment,
    },
    /// A plan that is not in effect when it is to start.
    #[error("plan `{code}` has no version in effect at {at}")]
    NotInEffect {
        /// The plan.
        code: String,
        /// The instant.
        at: Moment,
    },
    /// Two currencies where there must be one.
    #[error("{what} is in {found}, {owner} pays in {wanted}: amounts are never converted")]
    Currencies {
        /// What is in another currency.
        what: String,
        /// Who pays.
        owner: String,
        /// The other currency.
        found: Currency,
        /// The one that is paid in.
        wanted: Currency,
    },
    /// A change of state there is none of.
    #[error("invoice `{invoice}` is {from}: it cannot become {to}{}", next_step(*from, *to))]
    Transition {
        /// The invoice.
        invoice: String,
        /// What it is.
        from: InvoiceState,
        /// What was asked for.
        to: InvoiceState,
    },
    /// A change of status there is none of.
    #[error("subscription `{subscription}` is {from}: it cannot become {to}")]
    Status {
        /// The subscription.
        subscription: String,
        /// What it is.
        from: &'static str,
        /// What was asked for.
        to: &'static str,
    },
    /// A plan change, cancellation or status that would rewrite what was billed.
    #[error(
        "subscription `{subscription}`: {at} lies before {since}, and what came before is billed; choose a later time"
    )]
    TooEarly {
        /// The subscription.
        subscription: String,
        /// What was asked for.
        at: Moment,
        /// The earliest there is.
        since: Moment,
    },
    /// A draft that was drawn up before something else was billed.
    #[error(
        "the draft of invoice `{0}` is out of date: other invoices of the subscription changed since; draw it up again"
    )]
    StaleDraft(String),
    /// A period that is not over.
    #[error("invoice `{invoice}` covers a period up to {end}: it cannot be issued at {at}")]
    NotOver {
        /// The invoice.
        invoice: String,
        /// When its period ends.
        end: Moment,
        /// When it was to be issued.
        at: Moment,
    },
    /// One idempotency key for two requests.
    #[error("idempotency key `{0}` was used for another request: use a new key for a new request")]
    KeyReused(String),
    /// A credit note above what is left.
    #[error(
        "invoice `{invoice}`, line {line}: {asked} minor units are more than the {left} that are left to credit"
    )]
    OverCredited {
        /// The invoice.
        invoice: String,
        /// The line, from 1.
        line: u32,
        /// What was asked for.
        asked: i64,
        /// What is left.
        left: i64,
    },
    /// A payment of another amount.
    #[error(
        "invoice `{invoice}` asks for {due} minor units, {paid} were paid: payments in part are not taken"
    )]
    WrongAmount {
        /// The invoice.
        invoice: String,
        /// What it asks for.
        due: i64,
        /// What was paid.
        paid: i64,
    },
    /// An invoice that credit notes correct.
    #[error("invoice `{0}` has credit notes and cannot be voided: credit what is left of it")]
    HasCreditNotes(String),
    /// An amount that readers of JSON do not hold exactly, or below zero.
    #[error("an amount of {0} minor units is out of range for an invoice: between 0 and 9007199254740991")]
    Amount(i128),
    /// Too many of something.
    #[error("{what}: {found}; at most {most}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        found: usize,
        /// The bound.
        most: usize,
    },
    /// A namespace that has not said who issues its invoices.
    #[error("namespace `{0}` has no billing settings: say who issues its invoices first")]
    NoSettings(String),
    /// A subscription rating refuses.
    #[error(transparent)]
    Subscription(Box<SubscriptionError>),
    /// Usage rating refuses.
    #[error(transparent)]
    Usage(Box<UsageError>),
    /// A bill rating refuses.
    #[error(transparent)]
    Bill(Box<BillError>),
    /// The source of usage failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A signature that cannot be made or does not hold.
    #[error(transparent)]
    Signature(#[from] crate::signature::SignatureError),
    /// The database is away or refuses.
    #[error("the billing database does not answer: {0}")]
    Away(String),
    /// A database made by a later version.
    #[error(
        "the billing database {place} has schema {found}, this program knows {known}: start the newer program"
    )]
    NewerSchema {
        /// Where it is.
        place: String,
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// A file that cannot be opened.
    #[error("{} cannot be opened: {cause}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// Something in the database that does not read.
    #[error("the billing database holds a {what} that does not read: {cause}; restore it from a copy")]
    Damaged {
        /// What.
        what: &'static str,
        /// Why.
        cause: String,
    },
}

const fn next_step(from: InvoiceState, to: InvoiceState) -> &'static str {
    match (from, to) {
        (InvoiceState::Draft, _) => "; finalize it first",
        (InvoiceState::Paid, InvoiceState::Void) => "; issue a credit note",
        (InvoiceState::Void, _) => "; draw up a new one",
        (_, InvoiceState::Finalized | InvoiceState::Draft) => "; a finalized invoice never changes",
        _ => "",
    }
}

/// What rating says may be long: boxed, so that every result is not as large as the rarest.
macro_rules! boxed {
    ($($from:ident => $variant:ident),+) => {$(
        impl From<$from> for BillingError {
            fn from(error: $from) -> Self {
                Self::$variant(Box::new(error))
            }
        }
    )+};
}
boxed!(SubscriptionError => Subscription, UsageError => Usage, BillError => Bill);

impl From<SqlError> for BillingError {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Open { path, cause } => Self::Open { path, cause },
            SqlError::Away(cause) => Self::Away(cause),
            SqlError::NewerSchema { place, found, known } => Self::NewerSchema { place, found, known },
            SqlError::Damaged(cause) => Self::Damaged { what: "row", cause },
        }
    }
}
