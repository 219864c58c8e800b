//! A percentage of what events carry, with what is free, a fixed fee an event, and limits for one event.

use serde::{Deserialize, Serialize};

use crate::{Exact, Quantity};

/// A percentage of the units (an amount, most often).
///
/// What is free goes to events in their order. With both `free_events` and `free_units`, an event draws on the free units
/// while it is among the free events, so whichever runs out first ends it. An event that is free in full pays neither
/// the fixed fee nor the minimum. An event below zero is money back at the rate: no fixed fee, no limits, and it
/// restores nothing that was free.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Percentage {
    /// Percent of a unit.
    pub rate: Quantity,
    /// Charged for each event, in the main unit of the currency.
    #[serde(default)]
    pub fixed: Quantity,
    /// Units that are free.
    #[serde(default)]
    pub free_units: Option<Quantity>,
    /// Events that are free, the first ones.
    #[serde(default)]
    pub free_events: Option<u64>,
    /// The least one event costs, in the main unit.
    #[serde(default)]
    pub event_minimum: Option<Quantity>,
    /// The most one event costs, in the main unit.
    #[serde(default)]
    pub event_maximum: Option<Quantity>,
}

impl Percentage {
    /// Whether the price depends on single events, not on sums alone.
    #[must_use]
    pub const fn by_event(&self) -> bool {
        self.event_minimum.is_some()
            || self.event_maximum.is_some()
            || self.free_events.is_some()
            || (self.free_units.is_some() && !self.fixed.is_zero())
    }

    pub(super) fn fields(&self) -> [(&'static str, Option<Quantity>); 5] {
        [
            ("rate", Some(self.rate)),
            ("fixed", Some(self.fixed)),
            ("free_units", self.free_units),
            ("event_minimum", self.event_minimum),
            ("event_maximum", self.event_maximum),
        ]
    }

    /// The price of units and a number of events.
    pub(super) fn of_sums(&self, units: &Exact, events: u64) -> Exact {
        if units.is_zero() {
            return Exact::zero();
        }
        let free = self.free_units.map_or_else(Exact::zero, Exact::from);
        let billed = (units.clone() - free).or_zero();
        billed * Exact::from(self.rate).percent() + Exact::from(events) * Exact::from(self.fixed)
    }

    /// The price of single events, in order.
    pub(super) fn of_events(&self, values: &[Quantity]) -> Exact {
        let rate = Exact::from(self.rate).percent();
        let mut units_left = self.free_units.map(Exact::from);
        let mut events_left = self.free_events;
        let mut sum = Exact::zero();
        let mut used = false;
        for value in values {
            let value = Exact::from(*value);
            used |= !value.is_zero();
            if value.is_negative() {
                sum = sum + value * &rate;
                continue;
            }
            let offered = events_left.is_some() || units_left.is_some();
            let covered =
                offered && events_left != Some(0) && units_left.as_ref().is_none_or(|left| !left.is_zero());
            let mut billed = value.clone();
            if covered {
                let free =
                    units_left.as_ref().map_or_else(|| value.clone(), |left| value.clone().min(left.clone()));
                billed = value - &free;
                units_left = units_left.map(|left| left - free);
            }
            events_left = events_left.map(|left| left.saturating_sub(1));
            if covered && billed.is_zero() {
                continue;
            }
            let mut amount = billed * &rate + Exact::from(self.fixed);
            if let Some(least) = self.event_minimum {
                amount = amount.max(least.into());
            }
            if let Some(most) = self.event_maximum {
                amount = amount.min(most.into());
            }
            sum = sum + amount;
        }
        if used { sum } else { Exact::zero() }
    }
}
