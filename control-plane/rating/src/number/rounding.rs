//! Rounding of aggregated units, where a metric asks for it.

use serde::{Deserialize, Serialize};

use super::Exact;

/// Decimals a metric may be rounded to, either side of the point.
pub const MAX_PRECISION: i8 = 18;

/// Which way to round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundingFunction {
    /// To the nearest; a half goes away from zero.
    Round,
    /// Up.
    Ceil,
    /// Down.
    Floor,
}

/// A rounding function with its precision. Applied once, after aggregation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rounding {
    /// Which way.
    pub function: RoundingFunction,
    /// Decimals kept; below zero tens, hundreds and so on are rounded away. Within [`MAX_PRECISION`] either way.
    #[serde(default)]
    pub precision: i8,
}

/// A precision out of range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rounding precision of {0} is out of range: between -{MAX_PRECISION} and {MAX_PRECISION}")]
pub struct RoundingPrecisionError(pub i8);

impl Rounding {
    /// Whether the precision is in range.
    ///
    /// # Errors
    ///
    /// [`RoundingPrecisionError`] when it is not.
    pub fn validate(&self) -> Result<(), RoundingPrecisionError> {
        if (-MAX_PRECISION..=MAX_PRECISION).contains(&self.precision) {
            Ok(())
        } else {
            Err(RoundingPrecisionError(self.precision))
        }
    }

    /// `units`, rounded.
    #[must_use]
    pub fn apply(&self, units: &Exact) -> Exact {
        let precision = i32::from(self.precision);
        let scaled = units.times_ten_to(precision);
        let whole = match self.function {
            RoundingFunction::Round => scaled.round(),
            RoundingFunction::Ceil => scaled.ceil(),
            RoundingFunction::Floor => scaled.floor(),
        };
        whole.times_ten_to(-precision)
    }
}
