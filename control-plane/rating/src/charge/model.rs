//! The charge models.

use serde::{Deserialize, Serialize};

use super::graduated::{graduated, graduated_prorated, volume};
use super::percentage::Percentage;
use super::tier::{self, Tier, TierError};
use crate::aggregation::{Aggregation, Metric, Step};
use crate::{Exact, Expression, Quantity};

/// How units become money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Model {
    /// Each unit at one rate.
    Standard {
        /// The price of a unit, in the main unit of the currency.
        rate: Quantity,
    },
    /// Each unit at the rate of the tier it falls in.
    Graduated {
        /// The tiers.
        tiers: Vec<Tier>,
    },
    /// Each unit at the percentage of the tier it falls in.
    GraduatedPercentage {
        /// The tiers; their rates are percent.
        tiers: Vec<Tier>,
    },
    /// Units by the package; one that is begun is paid in full.
    Package {
        /// Units in a package.
        size: Quantity,
        /// The price of a package, in the main unit.
        price: Quantity,
        /// Units that are free.
        #[serde(default)]
        free: Quantity,
    },
    /// A percentage of the units.
    Percentage(Percentage),
    /// All units at the rate of the tier they reach.
    Volume {
        /// The tiers.
        tiers: Vec<Tier>,
    },
    /// Each event carries its price.
    Dynamic {
        /// The property with the price, in the main unit.
        amount_field: String,
        /// A property with the currency, which must then be the plan's.
        #[serde(default)]
        currency_field: Option<String>,
    },
    /// Each event's price is worked out from its properties.
    Custom {
        /// The price of an event, in the main unit.
        amount: Expression,
    },
}

/// A model that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// Tiers that leave units without a price, or with two.
    #[error(transparent)]
    Tiers(#[from] TierError),
    /// A number below zero.
    #[error("field `{field}`: {value} is below zero")]
    Negative {
        /// The field.
        field: &'static str,
        /// What it is.
        value: Quantity,
    },
    /// A package of nothing.
    #[error("field `size`: a package needs more than zero units")]
    EmptyPackage,
    /// Limits of one event that exclude each other.
    #[error("field `event_minimum`: {least} is above `event_maximum` {most}")]
    Limits {
        /// The least.
        least: Quantity,
        /// The most.
        most: Quantity,
    },
    /// A model that prices single events over a metric that has none.
    #[error(
        "a {model} price that depends on single events needs a count or sum that is not recurring, not {metric}"
    )]
    NeedsEvents {
        /// The model.
        model: &'static str,
        /// The aggregation.
        metric: &'static str,
    },
    /// A model and an aggregation that do not go together.
    #[error("a {model} model cannot price a {metric} metric")]
    Unsuited {
        /// The model.
        model: &'static str,
        /// The aggregation.
        metric: &'static str,
    },
    /// A model that knows no proration.
    #[error("a {0} model cannot be prorated: only standard, graduated and volume can")]
    NotProrated(&'static str),
    /// Tiers of prorated units, which are priced change by change, so that rounding their sum would say nothing.
    #[error("a graduated price of a prorated metric knows no rounding: leave `rounding` out of the metric")]
    NotRounded,
}

/// What there is to price.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Units, prorated where the metric says so.
    pub units: Exact,
    /// Units without proration.
    pub full_units: Exact,
    /// Events.
    pub events: u64,
    /// What the events cost by themselves, for dynamic and custom models, in the main unit.
    pub carried: Exact,
    /// The value of each event in order, for models that price single events.
    pub values: Vec<Quantity>,
    /// How running units changed, for prorated tiers; nothing when they are not prorated.
    pub prorated: Option<(Vec<Step>, i64)>,
}

impl Measured {
    /// So many units, from one event.
    #[must_use]
    pub fn units(units: Exact) -> Self {
        Self { full_units: units.clone(), units, events: 1, ..Self::default() }
    }
}

impl Model {
    /// Its name, as configuration writes it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Standard { .. } => "standard",
            Self::Graduated { .. } => "graduated",
            Self::GraduatedPercentage { .. } => "graduated_percentage",
            Self::Package { .. } => "package",
            Self::Percentage(_) => "percentage",
            Self::Volume { .. } => "volume",
            Self::Dynamic { .. } => "dynamic",
            Self::Custom { .. } => "custom",
        }
    }

    /// Whether it takes its amounts from events.
    #[must_use]
    pub const fn prices_events(&self) -> bool {
        matches!(self, Self::Dynamic { .. } | Self::Custom { .. })
    }

    /// Whether values must be kept in order to price them.
    #[must_use]
    pub const fn needs_order(&self, metric: &Metric) -> bool {
        match self {
            Self::Percentage(percentage) => percentage.by_event(),
            Self::Graduated { .. } => {
                metric.prorated && matches!(metric.aggregation, Aggregation::Sum { .. })
            }
            _ => false,
        }
    }

    /// Whether it can price a metric, and its numbers hold.
    ///
    /// # Errors
    ///
    /// [`ModelError`], which names the tier and the field.
    pub fn validate(&self, metric: &Metric) -> Result<(), ModelError> {
        let model = self.name();
        let aggregation = metric.aggregation.name();
        let not_negative = |fields: &[(&'static str, Option<Quantity>)]| {
            for (field, value) in fields {
                if let Some(value) = value.filter(|value| value.is_negative()) {
                    return Err(ModelError::Negative { field, value });
                }
            }
            Ok(())
        };
        match self {
            Self::Standard { rate } => not_negative(&[("rate", Some(*rate))])?,
            Self::Graduated { tiers } | Self::GraduatedPercentage { tiers } | Self::Volume { tiers } => {
                tier::validate(tiers)?;
            }
            Self::Package { size, price, free } => {
                not_negative(&[("size", Some(*size)), ("price", Some(*price)), ("free", Some(*free))])?;
                if size.is_zero() {
                    return Err(ModelError::EmptyPackage);
                }
            }
            Self::Percentage(percentage) => {
                not_negative(&percentage.fields())?;
                if let (Some(least), Some(most)) = (percentage.event_minimum, percentage.event_maximum)
                    && least > most
                {
                    return Err(ModelError::Limits { least, most });
                }
                if matches!(metric.aggregation, Aggregation::Latest { .. }) {
                    return Err(ModelError::Unsuited { model, metric: aggregation });
                }
                let single = matches!(metric.aggregation, Aggregation::Count | Aggregation::Sum { .. })
                    && !metric.recurring;
                if percentage.by_event() && !single {
                    return Err(ModelError::NeedsEvents { model, metric: aggregation });
                }
            }
            Self::Dynamic { .. } | Self::Custom { .. } => {
                if metric.recurring {
                    return Err(ModelError::NeedsEvents { model, metric: aggregation });
                }
            }
        }
        if metric.prorated
            && !matches!(self, Self::Standard { .. } | Self::Graduated { .. } | Self::Volume { .. })
        {
            return Err(ModelError::NotProrated(model));
        }
        if metric.prorated && metric.rounding.is_some() && matches!(self, Self::Graduated { .. }) {
            return Err(ModelError::NotRounded);
        }
        Ok(())
    }

    /// The price, exactly, in the main unit. Below zero units, it is that of zero units: a charge never pays out.
    #[must_use]
    pub fn price(&self, measured: &Measured) -> Exact {
        let units = measured.units.clone().or_zero();
        match self {
            Self::Standard { rate } => units * Exact::from(*rate),
            Self::Graduated { tiers } => match &measured.prorated {
                Some((steps, period_days)) => graduated_prorated(tiers, steps, *period_days).or_zero(),
                None => graduated(tiers, &units),
            },
            Self::GraduatedPercentage { tiers } => {
                let percent: Vec<Tier> =
                    tiers.iter().map(|tier| Tier { flat: Quantity::ZERO, ..tier.clone() }).collect();
                let fixed: Vec<Tier> =
                    tiers.iter().map(|tier| Tier { rate: Quantity::ZERO, ..tier.clone() }).collect();
                graduated(&percent, &units).percent() + graduated(&fixed, &units)
            }
            Self::Package { size, price, free } => {
                let billed = (units - Exact::from(*free)).or_zero();
                let packages = billed.divided_by(&Exact::from(*size)).unwrap_or_default().ceil();
                packages * Exact::from(*price)
            }
            Self::Percentage(percentage) if percentage.by_event() => {
                percentage.of_events(&measured.values).or_zero()
            }
            Self::Percentage(percentage) => percentage.of_sums(&units, measured.events),
            Self::Volume { tiers } => volume(tiers, &units, &measured.full_units),
            Self::Dynamic { .. } | Self::Custom { .. } => measured.carried.clone().or_zero(),
        }
    }
}
