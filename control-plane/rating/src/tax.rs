//! Tax rates.

use serde::{Deserialize, Serialize};

use crate::Quantity;

/// A tax in percent of the net amount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaxRate {
    /// What it is called; taxes of one code must have one rate.
    pub code: String,
    /// Percent.
    pub percent: Quantity,
}
