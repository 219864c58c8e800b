//! A fee: the precise amount, and what it is rounded to, once.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Currency, Exact};

/// An amount of money, precise and as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fee {
    /// The amount before rounding, in the currency's main unit.
    pub precise: Exact,
    /// The amount in minor units (cents), rounded half-up, once.
    pub minor: i64,
    /// The currency of both.
    pub currency: Currency,
}

/// An amount that no invoice can carry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an amount of {currency} {amount} is too large for an invoice: check rates and usage")]
pub struct FeeTooLarge {
    /// The amount, in the main unit, without decimals.
    pub amount: String,
    /// Its currency.
    pub currency: Currency,
}

impl Fee {
    /// Rounds `precise`, in the main unit, half-up to the currency's minor unit.
    ///
    /// # Errors
    ///
    /// [`FeeTooLarge`] when the minor units do not fit 64 bits.
    pub fn rounded(precise: Exact, currency: Currency) -> Result<Self, FeeTooLarge> {
        match minor_units(&precise, currency) {
            Some(minor) => Ok(Self { precise, minor, currency }),
            None => Err(FeeTooLarge { amount: precise.to_decimal(0), currency }),
        }
    }

    /// An amount that is whole minor units already.
    #[must_use]
    pub fn of_minor(minor: i64, currency: Currency) -> Self {
        Self { precise: main_units(minor, currency), minor, currency }
    }
}

/// `amount` in minor units, half-up.
pub(crate) fn minor_units(amount: &Exact, currency: Currency) -> Option<i64> {
    amount.times_ten_to(i32::from(currency.digits())).round().to_i64()
}

/// `minor` units in the main unit.
pub(crate) fn main_units(minor: i64, currency: Currency) -> Exact {
    Exact::from(minor).times_ten_to(-i32::from(currency.digits()))
}

impl fmt::Display for Fee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let main = main_units(self.minor, self.currency);
        write!(f, "{} {}", self.currency, main.to_decimal(u32::from(self.currency.digits())))
    }
}
