//! Rollups of 64 series that lie side by side, as one value of the database.
//!
//! `version u8`, then for each series that has something: `series within the block u8, slots varint`, and for each
//! slot an accumulator: `kind u8` (0: nothing yet), `events varint`, and what the kind needs. Numbers of 256 bits are
//! `length u8, two's complement, highest byte first`.

use std::collections::BTreeMap;

use crate::accumulator::{Unique, Weighted};
use crate::{Accumulator, Wide};

const VERSION: u8 = 1;
/// Series of one block, as a power of two.
pub(super) const BLOCK_BITS: u32 = 6;

/// What a block holds: by series within it, by slot of the layout.
pub(super) type Block = BTreeMap<u8, Vec<Slot>>;

/// A meter of a series, as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) accumulator: Option<Accumulator>,
    /// Distinct values that are kept beside.
    pub(super) members: u64,
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn wide(out: &mut Vec<u8>, number: Wide) {
    let bytes = number.to_bytes();
    out.push(bytes.len() as u8);
    out.extend_from_slice(&bytes);
}

fn number(out: &mut Vec<u8>, number: i128) {
    let mut sum = Wide::ZERO;
    sum.add(number);
    wide(out, sum);
}

pub(super) fn encode(block: &Block) -> Vec<u8> {
    let mut out = vec![VERSION];
    for (series, slots) in block {
        out.push(*series);
        varint(&mut out, slots.len() as u64);
        for slot in slots {
            let Some(accumulator) = &slot.accumulator else {
                out.push(0);
                continue;
            };
            let kind = match accumulator {
                Accumulator::Count { .. } => 1,
                Accumulator::Sum { .. } => 2,
                Accumulator::Max { .. } => 3,
                Accumulator::Latest { .. } => 4,
                Accumulator::Weighted(_) => 5,
                Accumulator::Unique(_) => 6,
            };
            out.push(kind);
            varint(&mut out, accumulator.events());
            match accumulator {
                Accumulator::Count { .. } => {}
                Accumulator::Sum { sum, .. } => wide(&mut out, *sum),
                Accumulator::Max { largest, .. } => number(&mut out, *largest),
                Accumulator::Latest { at_us, logical, order, value, .. } => {
                    varint(&mut out, at_us.cast_unsigned());
                    varint(&mut out, u64::from(*logical));
                    varint(&mut out, *order);
                    number(&mut out, *value);
                }
                Accumulator::Weighted(weighted) => {
                    wide(&mut out, weighted.sum);
                    wide(&mut out, weighted.moment);
                }
                Accumulator::Unique(unique) => {
                    out.push(u8::from(unique.full));
                    varint(&mut out, slot.members);
                }
            }
        }
    }
    out
}

struct Input<'b>(&'b [u8]);

impl Input<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn wide(&mut self) -> Option<Wide> {
        let length = self.byte()? as usize;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Wide::from_bytes(bytes)
    }

    fn number(&mut self) -> Option<i128> {
        self.wide()?.small()
    }

    fn slot(&mut self) -> Option<Slot> {
        let kind = self.byte()?;
        if kind == 0 {
            return Some(Slot::default());
        }
        let events = self.varint()?;
        let mut members = 0;
        let accumulator = match kind {
            1 => Accumulator::Count { events },
            2 => Accumulator::Sum { events, sum: self.wide()? },
            3 => Accumulator::Max { events, largest: self.number()? },
            4 => Accumulator::Latest {
                events,
                at_us: self.varint()?.cast_signed(),
                logical: u32::try_from(self.varint()?).ok()?,
                order: self.varint()?,
                value: self.number()?,
            },
            5 => {
                let (sum, moment) = (self.wide()?, self.wide()?);
                Accumulator::Weighted(Box::new(Weighted { events, sum, moment }))
            }
            6 => {
                let full = self.byte()? != 0;
                members = self.varint()?;
                Accumulator::Unique(Box::new(Unique { events, full, ..Unique::default() }))
            }
            _ => return None,
        };
        Some(Slot { accumulator: Some(accumulator), members })
    }
}

/// What was encoded; none for anything else. Distinct values are not in it.
pub(super) fn decode(body: &[u8]) -> Option<Block> {
    let (version, body) = body.split_first()?;
    if *version != VERSION {
        return None;
    }
    let mut input = Input(body);
    let mut block = Block::new();
    while !input.0.is_empty() {
        let series = input.byte()?;
        let count = input.varint()?;
        let mut slots = Vec::with_capacity(count.min(1_024) as usize);
        for _ in 0..count {
            slots.push(input.slot()?);
        }
        block.insert(series, slots);
    }
    Some(block)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Aggregation;
    use crate::accumulator::{Measure, Place};

    fn slot() -> impl Strategy<Value = Slot> {
        let event = (-(10_i128.pow(36)) + 1..10_i128.pow(36), 0..1_i64 << 57, any::<u32>(), any::<u64>());
        let kind = proptest::sample::select(Aggregation::ALL.to_vec());
        (proptest::option::of(kind), proptest::collection::vec(event, 0..5), 0..1_000_u64).prop_map(
            |(kind, events, members)| {
                let Some(kind) = kind else { return Slot::default() };
                let mut accumulator = Accumulator::new(kind);
                for (number, at_us, logical, order) in events {
                    let place = Place { at_us, logical, order };
                    accumulator.add(Measure::Number(number), place);
                    accumulator.add(Measure::One, place);
                }
                let members = if kind == Aggregation::UniqueCount { members } else { 0 };
                Slot { accumulator: Some(accumulator), members }
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            block in proptest::collection::btree_map(0_u8..64, proptest::collection::vec(slot(), 1..8), 0..20),
        ) {
            prop_assert_eq!(decode(&encode(&block)), Some(block));
        }

        #[test]
        fn anything_else_is_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode(&bytes);
        }
    }
}
