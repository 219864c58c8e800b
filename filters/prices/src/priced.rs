//! What usage costs, kind by kind.

use std::sync::Arc;

use crate::amount::Amount;
use crate::kind::{KINDS, Kind};
use crate::money::Money;

/// One kind of the usage and what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// The kind.
    pub kind: Kind,
    /// Whose price it is billed at: its own, or that of [`Kind::billed_at`].
    pub billed_as: Kind,
    /// How many.
    pub count: u64,
    /// Price of one, in the currency's unit.
    pub rate: Amount,
    /// `count` times `rate`, exact.
    pub amount: Amount,
}

/// The exact price of a usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priced {
    /// The sum of the lines, exact: round once, where the fee is billed.
    pub amount: Money,
    /// The row whose prices these are; goes with the amount wherever it goes.
    pub price_id: Arc<str>,
    /// More input tokens than this brought the call into the long-context prices used; 0 is the ordinary ones.
    pub context_above: u64,
    /// The usage was estimated, and so is the price.
    pub estimated: bool,
    pub(crate) lines: [Option<Line>; KINDS],
}

impl Priced {
    /// The kinds used, in order.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().flatten()
    }
}
