//! A running sum that neither rounds nor overflows.

use num_bigint::BigInt;

use super::{Exact, MAX_FRACTION_DIGITS, Quantity};

/// A sum of quantities, or of quantities times whole numbers. Sums in 128 bits, and spills into a number of any size
/// when they are full, so the order of additions cannot matter.
#[derive(Clone, Debug, Default)]
pub struct Total {
    atto: i128,
    spilled: BigInt,
}

impl Total {
    /// The sum that comes to `sum`; nothing for more decimals than quantities have.
    pub(crate) fn of(sum: &Exact) -> Option<Self> {
        Some(Self { atto: 0, spilled: sum.times_ten_to(MAX_FRACTION_DIGITS as i32).to_whole()? })
    }

    /// What it comes to, in the smallest part of a quantity.
    pub(crate) fn atto(&self) -> BigInt {
        &self.spilled + self.atto
    }

    /// Adds one quantity.
    pub fn add(&mut self, quantity: Quantity) {
        self.add_atto(quantity.atto());
    }

    /// Adds a quantity `times` over.
    pub fn add_times(&mut self, quantity: Quantity, times: i64) {
        match quantity.atto().checked_mul(i128::from(times)) {
            Some(product) => self.add_atto(product),
            None => self.spilled += BigInt::from(quantity.atto()) * times,
        }
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        self.add_atto(other.atto);
        self.spilled += &other.spilled;
    }

    /// This sum `times` over.
    #[must_use]
    pub fn times(&self, times: i64) -> Self {
        Self { atto: 0, spilled: (&self.spilled + self.atto) * times }
    }

    /// What it comes to.
    #[must_use]
    pub fn exact(&self) -> Exact {
        Exact::from(&self.spilled + self.atto).times_ten_to(-(MAX_FRACTION_DIGITS as i32))
    }

    fn add_atto(&mut self, atto: i128) {
        match self.atto.checked_add(atto) {
            Some(sum) => self.atto = sum,
            None => self.spilled += atto,
        }
    }
}

impl PartialEq for Total {
    fn eq(&self, other: &Self) -> bool {
        &self.spilled + self.atto == &other.spilled + other.atto
    }
}

impl Eq for Total {}
