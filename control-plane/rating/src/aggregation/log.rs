//! Values in order, for models in which the order of events decides the price.

use std::collections::BTreeMap;

use super::state::StateFull;
use crate::Quantity;
use crate::event::Order;
use crate::number::Total;

/// Events one aggregation keeps in order.
pub const MAX_ORDERED_EVENTS: u64 = 1_000_000;

/// The values of events in their order. Equal entries are counted, so two events that share an order lose nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Log {
    /// What earlier periods left behind.
    pub(super) before: Total,
    entries: BTreeMap<(Order, Quantity), u64>,
    held: u64,
}

impl Log {
    pub(super) fn starting_with(before: Total) -> Self {
        Self { before, ..Self::default() }
    }

    pub(super) const fn room_for(&self, more: u64) -> Result<(), StateFull> {
        if self.held.saturating_add(more) > MAX_ORDERED_EVENTS {
            return Err(StateFull { what: "events whose order matters", most: MAX_ORDERED_EVENTS });
        }
        Ok(())
    }

    pub(super) const fn held(&self) -> u64 {
        self.held
    }

    /// Adds one; the caller has asked for room.
    pub(super) fn add(&mut self, order: Order, value: Quantity) {
        *self.entries.entry((order, value)).or_default() += 1;
        self.held += 1;
    }

    /// Adds another log; the caller has asked for room.
    pub(super) fn merge(&mut self, other: &Self) {
        self.before.merge(&other.before);
        for (key, count) in &other.entries {
            *self.entries.entry(*key).or_default() += count;
        }
        self.held += other.held;
    }

    pub(super) fn values(&self) -> impl Iterator<Item = (Order, Quantity)> + '_ {
        self.entries.iter().flat_map(|((order, value), count)| (0..*count).map(|_| (*order, *value)))
    }
}
