//! The one word a reservation changes: which lease, and how much of it is left.

use crate::{lease::MAX_LEASE_AMOUNT, slot::MAX_OPEN_LEASES};

/// Bits of a word that hold the amount left.
const AMOUNT_BITS: u32 = 48;
/// Bits of a tag that count grants, so that a slot used again does not look the same at once.
const TURN_BITS: u32 = 7;
const TURNS: u16 = 1 << TURN_BITS;

const _: () = assert!(MAX_LEASE_AMOUNT == (1 << AMOUNT_BITS) - 1);
const _: () = assert!(MAX_OPEN_LEASES <= 256, "9 bits of slot, the upper half for the tags of no lease");

/// Which lease a word or a reservation belongs to: slot (9 bits) and turn (7 bits).
///
/// While a reservation is open its lease keeps its slot, so of two leases with the same tag at most one has open
/// reservations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag(u16);

impl Tag {
    /// No lease.
    pub(crate) const NONE: Self = Self(256 << TURN_BITS);
    /// No lease, and never one again.
    pub(crate) const CLOSED: Self = Self(257 << TURN_BITS);

    pub(crate) fn of_lease(slot: u8, turn: u64) -> Self {
        Self((u16::from(slot) << TURN_BITS) | (turn % u64::from(TURNS)) as u16)
    }

    pub(crate) fn is_lease(self) -> bool {
        self.0 < Self::NONE.0
    }

    pub(crate) fn slot(self) -> usize {
        usize::from(self.0 >> TURN_BITS)
    }

    /// Which of the two places for terms is this lease's; the next lease's is the other one.
    pub(crate) fn side(self) -> usize {
        usize::from(self.0 & 1)
    }

    pub(crate) fn bits(self) -> u64 {
        u64::from(self.0)
    }
}

/// Tag (upper 16 bits) and amount left (lower 48 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(u64);

impl Word {
    /// `left` is at most [`MAX_LEASE_AMOUNT`]: grants are checked, and no more comes back than was taken.
    pub(crate) fn new(tag: Tag, left: u64) -> Self {
        Self((tag.bits() << AMOUNT_BITS) | (left & MAX_LEASE_AMOUNT))
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn tag(self) -> Tag {
        Tag((self.0 >> AMOUNT_BITS) as u16)
    }

    pub(crate) fn left(self) -> u64 {
        self.0 & MAX_LEASE_AMOUNT
    }

    /// The same lease with another amount left.
    pub(crate) fn with_left(self, left: u64) -> Self {
        Self::new(self.tag(), left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_and_amount_do_not_touch_each_other() {
        for slot in [0, 1, 127, 255] {
            for turn in [0, 1, 63, 127, 128, u64::MAX] {
                for left in [0, 1, 1 << 32, MAX_LEASE_AMOUNT] {
                    let tag = Tag::of_lease(slot, turn);
                    let word = Word::from_bits(Word::new(tag, left).bits());
                    assert_eq!((word.tag(), word.left()), (tag, left));
                    assert!(tag.is_lease());
                    assert_eq!((tag.slot(), tag.side()), (usize::from(slot), (turn % 2) as usize));
                }
            }
        }
        assert!(!Tag::NONE.is_lease() && !Tag::CLOSED.is_lease());
    }
}
