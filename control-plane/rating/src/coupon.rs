//! Coupons: amounts taken off before tax.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::share::Sharing;
use crate::{Currency, Quantity};

/// What a coupon takes off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CouponAmount {
    /// An amount, up to what the lines come to.
    Fixed {
        /// Minor units.
        minor: u64,
        /// Its currency.
        currency: Currency,
    },
    /// A percentage of what the lines come to, up to 100.
    Percent(Quantity),
}

/// An amount off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coupon {
    /// What it is called.
    pub code: String,
    /// What it takes off.
    pub amount: CouponAmount,
    /// How it is shared among lines.
    #[serde(default)]
    pub sharing: Sharing,
    /// The charges it lowers; every line when left out.
    #[serde(default)]
    pub only: Option<BTreeSet<String>>,
}
