//! Numbers of the three types on one line.

use std::cmp::Ordering;

/// A number of any type.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Int(i64),
    Uint(u64),
    Double(f64),
}

impl Number {
    /// Nothing when one of them is not a number (NaN).
    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Double(a), Self::Double(b)) => a.partial_cmp(&b),
            (Self::Double(a), b) => whole_to_double(b.whole()?, a).map(Ordering::reverse),
            (a, Self::Double(b)) => whole_to_double(a.whole()?, b),
            (a, b) => Some(a.whole()?.cmp(&b.whole()?)),
        }
    }

    pub(crate) fn equals(self, other: Self) -> bool {
        self.compare(other) == Some(Ordering::Equal)
    }

    fn whole(self) -> Option<i128> {
        match self {
            Self::Int(value) => Some(value.into()),
            Self::Uint(value) => Some(value.into()),
            Self::Double(_) => None,
        }
    }

    /// As the index of a list: a whole number that is not negative.
    pub(crate) fn index(self) -> Option<usize> {
        match self {
            Self::Int(value) => usize::try_from(value).ok(),
            Self::Uint(value) => usize::try_from(value).ok(),
            Self::Double(value) => {
                let whole = value.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&value);
                whole.then_some(value as usize)
            }
        }
    }
}

/// A whole number of 64 bits against a floating point number: the whole one is rounded to the nearest double, which is
/// what the tests of the specification want beyond 2^53.
fn whole_to_double(whole: i128, double: f64) -> Option<Ordering> {
    (whole as f64).partial_cmp(&double)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_different_types_stand_on_one_line() {
        use Number::{Double, Int, Uint};
        use Ordering::{Equal, Greater, Less};
        for (a, b, expected) in [
            (Int(1), Uint(1), Some(Equal)),
            (Int(-1), Uint(u64::MAX), Some(Less)),
            (Int(1), Double(1.5), Some(Less)),
            (Int(-1), Double(-1.5), Some(Greater)),
            (Int(-2), Double(-1.5), Some(Less)),
            (Int(i64::MAX), Double(9_223_372_036_854_775_808.0), Some(Equal)),
            (Uint(u64::MAX), Double(1e30), Some(Less)),
            (Int(i64::MIN), Double(-1e30), Some(Greater)),
            (Int(i64::MIN), Double(-9_223_372_036_854_775_808.0), Some(Equal)),
            (Double(f64::INFINITY), Uint(u64::MAX), Some(Greater)),
            (Double(f64::NAN), Int(0), None),
            (Double(f64::NAN), Double(f64::NAN), None),
            (Double(-0.0), Int(0), Some(Equal)),
        ] {
            assert_eq!(a.compare(b), expected, "{a:?} {b:?}");
            assert_eq!(b.compare(a), expected.map(Ordering::reverse), "{b:?} {a:?}");
        }
    }
}
