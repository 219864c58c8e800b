//! Exact decimal numbers with fifteen decimals.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Decimals an [`Amount`] has.
pub const DECIMALS: u32 = 15;
/// Longest text read as an amount, in bytes: a sign, 24 digits, a point, 15 decimals, and some zeros.
pub const MAX_AMOUNT_BYTES: usize = 64;

const ONE: i128 = 10_i128.pow(DECIMALS);

/// An exact number, held as a count of 1e-15. As text and in serde it is a decimal without an exponent: `0.0000025`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i128);

/// Why a text is no [`Amount`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AmountError {
    /// It is not digits with at most one point between them.
    #[error("not a decimal number: write digits with at most one point between them, such as 0.0000025")]
    NotDecimal,
    /// It has decimals that an amount cannot hold.
    #[error("more than {DECIMALS} decimals, which cannot be held exactly")]
    TooPrecise,
    /// It is beyond what an amount holds, about 1.7e23, or longer than [`MAX_AMOUNT_BYTES`].
    #[error("too large to be held exactly")]
    TooLarge,
}

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount(0);

    /// So many 1e-15.
    #[must_use]
    pub const fn from_count(count: i128) -> Self {
        Self(count)
    }

    /// How many 1e-15 it is.
    #[must_use]
    pub const fn count(self) -> i128 {
        self.0
    }

    /// The sum, unless it is too large.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, unless it is too large.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// So many times the amount, unless it is too large.
    #[must_use]
    pub fn checked_mul(self, times: u64) -> Option<Self> {
        self.0.checked_mul(i128::from(times)).map(Self)
    }

    /// The product with another amount above zero, rounded up to the next 1e-15, unless it is too large.
    #[must_use]
    pub fn checked_mul_up(self, times: Self) -> Option<Self> {
        // Whole and rest apart: neither product of a rest is beyond 1e38.
        let rest = times.0.rem_euclid(ONE);
        let of_rest = (self.0.rem_euclid(ONE) * rest + (ONE - 1)).div_euclid(ONE);
        let whole = self.0.checked_mul(times.0.div_euclid(ONE))?;
        let of_whole = self.0.div_euclid(ONE).checked_mul(rest)?;
        whole.checked_add(of_whole)?.checked_add(of_rest).map(Self)
    }

    /// The nearest multiple of 10^-`decimals`, as a count of these; a half goes away from zero. `decimals` above
    /// [`DECIMALS`] count as that.
    #[must_use]
    pub fn half_up(self, decimals: u8) -> i128 {
        let step = 10_i128.pow(DECIMALS - u32::from(decimals).min(DECIMALS));
        let (whole, rest) = (self.0 / step, self.0 % step);
        // Subtracting instead of doubling or adding cannot overflow.
        if rest != 0 && rest.abs() >= step - rest.abs() { whole + rest.signum() } else { whole }
    }

    /// Exactly so many 10^-`decimals`, unless it is too large.
    #[must_use]
    pub fn from_scaled(count: i128, decimals: u8) -> Option<Self> {
        count.checked_mul(10_i128.pow(DECIMALS.checked_sub(u32::from(decimals))?)).map(Self)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, mut rest) = (magnitude / ONE.unsigned_abs(), magnitude % ONE.unsigned_abs());
        if rest == 0 {
            return write!(f, "{sign}{whole}");
        }
        let mut width = DECIMALS as usize;
        while rest.is_multiple_of(10) {
            rest /= 10;
            width -= 1;
        }
        write!(f, "{sign}{whole}.{rest:0width$}")
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        if text.len() > MAX_AMOUNT_BYTES {
            return Err(AmountError::TooLarge);
        }
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, decimals) = match unsigned.split_once('.') {
            Some((_, "")) => return Err(AmountError::NotDecimal),
            Some(parts) => parts,
            None => (unsigned, ""),
        };
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(decimals) {
            return Err(AmountError::NotDecimal);
        }
        let decimals = decimals.trim_end_matches('0');
        let missing = (DECIMALS as usize).checked_sub(decimals.len()).ok_or(AmountError::TooPrecise)?;
        let digits = whole.bytes().chain(decimals.bytes()).chain(std::iter::repeat_n(b'0', missing));
        let mut count: i128 = 0;
        for digit in digits {
            let digit = i128::from(digit - b'0');
            // Towards the sign, so that the smallest number is read too.
            count = count
                .checked_mul(10)
                .and_then(|tens| if negative { tens.checked_sub(digit) } else { tens.checked_add(digit) })
                .ok_or(AmountError::TooLarge)?;
        }
        Ok(Self(count))
    }
}

impl serde::Serialize for Amount {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Amount {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
