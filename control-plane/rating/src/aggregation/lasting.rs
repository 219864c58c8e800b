//! What of a state outlives its window, and what of it is paid for in advance.

use std::collections::BTreeSet;
use std::sync::Arc;

use num_bigint::BigInt;
use num_traits::ToPrimitive as _;
use serde::{Deserialize, Serialize};

use super::members::Members;
use super::metric::Aggregation;
use super::state::{Body, Recipe, State};
use crate::event::Order;
use crate::number::{MAX_FRACTION_DIGITS, Total};
use crate::{Exact, Moment, Quantity};

/// What running units rose by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Growth {
    /// The most there was.
    pub(crate) units: Exact,
    /// Events that added to it.
    pub(crate) events: u64,
    /// What each added: no more than it said, so none is out of range.
    pub(crate) values: Vec<Quantity>,
}

struct Rises {
    most: BigInt,
    each: Vec<BigInt>,
}

impl Rises {
    fn over(before: BigInt, changes: impl Iterator<Item = BigInt>) -> Self {
        let mut running = before;
        let mut most = running.clone().max(BigInt::ZERO);
        let mut each = Vec::new();
        for change in changes {
            running += change;
            if running > most {
                each.push(&running - &most);
                most.clone_from(&running);
            }
        }
        Self { most, each }
    }
}

/// Units that last, without the events they came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Units {
    /// A sum.
    Sum(Exact),
    /// Distinct values that are there.
    Values(BTreeSet<String>),
}

impl State {
    /// How far the running units rose in the window over the most there was, in order: what is paid for in advance. Units
    /// that last from before count from the start. Needs a recipe that is ordered, but for counts.
    #[must_use]
    pub(crate) fn growth(&self) -> Growth {
        let rises = match &self.body {
            Body::Sum { total, log: None, .. } => {
                return Growth { units: total.exact().or_zero(), events: self.events, values: Vec::new() };
            }
            Body::Sum { log: Some(log), .. } => {
                let changes = log.values().map(|(_, value)| value.atto().into());
                Rises::over(log.before.atto(), changes)
            }
            Body::Members(members) => {
                let (before, changes) = members.changes(&self.recipe.window);
                let one = BigInt::from(Quantity::ONE.atto());
                let changes = changes.into_iter().map(|change| &one * change);
                Rises::over(&one * before, changes)
            }
            Body::Max(_) | Body::Weighted { .. } | Body::Latest(_) => return Growth::default(),
        };
        let values = rises.each.iter().filter_map(|rise| Quantity::from_atto(rise.to_i128()?));
        Growth {
            units: Exact::from(rises.most).times_ten_to(-(MAX_FRACTION_DIGITS as i32)),
            events: rises.each.len() as u64,
            values: values.collect(),
        }
    }

    /// The units that last; nothing when this aggregation's do not. Values that were removed are left out: this is for an
    /// instant before which no event comes in any more.
    pub(crate) fn lasting(&self) -> Option<Units> {
        match &self.body {
            Body::Sum { total, .. } => Some(Units::Sum(total.exact())),
            Body::Weighted { last, .. } => Some(Units::Sum(last.exact())),
            Body::Members(members) => Some(Units::Values(members.present())),
            Body::Max(_) | Body::Latest(_) => None,
        }
    }

    /// A window that starts with units that last since `at`, or before; nothing when they are not of this metric.
    pub(crate) fn lasting_since(recipe: &Arc<Recipe>, units: &Units, at: Moment) -> Option<Self> {
        let body = match (&recipe.metric.aggregation, units) {
            (Aggregation::Sum { .. } | Aggregation::Custom { .. }, Units::Sum(sum)) => {
                Body::summed(recipe, Total::of(sum)?)
            }
            (Aggregation::WeightedSum { .. }, Units::Sum(sum)) => Body::weighted(recipe, Total::of(sum)?),
            (Aggregation::UniqueCount { .. }, Units::Values(values)) => {
                let before = Order { at: at.just_before(), sequence: 0 };
                Body::Members(Members::there(values, recipe.every_operation(), before).ok()?)
            }
            _ => return None,
        };
        Some(Self { recipe: Arc::clone(recipe), events: 0, body })
    }
}
