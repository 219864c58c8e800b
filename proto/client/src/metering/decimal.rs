//! Numbers of events: decimals, never floats.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Most digits after the point.
pub const MAX_SCALE: u32 = 18;
/// What a number stays below, in its smallest unit: 18 digits before the point and 18 after.
const BOUND: u128 = 10_u128.pow(36);

/// An exact decimal: `digits / 10^scale`, at most 18 digits on each side of the point. Trailing zeros do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decimal {
    digits: i128,
    scale: u32,
}

/// Why a text is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecimalError {
    /// Something else than digits, a minus in front and one point.
    #[error("write a number as digits with an optional point, such as 12 or -0.5")]
    Malformed,
    /// Too many digits.
    #[error("a number has at most 18 digits before the point and 18 after")]
    TooLong,
}

impl Decimal {
    /// `digits / 10^scale`.
    ///
    /// # Errors
    /// [`DecimalError::TooLong`].
    pub fn new(digits: i128, scale: u32) -> Result<Self, DecimalError> {
        if scale > MAX_SCALE {
            return Err(DecimalError::TooLong);
        }
        let whole = digits.unsigned_abs().checked_mul(10_u128.pow(MAX_SCALE - scale));
        if whole.is_none_or(|whole| whole >= BOUND) {
            return Err(DecimalError::TooLong);
        }
        let (mut digits, mut scale) = (digits, scale);
        while scale > 0 && digits % 10 == 0 {
            digits /= 10;
            scale -= 1;
        }
        Ok(Self { digits, scale })
    }

    /// Digits after the point.
    #[must_use]
    pub fn scale(self) -> u32 {
        self.scale
    }

    /// The number times `10^scale`, if that is whole and fits.
    #[must_use]
    pub fn scaled(self, scale: u32) -> Option<i64> {
        let more = scale.checked_sub(self.scale)?;
        let wide = self.digits.checked_mul(10_i128.checked_pow(more)?)?;
        i64::try_from(wide).ok()
    }
}

macro_rules! whole {
    ($($from:ty),+) => {
        $(impl From<$from> for Decimal {
            fn from(whole: $from) -> Self {
                Self { digits: i128::from(whole), scale: 0 }
            }
        })+
    };
}

whole!(i32, u32, u16, u8);

/// Of a whole number.
impl TryFrom<i64> for Decimal {
    type Error = DecimalError;

    fn try_from(whole: i64) -> Result<Self, DecimalError> {
        Self::new(i128::from(whole), 0)
    }
}

/// Of a whole number.
impl TryFrom<u64> for Decimal {
    type Error = DecimalError;

    fn try_from(whole: u64) -> Result<Self, DecimalError> {
        Self::new(i128::from(whole), 0)
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
        let digits_only = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits_only(whole) || !digits_only(fraction) {
            return Err(DecimalError::Malformed);
        }
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        if whole.len() > 18 || fraction.len() > 18 {
            return Err(DecimalError::TooLong);
        }
        let digits = whole
            .bytes()
            .chain(fraction.bytes())
            .fold(0_i128, |sum, byte| sum * 10 + i128::from(byte - b'0'));
        let scale = u32::try_from(fraction.len()).map_err(|_| DecimalError::TooLong)?;
        Self::new(if negative { -digits } else { digits }, scale)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10_u128.pow(self.scale);
        let digits = self.digits.unsigned_abs();
        let sign = if self.digits < 0 { "-" } else { "" };
        write!(f, "{sign}{}", digits / unit)?;
        if self.scale > 0 {
            write!(f, ".{:0width$}", digits % unit, width = self.scale as usize)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_read_and_written_the_same() {
        for text in ["0", "12", "-0.5", "0.000000000000000001", "999999999999999999.999999999999999999"] {
            assert_eq!(text.parse::<Decimal>().unwrap().to_string(), text);
        }
        assert_eq!("007.2500".parse::<Decimal>().unwrap().to_string(), "7.25");
        assert_eq!("-0".parse::<Decimal>().unwrap(), Decimal::from(0));
    }

    #[test]
    fn what_is_no_number_or_too_long_is_refused() {
        for text in ["", "-", ".", "1.", ".5", "+1", "1e3", "NaN", "inf", "1,5", "--1", "٣"] {
            assert_eq!(text.parse::<Decimal>(), Err(DecimalError::Malformed), "{text}");
        }
        for text in ["1000000000000000000", "0.0000000000000000001"] {
            assert_eq!(text.parse::<Decimal>(), Err(DecimalError::TooLong), "{text}");
        }
        assert_eq!(Decimal::try_from(u64::MAX), Err(DecimalError::TooLong));
    }
}
