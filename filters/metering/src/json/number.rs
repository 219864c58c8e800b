//! Numbers: the grammar, and the whole number a count must be.

/// A number as it was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Number {
    /// The digits before the point; saturates.
    pub(crate) whole: u64,
    /// It began with a minus.
    pub(crate) negative: bool,
    /// A digit other than zero stands behind the point.
    pub(crate) fraction: bool,
    /// It has an exponent.
    pub(crate) exponent: bool,
}

/// Where in a number the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberState {
    Start,
    Minus,
    Zero,
    Whole,
    Point,
    Fraction,
    E,
    Sign,
    Exponent,
    Wrong,
}

impl NumberState {
    /// Reads as long as the bytes belong to the number; returns how many do.
    pub(super) fn read(&mut self, bytes: &[u8], number: &mut Number) -> usize {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let next = match (*self, byte) {
                (NumberState::Start | NumberState::Minus | NumberState::Whole, b'1'..=b'9')
                | (NumberState::Whole, b'0') => {
                    let digits = digits(bytes.get(at..).unwrap_or_default());
                    for digit in digits {
                        number.whole =
                            number.whole.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
                    }
                    at += digits.len();
                    *self = NumberState::Whole;
                    continue;
                }
                (NumberState::Point | NumberState::Fraction, b'0'..=b'9') => {
                    let digits = digits(bytes.get(at..).unwrap_or_default());
                    number.fraction |= digits.iter().any(|&digit| digit != b'0');
                    at += digits.len();
                    *self = NumberState::Fraction;
                    continue;
                }
                (NumberState::Start, b'-') => {
                    number.negative = true;
                    NumberState::Minus
                }
                (NumberState::Start | NumberState::Minus, b'0') => NumberState::Zero,
                (NumberState::Zero | NumberState::Whole, b'.') => NumberState::Point,
                (NumberState::Zero | NumberState::Whole | NumberState::Fraction, b'e' | b'E') => {
                    number.exponent = true;
                    NumberState::E
                }
                (NumberState::E, b'+' | b'-') => NumberState::Sign,
                (NumberState::E | NumberState::Sign | NumberState::Exponent, b'0'..=b'9') => {
                    NumberState::Exponent
                }
                // A digit behind a leading zero is not what ends a number.
                (NumberState::Zero, b'0'..=b'9') => {
                    *self = NumberState::Wrong;
                    return at;
                }
                _ => return at,
            };
            *self = next;
            at += 1;
        }
        at
    }

    /// The number is whole as it stands.
    pub(super) fn may_end(self) -> bool {
        matches!(self, NumberState::Zero | NumberState::Whole | NumberState::Fraction | NumberState::Exponent)
    }
}

/// The digits `bytes` begin with.
#[inline]
fn digits(bytes: &[u8]) -> &[u8] {
    let len = bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len());
    bytes.get(..len).unwrap_or_default()
}

/// A whole number of at most 18 digits and what must follow it: its value and length. None for any other, which takes
/// the way through the states. `first` is its first digit.
#[inline]
pub(super) fn plain(first: u8, rest: &[u8]) -> Option<(u64, usize)> {
    let digits = digits(rest);
    if matches!(rest.get(digits.len())?, b'.' | b'e' | b'E') || digits.len() > 17 {
        return None;
    }
    if first == b'0' && !digits.is_empty() {
        return None;
    }
    let start = u64::from(first - b'0');
    let whole = digits.iter().fold(start, |whole, digit| whole * 10 + u64::from(digit - b'0'));
    Some((whole, digits.len() + 1))
}
