//! Plans.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::charge::{Charge, ChargeError};
use crate::{Currency, Interval, Quantity, TaxRate};

/// Charges one plan may have.
pub const MAX_CHARGES: usize = 1_000;

/// What a customer pays for: a fee for the interval, charges for use, and a least amount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What it is called.
    pub code: String,
    /// The one currency of all its prices.
    pub currency: Currency,
    /// How often it bills.
    pub interval: Interval,
    /// The fee of an interval, in the main unit; prorated by days.
    #[serde(default)]
    pub amount: Quantity,
    /// Whether the fee may be billed when the interval starts. What of it turns out too much, because the subscription ends
    /// or changes, is given back.
    #[serde(default)]
    pub pay_in_advance: bool,
    /// The least an interval comes to, everything together, before tax, in the main unit; prorated by days.
    #[serde(default)]
    pub commitment: Option<Quantity>,
    /// What use costs.
    #[serde(default)]
    pub charges: Vec<Charge>,
    /// Taxes of every line whose charge has none of its own.
    #[serde(default)]
    pub taxes: Vec<TaxRate>,
}

/// A plan that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A charge.
    #[error("plan `{plan}`, charge `{charge}`: {error}")]
    Charge {
        /// The plan.
        plan: String,
        /// The charge.
        charge: String,
        /// What is wrong.
        error: Box<ChargeError>,
    },
    /// Two charges with one code.
    #[error("plan `{plan}`: charge `{charge}` is there twice; give each its own code")]
    Twice {
        /// The plan.
        plan: String,
        /// The charge.
        charge: String,
    },
    /// More than [`MAX_CHARGES`].
    #[error("plan `{plan}` has {found} charges; at most {MAX_CHARGES}")]
    TooMany {
        /// The plan.
        plan: String,
        /// How many there are.
        found: usize,
    },
    /// A number below zero.
    #[error("plan `{plan}`, field `{field}`: {value} is below zero")]
    Negative {
        /// The plan.
        plan: String,
        /// The field.
        field: &'static str,
        /// What it is.
        value: Quantity,
    },
    /// One tax code with two rates.
    #[error("plan `{plan}`: tax `{tax}` has two rates; give each rate its own code")]
    TaxRates {
        /// The plan.
        plan: String,
        /// The tax.
        tax: String,
    },
    /// One tax code twice on the same lines.
    #[error("plan `{plan}`: tax `{tax}` is there twice in one list and would be charged twice; drop one")]
    TaxTwice {
        /// The plan.
        plan: String,
        /// The tax.
        tax: String,
    },
}

impl Plan {
    /// Whether everything in it holds.
    ///
    /// # Errors
    ///
    /// [`PlanError`], which names the charge, the tier and the field.
    pub fn validate(&self) -> Result<(), PlanError> {
        let plan = || self.code.clone();
        if self.charges.len() > MAX_CHARGES {
            return Err(PlanError::TooMany { plan: plan(), found: self.charges.len() });
        }
        for (field, value) in [("amount", Some(self.amount)), ("commitment", self.commitment)] {
            if let Some(value) = value.filter(|value| value.is_negative()) {
                return Err(PlanError::Negative { plan: plan(), field, value });
            }
        }
        let mut codes = BTreeSet::new();
        let mut rates = BTreeMap::new();
        for charge in &self.charges {
            let code = || charge.code.clone();
            if !codes.insert(&charge.code) {
                return Err(PlanError::Twice { plan: plan(), charge: code() });
            }
            let invalid = |error| PlanError::Charge { plan: plan(), charge: code(), error: Box::new(error) };
            charge.validate().map_err(invalid)?;
        }
        for taxes in self.charges.iter().filter_map(|charge| charge.taxes.as_ref()).chain([&self.taxes]) {
            let mut listed = BTreeSet::new();
            for tax in taxes {
                if tax.percent.is_negative() {
                    let (field, value) = ("taxes.percent", tax.percent);
                    return Err(PlanError::Negative { plan: plan(), field, value });
                }
                if *rates.entry(&tax.code).or_insert(tax.percent) != tax.percent {
                    return Err(PlanError::TaxRates { plan: plan(), tax: tax.code.clone() });
                }
                if !listed.insert(&tax.code) {
                    return Err(PlanError::TaxTwice { plan: plan(), tax: tax.code.clone() });
                }
            }
        }
        Ok(())
    }
}
