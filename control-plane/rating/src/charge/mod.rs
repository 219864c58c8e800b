//! Units into money: the charge models, their tiers, who pays which price, and charges paid in advance.

mod advance;
mod definition;
mod filter;
mod graduated;
mod model;
mod percentage;
mod tier;

pub use advance::{AdvanceBilled, AdvanceError, AdvanceMeter};
pub use definition::{Charge, ChargeError, MAX_GROUP_KEYS};
pub(crate) use filter::chosen;
pub use filter::{Filter, FilterError, MAX_FILTERS};
pub use model::{Measured, Model, ModelError};
pub use percentage::Percentage;
pub use tier::{MAX_TIERS, Tier, TierError};
