//! A quantity as an event or a price list writes it: a decimal, kept exactly.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Digits a quantity may have after the point; more are refused, never cut.
pub const MAX_FRACTION_DIGITS: u32 = 18;
/// Digits a quantity may have before the point.
pub const MAX_INTEGER_DIGITS: u32 = 18;
/// Bytes a quantity may be written with.
pub const MAX_NUMBER_BYTES: usize = 64;

/// Largest exponent, of either sign, that can still name a quantity within the digits allowed.
const MAX_EXPONENT: i32 = 64;
const ONE: i128 = 10_i128.pow(MAX_FRACTION_DIGITS);
const BOUND: i128 = 10_i128.pow(MAX_INTEGER_DIGITS + MAX_FRACTION_DIGITS);

/// A decimal with up to 18 digits on each side of the point, in units of 10^-18. Sixteen bytes, ordered, exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(i128);

/// Why a text is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Nothing was written.
    #[error("a number is empty: write digits, such as 12 or 0.5")]
    Empty,
    /// NaN or an infinity.
    #[error("`{0}` is not a finite number: send what was used, in digits")]
    NotFinite(String),
    /// A sign, digit or point where none may stand.
    #[error(
        "`{text}` is not a number, at byte {at}: write digits with an optional point and exponent, such as 12.5"
    )]
    Malformed {
        /// What was written.
        text: String,
        /// Where it stops being a number, in bytes from its start.
        at: usize,
    },
    /// Longer than [`MAX_NUMBER_BYTES`].
    #[error("a number of {0} bytes is too long: at most {MAX_NUMBER_BYTES}")]
    TooLong(usize),
    /// An exponent beyond what any quantity needs.
    #[error("the exponent of `{0}` is out of range: at most {MAX_EXPONENT} either way")]
    ExponentOutOfRange(String),
    /// Too many digits before the point.
    #[error("`{0}` is too large: at most {MAX_INTEGER_DIGITS} digits before the point")]
    TooLarge(String),
    /// Too many digits after the point.
    #[error(
        "`{0}` has too many decimals: at most {MAX_FRACTION_DIGITS} after the point; round it before sending"
    )]
    TooManyDecimals(String),
}

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One unit.
    pub const ONE: Self = Self(ONE);

    /// A whole number of units. Every `i64` up to 18 digits fits; `None` beyond.
    #[must_use]
    pub const fn whole(units: i64) -> Option<Self> {
        Self::from_atto(units as i128 * ONE)
    }

    /// From units of 10^-18; `None` beyond 18 digits before the point.
    #[must_use]
    pub const fn from_atto(atto: i128) -> Option<Self> {
        if atto < BOUND && atto > -BOUND { Some(Self(atto)) } else { None }
    }

    /// In units of 10^-18.
    #[must_use]
    pub const fn atto(self) -> i128 {
        self.0
    }

    /// Whether it is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Whether it is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl From<u32> for Quantity {
    fn from(units: u32) -> Self {
        Self(i128::from(units) * ONE)
    }
}

impl From<i32> for Quantity {
    fn from(units: i32) -> Self {
        Self(i128::from(units) * ONE)
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    /// Reads `-12`, `12.50`, `5.46875e-07`. Zeros that change nothing do not count as digits.
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        if text.is_empty() {
            return Err(QuantityError::Empty);
        }
        if text.len() > MAX_NUMBER_BYTES {
            return Err(QuantityError::TooLong(text.len()));
        }
        let bytes = text.as_bytes();
        let malformed = |at: usize| QuantityError::Malformed { text: text.to_owned(), at };
        let (negative, start) = match bytes[0] {
            b'-' => (true, 1),
            b'+' => (false, 1),
            _ => (false, 0),
        };
        let word = text.get(start..).unwrap_or_default().to_ascii_lowercase();
        if matches!(word.as_str(), "nan" | "inf" | "infinity") {
            return Err(QuantityError::NotFinite(text.to_owned()));
        }
        let run = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let mut at = start;
        let whole = run(at);
        if whole == 0 {
            return Err(malformed(at));
        }
        let whole_digits = &bytes[at..at + whole];
        at += whole;
        let mut fraction_digits: &[u8] = &[];
        if bytes.get(at) == Some(&b'.') {
            at += 1;
            let fraction = run(at);
            if fraction == 0 {
                return Err(malformed(at));
            }
            fraction_digits = &bytes[at..at + fraction];
            at += fraction;
        }
        let mut exponent = 0_i32;
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            at += 1;
            let below = bytes.get(at) == Some(&b'-');
            if matches!(bytes.get(at), Some(b'-' | b'+')) {
                at += 1;
            }
            let digits = run(at);
            if digits == 0 {
                return Err(malformed(at));
            }
            for digit in &bytes[at..at + digits] {
                exponent = exponent * 10 + i32::from(digit - b'0');
                if exponent > MAX_EXPONENT {
                    return Err(QuantityError::ExponentOutOfRange(text.to_owned()));
                }
            }
            at += digits;
            if below {
                exponent = -exponent;
            }
        }
        if at != bytes.len() {
            return Err(malformed(at));
        }
        scaled(whole_digits, fraction_digits, exponent, text)
            .map(|atto| Self(if negative { -atto } else { atto }))
    }
}

/// The digits, without zeros that change nothing, times ten to the exponent, in units of 10^-18.
fn scaled(whole: &[u8], fraction: &[u8], exponent: i32, text: &str) -> Result<i128, QuantityError> {
    let digits: Vec<u8> = whole.iter().chain(fraction).map(|digit| digit - b'0').collect();
    // Both counts are bounded by `MAX_NUMBER_BYTES`.
    let mut scale = fraction.len() as i32 - exponent;
    let Some(first) = digits.iter().position(|digit| *digit != 0) else {
        return Ok(0);
    };
    let last = digits.iter().rposition(|digit| *digit != 0).unwrap_or(first);
    scale -= (digits.len() - 1 - last) as i32;
    let significant = &digits[first..=last];
    let before_point = significant.len() as i32 - scale;
    if before_point > MAX_INTEGER_DIGITS as i32 {
        return Err(QuantityError::TooLarge(text.to_owned()));
    }
    if scale > MAX_FRACTION_DIGITS as i32 {
        return Err(QuantityError::TooManyDecimals(text.to_owned()));
    }
    let mantissa = significant.iter().fold(0_i128, |sum, digit| sum * 10 + i128::from(*digit));
    // Within bounds by the two checks above: at most 36 digits stand before the 10^-18.
    Ok(mantissa * 10_i128.pow((MAX_FRACTION_DIGITS as i32 - scale) as u32))
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, fraction) = (self.0.abs() / ONE, self.0.abs() % ONE);
        if fraction == 0 {
            return write!(f, "{sign}{whole}");
        }
        let fraction = format!("{fraction:018}");
        write!(f, "{sign}{whole}.{}", fraction.trim_end_matches('0'))
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl serde::de::Visitor<'_> for Reader {
    type Value = Quantity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a number in quotes, such as \"0.25\", or a whole number (a bare decimal would lose digits)",
        )
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Quantity, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: serde::de::Error>(self, units: i64) -> Result<Quantity, E> {
        Quantity::whole(units).ok_or_else(|| E::custom(QuantityError::TooLarge(units.to_string())))
    }

    fn visit_u64<E: serde::de::Error>(self, units: u64) -> Result<Quantity, E> {
        i64::try_from(units)
            .ok()
            .and_then(Quantity::whole)
            .ok_or_else(|| E::custom(QuantityError::TooLarge(units.to_string())))
    }
}
