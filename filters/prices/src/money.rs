//! Sums of money in one currency.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::amount::{Amount, AmountError};
use crate::currency::{Currency, UnknownCurrency};

/// An exact sum of money: a count of 1e-15 of the currency's unit. Never rounded unless [`Money::rounded`] is called.
///
/// As text it is `0.054399 USD`; in serde `{"amount":"0.054399","currency":"USD"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    amount: Amount,
    currency: Currency,
}

/// What money cannot do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MoneyError {
    /// Two currencies in one operation.
    #[error("{left} and {right} cannot be taken together: convert one first, at a rate you can name")]
    MixedCurrencies {
        /// The currency on the left.
        left: Currency,
        /// The currency on the right.
        right: Currency,
    },
    /// The result is beyond about 1.7e23 units.
    #[error("the sum is too large to be held exactly")]
    TooLarge,
    /// The text is not an amount, a space and a currency.
    #[error("not money: write an amount, a space and a currency, such as `0.054399 USD`")]
    NotMoney,
    /// The amount is wrong.
    #[error(transparent)]
    Amount(#[from] AmountError),
    /// The currency is not known.
    #[error(transparent)]
    Currency(#[from] UnknownCurrency),
}

impl Money {
    /// So much in `currency`.
    #[must_use]
    pub const fn new(amount: Amount, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// Nothing in `currency`.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self { amount: Amount::ZERO, currency }
    }

    /// So many of the currency's minor units (cents, yen, fils).
    ///
    /// # Errors
    /// The sum is too large.
    pub fn from_minor_units(count: i128, currency: Currency) -> Result<Self, MoneyError> {
        let amount = Amount::from_scaled(count, currency.exponent()).ok_or(MoneyError::TooLarge)?;
        Ok(Self { amount, currency })
    }

    /// How much, in the currency's unit.
    #[must_use]
    pub const fn amount(&self) -> Amount {
        self.amount
    }

    /// In which currency.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    fn same(&self, other: &Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            return Ok(());
        }
        Err(MoneyError::MixedCurrencies { left: self.currency, right: other.currency })
    }

    /// The sum.
    ///
    /// # Errors
    /// The currencies differ, or the sum is too large.
    pub fn checked_add(&self, other: &Self) -> Result<Self, MoneyError> {
        self.same(other)?;
        let amount = self.amount.checked_add(other.amount).ok_or(MoneyError::TooLarge)?;
        Ok(Self { amount, ..*self })
    }

    /// The difference.
    ///
    /// # Errors
    /// The currencies differ, or the difference is too large.
    pub fn checked_sub(&self, other: &Self) -> Result<Self, MoneyError> {
        self.same(other)?;
        let amount = self.amount.checked_sub(other.amount).ok_or(MoneyError::TooLarge)?;
        Ok(Self { amount, ..*self })
    }

    /// So many times the sum.
    ///
    /// # Errors
    /// The result is too large.
    pub fn checked_mul(&self, times: u64) -> Result<Self, MoneyError> {
        let amount = self.amount.checked_mul(times).ok_or(MoneyError::TooLarge)?;
        Ok(Self { amount, ..*self })
    }

    /// Which of two sums is larger.
    ///
    /// # Errors
    /// The currencies differ: neither is larger.
    pub fn checked_cmp(&self, other: &Self) -> Result<Ordering, MoneyError> {
        self.same(other)?;
        Ok(self.amount.cmp(&other.amount))
    }

    /// How many minor units it is (cents, yen, fils), half up: a half goes away from zero, so that a credit of half a
    /// cent is as large as a charge of it.
    #[must_use]
    pub fn minor_units(&self) -> i128 {
        self.amount.half_up(self.currency.exponent())
    }

    /// The sum rounded to whole minor units, as [`Money::minor_units`] does.
    ///
    /// # Errors
    /// Rounding up makes it too large.
    pub fn rounded(&self) -> Result<Self, MoneyError> {
        Self::from_minor_units(self.minor_units(), self.currency)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let (amount, currency) = text.split_once(' ').ok_or(MoneyError::NotMoney)?;
        Ok(Self { amount: amount.parse()?, currency: currency.parse()? })
    }
}
