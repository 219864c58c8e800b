//! Prices by tier: each unit at the rate of the tier it falls in, or all at the rate of the tier they reach.

use super::tier::Tier;
use crate::Exact;
use crate::aggregation::Step;

/// Units of one tier times its rate, over all tiers; nothing below zero units.
fn at_rates(tiers: &[Tier], units: &Exact) -> Exact {
    let mut sum = Exact::zero();
    for tier in tiers {
        let from = Exact::from(tier.from);
        if *units <= from {
            break;
        }
        let upper = match tier.to.map(Exact::from) {
            Some(to) if to < *units => to,
            _ => units.clone(),
        };
        sum = sum + (upper - &from) * Exact::from(tier.rate);
    }
    sum
}

/// The flat fees of the tiers that `units` reach. The first is always reached.
fn flats(tiers: &[Tier], units: &Exact) -> Exact {
    let reached = |(place, tier): &(usize, &Tier)| *place == 0 || *units > Exact::from(tier.from);
    tiers.iter().enumerate().take_while(reached).map(|(_, tier)| Exact::from(tier.flat)).sum()
}

/// Each unit at the rate of its tier, and the flat fee of every tier reached.
pub(super) fn graduated(tiers: &[Tier], units: &Exact) -> Exact {
    at_rates(tiers, units) + flats(tiers, units)
}

/// The same for units that last part of the period. Which tier a change falls in, its full units decide; what it costs
/// there, the days it counts for. Flat fees go by the most units there were at a time.
pub(super) fn graduated_prorated(tiers: &[Tier], steps: &[Step], period_days: i64) -> Exact {
    let mut running = Exact::zero();
    let mut most = Exact::zero();
    let mut day_costs = Exact::zero();
    for step in steps {
        let next = &running + &step.delta;
        day_costs = day_costs + (at_rates(tiers, &next) - at_rates(tiers, &running)) * Exact::from(step.days);
        most = most.max(next.clone());
        running = next;
    }
    day_costs.divided_by(&Exact::from(period_days)).unwrap_or_default() + flats(tiers, &most)
}

/// All units at the rate of the tier that `full_units` reach, and that tier's flat fee.
pub(super) fn volume(tiers: &[Tier], units: &Exact, full_units: &Exact) -> Exact {
    let reached = tiers.iter().find(|tier| tier.to.is_none_or(|to| *full_units <= Exact::from(to)));
    reached.map_or_else(Exact::zero, |tier| units * &Exact::from(tier.rate) + Exact::from(tier.flat))
}
