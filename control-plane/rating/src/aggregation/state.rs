//! The state of one aggregation.

use std::sync::Arc;

use super::log::Log;
use super::members::{Members, Operation};
use super::metric::{Aggregation, Metric};
use super::reading::{Measure, Reading, ReadingError};
use crate::event::{Order, UsageEvent};
use crate::number::Total;
use crate::{Exact, Quantity, Window};

/// What a state aggregates: a metric over a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// What is counted.
    pub metric: Metric,
    /// When.
    pub window: Window,
    /// Whether values are kept in their order, for models whose price depends on it.
    pub ordered: bool,
}

/// Where an event fell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// In the window: it counts.
    Counted,
    /// Before the window, and its units last: they count from the start.
    Persisted,
    /// Outside the window: it changes nothing.
    Outside,
}

/// A state that has no room for more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {most} {what} in one bucket: bill shorter periods, or group the charge")]
pub struct StateFull {
    /// What there is too much of.
    pub what: &'static str,
    /// The most there may be.
    pub most: u64,
}

/// Why states do not merge, or an event does not enter one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// They aggregate different things.
    #[error("states of different metrics or windows cannot be merged")]
    Different,
    /// There is no room.
    #[error(transparent)]
    Full(#[from] StateFull),
    /// An event that cannot be read.
    #[error(transparent)]
    Reading(#[from] ReadingError),
}

/// What an aggregation comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregate {
    /// Units, prorated where the metric says so, rounded where it says so.
    pub units: Exact,
    /// Units without proration: what decides the tier.
    pub full_units: Exact,
    /// Events in the window.
    pub events: u64,
}

/// A change of the running units and the days of the window it counts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Days, from the change's day to the last, both included.
    pub days: i64,
    /// The change.
    pub delta: Exact,
}

/// One aggregation under way. Events enter in any order; states of parts merge into that of the whole; what comes out
/// is what one pass over all events in order would give. Repeats must have been removed before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub(super) recipe: Arc<Recipe>,
    pub(super) events: u64,
    pub(super) body: Body,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// Count, sum and custom: the sum, the sum of value times days, and the values in order where that matters.
    Sum {
        total: Total,
        days: Total,
        log: Option<Log>,
    },
    Max(Option<Quantity>),
    Members(Members),
    /// The running sum at the end, and its integral over time: each change counts from when it happened to the end, so
    /// the integral needs no order.
    Weighted {
        last: Total,
        micros: Total,
    },
    Latest(Option<(Order, Quantity)>),
}

/// What a state was before one event.
#[derive(Debug)]
pub(crate) struct Before {
    events: u64,
    changed: Changed,
}

#[derive(Debug)]
enum Changed {
    Body(Body),
    /// What was known of one value.
    Member(String, Option<(Order, Operation)>),
}

impl State {
    /// Nothing used yet.
    #[must_use]
    pub fn new(recipe: Arc<Recipe>) -> Self {
        let body = match recipe.metric.aggregation {
            Aggregation::Count | Aggregation::Sum { .. } | Aggregation::Custom { .. } => {
                let log = recipe.ordered.then(Log::default);
                Body::Sum { total: Total::default(), days: Total::default(), log }
            }
            Aggregation::Max { .. } => Body::Max(None),
            Aggregation::UniqueCount { .. } => Body::Members(Members::new(recipe.every_operation())),
            Aggregation::WeightedSum { .. } => {
                Body::Weighted { last: Total::default(), micros: Total::default() }
            }
            Aggregation::Latest { .. } => Body::Latest(None),
        };
        Self { recipe, events: 0, body }
    }

    /// What it aggregates.
    #[must_use]
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    pub(crate) const fn shared_recipe(&self) -> &Arc<Recipe> {
        &self.recipe
    }

    /// Takes one event in.
    ///
    /// # Errors
    ///
    /// [`MergeError::Reading`] for an event the metric cannot read, [`MergeError::Full`] when there is no room. The
    /// state is then what it was.
    pub fn add(&mut self, event: &UsageEvent) -> Result<Placed, MergeError> {
        let recipe = Arc::clone(&self.recipe);
        Ok(self.take(&recipe.metric.aggregation.read(event)?)?)
    }

    /// Takes one event in that was read before, by the aggregation of this recipe.
    ///
    /// # Errors
    ///
    /// [`StateFull`] when there is no room. The state is then what it was.
    pub fn take(&mut self, reading: &Reading) -> Result<Placed, StateFull> {
        let placed = self.recipe.place(reading.order);
        if placed == Placed::Outside {
            return Ok(placed);
        }
        let Recipe { metric, window, .. } = &*self.recipe;
        let order = reading.order;
        match (&mut self.body, &reading.measure) {
            (Body::Sum { total, days, log }, Measure::Amount(value)) => {
                if let Some(log) = log {
                    if placed == Placed::Persisted {
                        log.before.add(*value);
                    } else {
                        log.room_for(1)?;
                        log.add(order, *value);
                    }
                }
                total.add(*value);
                if metric.prorated {
                    days.add_times(*value, window.days_from(order.at));
                }
            }
            (Body::Max(max), Measure::Amount(value)) => *max = (*max).max(Some(*value)),
            (Body::Members(members), Measure::Member(value, operation)) => {
                members.add(value, order, *operation)?;
            }
            (Body::Weighted { last, micros }, Measure::Amount(value)) => {
                last.add(*value);
                micros.add_times(*value, window.micros_from(order.at));
            }
            (Body::Latest(latest), Measure::Amount(value)) => *latest = (*latest).max(Some((order, *value))),
            // A reading of another aggregation says nothing to this one.
            _ => return Ok(Placed::Outside),
        }
        self.events += u64::from(placed == Placed::Counted);
        Ok(placed)
    }

    /// What this state is before it takes `reading`: what one event changes, where that can be told.
    pub(crate) fn before(&self, reading: &Reading) -> Before {
        let body = match (&self.body, &reading.measure) {
            (Body::Sum { total, days, log: None }, _) => {
                Body::Sum { total: total.clone(), days: days.clone(), log: None }
            }
            (Body::Members(members), Measure::Member(value, _)) => {
                if let Some(known) = members.known(value) {
                    return Before { events: self.events, changed: Changed::Member(value.clone(), known) };
                }
                self.body.clone()
            }
            _ => self.body.clone(),
        };
        Before { events: self.events, changed: Changed::Body(body) }
    }

    /// Takes the one event back that was taken in since.
    pub(crate) fn take_back(&mut self, before: Before) {
        self.events = before.events;
        match (before.changed, &mut self.body) {
            (Changed::Member(value, known), Body::Members(members)) => members.put_back(&value, known),
            (Changed::Body(body), mine) => *mine = body,
            (Changed::Member(..), _) => {}
        }
    }

    /// Takes in what another state of the same recipe holds.
    ///
    /// # Errors
    ///
    /// [`MergeError::Different`] for another recipe, [`MergeError::Full`] when there is no room.
    pub fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        if !Arc::ptr_eq(&self.recipe, &other.recipe) && self.recipe != other.recipe {
            return Err(MergeError::Different);
        }
        match (&mut self.body, &other.body) {
            (Body::Sum { total, days, log }, Body::Sum { total: total_b, days: days_b, log: log_b }) => {
                if let (Some(log), Some(log_b)) = (log, log_b) {
                    log.room_for(log_b.held())?;
                    log.merge(log_b);
                }
                total.merge(total_b);
                days.merge(days_b);
            }
            (Body::Max(max), Body::Max(max_b)) => *max = (*max).max(*max_b),
            (Body::Members(members), Body::Members(members_b)) => members.merge(members_b)?,
            (Body::Weighted { last, micros }, Body::Weighted { last: last_b, micros: micros_b }) => {
                last.merge(last_b);
                micros.merge(micros_b);
            }
            (Body::Latest(latest), Body::Latest(latest_b)) => *latest = (*latest).max(*latest_b),
            _ => return Err(MergeError::Different),
        }
        self.events += other.events;
        Ok(())
    }

    /// What it comes to.
    #[must_use]
    pub fn finish(&self) -> Aggregate {
        let Recipe { metric, window, .. } = &*self.recipe;
        let quantity = |value: Option<Quantity>| value.map_or_else(Exact::zero, Exact::from);
        let share = |sum: Exact, whole: i64| sum.divided_by(&Exact::from(whole)).unwrap_or_default();
        let (units, full_units) = match &self.body {
            Body::Sum { total, days, .. } => {
                let full = total.exact();
                (if metric.prorated { share(days.exact(), window.period_days()) } else { full.clone() }, full)
            }
            Body::Max(max) => (quantity(*max), quantity(*max)),
            Body::Members(members) => {
                let full = Exact::from(members.count());
                if metric.prorated {
                    let days = self.steps().into_iter().map(|step| step.delta * Exact::from(step.days)).sum();
                    (share(days, window.period_days()), full)
                } else {
                    (full.clone(), full)
                }
            }
            Body::Weighted { last, micros } => (share(micros.exact(), window.period_micros()), last.exact()),
            Body::Latest(latest) => {
                let value = quantity(latest.map(|(_, value)| value)).or_zero();
                (value.clone(), value)
            }
        };
        Aggregate {
            units: metric.rounded(units),
            full_units: metric.rounded(full_units),
            events: self.events,
        }
    }

    /// The values of the events in the window, in order, when they were kept.
    #[must_use]
    pub fn values(&self) -> Vec<Quantity> {
        match &self.body {
            Body::Sum { log: Some(log), .. } => log.values().map(|(_, value)| value).collect(),
            _ => Vec::new(),
        }
    }

    /// How the running units changed, in order, with the days each change counts for; for prorated tiers.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        let window = &self.recipe.window;
        match &self.body {
            Body::Sum { log: Some(log), .. } => {
                let before = Step { days: window.days(), delta: log.before.exact() };
                let steps = log
                    .values()
                    .map(|(order, value)| Step { days: window.days_from(order.at), delta: value.into() });
                std::iter::once(before).chain(steps).collect()
            }
            Body::Members(members) => members.steps(window),
            _ => Vec::new(),
        }
    }

    /// What the units that last come to at the start of a later window; nothing when they do not last.
    #[must_use]
    pub fn carried_into(&self, recipe: &Arc<Recipe>) -> Option<Self> {
        if !self.recipe.metric.recurring || self.recipe.metric != recipe.metric {
            return None;
        }
        let body = match &self.body {
            Body::Sum { total, .. } => Body::summed(recipe, total.clone()),
            Body::Members(members) => Body::Members(members.carried(recipe.every_operation())),
            Body::Weighted { last, .. } => Body::weighted(recipe, last.clone()),
            Body::Max(_) | Body::Latest(_) => return None,
        };
        Some(Self { recipe: Arc::clone(recipe), events: 0, body })
    }
}

impl Body {
    /// A sum that was there before the window.
    pub(super) fn summed(recipe: &Recipe, total: Total) -> Self {
        Self::Sum {
            days: if recipe.metric.prorated { total.times(recipe.window.days()) } else { Total::default() },
            log: recipe.ordered.then(|| Log::starting_with(total.clone())),
            total,
        }
    }

    /// A running sum that was there before the window.
    pub(super) fn weighted(recipe: &Recipe, last: Total) -> Self {
        let window = &recipe.window;
        Self::Weighted { micros: last.times(window.micros_from(window.from())), last }
    }
}

impl Recipe {
    /// Whether it matters when a distinct value came and went, and not just whether it is there.
    pub(super) const fn every_operation(&self) -> bool {
        self.metric.prorated || self.ordered
    }

    /// Where an event of this order falls.
    #[must_use]
    pub fn place(&self, order: Order) -> Placed {
        if order.at >= self.window.to() {
            Placed::Outside
        } else if order.at >= self.window.from() {
            Placed::Counted
        } else if self.metric.recurring {
            Placed::Persisted
        } else {
            Placed::Outside
        }
    }
}
