//! Triggers: conditions somebody should look at, each raised once.

use creto_rating::Moment;
use serde::{Deserialize, Serialize};

/// Triggers one reading gives.
pub const MAX_TRIGGER_PAGE: u32 = 1_000;
/// Bytes of what a trigger tells.
pub const MAX_DETAIL_BYTES: usize = 4_096;

/// What was seen. Quantities are in whole units of the budget or quota.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Trigger {
    /// A budget is used up to its warning, 80 percent unless it says otherwise.
    BudgetNearlySpent {
        /// The budget.
        budget: String,
        /// What is used.
        used: u64,
        /// What there is.
        limit: u64,
        /// Percent at which it warns.
        percent: u8,
    },
    /// An hour used far more than hours do.
    Spike {
        /// The budget or quota.
        budget: String,
        /// What the hour used.
        hour: u64,
        /// The mean of the hours before.
        mean: u64,
    },
    /// A type of resource that no quota and no plan knows.
    UnknownResourceType {
        /// The type.
        resource_type: String,
        /// An event that showed it.
        event: String,
    },
}

impl Trigger {
    /// The kind, as it is written.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::BudgetNearlySpent { .. } => "budget_nearly_spent",
            Self::Spike { .. } => "spike",
            Self::UnknownResourceType { .. } => "unknown_resource_type",
        }
    }

    /// What it is about.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::BudgetNearlySpent { budget, .. } | Self::Spike { budget, .. } => budget,
            Self::UnknownResourceType { resource_type, .. } => resource_type,
        }
    }

    /// Whether `used` of `limit` reaches `percent`. Whole numbers only; a limit of nothing is reached at once.
    #[must_use]
    pub const fn reaches(used: u64, limit: u64, percent: u8) -> bool {
        used as u128 * 100 >= limit as u128 * percent as u128
    }

    /// Whether an hour is above `percent` of the mean of `hours` hours before that came to `sum`. Whole numbers only; no
    /// hours before have no mean.
    #[must_use]
    pub const fn spikes(hour: u64, sum: u64, hours: u32, percent: u16) -> bool {
        // At most 2^64 * 2^32 * 2^7, and 2^64 * 2^16.
        hours > 0 && hour as u128 * hours as u128 * 100 > sum as u128 * percent as u128
    }
}

/// A trigger that was raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RaisedTrigger {
    /// What was seen.
    pub trigger: Trigger,
    /// The window it was seen in: its first instant. Kind, key and window together are raised once.
    pub window: Moment,
    /// When.
    pub raised_at: Moment,
    /// When somebody took note, and who.
    pub acknowledged: Option<(Moment, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_warns_from_its_percent_on() {
        assert!(!Trigger::reaches(799, 1_000, 80) && Trigger::reaches(800, 1_000, 80));
        assert!(Trigger::reaches(0, 0, 80) && Trigger::reaches(u64::MAX, u64::MAX, 100));
    }

    #[test]
    fn an_hour_spikes_above_120_percent_of_the_mean_and_not_at_it() {
        // 24 hours came to 240.00: the mean is 10.00.
        assert!(!Trigger::spikes(1_200, 24_000, 24, 120) && Trigger::spikes(1_201, 24_000, 24, 120));
        assert!(!Trigger::spikes(1, 0, 0, 120) && Trigger::spikes(1, 0, 1, 120));
        assert!(!Trigger::spikes(u64::MAX, u64::MAX, 1, 120));
    }
}
