//! An amount shared out among needs that may exceed it.

use serde::{Deserialize, Serialize};

use crate::Exact;

/// How an amount is shared among lines, none of which takes more than it needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sharing {
    /// In proportion to need.
    #[default]
    Proportional,
    /// An equal share each; what those with less need leave goes to the others in proportion to what they still need.
    EqualThenByNeed,
    /// As even as needs allow (max-min fair).
    Even,
}

impl Sharing {
    /// The exact share of each need. They add up to `amount`, or to all needs where it is more. Nothing may be negative.
    #[must_use]
    pub fn shares(self, amount: &Exact, needs: &[Exact]) -> Vec<Exact> {
        let all: Exact = needs.iter().sum();
        if *amount >= all {
            return needs.to_vec();
        }
        let parts = Exact::from(needs.len() as u64);
        let equal = amount.divided_by(&parts).unwrap_or_default();
        match self {
            Self::Proportional => {
                let unit = amount.divided_by(&all).unwrap_or_default();
                needs.iter().map(|need| need * &unit).collect()
            }
            Self::EqualThenByNeed => {
                let first: Exact = needs.iter().map(|need| need.clone().min(equal.clone())).sum();
                let wanting: Exact = needs.iter().map(|need| (need - &equal).or_zero()).sum();
                let unit = (amount.clone() - first).divided_by(&wanting).unwrap_or_default();
                let share =
                    |need: &Exact| need.clone().min(equal.clone()) + (need - &equal).or_zero() * &unit;
                needs.iter().map(share).collect()
            }
            Self::Even => {
                let mut ascending: Vec<&Exact> = needs.iter().collect();
                ascending.sort();
                let (mut left, mut waiting) = (amount.clone(), needs.len() as u64);
                let mut level = Exact::zero();
                for need in ascending {
                    level = left.divided_by(&Exact::from(waiting)).unwrap_or_default();
                    if *need > level {
                        break;
                    }
                    left = left - need;
                    waiting -= 1;
                }
                needs.iter().map(|need| need.clone().min(level.clone())).collect()
            }
        }
    }
}
