//! What a quota is, before anything is granted.

use thiserror::Error;

use crate::Action;

/// Longest name of a quota, a meter or a unit, in bytes.
pub const MAX_NAME_BYTES: usize = 128;

/// What a quota counts and what happens when it is short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaSpec {
    /// Unique name, as issuer and policy spell it.
    pub name: Box<str>,
    /// What is counted (`llm.tokens`, `egress.bytes`).
    pub meter: Box<str>,
    /// The unit of all amounts (`token`, `byte`, `nanodollar`).
    pub unit: Box<str>,
    /// What happens when it is short.
    pub action: Action,
    /// Percent of the limit from which people are warned, 1 to 100.
    pub warn_percent: u8,
}

impl QuotaSpec {
    /// Warned from here unless said otherwise, in percent of the limit.
    pub const DEFAULT_WARN_PERCENT: u8 = 80;

    /// A quota that blocks when short and warns at 80%.
    #[must_use]
    pub fn new(name: &str, meter: &str, unit: &str) -> Self {
        Self {
            name: name.into(),
            meter: meter.into(),
            unit: unit.into(),
            action: Action::Block,
            warn_percent: Self::DEFAULT_WARN_PERCENT,
        }
    }

    /// The same with another action.
    #[must_use]
    pub fn with_action(mut self, action: Action) -> Self {
        self.action = action;
        self
    }

    /// Whether `used` of `limit` units has reached the warning. Whoever knows the limit asks: the issuer.
    #[must_use]
    pub fn warns(&self, used: u64, limit: u64) -> bool {
        u128::from(used) * 100 >= u128::from(limit) * u128::from(self.warn_percent)
    }

    /// # Errors
    /// [`SpecError`] for the first thing that is wrong.
    pub(crate) fn check(&self) -> Result<(), SpecError> {
        for (field, text) in [("name", &self.name), ("meter", &self.meter), ("unit", &self.unit)] {
            let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
            if text.is_empty() || text.len() > MAX_NAME_BYTES || !plain {
                return Err(SpecError::Name { field, text: text.chars().take(MAX_NAME_BYTES).collect() });
            }
        }
        if !(1..=100).contains(&self.warn_percent) {
            return Err(SpecError::WarnPercent(self.warn_percent));
        }
        Ok(())
    }
}

/// What is wrong with a [`QuotaSpec`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SpecError {
    /// A name that is empty, too long, or holds a space, a control character or anything beyond ASCII.
    #[error("the {field} of a quota is {text:?}; use 1 to {MAX_NAME_BYTES} visible ASCII characters")]
    Name {
        /// Which of the names.
        field: &'static str,
        /// How it begins.
        text: String,
    },
    /// A warning below 1% or above 100%.
    #[error("a quota warns at {0}% of its limit; use 1 to 100")]
    WarnPercent(u8),
}
