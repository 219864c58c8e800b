//! The largest remainder method.

use num_bigint::BigInt;
use num_traits::ToPrimitive;

use crate::Exact;

/// `total` in whole parts, in proportion to `weights`: each gets its share rounded down, and what is left goes, one unit
/// each, to the largest remainders, the earlier first among equals. The parts add up to `total` exactly, and no part is
/// further than one unit from its share. Nothing when no weight is above zero; weights below zero count as zero.
#[must_use]
pub fn apportion(total: i64, weights: &[Exact]) -> Option<Vec<i64>> {
    let weights: Vec<Exact> = weights.iter().map(|weight| weight.clone().or_zero()).collect();
    let whole: Exact = weights.iter().sum();
    let unit = Exact::from(total.unsigned_abs()).divided_by(&whole)?;
    let mut parts: Vec<i64> = Vec::with_capacity(weights.len());
    let mut remainders: Vec<(Exact, usize)> = Vec::with_capacity(weights.len());
    for (place, weight) in weights.iter().enumerate() {
        let share = weight * &unit;
        let down = share.floor();
        parts.push(down.to_i64()?);
        remainders.push((share - down, place));
    }
    let given: BigInt = parts.iter().map(|part| BigInt::from(*part)).sum();
    let left = (BigInt::from(total.unsigned_abs()) - given).to_usize()?;
    remainders.sort_by(|(a, place_a), (b, place_b)| b.cmp(a).then(place_a.cmp(place_b)));
    for (_, place) in remainders.iter().take(left) {
        parts[*place] += 1;
    }
    if total < 0 {
        parts.iter_mut().for_each(|part| *part = -*part);
    }
    Some(parts)
}
