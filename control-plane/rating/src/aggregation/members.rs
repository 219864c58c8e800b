//! Distinct values, added and removed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::state::{StateFull, Step};
use crate::event::Order;
use crate::{Exact, Window};

/// Distinct values, or where days are counted additions, and as many removals, that one aggregation keeps. Values that were
/// removed are among them, in later periods too, so that events that arrive late find the order they belong in.
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

/// How many operations are kept. Each kind has its own bound: a value can be taken away when there is no room to add, and
/// what fits depends on what there is, not on the order or the parts it came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    added: u64,
    removed: u64,
}

impl Held {
    const fn of(&mut self, operation: Operation) -> &mut u64 {
        match operation {
            Operation::Add => &mut self.added,
            Operation::Remove => &mut self.removed,
        }
    }
}

/// The operations on each value. Whether a value is there depends on its last operation alone; since when, on all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Members {
    Last(BTreeMap<String, (Order, Operation)>),
    All { values: BTreeMap<String, BTreeSet<(Order, Operation)>>, held: Held },
}

impl Members {
    pub(super) const fn new(prorated: bool) -> Self {
        if prorated {
            Self::All { values: BTreeMap::new(), held: Held { added: 0, removed: 0 } }
        } else {
            Self::Last(BTreeMap::new())
        }
    }

    pub(super) fn add(&mut self, value: &str, order: Order, operation: Operation) -> Result<(), StateFull> {
        match self {
            Self::Last(values) => match values.get_mut(value) {
                Some(last) => *last = (*last).max((order, operation)),
                None => {
                    room_for(values.len() as u64, 1)?;
                    values.insert(value.to_owned(), (order, operation));
                }
            },
            Self::All { values, held } => {
                if values.get(value).is_some_and(|operations| operations.contains(&(order, operation))) {
                    return Ok(());
                }
                room_for(*held.of(operation), 1)?;
                *held.of(operation) += 1;
                match values.get_mut(value) {
                    Some(operations) => operations.insert((order, operation)),
                    None => values.entry(value.to_owned()).or_default().insert((order, operation)),
                };
            }
        }
        Ok(())
    }

    pub(super) fn merge(&mut self, other: &Self) -> Result<(), StateFull> {
        match (&mut *self, other) {
            (Self::Last(values), Self::Last(others)) => {
                let new = others.keys().filter(|value| !values.contains_key(*value)).count();
                room_for(values.len() as u64, new as u64)?;
                others.iter().try_for_each(|(value, (order, operation))| self.add(value, *order, *operation))
            }
            (Self::All { values, held }, Self::All { values: others, .. }) => {
                let all = || others.iter().flat_map(|(value, all)| all.iter().map(move |one| (value, one)));
                let mut new = Held::default();
                for (value, one) in all() {
                    if !values.get(value).is_some_and(|mine| mine.contains(one)) {
                        *new.of(one.1) += 1;
                    }
                }
                room_for(held.added, new.added)?;
                room_for(held.removed, new.removed)?;
                all().try_for_each(|(value, (order, operation))| self.add(value, *order, *operation))
            }
            // States of one recipe are of one kind.
            _ => Ok(()),
        }
    }

    /// What is known of a value, where only its last operation is kept.
    pub(super) fn known(&self, value: &str) -> Option<Option<(Order, Operation)>> {
        match self {
            Self::Last(values) => Some(values.get(value).copied()),
            Self::All { .. } => None,
        }
    }

    /// Puts back what was known of a value.
    pub(super) fn put_back(&mut self, value: &str, known: Option<(Order, Operation)>) {
        if let Self::Last(values) = self {
            match known {
                Some(last) => values.insert(value.to_owned(), last),
                None => values.remove(value),
            };
        }
    }

    /// The last operation on each value.
    fn last(&self) -> impl Iterator<Item = (&String, (Order, Operation))> {
        let (last, all) = match self {
            Self::Last(values) => (Some(values), None),
            Self::All { values, .. } => (None, Some(values)),
        };
        let last = last.into_iter().flatten().map(|(value, last)| (value, *last));
        let all = all.into_iter().flatten();
        last.chain(all.filter_map(|(value, all)| all.last().map(|last| (value, *last))))
    }

    /// Values that are there at the end.
    pub(super) fn count(&self) -> u64 {
        self.last().filter(|(_, (_, operation))| *operation == Operation::Add).count() as u64
    }

    /// How many values are there when the window starts, and how their number changes in it, operation by operation.
    pub(super) fn changes(&self, window: &Window) -> (i64, Vec<i64>) {
        let Self::All { values, .. } = self else {
            return (0, Vec::new());
        };
        let mut changes: Vec<(Order, i64)> = Vec::new();
        for operations in values.values() {
            let mut there = false;
            for (order, operation) in operations {
                let adds = *operation == Operation::Add;
                if adds != there {
                    changes.push((*order, if adds { 1 } else { -1 }));
                    there = adds;
                }
            }
        }
        changes.sort_unstable();
        let in_window = changes.partition_point(|(order, _)| order.at < window.from());
        let (before, after) = changes.split_at(in_window);
        (before.iter().map(|(_, change)| change).sum(), after.iter().map(|(_, change)| *change).collect())
    }

    /// Values that are there at the end.
    pub(super) fn present(&self) -> BTreeSet<String> {
        let present = self.last().filter(|(_, (_, operation))| *operation == Operation::Add);
        present.map(|(value, _)| value.clone()).collect()
    }

    /// Values that are there before anything happens, since `order`.
    pub(super) fn there(values: &BTreeSet<String>, prorated: bool, order: Order) -> Result<Self, StateFull> {
        let mut there = Self::new(prorated);
        values.iter().try_for_each(|value| there.add(value, order, Operation::Add))?;
        Ok(there)
    }

    /// What a later period starts with: the last operation on each value. One that was taken away stays taken away when an
    /// earlier event arrives late.
    pub(super) fn carried(&self, prorated: bool) -> Self {
        let mut carried = Self::new(prorated);
        for (value, (order, operation)) in self.last() {
            // Cannot be full: no more values than are held here.
            let _ = carried.add(value, order, operation);
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

fn room_for(held: u64, more: u64) -> Result<(), StateFull> {
    if more > 0 && held.saturating_add(more) > MAX_MEMBERS {
        return Err(StateFull { what: "distinct values", most: MAX_MEMBERS });
    }
    Ok(())
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
