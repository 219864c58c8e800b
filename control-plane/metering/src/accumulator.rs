//! What a meter has come to so far, in one window of one series.

use std::collections::HashSet;

use creto_rating::{Exact, MAX_FRACTION_DIGITS};
use sha2::{Digest as _, Sha256};

use crate::bounds::MAX_MEMBERS;
use crate::{Aggregation, Wide};

/// A distinct value: itself up to this many bytes, else its SHA-256.
const MEMBER_BYTES: usize = 31;

/// What one event says to one meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure<'e> {
    /// That it happened.
    One,
    /// A number, in units of 10^-18.
    Number(i128),
    /// A distinct value.
    Member(&'e str),
}

/// Where an event stands among the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// When it happened, in microseconds since 1970.
    pub(crate) at_us: i64,
    /// The logical clock within the microsecond.
    pub(crate) logical: u32,
    /// Its number in the order of ingestion.
    pub(crate) order: u64,
}

/// Values that happened, and when: enough for a time-weighted sum over any window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weighted {
    pub(crate) events: u64,
    /// Of the values, in units of 10^-18.
    pub(crate) sum: Wide,
    /// Of the values times when they happened, in units of 10^-18 times microseconds since 1970.
    pub(crate) moment: Wide,
}

/// Distinct values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unique {
    pub(crate) events: u64,
    pub(crate) members: HashSet<Box<[u8]>, foldhash::fast::FixedState>,
    /// There were more than are kept: the number is not known.
    pub(crate) full: bool,
}

/// What a meter has come to. Merging is exact and does not depend on order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accumulator {
    /// How many.
    Count {
        /// Events.
        events: u64,
    },
    /// A sum.
    Sum {
        /// Events.
        events: u64,
        /// In units of 10^-18.
        sum: Wide,
    },
    /// The largest.
    Max {
        /// Events; the largest is of none while it is zero.
        events: u64,
        /// In units of 10^-18.
        largest: i128,
    },
    /// The last.
    Latest {
        /// Events.
        events: u64,
        /// When it happened, in microseconds since 1970.
        at_us: i64,
        /// The logical clock within the microsecond.
        logical: u32,
        /// Its number in the order of ingestion.
        order: u64,
        /// In units of 10^-18.
        value: i128,
    },
    /// A time-weighted sum.
    Weighted(Box<Weighted>),
    /// Distinct values.
    Unique(Box<Unique>),
}

impl Accumulator {
    /// Of nothing yet.
    #[must_use]
    pub fn new(aggregation: Aggregation) -> Self {
        match aggregation {
            Aggregation::Count => Self::Count { events: 0 },
            Aggregation::Sum => Self::Sum { events: 0, sum: Wide::ZERO },
            Aggregation::Max => Self::Max { events: 0, largest: 0 },
            Aggregation::Latest => Self::Latest { events: 0, at_us: 0, logical: 0, order: 0, value: 0 },
            Aggregation::WeightedSum => Self::Weighted(Box::default()),
            Aggregation::UniqueCount => Self::Unique(Box::default()),
        }
    }

    /// Events it is made of.
    #[must_use]
    pub const fn events(&self) -> u64 {
        match self {
            Self::Count { events }
            | Self::Sum { events, .. }
            | Self::Max { events, .. }
            | Self::Latest { events, .. } => *events,
            Self::Weighted(weighted) => weighted.events,
            Self::Unique(unique) => unique.events,
        }
    }

    /// Distinct values it holds.
    pub(crate) fn members(&self) -> usize {
        match self {
            Self::Unique(unique) => unique.members.len(),
            _ => 0,
        }
    }

    /// Takes one event in. A measure of another kind, which judgement has kept out, changes nothing. How many bytes
    /// of memory it took is returned (0 but for new distinct values).
    pub(crate) fn add(&mut self, measure: Measure<'_>, place: Place) -> usize {
        match (self, measure) {
            (Self::Count { events }, Measure::One) => *events += 1,
            (Self::Sum { events, sum }, Measure::Number(number)) => {
                *events += 1;
                sum.add(number);
            }
            (Self::Max { events, largest }, Measure::Number(number)) => {
                *largest = if *events == 0 { number } else { number.max(*largest) };
                *events += 1;
            }
            (Self::Latest { events, at_us, logical, order, value }, Measure::Number(number)) => {
                let last = Place { at_us: *at_us, logical: *logical, order: *order };
                if *events == 0 || place >= last {
                    (*at_us, *logical, *order) = (place.at_us, place.logical, place.order);
                    *value = number;
                }
                *events += 1;
            }
            (Self::Weighted(weighted), Measure::Number(number)) => {
                weighted.events += 1;
                weighted.sum.add(number);
                weighted.moment.add_times(number, place.at_us);
            }
            (Self::Unique(unique), Measure::Member(text)) => {
                unique.events += 1;
                return unique.insert(text);
            }
            _ => {}
        }
        0
    }

    /// Takes in what another came to.
    pub fn merge(&mut self, other: &Self) {
        match (self, other) {
            (Self::Count { events }, Self::Count { events: more }) => *events += more,
            (Self::Sum { events, sum }, Self::Sum { events: more, sum: added }) => {
                *events += more;
                sum.add_wide(*added);
            }
            (Self::Max { events, largest }, Self::Max { events: more, largest: theirs }) => {
                *largest = match (*events, *more) {
                    (_, 0) => *largest,
                    (0, _) => *theirs,
                    _ => (*largest).max(*theirs),
                };
                *events += more;
            }
            (
                Self::Latest { events, at_us, logical, order, value },
                Self::Latest { events: more, at_us: at, logical: clock, order: number, value: theirs },
            ) => {
                let mine = Place { at_us: *at_us, logical: *logical, order: *order };
                let other = Place { at_us: *at, logical: *clock, order: *number };
                if *more > 0 && (*events == 0 || other > mine) {
                    (*at_us, *logical, *order, *value) = (*at, *clock, *number, *theirs);
                }
                *events += more;
            }
            (Self::Weighted(mine), Self::Weighted(other)) => {
                mine.events += other.events;
                mine.sum.add_wide(other.sum);
                mine.moment.add_wide(other.moment);
            }
            (Self::Unique(mine), Self::Unique(other)) => {
                mine.events += other.events;
                mine.full |= other.full;
                for member in &other.members {
                    mine.insert_member(member.clone());
                }
            }
            // Accumulators of one meter are of one kind.
            _ => {}
        }
    }

    /// What it comes to in the window `[start_us, end_us)`; none when there are more distinct values than are counted.
    #[must_use]
    pub fn value(&self, start_us: i64, end_us: i64) -> Option<Exact> {
        let atto = |number: i128| Exact::from(number).times_ten_to(-(MAX_FRACTION_DIGITS as i32));
        Some(match self {
            Self::Count { events } => Exact::from(*events),
            Self::Sum { sum, .. } => sum.exact(),
            Self::Max { largest, .. } => atto(*largest),
            Self::Latest { value, .. } => atto(*value),
            Self::Weighted(weighted) => {
                // sum(v * (end - at)) / (end - start)
                let left = weighted.sum.exact() * Exact::from(end_us) - weighted.moment.exact();
                left.divided_by(&Exact::from(end_us - start_us))?
            }
            Self::Unique(unique) if unique.full => return None,
            Self::Unique(unique) => Exact::from(unique.members.len() as u64),
        })
    }
}

impl Unique {
    fn insert(&mut self, text: &str) -> usize {
        if text.len() <= MEMBER_BYTES {
            let mut bytes = [0; MEMBER_BYTES + 1];
            // The first byte tells a value from a digest: 0.
            bytes[1..=text.len()].copy_from_slice(text.as_bytes());
            let member = &bytes[..=text.len()];
            if self.members.contains(member) { 0 } else { self.insert_member(member.into()) }
        } else {
            let mut member = vec![1];
            member.extend_from_slice(&Sha256::digest(text.as_bytes()));
            self.insert_member(member.into())
        }
    }

    pub(crate) fn insert_member(&mut self, member: Box<[u8]>) -> usize {
        if self.members.len() >= MAX_MEMBERS {
            self.full |= !self.members.contains(&member);
            return 0;
        }
        let bytes = member.len() + 64;
        if self.members.insert(member) { bytes } else { 0 }
    }
}
