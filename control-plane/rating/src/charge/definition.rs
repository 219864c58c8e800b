//! A charge: a metric, its price, and who pays which.

use serde::{Deserialize, Serialize};

use super::filter::{self, Filter, FilterError};
use super::model::{Model, ModelError};
use crate::Quantity;
use crate::aggregation::{Aggregation, Metric, MetricError};
use crate::tax::TaxRate;

/// Properties a charge may group or attribute by, each.
pub const MAX_GROUP_KEYS: usize = 16;

/// What a plan charges for the use of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Charge {
    /// What it is called; unique in the plan.
    pub code: String,
    /// What is counted.
    pub metric: Metric,
    /// What it costs where no filter says otherwise.
    pub model: Model,
    /// Other prices for some events. Events of a filter do not count for the default price.
    #[serde(default)]
    pub filters: Vec<Filter>,
    /// Properties that split the charge: each combination of values is priced, and shown, for itself.
    #[serde(default)]
    pub group_by: Vec<String>,
    /// Properties a fee is attributed by. They do not change the price.
    #[serde(default)]
    pub attribute_by: Vec<String>,
    /// Whether it may be billed as its events come in, before the period ends. What is paid for is the most there was at
    /// any time of the period: an event below zero gives nothing back.
    #[serde(default)]
    pub pay_in_advance: bool,
    /// The least the charge comes to in a period, in the main unit; prorated by days.
    #[serde(default)]
    pub minimum: Option<Quantity>,
    /// Its taxes; the plan's when left out.
    #[serde(default)]
    pub taxes: Option<Vec<TaxRate>>,
}

/// A charge that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChargeError {
    /// The metric.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// The price.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A filter.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// Too many keys.
    #[error("field `{field}`: {found} properties; at most {MAX_GROUP_KEYS}")]
    Keys {
        /// `group_by` or `attribute_by`.
        field: &'static str,
        /// How many there are.
        found: usize,
    },
    /// A minimum below zero.
    #[error("field `minimum`: {0} is below zero")]
    Minimum(Quantity),
    /// A charge that cannot be billed event by event.
    #[error("cannot be paid in advance: {0}")]
    InAdvance(&'static str),
}

impl Charge {
    /// A charge without filters, groups and the rest.
    #[must_use]
    pub fn new(code: &str, metric: Metric, model: Model) -> Self {
        Self {
            code: code.to_owned(),
            metric,
            model,
            filters: Vec::new(),
            group_by: Vec::new(),
            attribute_by: Vec::new(),
            pay_in_advance: false,
            minimum: None,
            taxes: None,
        }
    }

    /// The price of a filter's events, or the default price.
    #[must_use]
    pub fn model_of(&self, filter: Option<usize>) -> &Model {
        filter.and_then(|place| self.filters.get(place)).map_or(&self.model, |filter| &filter.model)
    }

    /// Whether the events of a price are to be kept in order.
    pub(crate) fn needs_order(&self, filter: Option<usize>) -> bool {
        let rises = self.pay_in_advance && !matches!(self.metric.aggregation, Aggregation::Count);
        rises || self.model_of(filter).needs_order(&self.metric)
    }

    /// Whether the parts hold, and fit each other.
    ///
    /// # Errors
    ///
    /// [`ChargeError`], which names the field.
    pub fn validate(&self) -> Result<(), ChargeError> {
        self.metric.validate()?;
        self.model.validate(&self.metric)?;
        filter::validate(&self.filters)?;
        for filter in &self.filters {
            let named = |error| FilterError::Model { name: filter.name.clone(), error };
            filter.model.validate(&self.metric).map_err(named)?;
        }
        for (field, keys) in [("group_by", &self.group_by), ("attribute_by", &self.attribute_by)] {
            if keys.len() > MAX_GROUP_KEYS {
                return Err(ChargeError::Keys { field, found: keys.len() });
            }
        }
        if let Some(minimum) = self.minimum.filter(|minimum| minimum.is_negative()) {
            return Err(ChargeError::Minimum(minimum));
        }
        if self.pay_in_advance { self.validate_in_advance() } else { Ok(()) }
    }

    fn validate_in_advance(&self) -> Result<(), ChargeError> {
        use Aggregation::{Count, Custom, Sum, UniqueCount};
        let refused = |reason| Err(ChargeError::InAdvance(reason));
        if !matches!(self.metric.aggregation, Count | Sum { .. } | UniqueCount { .. } | Custom { .. }) {
            return refused(
                "a later event can lower what an earlier one cost; use count, sum, unique_count or custom",
            );
        }
        if self.metric.prorated {
            return refused("how long a unit stays is not known yet; leave `prorated` out");
        }
        if self.minimum.is_some() {
            return refused("a minimum is known at the end of the period only; leave `minimum` out");
        }
        let mut models = std::iter::once(&self.model).chain(self.filters.iter().map(|filter| &filter.model));
        if models.any(|model| matches!(model, Model::Volume { .. })) {
            return refused("under a volume model a later event changes the price of all");
        }
        Ok(())
    }
}
