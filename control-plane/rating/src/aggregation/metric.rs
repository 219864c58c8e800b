//! What is counted, and how.

use serde::{Deserialize, Serialize};

use crate::number::{Rounding, RoundingPrecisionError};
use crate::{Exact, Expression};

/// How events become units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Aggregation {
    /// The number of events.
    Count,
    /// The sum of a property.
    Sum {
        /// The property.
        field: String,
    },
    /// The largest value of a property; 0 without events.
    Max {
        /// The property.
        field: String,
    },
    /// Distinct values of a property that are present at the end. An event whose `operation_type` is `remove` takes its
    /// value away; adding what is there, or removing what is not, changes nothing.
    UniqueCount {
        /// The property.
        field: String,
    },
    /// The running sum of a property, weighted with the share of the period each value of it lasted.
    WeightedSum {
        /// The property.
        field: String,
    },
    /// The last value of a property; below zero counts as 0.
    Latest {
        /// The property.
        field: String,
    },
    /// The sum of an expression over events.
    Custom {
        /// The expression.
        expression: Expression,
    },
}

impl Aggregation {
    /// Its name, as configuration writes it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum { .. } => "sum",
            Self::Max { .. } => "max",
            Self::UniqueCount { .. } => "unique_count",
            Self::WeightedSum { .. } => "weighted_sum",
            Self::Latest { .. } => "latest",
            Self::Custom { .. } => "custom",
        }
    }
}

/// A meter's events, aggregated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// The type of the events.
    pub meter: String,
    /// How they become units.
    pub aggregation: Aggregation,
    /// Whether units stay from one period to the next until they are taken away (seats, stored gigabytes).
    #[serde(default)]
    pub recurring: bool,
    /// Whether a unit counts for the share of the period's days it was there, first and last day included.
    #[serde(default)]
    pub prorated: bool,
    /// Rounds units, once, after aggregation.
    #[serde(default)]
    pub rounding: Option<Rounding>,
}

/// A metric that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricError {
    /// Units of this aggregation do not last.
    #[error(
        "a {0} metric cannot be recurring: only sum, unique_count, weighted_sum and custom keep their units"
    )]
    NotRecurring(&'static str),
    /// Proration needs units that last.
    #[error("a {0} metric cannot be prorated: only a recurring sum or unique_count can")]
    NotProrated(&'static str),
    /// A precision out of range.
    #[error(transparent)]
    Precision(#[from] RoundingPrecisionError),
}

impl Metric {
    /// The metric of a meter that neither lasts nor is rounded.
    #[must_use]
    pub fn new(meter: &str, aggregation: Aggregation) -> Self {
        Self { meter: meter.to_owned(), aggregation, recurring: false, prorated: false, rounding: None }
    }

    /// Whether the parts fit each other.
    ///
    /// # Errors
    ///
    /// [`MetricError`] for a recurring or prorated aggregation that cannot be, or a precision out of range.
    pub fn validate(&self) -> Result<(), MetricError> {
        use Aggregation::{Count, Latest, Max, Sum, UniqueCount};
        let name = self.aggregation.name();
        if self.recurring && matches!(self.aggregation, Count | Max { .. } | Latest { .. }) {
            return Err(MetricError::NotRecurring(name));
        }
        if self.prorated && !(self.recurring && matches!(self.aggregation, Sum { .. } | UniqueCount { .. })) {
            return Err(MetricError::NotProrated(name));
        }
        Ok(self.rounding.map_or(Ok(()), |rounding| rounding.validate())?)
    }

    pub(super) fn rounded(&self, units: Exact) -> Exact {
        match &self.rounding {
            Some(rounding) => rounding.apply(&units),
            None => units,
        }
    }
}
