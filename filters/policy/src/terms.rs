//! Terms that the `when` of several rules share: asked once for each call.

use std::{cell::Cell, collections::HashMap};

use creto_expression::KnownTerms;

use crate::Rule;

/// Most terms of a set that are remembered; of more those that stand in the most rules.
const REMEMBERED: usize = 64;
/// The place of a term that is not remembered.
const NONE: u8 = u8::MAX;

/// Of each term of a rule's `when` its place among those that are remembered.
pub(crate) type Places = Box<[u8]>;

/// The places of the terms of each rule.
pub(crate) fn places<'r>(rules: impl Iterator<Item = &'r Rule>) -> Vec<Places> {
    let terms: Vec<Vec<String>> = rules
        .map(|rule| {
            let when = rule.conditions.as_ref().and_then(|conditions| conditions.when.as_ref());
            when.map(|when| when.terms().collect()).unwrap_or_default()
        })
        .collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for term in terms.iter().flatten() {
        *counts.entry(term).or_default() += 1;
    }
    let mut shared: Vec<(&str, usize)> = counts.into_iter().filter(|(_, count)| *count > 1).collect();
    shared.sort_unstable_by(|(one, count), (other, counted)| counted.cmp(count).then(one.cmp(other)));
    let places: HashMap<&str, u8> =
        shared.into_iter().take(REMEMBERED).map(|(term, _)| term).zip(0_u8..).collect();
    let of_one = |terms: &Vec<String>| -> Places {
        let found: Places =
            terms.iter().map(|term| places.get(term.as_str()).copied().unwrap_or(NONE)).collect();
        if found.iter().all(|place| *place == NONE) { Places::default() } else { found }
    };
    terms.iter().map(of_one).collect()
}

/// What is known of the terms of a set for one call.
#[derive(Debug, Default)]
pub(crate) struct Known {
    known: Cell<u64>,
    holds: Cell<u64>,
}

/// The same, seen from one rule.
pub(crate) struct KnownTo<'k> {
    pub(crate) known: &'k Known,
    pub(crate) places: &'k [u8],
}

impl KnownTo<'_> {
    fn bit(&self, number: usize) -> Option<u64> {
        1_u64.checked_shl(u32::from(*self.places.get(number)?))
    }
}

impl KnownTerms for KnownTo<'_> {
    #[inline]
    fn get(&self, number: usize) -> Option<bool> {
        let bit = self.bit(number)?;
        (self.known.known.get() & bit != 0).then(|| self.known.holds.get() & bit != 0)
    }

    #[inline]
    fn set(&self, number: usize, value: bool) {
        if let Some(bit) = self.bit(number) {
            self.known.known.set(self.known.known.get() | bit);
            if value {
                self.known.holds.set(self.known.holds.get() | bit);
            }
        }
    }
}
