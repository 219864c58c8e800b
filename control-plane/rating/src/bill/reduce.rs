//! What is taken off before tax.

use super::draft::{LineKind, Reduction, sum_minor};
use super::lines::Rated;
use super::{Adjustments, BillError};
use crate::fee::FeeTooLarge;
use crate::share::{Sharing, apportion};
use crate::{CouponAmount, Currency, Exact, Quantity};

/// Takes off what was billed before, then coupons. Returns what was billed before and is more than usage came to, in minor
/// units.
pub(super) fn apply(
    rated: &mut [Rated],
    currency: Currency,
    adjustments: &Adjustments,
) -> Result<i64, BillError> {
    // Money given back counts against what was asked for: only the sum is what was paid.
    let before = sum_minor(adjustments.progressively_billed.iter().map(|fee| fee.minor), currency)?.max(0);
    let usage = |rated: &Rated| rated.line.kind == LineKind::Usage;
    let taken = take_off(rated, None, Sharing::Proportional, &usage, &|_| Ok(Exact::from(before)))?;
    for coupon in &adjustments.coupons {
        let eligible = |rated: &Rated| match (&coupon.only, &rated.line.charge) {
            (None, _) => true,
            (Some(charges), Some(charge)) => charges.contains(charge),
            (Some(_), None) => false,
        };
        let amount = |net: &Exact| match &coupon.amount {
            CouponAmount::Fixed { minor, .. } => Ok(Exact::from(*minor)),
            CouponAmount::Percent(percent) if percent.is_negative() || *percent > Quantity::from(100) => {
                Err(BillError::Percent { coupon: coupon.code.clone(), percent: *percent })
            }
            CouponAmount::Percent(percent) => Ok((net * &Exact::from(*percent).percent()).round()),
        };
        take_off(rated, Some(&coupon.code), coupon.sharing, &eligible, &amount)?;
    }
    Ok(before - taken)
}

/// Takes an amount in whole minor units off the lines it may lower, never below zero. Returns what it took, in minor units.
fn take_off(
    rated: &mut [Rated],
    coupon: Option<&str>,
    sharing: Sharing,
    eligible: &dyn Fn(&Rated) -> bool,
    amount: &dyn Fn(&Exact) -> Result<Exact, BillError>,
) -> Result<i64, BillError> {
    let places: Vec<usize> = (0..rated.len()).filter(|place| eligible(&rated[*place])).collect();
    let needs: Vec<Exact> = places.iter().map(|place| Exact::from(rated[*place].line.net_minor)).collect();
    let net: Exact = needs.iter().sum();
    let off = amount(&net)?.min(net);
    if off.is_zero() {
        return Ok(0);
    }
    let Some(currency) = rated.first().map(|rated| rated.line.fee.currency) else {
        return Ok(0);
    };
    // Shares add up to the whole amount and none exceeds its need, so no part in whole units does.
    let parts = off.to_i64().and_then(|off| apportion(off, &sharing.shares(&Exact::from(off), &needs)));
    let parts = parts.ok_or_else(|| FeeTooLarge { amount: off.to_decimal(0), currency })?;
    let mut taken = 0;
    for (place, minor) in places.into_iter().zip(parts) {
        if minor > 0 {
            taken += minor;
            let line = &mut rated[place].line;
            line.net_minor -= minor;
            line.total_minor = line.net_minor;
            line.reductions.push(Reduction { coupon: coupon.map(str::to_owned), minor });
        }
    }
    Ok(taken)
}
