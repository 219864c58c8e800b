//! Events into units: one [`State`] an aggregation, fed in any order, in any parts, merged, and finished.

mod lasting;
mod log;
mod members;
mod metric;
mod reading;
mod state;

pub(crate) use lasting::Units;
pub use log::MAX_ORDERED_EVENTS;
pub use members::{MAX_MEMBERS, Operation};
pub use metric::{Aggregation, Metric, MetricError};
pub use reading::{EvaluationProblem, OPERATION_PROPERTY, Reading, ReadingError};
pub use state::{Aggregate, MergeError, Placed, Recipe, State, StateFull, Step};
