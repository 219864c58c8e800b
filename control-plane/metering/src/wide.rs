//! A sum that neither rounds nor overflows: 256 bits.

use std::cmp::Ordering;

use creto_rating::{Exact, MAX_FRACTION_DIGITS};
use num_bigint::{BigInt, Sign};

/// A whole number of 256 bits, two's complement. Sums of what events carry (in units of 10^-18, below 10^36 each) and of
/// that times microseconds since 1970 stay within it for more events than can ever come in (over 10^20).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wide {
    high: i128,
    low: u128,
}

/// Bytes of one, written out in full.
const BYTES: usize = 32;

impl Wide {
    /// Nothing.
    pub const ZERO: Self = Self { high: 0, low: 0 };

    /// Adds a number.
    pub const fn add(&mut self, number: i128) {
        // Sign extension to 256 bits.
        self.add_wide(Self { high: number >> 127, low: number.cast_unsigned() });
    }

    /// Adds another sum.
    pub const fn add_wide(&mut self, other: Self) {
        let (low, carry) = self.low.overflowing_add(other.low);
        self.low = low;
        self.high = self.high.wrapping_add(other.high).wrapping_add(carry as i128);
    }

    /// Adds a number `times` over.
    pub const fn add_times(&mut self, number: i128, times: i64) {
        // 128 by 64 bits, in halves of 64: magnitudes first, the sign at the end.
        let (a, b) = (number.unsigned_abs(), times.unsigned_abs() as u128);
        let low = (a & u64::MAX as u128) * b;
        let high = (a >> 64) * b;
        let (sum, carry) = low.overflowing_add(high << 64);
        let product = Self { high: ((high >> 64) + carry as u128).cast_signed(), low: sum };
        self.add_wide(if (number < 0) == (times < 0) { product } else { product.negated() });
    }

    const fn negated(self) -> Self {
        let (low, carry) = (!self.low).overflowing_add(1);
        Self { high: (!self.high).wrapping_add(carry as i128), low }
    }

    /// As a number of any size.
    #[must_use]
    pub fn big(self) -> BigInt {
        (BigInt::from(self.high) << 128_u32) + BigInt::from(self.low)
    }

    /// Read as units of 10^-18.
    #[must_use]
    pub fn exact(self) -> Exact {
        Exact::from(self.big()).times_ten_to(-(MAX_FRACTION_DIGITS as i32))
    }

    /// From a number of any size; none beyond 256 bits.
    #[must_use]
    pub fn from_big(number: &BigInt) -> Option<Self> {
        let bytes = number.to_signed_bytes_be();
        Self::from_bytes(&bytes)
    }

    /// The shortest two's complement, the highest byte first; none for zero.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        let mut all = [0; BYTES];
        all[..16].copy_from_slice(&self.high.to_be_bytes());
        all[16..].copy_from_slice(&self.low.to_be_bytes());
        if self == Self::ZERO {
            return Vec::new();
        }
        let fill = if self.high < 0 { 0xff } else { 0 };
        let mut from = all.iter().take_while(|byte| **byte == fill).count();
        // One byte of sign must be left where the first digit would show the other.
        if from == BYTES || (all[from] ^ fill) & 0x80 != 0 {
            from -= 1;
        }
        all[from..].to_vec()
    }

    /// What [`Wide::to_bytes`] wrote; none beyond 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > BYTES {
            return None;
        }
        let fill = if bytes.first().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
        let mut all = [fill; BYTES];
        all[BYTES - bytes.len()..].copy_from_slice(bytes);
        let (mut high, mut low) = ([0; 16], [0; 16]);
        high.copy_from_slice(&all[..16]);
        low.copy_from_slice(&all[16..]);
        Some(Self { high: i128::from_be_bytes(high), low: u128::from_be_bytes(low) })
    }

    /// As 128 bits, when it fits.
    pub(crate) fn small(self) -> Option<i128> {
        let small = self.low.cast_signed();
        (self.high == small >> 127).then_some(small)
    }

    /// Whether it is above, at or below zero.
    #[must_use]
    pub fn sign(self) -> Sign {
        match (self.high.cmp(&0), self.low) {
            (Ordering::Less, _) => Sign::Minus,
            (Ordering::Equal, 0) => Sign::NoSign,
            _ => Sign::Plus,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sums_are_those_of_numbers_of_any_size(
            parts in proptest::collection::vec((any::<i128>(), any::<i64>()), 0..40),
        ) {
            let (mut wide, mut big) = (Wide::ZERO, BigInt::from(0));
            for (number, times) in parts {
                wide.add(number);
                wide.add_times(number, times);
                big += BigInt::from(number);
                big += BigInt::from(number) * BigInt::from(times);
                prop_assert_eq!(wide.big(), big.clone());
                prop_assert_eq!(Wide::from_bytes(&wide.to_bytes()), Some(wide));
                prop_assert_eq!(Wide::from_big(&big), Some(wide));
                prop_assert_eq!(wide.sign(), big.sign());
            }
        }
    }

    #[test]
    fn the_ends_of_every_byte_come_back() {
        for shift in 0..126 {
            for number in [1_i128 << shift, -(1_i128 << shift), (1_i128 << shift) - 1, 1 - (1_i128 << shift)]
            {
                let mut wide = Wide::ZERO;
                wide.add(number);
                assert_eq!(Wide::from_bytes(&wide.to_bytes()), Some(wide), "{number}");
                assert!(wide.to_bytes().len() <= 17);
            }
        }
    }
}
