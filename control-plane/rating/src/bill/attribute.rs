//! Who caused a fee: agents, and the values of dimensions.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::draft::Line;
use super::lines::Rated;
use crate::Exact;
use crate::share::apportion;
use crate::usage::{Bucket, Tally};

/// A part of an amount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Who caused it; nothing for what nobody did.
    pub name: Option<String>,
    /// Its part of the fee, in minor units.
    pub fee_minor: i64,
    /// Its part of the total (after reductions and tax), in minor units.
    pub total_minor: i64,
}

/// An amount in parts. Over agents, and over the values of each dimension, parts add up to it exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribution {
    /// By agent.
    pub agents: Vec<Part>,
    /// By dimension.
    pub dimensions: BTreeMap<String, Vec<Part>>,
}

/// What each part weighs.
pub(super) type Weights = Vec<(Option<String>, Exact)>;

/// The weights of a line, by agent and by dimension.
#[derive(Clone, Debug, Default)]
pub(super) struct Shares {
    pub(super) agents: Weights,
    pub(super) dimensions: BTreeMap<String, Weights>,
}

impl Shares {
    /// By what each used: the units that the same aggregation gives for its events alone, or what its events cost; by
    /// the number of events where that comes to nothing.
    pub(super) fn of_bucket(bucket: &Bucket, keys: &[String], by_amount: bool) -> Self {
        let agents = bucket.agents.iter().map(|(agent, tally)| (Some(agent.clone()), tally));
        let dimensions = keys.iter().zip(&bucket.dimensions).map(|(key, parts)| {
            (key.clone(), weigh(parts.iter().map(|(value, tally)| (value.clone(), tally)), by_amount))
        });
        Self { agents: weigh(agents, by_amount), dimensions: dimensions.collect() }
    }

    /// In proportion to the fees of other lines, for what they have in common.
    pub(super) fn like<'l>(lines: &(impl Iterator<Item = &'l Line> + Clone)) -> Self {
        let keys: BTreeSet<&String> =
            lines.clone().flat_map(|line| line.attribution.dimensions.keys()).collect();
        let by = |parts: &dyn Fn(&'l Line) -> Option<&'l Vec<Part>>| {
            let mut sums: BTreeMap<Option<String>, Exact> = BTreeMap::new();
            for line in lines.clone() {
                match parts(line) {
                    Some(parts) => {
                        for part in parts {
                            let sum = sums.entry(part.name.clone()).or_default();
                            *sum = &*sum + &Exact::from(part.fee_minor);
                        }
                    }
                    None => {
                        let sum = sums.entry(None).or_default();
                        *sum = &*sum + &Exact::from(line.fee.minor);
                    }
                }
            }
            sums.into_iter().collect::<Weights>()
        };
        Self {
            agents: by(&|line| Some(&line.attribution.agents)),
            dimensions: keys
                .into_iter()
                .map(|key| (key.clone(), by(&|line| line.attribution.dimensions.get(key))))
                .collect(),
        }
    }

    /// A fee in parts.
    pub(super) fn attribute(&self, fee_minor: i64, total_minor: i64) -> Attribution {
        let split = |weights: &Weights| parts(fee_minor, total_minor, weights);
        Attribution {
            agents: split(&self.agents),
            dimensions: self.dimensions.iter().map(|(key, weights)| (key.clone(), split(weights))).collect(),
        }
    }
}

fn weigh<'t>(parts: impl Iterator<Item = (Option<String>, &'t Tally)> + Clone, by_amount: bool) -> Weights {
    let weights: Weights = parts.clone().map(|(name, tally)| (name, tally.weight(by_amount))).collect();
    if weights.iter().any(|(_, weight)| !weight.is_zero()) {
        return weights;
    }
    parts.map(|(name, tally)| (name, Exact::from(tally.state.finish().events))).collect()
}

fn parts(fee_minor: i64, total_minor: i64, weights: &Weights) -> Vec<Part> {
    let plain: Vec<Exact> = weights.iter().map(|(_, weight)| weight.clone()).collect();
    match (apportion(fee_minor, &plain), apportion(total_minor, &plain)) {
        (Some(fees), Some(totals)) => weights
            .iter()
            .zip(fees.into_iter().zip(totals))
            .map(|((name, _), (fee_minor, total_minor))| Part { name: name.clone(), fee_minor, total_minor })
            .collect(),
        _ => vec![Part { name: None, fee_minor, total_minor }],
    }
}

/// Attributes every line, now that its total is known.
pub(super) fn settle(rated: &mut [Rated]) {
    for Rated { line, shares, .. } in rated {
        line.attribution = shares.attribute(line.fee.minor, line.total_minor);
    }
}

/// The attribution of an invoice: that of its lines, added up.
pub(super) fn sum_attributions(lines: &[Line]) -> Attribution {
    let keys: BTreeSet<&String> = lines.iter().flat_map(|line| line.attribution.dimensions.keys()).collect();
    let sum = |of: &dyn Fn(&Line) -> Option<Vec<Part>>| {
        let mut sums: BTreeMap<Option<String>, (i64, i64)> = BTreeMap::new();
        for line in lines {
            let whole =
                || vec![Part { name: None, fee_minor: line.fee.minor, total_minor: line.total_minor }];
            for part in of(line).unwrap_or_else(whole) {
                let (fee, total) = sums.entry(part.name).or_default();
                // Parts are no larger than the invoice's sums, which are checked.
                *fee = fee.saturating_add(part.fee_minor);
                *total = total.saturating_add(part.total_minor);
            }
        }
        let parts =
            sums.into_iter().map(|(name, (fee_minor, total_minor))| Part { name, fee_minor, total_minor });
        parts.collect::<Vec<_>>()
    };
    Attribution {
        agents: sum(&|line| Some(line.attribution.agents.clone())),
        dimensions: keys
            .into_iter()
            .map(|key| (key.clone(), sum(&|line| line.attribution.dimensions.get(key).cloned())))
            .collect(),
    }
}
