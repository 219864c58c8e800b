//! What is counted of events.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

use crate::bounds::{MAX_DIMENSIONS, MAX_NAME_BYTES};

/// How events become a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Aggregation {
    /// How many.
    Count,
    /// The sum of a property.
    Sum,
    /// The largest value of a property.
    Max,
    /// How many distinct values of a property.
    UniqueCount,
    /// The value of a property of the last event, by time, then the logical clock, then the order of ingestion.
    Latest,
    /// The sum of a property, each value for the part of the window that is left when it happens: values are changes of
    /// a level that starts at zero. Exactly `sum(value * (end - at)) / (end - start)`.
    WeightedSum,
}

impl Aggregation {
    /// All there are.
    pub const ALL: [Self; 6] =
        [Self::Count, Self::Sum, Self::Max, Self::UniqueCount, Self::Latest, Self::WeightedSum];

    /// Its name on the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Max => "max",
            Self::UniqueCount => "unique_count",
            Self::Latest => "latest",
            Self::WeightedSum => "weighted_sum",
        }
    }

    /// Whether it reads a number.
    #[must_use]
    pub const fn needs_number(self) -> bool {
        matches!(self, Self::Sum | Self::Max | Self::Latest | Self::WeightedSum)
    }
}

impl fmt::Display for Aggregation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Aggregation {
    type Err = MeterError;

    fn from_str(text: &str) -> Result<Self, MeterError> {
        Self::ALL
            .into_iter()
            .find(|aggregation| aggregation.as_str() == text)
            .ok_or_else(|| MeterError::Aggregation(text.chars().take(40).collect()))
    }
}

/// One meter: events of a type, how they are counted, and what they are kept apart by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Meter {
    /// Unique in its namespace: 1 to 128 visible ASCII characters.
    pub name: Arc<str>,
    /// The type of events it counts.
    pub event_type: Arc<str>,
    /// How.
    pub aggregation: Aggregation,
    /// The property it reads; empty for a count. Events without it are not counted by this meter.
    pub field: Arc<str>,
    /// Properties its rollups are kept apart by, besides agent, customer and subscription; at most 8.
    pub dimensions: Vec<Arc<str>>,
    /// What the number is of, for people.
    pub unit: Arc<str>,
}

/// Why a meter is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MeterError {
    /// A name that is none.
    #[error("{what} `{name}` of the meter: 1 to {MAX_NAME_BYTES} visible ASCII characters")]
    Name {
        /// Of what.
        what: &'static str,
        /// What was said.
        name: String,
    },
    /// No such aggregation.
    #[error("`{0}` is no aggregation: count, sum, max, unique_count, latest or weighted_sum")]
    Aggregation(String),
    /// A count of a property, or anything else of none.
    #[error("a meter that is a {aggregation} {problem}")]
    Field {
        /// How it counts.
        aggregation: Aggregation,
        /// What is wrong.
        problem: &'static str,
    },
    /// Too many.
    #[error("{0} dimensions: at most {MAX_DIMENSIONS}")]
    TooManyDimensions(usize),
    /// Named twice, or always there.
    #[error(
        "dimension `{0}` is named twice, or is kept apart in every meter (agent, customer, subscription)"
    )]
    Dimension(Arc<str>),
}

impl Meter {
    /// A meter without dimensions.
    #[must_use]
    pub fn new(name: &str, event_type: &str, aggregation: Aggregation, field: &str) -> Self {
        Self {
            name: name.into(),
            event_type: event_type.into(),
            aggregation,
            field: field.into(),
            dimensions: Vec::new(),
            unit: "".into(),
        }
    }

    /// The same, kept apart by these properties.
    #[must_use]
    pub fn by(mut self, dimensions: &[&str]) -> Self {
        self.dimensions = dimensions.iter().map(|name| Arc::from(*name)).collect();
        self
    }

    /// The same, in this unit.
    #[must_use]
    pub fn in_unit(mut self, unit: &str) -> Self {
        self.unit = unit.into();
        self
    }

    /// Whether it can be one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), MeterError> {
        check_name("name", &self.name)?;
        check_name("event type", &self.event_type)?;
        let aggregation = self.aggregation;
        match (aggregation, self.field.is_empty()) {
            (Aggregation::Count, false) => {
                return Err(MeterError::Field { aggregation, problem: "reads no property: leave field out" });
            }
            (Aggregation::Count, true) => {}
            (_, true) => {
                return Err(MeterError::Field { aggregation, problem: "needs a property: say field" });
            }
            (_, false) => check_name("field", &self.field)?,
        }
        if !self.unit.is_empty() {
            check_name("unit", &self.unit)?;
        }
        if self.dimensions.len() > MAX_DIMENSIONS {
            return Err(MeterError::TooManyDimensions(self.dimensions.len()));
        }
        let mut seen = BTreeSet::from(["agent", "customer", "subscription"]);
        for dimension in &self.dimensions {
            check_name("dimension", dimension)?;
            if !seen.insert(dimension) {
                return Err(MeterError::Dimension(Arc::clone(dimension)));
            }
        }
        Ok(())
    }
}

fn check_name(what: &'static str, name: &str) -> Result<(), MeterError> {
    if is_name(name) {
        Ok(())
    } else {
        Err(MeterError::Name { what, name: name.chars().take(MAX_NAME_BYTES).collect() })
    }
}

/// 1 to 128 visible ASCII characters.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME_BYTES && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The meters every namespace has, over events of the type `creto.call`.
#[must_use]
pub fn built_in_meters() -> Vec<Meter> {
    const CALL: &str = "creto.call";
    let sum = |name, field, unit| Meter::new(name, CALL, Aggregation::Sum, field).in_unit(unit);
    let model = ["provider", "model"];
    vec![
        Meter::new("calls", CALL, Aggregation::Count, "").in_unit("call").by(&["host"]),
        sum("llm.tokens", "total_tokens", "token").by(&model),
        sum("llm.input_tokens", "input_tokens", "token").by(&model),
        sum("llm.output_tokens", "output_tokens", "token").by(&model),
        sum("llm.cost", "cost", "USD").by(&model),
        sum("egress.bytes", "request_bytes", "byte").by(&["host"]),
    ]
}
