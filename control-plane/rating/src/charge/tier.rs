//! Tiers: half-open ranges of units, each with a rate and a flat fee.

use serde::{Deserialize, Serialize};

use crate::Quantity;

/// Tiers one model may have.
pub const MAX_TIERS: usize = 1_000;

/// The units above `from`, up to and including `to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Where it starts; this many units still belong to the tier before.
    pub from: Quantity,
    /// Where it ends, included; nothing for the last tier, which never ends.
    #[serde(default)]
    pub to: Option<Quantity>,
    /// The price of a unit in the main unit of the currency, or for a graduated percentage the percent of a unit.
    pub rate: Quantity,
    /// Charged once when the tier is reached; that of the first tier always.
    #[serde(default)]
    pub flat: Quantity,
}

/// What is wrong with a list of tiers. Tiers are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TierError {
    /// No tier at all.
    #[error("tiers: there is none; write at least one from 0 without `to`")]
    None,
    /// More than [`MAX_TIERS`].
    #[error("tiers: there are {0}; at most {MAX_TIERS}")]
    TooMany(usize),
    /// The first tier does not start at 0.
    #[error("tier 1, field `from`: starts at {0}, must start at 0")]
    Start(Quantity),
    /// Units between two tiers have no price.
    #[error("tier {tier}, field `from`: starts at {from} but tier {} ends at {end}; units between have no price", tier - 1)]
    Gap {
        /// The later tier.
        tier: usize,
        /// Where it starts.
        from: Quantity,
        /// Where the one before ends.
        end: Quantity,
    },
    /// Units in two tiers have two prices.
    #[error("tier {tier}, field `from`: starts at {from} but tier {} ends at {end}; units between have two prices", tier - 1)]
    Overlap {
        /// The later tier.
        tier: usize,
        /// Where it starts.
        from: Quantity,
        /// Where the one before ends.
        end: Quantity,
    },
    /// A tier that ends where or before it starts.
    #[error("tier {tier}, field `to`: ends at {to}, which is not above its start {from}")]
    Empty {
        /// The tier.
        tier: usize,
        /// Where it starts.
        from: Quantity,
        /// Where it ends.
        to: Quantity,
    },
    /// A tier without end that is not the last.
    #[error("tier {0}, field `to`: only the last tier may leave it out")]
    Endless(usize),
    /// The last tier ends.
    #[error("tier {tier}, field `to`: the last tier ends at {to}; leave it out, or more units have no price")]
    Ends {
        /// The tier.
        tier: usize,
        /// Where it ends.
        to: Quantity,
    },
    /// A rate or a flat fee below zero.
    #[error("tier {tier}, field `{field}`: {value} is below zero")]
    Negative {
        /// The tier.
        tier: usize,
        /// `rate` or `flat`.
        field: &'static str,
        /// What it is.
        value: Quantity,
    },
}

/// Whether tiers cover every number of units once.
pub(super) fn validate(tiers: &[Tier]) -> Result<(), TierError> {
    let Some(first) = tiers.first() else {
        return Err(TierError::None);
    };
    if tiers.len() > MAX_TIERS {
        return Err(TierError::TooMany(tiers.len()));
    }
    if !first.from.is_zero() {
        return Err(TierError::Start(first.from));
    }
    let mut end = Some(Quantity::ZERO);
    for (place, tier) in tiers.iter().enumerate() {
        let number = place + 1;
        let Some(end_before) = end else {
            return Err(TierError::Endless(place));
        };
        if tier.from > end_before {
            return Err(TierError::Gap { tier: number, from: tier.from, end: end_before });
        }
        if tier.from < end_before {
            return Err(TierError::Overlap { tier: number, from: tier.from, end: end_before });
        }
        if let Some(to) = tier.to
            && to <= tier.from
        {
            return Err(TierError::Empty { tier: number, from: tier.from, to });
        }
        for (field, value) in [("rate", tier.rate), ("flat", tier.flat)] {
            if value.is_negative() {
                return Err(TierError::Negative { tier: number, field, value });
            }
        }
        end = tier.to;
    }
    match end {
        Some(to) => Err(TierError::Ends { tier: tiers.len(), to }),
        None => Ok(()),
    }
}
