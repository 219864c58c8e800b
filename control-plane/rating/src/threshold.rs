//! Progressive billing: amounts at which usage is billed before the period ends.

use serde::{Deserialize, Serialize};

/// Amounts in minor units, of usage over the life of a subscription.
///
/// Recurring steps are counted from the largest fixed threshold, always. The field counts them from there only until it is
/// passed, and then from zero (what was invoiced modulo the step, plus what was used), so that a largest threshold that is
/// no multiple of the step makes the first step after it too short: with 57 and steps of 100, the field would bill at 100,
/// this at 157. Where the largest is a multiple of the step, both bill at the same amounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// Each is passed once, in order.
    pub fixed: Vec<u64>,
    /// After the largest fixed one, passed again each time so much more was used.
    #[serde(default)]
    pub recurring: Option<u64>,
}

/// A threshold that was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Passed {
    /// A fixed one.
    Fixed(u64),
    /// The recurring one, told once however many times over it was passed.
    Recurring {
        /// Its amount.
        step: u64,
        /// How many times over.
        times: u64,
    },
}

/// Thresholds that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdError {
    /// A fixed threshold that is not above the one before.
    #[error(
        "threshold {place}: {found} is not above the one before it; write them in rising order, above zero"
    )]
    Order {
        /// Which one, from 1.
        place: usize,
        /// What it is.
        found: u64,
    },
    /// A step of zero.
    #[error("the recurring threshold must be above zero")]
    Step,
}

impl Thresholds {
    /// Whether they are above zero and in rising order.
    ///
    /// # Errors
    ///
    /// [`ThresholdError`], which names the threshold.
    pub fn validate(&self) -> Result<(), ThresholdError> {
        let mut before = 0;
        for (place, threshold) in self.fixed.iter().enumerate() {
            if *threshold <= before {
                return Err(ThresholdError::Order { place: place + 1, found: *threshold });
            }
            before = *threshold;
        }
        if self.recurring == Some(0) { Err(ThresholdError::Step) } else { Ok(()) }
    }

    /// What `current` minor units pass that were not billed yet, after `invoiced` were. A threshold is passed when it is
    /// reached; one that `invoiced` had reached is not passed again. Steps are counted from the largest fixed threshold.
    #[must_use]
    pub fn passed(&self, invoiced: u64, current: u64) -> Vec<Passed> {
        let total = u128::from(invoiced) + u128::from(current);
        let mut passed: Vec<Passed> = Vec::new();
        for fixed in &self.fixed {
            if invoiced < *fixed && u128::from(*fixed) <= total {
                passed.push(Passed::Fixed(*fixed));
            }
        }
        let base = u128::from(self.fixed.last().copied().unwrap_or_default());
        if let Some(step) = self.recurring.filter(|step| *step > 0) {
            let steps_at = |amount: u128| amount.saturating_sub(base) / u128::from(step);
            let times = steps_at(total) - steps_at(invoiced.into());
            if times > 0 {
                // At most `total`, which is below 2^65; the quotient fits unless the step is 1 and all is used at once.
                passed.push(Passed::Recurring { step, times: u64::try_from(times).unwrap_or(u64::MAX) });
            }
        }
        passed
    }
}
