//! Distinct values, added and removed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::state::{StateFull, Step};
use crate::event::Order;
use crate::{Exact, Window};

/// Distinct values, or where days are counted operations, that one aggregation keeps.
pub const MAX_MEMBERS: u64 = 1_000_000;

/// What happens to a distinct value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// It is there from now on.
    Add,
    /// It is gone from now on.
    Remove,
}

/// The operations on each value. Whether a value is there depends on its last operation alone; since when, on all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Members {
    Last(BTreeMap<String, (Order, Operation)>),
    All { values: BTreeMap<String, BTreeSet<(Order, Operation)>>, held: u64 },
}

impl Members {
    pub(super) const fn new(prorated: bool) -> Self {
        if prorated { Self::All { values: BTreeMap::new(), held: 0 } } else { Self::Last(BTreeMap::new()) }
    }

    pub(super) fn add(&mut self, value: &str, order: Order, operation: Operation) -> Result<(), StateFull> {
        // Taking away a value that is known must stay possible when the state is full.
        let full = self.room_for(1);
        match self {
            Self::Last(values) => match values.get_mut(value) {
                Some(last) => *last = (*last).max((order, operation)),
                None => {
                    full?;
                    values.insert(value.to_owned(), (order, operation));
                }
            },
            Self::All { values, held } => {
                full?;
                let operations = match values.get_mut(value) {
                    Some(operations) => operations,
                    None => values.entry(value.to_owned()).or_default(),
                };
                *held += u64::from(operations.insert((order, operation)));
            }
        }
        Ok(())
    }

    pub(super) fn merge(&mut self, other: &Self) -> Result<(), StateFull> {
        match other {
            Self::Last(values) => {
                self.room_for(values.len() as u64)?;
                values.iter().try_for_each(|(value, (order, operation))| self.add(value, *order, *operation))
            }
            Self::All { values, held } => {
                self.room_for(*held)?;
                let mut all = values
                    .iter()
                    .flat_map(|(value, operations)| operations.iter().map(move |last| (value, last)));
                all.try_for_each(|(value, (order, operation))| self.add(value, *order, *operation))
            }
        }
    }

    fn room_for(&self, more: u64) -> Result<(), StateFull> {
        let held = match self {
            Self::Last(values) => values.len() as u64,
            Self::All { held, .. } => *held,
        };
        if held.saturating_add(more) > MAX_MEMBERS {
            return Err(StateFull { what: "distinct values", most: MAX_MEMBERS });
        }
        Ok(())
    }

    fn present(&self) -> impl Iterator<Item = (&String, Order)> {
        let (last, all) = match self {
            Self::Last(values) => (Some(values), None),
            Self::All { values, .. } => (None, Some(values)),
        };
        let last = last.into_iter().flatten().map(|(value, last)| (value, Some(*last)));
        let all = all.into_iter().flatten().map(|(value, all)| (value, all.last().copied()));
        last.chain(all).filter_map(|(value, last)| match last {
            Some((order, Operation::Add)) => Some((value, order)),
            _ => None,
        })
    }

    /// Values that are there at the end.
    pub(super) fn count(&self) -> u64 {
        self.present().count() as u64
    }

    /// What a later period starts with: the values that are there.
    pub(super) fn carried(&self, prorated: bool) -> Self {
        let mut carried = Self::new(prorated);
        for (value, order) in self.present() {
            // Cannot be full: no more values than are held here.
            let _ = carried.add(value, order, Operation::Add);
        }
        carried
    }

    /// How the number of values changed, day by day, with the days each change counts for. A value that was there at
    /// any instant of a day was there that day, however often it came and went.
    pub(super) fn steps(&self, window: &Window) -> Vec<Step> {
        let Self::All { values, .. } = self else {
            return Vec::new();
        };
        let mut changes: BTreeMap<i64, i64> = BTreeMap::new();
        for operations in values.values() {
            for (first, last) in days_present(operations, window) {
                *changes.entry(first).or_default() += 1;
                *changes.entry(last + 1).or_default() -= 1;
            }
        }
        changes
            .into_iter()
            .filter(|(_, change)| *change != 0)
            .map(|(day, change)| Step { days: window.days_from_day(day), delta: Exact::from(change) })
            .filter(|step| step.days > 0)
            .collect()
    }
}

/// The runs of days, first and last, on which a value was there.
fn days_present(operations: &BTreeSet<(Order, Operation)>, window: &Window) -> Vec<(i64, i64)> {
    let mut spans = Vec::new();
    let mut since = None;
    for (order, operation) in operations {
        match (operation, since) {
            (Operation::Add, None) => since = Some(order.at),
            (Operation::Remove, Some(start)) => {
                spans.push((start, order.at));
                since = None;
            }
            _ => {}
        }
    }
    if let Some(start) = since {
        spans.push((start, window.to()));
    }
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for (start, end) in spans {
        let (start, end) = (start.max(window.from()), end.min(window.to()));
        if start >= end {
            continue;
        }
        let (first, last) = (window.day(start), window.day(end.just_before()));
        match runs.last_mut() {
            Some(run) if first <= run.1 + 1 => run.1 = run.1.max(last),
            _ => runs.push((first, last)),
        }
    }
    runs
}
