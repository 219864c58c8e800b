//! An exact fraction: what proration and tiers give, before the one rounding.

use std::fmt;
use std::ops::{Add, Mul, Neg, Sub};
use std::str::FromStr;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, ToPrimitive, Zero};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{MAX_FRACTION_DIGITS, Quantity};

/// Decimals [`Exact`] is shown with before it is shown as a fraction instead.
pub const MAX_SHOWN_PLACES: u32 = 40;

/// A fraction of whole numbers of any size. Nothing is rounded until it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Exact(BigRational);

impl Exact {
    /// Nothing.
    #[must_use]
    pub fn zero() -> Self {
        Self(BigRational::zero())
    }

    /// `numerator / denominator`; `None` for a denominator of zero.
    #[must_use]
    pub fn ratio(numerator: i128, denominator: i128) -> Option<Self> {
        Self::big_ratio(numerator.into(), denominator.into())
    }

    pub(crate) fn big_ratio(numerator: BigInt, denominator: BigInt) -> Option<Self> {
        (!denominator.is_zero()).then(|| Self(BigRational::new(numerator, denominator)))
    }

    /// Divided by `divisor`; `None` when that is zero.
    #[must_use]
    pub fn divided_by(&self, divisor: &Self) -> Option<Self> {
        (!divisor.0.is_zero()).then(|| Self(&self.0 / &divisor.0))
    }

    /// A hundredth of it, for rates in percent.
    #[must_use]
    pub fn percent(&self) -> Self {
        Self(&self.0 / BigInt::from(100))
    }

    /// Times ten to `power`.
    #[must_use]
    pub fn times_ten_to(&self, power: i32) -> Self {
        let scale = BigRational::from(BigInt::from(10).pow(power.unsigned_abs()));
        Self(if power < 0 { &self.0 / scale } else { &self.0 * scale })
    }

    /// Whether it is nothing.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.0.is_zero()
    }

    /// Whether it is below zero.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.0.is_negative()
    }

    /// Itself, or zero where it is below.
    #[must_use]
    pub fn or_zero(self) -> Self {
        if self.is_negative() { Self::zero() } else { self }
    }

    /// The largest whole number not above it.
    #[must_use]
    pub fn floor(&self) -> Self {
        Self(self.0.floor())
    }

    /// The smallest whole number not below it.
    #[must_use]
    pub fn ceil(&self) -> Self {
        Self(self.0.ceil())
    }

    /// The nearest whole number; a half goes away from zero (half-up).
    #[must_use]
    pub fn round(&self) -> Self {
        Self(self.0.round())
    }

    /// As an `i64`, when it is a whole number that fits.
    #[must_use]
    pub fn to_i64(&self) -> Option<i64> {
        if self.0.is_integer() { self.0.to_integer().to_i64() } else { None }
    }

    /// When it is a whole number.
    pub(crate) fn to_whole(&self) -> Option<BigInt> {
        self.0.is_integer().then(|| self.0.to_integer())
    }

    /// As a quantity of 18 decimals, half-up; `None` beyond 18 digits before the point.
    #[must_use]
    pub fn to_quantity(&self) -> Option<Quantity> {
        self.times_ten_to(MAX_FRACTION_DIGITS as i32)
            .round()
            .0
            .to_integer()
            .to_i128()
            .and_then(Quantity::from_atto)
    }

    /// Its digits with `places` decimals, half-up.
    #[must_use]
    pub fn to_decimal(&self, places: u32) -> String {
        let places = places.min(MAX_SHOWN_PLACES);
        let scaled = self.times_ten_to(places as i32).round().0.to_integer();
        let sign = if scaled.is_negative() { "-" } else { "" };
        let width = places as usize + 1;
        let digits = format!("{:0>width$}", scaled.abs().to_string());
        let (whole, fraction) = digits.split_at(digits.len() - places as usize);
        if places == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }
}

impl From<Quantity> for Exact {
    fn from(quantity: Quantity) -> Self {
        Self(BigRational::new(quantity.atto().into(), 10_i128.pow(MAX_FRACTION_DIGITS).into()))
    }
}

macro_rules! from_whole {
    ($($whole:ty),*) => {$(
        impl From<$whole> for Exact {
            fn from(whole: $whole) -> Self {
                Self(BigRational::from(BigInt::from(whole)))
            }
        }
    )*};
}
from_whole!(i32, i64, i128, u32, u64);

impl From<BigInt> for Exact {
    fn from(whole: BigInt) -> Self {
        Self(BigRational::from(whole))
    }
}

macro_rules! operator {
    ($($name:ident $method:ident $sign:tt),*) => {$(
        impl $name for Exact {
            type Output = Exact;
            fn $method(self, other: Exact) -> Exact {
                Exact(self.0 $sign other.0)
            }
        }
        impl $name<&Exact> for &Exact {
            type Output = Exact;
            fn $method(self, other: &Exact) -> Exact {
                Exact(&self.0 $sign &other.0)
            }
        }
        impl $name<&Exact> for Exact {
            type Output = Exact;
            fn $method(self, other: &Exact) -> Exact {
                Exact(self.0 $sign &other.0)
            }
        }
    )*};
}
operator!(Add add +, Sub sub -, Mul mul *);

impl Neg for Exact {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl std::iter::Sum for Exact {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::zero(), |sum, next| sum + next)
    }
}

impl<'e> std::iter::Sum<&'e Self> for Exact {
    fn sum<I: Iterator<Item = &'e Self>>(iter: I) -> Self {
        iter.fold(Self::zero(), |sum, next| sum + next)
    }
}

/// As a decimal when it has one of up to [`MAX_SHOWN_PLACES`] places, else as `numerator/denominator`.
impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_integer() {
            return write!(f, "{}", self.0.numer());
        }
        // The last place is that of the largest power of two or five in the denominator; anything else repeats.
        let mut rest = self.0.denom().clone();
        let mut places = 0;
        for prime in [2_u32, 5] {
            let mut count = 0;
            while (&rest % prime).is_zero() && count <= MAX_SHOWN_PLACES {
                rest /= prime;
                count += 1;
            }
            places = places.max(count);
        }
        if rest == BigInt::from(1) && places <= MAX_SHOWN_PLACES {
            f.write_str(&self.to_decimal(places))
        } else {
            write!(f, "{}/{}", self.0.numer(), self.0.denom())
        }
    }
}

/// Bytes of a written fraction that are read back.
const MAX_WRITTEN_BYTES: usize = 4096;

/// A text that is no exact number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no exact number: write a decimal, or numerator/denominator")]
pub struct ExactError(String);

impl FromStr for Exact {
    type Err = ExactError;

    /// Reads back what it is shown as.
    fn from_str(text: &str) -> Result<Self, ExactError> {
        let refused = || ExactError(text.chars().take(80).collect());
        if text.len() > MAX_WRITTEN_BYTES {
            return Err(refused());
        }
        let plain = |part: &str| {
            let digits = part.strip_prefix('-').unwrap_or(part);
            (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
                .then(|| part.parse::<BigInt>().ok())
                .flatten()
        };
        if let Some((numerator, denominator)) = text.split_once('/') {
            let (Some(numerator), Some(denominator)) = (plain(numerator), plain(denominator)) else {
                return Err(refused());
            };
            return Self::big_ratio(numerator, denominator).ok_or_else(refused);
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        if fraction.len() > MAX_SHOWN_PLACES as usize
            || (text.contains('.') && fraction.is_empty())
            || whole.is_empty()
        {
            return Err(refused());
        }
        let digits = plain(&format!("{whole}{fraction}")).ok_or_else(refused)?;
        Ok(Self::from(digits).times_ten_to(-(fraction.len() as i32)))
    }
}

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
