//! Usage into an invoice draft.

mod attribute;
mod draft;
mod lines;
mod reduce;
mod tax_lines;

use crate::coupon::Coupon;
use crate::dedupe::{Conflict, without_repeats};
use crate::fee::FeeTooLarge;
use crate::usage::{Usage, UsageError};
use crate::wallet::{Due, SpendError, Spent, Wallet, spend};
use crate::{Currency, Fee, Moment, Period, Quantity, Subscription, UsageEvent};

pub use attribute::{Attribution, Part};
pub use draft::{CreditNote, InvoiceDraft, Line, LineKind, LineTax, Reduction, TaxTotal};

/// What an invoice takes into account besides usage.
#[derive(Clone, Debug)]
pub struct Adjustments {
    /// When it is drawn up: credit that has expired by then is not spent.
    pub at: Moment,
    /// Billed for usage before the period ended, because thresholds were passed, before tax; below zero where some was
    /// given back. Their sum is taken off usage lines first; what usage does not come to is told as
    /// [`InvoiceDraft::overpaid_minor`].
    pub progressively_billed: Vec<Fee>,
    /// Fees of charges paid in advance, before tax; they count towards the commitment of the plan in force at the end.
    pub in_advance: Vec<Fee>,
    /// Taken off before tax, in this order.
    pub coupons: Vec<Coupon>,
    /// Set against the total after tax, in this order.
    pub credit_notes: Vec<CreditNote>,
    /// Spent on what is then due.
    pub wallets: Vec<Wallet>,
}

impl Adjustments {
    /// None.
    #[must_use]
    pub const fn none(at: Moment) -> Self {
        Self {
            at,
            progressively_billed: Vec::new(),
            in_advance: Vec::new(),
            coupons: Vec::new(),
            credit_notes: Vec::new(),
            wallets: Vec::new(),
        }
    }
}

/// Why there is no invoice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BillError {
    /// Amounts in different currencies.
    #[error("{what} is in {found}, the subscription bills in {wanted}: amounts are never converted")]
    Currencies {
        /// What is in another currency.
        what: String,
        /// Its currency.
        found: Currency,
        /// The subscription's.
        wanted: Currency,
    },
    /// An amount too large.
    #[error(transparent)]
    TooLarge(#[from] FeeTooLarge),
    /// Usage that cannot be rated, or is incomplete.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// A wallet in another currency.
    #[error(transparent)]
    Spend(#[from] SpendError),
    /// One event id with two contents.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// A percentage out of range.
    #[error("coupon `{coupon}`: {percent} percent is out of range; between 0 and 100")]
    Percent {
        /// The coupon.
        coupon: String,
        /// What it says.
        percent: Quantity,
    },
}

/// Draws up the invoice of a period: the plan's fee, charges, minimums and commitment; less what was billed before and
/// coupons; tax; less credit notes and wallets. Each amount is rounded once and every sum is of rounded amounts, so the
/// draft adds up; the precise amounts stand beside.
///
/// # Errors
///
/// [`BillError`] for amounts in another currency or out of range, and usage that overflowed a bound.
pub fn bill(usage: &Usage, adjustments: &Adjustments) -> Result<InvoiceDraft, BillError> {
    if let Some(error) = &usage.incomplete {
        return Err(error.clone().into());
    }
    check_currencies(usage.currency, adjustments)?;
    let mut rated = lines::rate(usage, &adjustments.in_advance)?;
    let overpaid = reduce::apply(&mut rated, usage.currency, adjustments)?;
    let taxes = tax_lines::apply(&mut rated, usage)?;
    attribute::settle(&mut rated);
    let mut lines: Vec<Line> = rated.into_iter().map(|rated| rated.line).collect();

    let mut dues: Vec<Due> = lines
        .iter()
        .map(|line| Due {
            meter: line.meter.clone(),
            currency: usage.currency,
            minor: u64::try_from(line.total_minor).unwrap_or_default(),
        })
        .collect();
    let mut credit_notes = adjustments.credit_notes.clone();
    let credited = draft::credit(&mut credit_notes, &mut dues);
    let mut wallets = adjustments.wallets.clone();
    let spent = spend(&mut wallets, &mut dues, adjustments.at)?;
    for (line, due) in lines.iter_mut().zip(&dues) {
        line.due_minor = i64::try_from(due.minor).unwrap_or(line.total_minor);
    }
    draft::total(usage, lines, taxes, Settled { overpaid, credited, credit_notes, spent, wallets })
}

/// What paid for lines.
struct Settled {
    overpaid: i64,
    credited: u64,
    credit_notes: Vec<CreditNote>,
    spent: Vec<Spent>,
    wallets: Vec<Wallet>,
}

/// The same from events: repeats are left out, usage is collected, the invoice is drawn up. Events that no charge counts,
/// or that fall outside the period, change nothing.
///
/// # Errors
///
/// [`BillError`], also for an event that cannot be rated: nothing is billed around it.
pub fn bill_events(
    period: &Period,
    subscription: &Subscription,
    events: impl IntoIterator<Item = UsageEvent>,
    adjustments: &Adjustments,
) -> Result<InvoiceDraft, BillError> {
    let mut usage = Usage::new(std::sync::Arc::new(subscription.clone()), period.clone())?;
    for event in without_repeats(events)? {
        usage.add(&event)?;
    }
    bill(&usage, adjustments)
}

fn check_currencies(wanted: Currency, adjustments: &Adjustments) -> Result<(), BillError> {
    let fees = adjustments
        .progressively_billed
        .iter()
        .map(|fee| ("an amount billed before".to_owned(), fee.currency));
    let advance = adjustments.in_advance.iter().map(|fee| ("a fee paid in advance".to_owned(), fee.currency));
    let coupons = adjustments.coupons.iter().filter_map(|coupon| match coupon.amount {
        crate::CouponAmount::Fixed { currency, .. } => Some((format!("coupon `{}`", coupon.code), currency)),
        crate::CouponAmount::Percent(_) => None,
    });
    let notes =
        adjustments.credit_notes.iter().map(|note| (format!("credit note `{}`", note.id), note.currency));
    let wallets =
        adjustments.wallets.iter().map(|wallet| (format!("wallet `{}`", wallet.id), wallet.currency));
    for (what, found) in fees.chain(advance).chain(coupons).chain(notes).chain(wallets) {
        if found != wanted {
            return Err(BillError::Currencies { what, found, wanted });
        }
    }
    Ok(())
}
