//! The usage of a subscription in a period: every event in the bucket it is priced in.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::aggregation::{MergeError, Placed, Reading, ReadingError, Recipe, State, StateFull, Units};
use crate::amount::{AmountError, carried_amount};
use crate::charge::{Charge, chosen};
use crate::number::Total;
use crate::subscription::{Segment, Subscription, SubscriptionError};
use crate::{Currency, Exact, Interval, IntervalError, Moment, Period, Quantity, UsageEvent, Value};

/// Buckets of price and group one usage may have.
pub const MAX_BUCKETS: usize = 100_000;
/// Agents, or values of one dimension, one bucket is attributed to.
pub const MAX_PARTS: usize = 100_000;

/// What prices events together: the filter they match, and the values they are grouped by.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BucketLabel {
    /// The filter's name; nothing for the default price.
    pub filter: Option<String>,
    /// A value for each key the charge groups by; nothing where an event lacks it.
    pub group: Vec<Option<String>>,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// It counts in this period.
    Counted,
    /// It came before this period, and its units last.
    Persisted,
    /// It happened outside the period, or when there was no service.
    Outside,
    /// No charge of the plan counts its meter.
    NoCharge,
}

/// An event that could not be taken in, or usage that does not go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// The subscription cannot be billed.
    #[error(transparent)]
    Subscription(#[from] SubscriptionError),
    /// A period that is not one of the plan's: its fees would be shared out over the wrong days.
    #[error(
        "the subscription bills {interval}: its period is {} to {}, not {} to {} ({}); ask for the whole period, service that starts or ends within it is prorated",
        whole.from(), whole.to(), found.from(), found.to(), found.zone()
    )]
    Period {
        /// How often the plan bills.
        interval: Interval,
        /// The period around the start of the one asked for.
        whole: Box<Period>,
        /// The period asked for.
        found: Box<Period>,
    },
    /// No period can be told.
    #[error(transparent)]
    Interval(#[from] IntervalError),
    /// An event a metric cannot read. Nothing was counted.
    #[error("charge `{charge}`: {error}")]
    Reading {
        /// The charge.
        charge: String,
        /// What is wrong.
        error: ReadingError,
    },
    /// An event whose price cannot be told. Nothing was counted.
    #[error("charge `{charge}`: {error}")]
    Amount {
        /// The charge.
        charge: String,
        /// What is wrong.
        error: AmountError,
    },
    /// There is no room. The usage is incomplete and cannot be billed.
    #[error("charge `{charge}`: {error}")]
    Full {
        /// The charge.
        charge: String,
        /// Of what there is too much.
        error: StateFull,
    },
    /// Usage of another subscription or period.
    #[error("usage of subscription `{0}` and of `{1}`, or of different periods, cannot be merged")]
    Different(String, String),
    /// Usage that lasts but whose charge has changed.
    #[error(
        "charge `{0}` has changed since the last period: count its earlier events instead of carrying its units"
    )]
    Changed(String),
    /// A period that does not follow.
    #[error("units can be carried into a later period only: {0} lies before the end of the last")]
    Earlier(Moment),
}

/// The usage of one subscription in one period, under each plan that was in force. Events enter in any order; usage
/// collected apart merges.
#[derive(Clone, Debug)]
pub struct Usage {
    pub(crate) subscription: Arc<Subscription>,
    pub(crate) period: Period,
    pub(crate) currency: Currency,
    pub(crate) segments: Vec<Segment>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) buckets: BTreeMap<BucketKey, Bucket>,
    pub(crate) incomplete: Option<UsageError>,
    by_meter: HashMap<String, Vec<usize>>,
    /// Empty between two events, and there so that tens of millions of them need no memory of their own.
    entries: Vec<Entry>,
    /// As [`Usage::entries`].
    text: String,
}

/// What one event says to one charge.
#[derive(Clone, Debug)]
struct Entry {
    key: BucketKey,
    reading: Reading,
    amount: Option<Quantity>,
}

/// One charge under one plan in force.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) segment: usize,
    pub(crate) charge: usize,
    /// One a filter, and the last for the default price.
    pub(crate) recipes: Vec<Arc<Recipe>>,
    /// Without order: what attribution needs.
    pub(crate) plain: Arc<Recipe>,
    /// Events before this are not counted, where it is set: no plan in force did.
    pub(crate) since: Option<Moment>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BucketKey {
    pub(crate) slot: usize,
    /// The filter's place; one past the last for the default price.
    pub(crate) price: usize,
    pub(crate) group: Vec<Option<String>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Tally {
    pub(crate) state: State,
    pub(crate) amount: Total,
}

#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    pub(crate) total: Tally,
    pub(crate) agents: BTreeMap<String, Tally>,
    /// One map for each key of `attribute_by`.
    pub(crate) dimensions: Vec<BTreeMap<Option<String>, Tally>>,
}

/// The values an event is grouped by.
pub(crate) fn group_of(keys: &[String], event: &UsageEvent) -> Vec<Option<String>> {
    keys.iter().map(|key| event.properties.get(key).map(|value| Value::text(value).into_owned())).collect()
}

impl Usage {
    /// Nothing used yet.
    ///
    /// # Errors
    ///
    /// [`UsageError::Subscription`] for a subscription or plan that cannot be; [`UsageError::Period`] unless `period` is a
    /// whole period of the plan's interval, and [`UsageError::Interval`] when the interval has none there.
    pub fn new(subscription: Arc<Subscription>, period: Period) -> Result<Self, UsageError> {
        subscription.validate()?;
        let currency = subscription.currency()?;
        let interval = subscription.interval()?;
        let whole = interval.period_at(period.from(), period.zone())?;
        if whole != period {
            return Err(UsageError::Period { interval, whole: Box::new(whole), found: Box::new(period) });
        }
        let segments = subscription.segments(&period);
        let mut slots = Vec::new();
        let mut by_meter: HashMap<String, Vec<usize>> = HashMap::new();
        for (segment, Segment { plan, window }) in segments.iter().enumerate() {
            for (place, charge) in plan.charges.iter().enumerate() {
                let recipe = |ordered| {
                    Arc::new(Recipe { metric: charge.metric.clone(), window: window.clone(), ordered })
                };
                let prices = (0..charge.filters.len()).map(Some).chain(std::iter::once(None));
                let recipes = prices.map(|filter| recipe(charge.needs_order(filter))).collect();
                by_meter.entry(charge.metric.meter.clone()).or_default().push(slots.len());
                let since = subscription.counts_since(&charge.metric.meter);
                slots.push(Slot { segment, charge: place, recipes, plain: recipe(false), since });
            }
        }
        Ok(Self {
            subscription,
            period,
            currency,
            segments,
            slots,
            buckets: BTreeMap::new(),
            incomplete: None,
            by_meter,
            entries: Vec::new(),
            text: String::new(),
        })
    }

    /// Nothing used yet in the period after `earlier`, but for the units that last.
    ///
    /// # Errors
    ///
    /// [`UsageError::Changed`] when a charge whose units last counts, filters or groups otherwise now;
    /// [`UsageError::Earlier`] for a period that does not come after.
    pub fn following(
        earlier: &Self,
        subscription: Arc<Subscription>,
        period: Period,
    ) -> Result<Self, UsageError> {
        if period.from() < earlier.period.to() {
            return Err(UsageError::Earlier(period.from()));
        }
        let mut usage = Self::new(subscription, period)?;
        let last_segment = earlier.segments.len().saturating_sub(1);
        for (key, bucket) in &earlier.buckets {
            let old_slot = &earlier.slots[key.slot];
            let old = earlier.charge(old_slot);
            if old_slot.segment != last_segment || !old.metric.recurring {
                continue;
            }
            for (place, slot) in usage.slots.iter().enumerate() {
                let new = usage.segments[slot.segment].plan.charges.get(slot.charge);
                let Some(new) = new.filter(|new| new.code == old.code) else { continue };
                let keys = |charge: &Charge| {
                    charge.filters.iter().map(|filter| filter.keys.clone()).collect::<Vec<_>>()
                };
                let same = new.metric == old.metric
                    && keys(new) == keys(old)
                    && new.group_by == old.group_by
                    && new.attribute_by == old.attribute_by;
                let changed = || UsageError::Changed(new.code.clone());
                let recipe = slot.recipes.get(key.price).filter(|_| same).ok_or_else(changed)?;
                let carried = bucket.carried(recipe, &slot.plain).ok_or_else(changed)?;
                usage.buckets.insert(BucketKey { slot: place, ..key.clone() }, carried);
            }
        }
        Ok(usage)
    }

    /// The subscription it is of.
    #[must_use]
    pub fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    /// The period it is of.
    #[must_use]
    pub const fn period(&self) -> &Period {
        &self.period
    }

    /// Takes one event in. Repeats must have been removed before.
    ///
    /// # Errors
    ///
    /// [`UsageError::Reading`] or [`UsageError::Amount`] for an event that cannot be rated, and then nothing of it was
    /// counted; [`UsageError::Full`] at a bound, and then this usage cannot be billed.
    pub fn add(&mut self, event: &UsageEvent) -> Result<Received, UsageError> {
        let mut entries = std::mem::take(&mut self.entries);
        let read = self.read(event, &mut entries);
        let added = read.and_then(|received| {
            entries.drain(..).try_for_each(|entry| self.enter(entry, event))?;
            Ok(received)
        });
        entries.clear();
        self.entries = entries;
        added
    }

    /// What an event says to each charge of its meter, before anything is counted.
    fn read(&self, event: &UsageEvent, entries: &mut Vec<Entry>) -> Result<Received, UsageError> {
        let Some(slots) = self.by_meter.get(&event.meter) else {
            return Ok(Received::NoCharge);
        };
        let mut received = Received::Outside;
        for place in slots {
            let slot = &self.slots[*place];
            let charge = self.charge(slot);
            match slot.plain.place(event.order) {
                Placed::Outside => continue,
                Placed::Persisted if slot.since.is_some_and(|since| event.order.at < since) => continue,
                Placed::Counted => received = Received::Counted,
                Placed::Persisted if received == Received::Outside => received = Received::Persisted,
                Placed::Persisted => {}
            }
            let code = || charge.code.clone();
            let reading = charge.metric.aggregation.read(event);
            let reading = reading.map_err(|error| UsageError::Reading { charge: code(), error })?;
            let filter = chosen(&charge.filters, event);
            let amount = carried_amount(charge.model_of(filter), event, self.currency);
            let amount = amount.map_err(|error| UsageError::Amount { charge: code(), error })?;
            let price = filter.unwrap_or(charge.filters.len());
            let key = BucketKey { slot: *place, price, group: group_of(&charge.group_by, event) };
            entries.push(Entry { key, reading, amount });
        }
        Ok(received)
    }

    fn enter(&mut self, entry: Entry, event: &UsageEvent) -> Result<(), UsageError> {
        let slot = entry.key.slot;
        self.count(entry, event).map_err(|error| {
            let error = UsageError::Full { charge: self.charge(&self.slots[slot]).code.clone(), error };
            self.incomplete = Some(error.clone());
            error
        })
    }

    fn count(&mut self, entry: Entry, event: &UsageEvent) -> Result<(), StateFull> {
        let Entry { key, reading, amount } = entry;
        let slot = &self.slots[key.slot];
        let charge = &self.segments[slot.segment].plan.charges[slot.charge];
        let bucket = match self.buckets.get_mut(&key) {
            Some(bucket) => bucket,
            None => {
                if self.buckets.len() >= MAX_BUCKETS {
                    return Err(StateFull { what: "prices and groups", most: MAX_BUCKETS as u64 });
                }
                let empty = Bucket::empty(&slot.recipes[key.price], charge.attribute_by.len());
                self.buckets.entry(key).or_insert(empty)
            }
        };
        bucket.take(&reading, amount, event, charge, &slot.plain, &mut self.text)
    }

    /// Takes in usage that was collected apart, of the same subscription and period. No event may be in both.
    ///
    /// # Errors
    ///
    /// [`UsageError::Different`] for another subscription or period; [`UsageError::Full`] at a bound, and then this usage
    /// cannot be billed.
    pub fn merge(&mut self, other: &Self) -> Result<(), UsageError> {
        if self.period != other.period || self.subscription != other.subscription {
            return Err(UsageError::Different(self.subscription.id.clone(), other.subscription.id.clone()));
        }
        if self.incomplete.is_none() {
            self.incomplete.clone_from(&other.incomplete);
        }
        for (key, theirs) in &other.buckets {
            let full = self.buckets.len() >= MAX_BUCKETS;
            let merged = match self.buckets.get_mut(key) {
                Some(bucket) => bucket.merge(theirs),
                None if full => Err(StateFull { what: "prices and groups", most: MAX_BUCKETS as u64 }),
                None => {
                    self.buckets.insert(key.clone(), theirs.clone());
                    Ok(())
                }
            };
            if let Err(error) = merged {
                let error =
                    UsageError::Full { charge: self.charge(&self.slots[key.slot]).code.clone(), error };
                self.incomplete = Some(error.clone());
                return Err(error);
            }
        }
        Ok(())
    }

    pub(crate) fn charge(&self, slot: &Slot) -> &Charge {
        &self.segments[slot.segment].plan.charges[slot.charge]
    }

    /// A bucket nothing was used in.
    pub(crate) fn unused(&self, key: &BucketKey) -> Bucket {
        let slot = &self.slots[key.slot];
        Bucket::empty(&slot.recipes[key.price], self.charge(slot).attribute_by.len())
    }
}

fn part<'p, K: Ord>(
    parts: &'p mut BTreeMap<K, Tally>,
    key: K,
    recipe: &Arc<Recipe>,
) -> Result<&'p mut Tally, StateFull> {
    if parts.len() >= MAX_PARTS && !parts.contains_key(&key) {
        return Err(StateFull { what: "agents or values of a dimension", most: MAX_PARTS as u64 });
    }
    Ok(parts.entry(key).or_insert_with(|| Tally::empty(recipe)))
}

fn merge_parts<K: Ord + Clone>(
    parts: &mut BTreeMap<K, Tally>,
    theirs: &BTreeMap<K, Tally>,
) -> Result<(), StateFull> {
    theirs.iter().try_for_each(|(key, tally)| {
        let recipe = Arc::clone(tally.state.shared_recipe());
        part(parts, key.clone(), &recipe)?.merge(tally)
    })
}

impl Tally {
    fn empty(recipe: &Arc<Recipe>) -> Self {
        Self { state: State::new(Arc::clone(recipe)), amount: Total::default() }
    }

    fn take(&mut self, reading: &Reading, amount: Option<Quantity>) -> Result<(), StateFull> {
        self.state.take(reading)?;
        if let Some(amount) = amount {
            self.amount.add(amount);
        }
        Ok(())
    }

    fn merge(&mut self, other: &Self) -> Result<(), StateFull> {
        self.amount.merge(&other.amount);
        match self.state.merge(&other.state) {
            Err(MergeError::Full(full)) => Err(full),
            // The same slot of the same subscription and period has the same recipe.
            _ => Ok(()),
        }
    }

    fn carried(&self, recipe: &Arc<Recipe>) -> Option<Self> {
        Some(Self { state: self.state.carried_into(recipe)?, amount: Total::default() })
    }

    /// What units that last come to at the start of a window.
    pub(crate) fn lasting(recipe: &Arc<Recipe>, units: &Units, at: Moment) -> Option<Self> {
        Some(Self { state: State::lasting_since(recipe, units, at)?, amount: Total::default() })
    }

    /// What it weighs when a fee is attributed.
    pub(crate) fn weight(&self, by_amount: bool) -> Exact {
        let weight = if by_amount { self.amount.exact() } else { self.state.finish().units };
        weight.or_zero()
    }
}

impl Bucket {
    pub(crate) fn empty(recipe: &Arc<Recipe>, dimensions: usize) -> Self {
        Self {
            total: Tally::empty(recipe),
            agents: BTreeMap::new(),
            dimensions: vec![BTreeMap::new(); dimensions],
        }
    }

    /// Counts an event, in whole and for whom it is attributed to. `text` is memory that is used again.
    pub(crate) fn take(
        &mut self,
        reading: &Reading,
        amount: Option<Quantity>,
        event: &UsageEvent,
        charge: &Charge,
        plain: &Arc<Recipe>,
        text: &mut String,
    ) -> Result<(), StateFull> {
        self.total.take(reading, amount)?;
        let agent = match self.agents.get_mut(&event.agent) {
            Some(agent) => agent,
            None => part(&mut self.agents, event.agent.clone(), plain)?,
        };
        agent.take(reading, amount)?;
        for (values, key) in self.dimensions.iter_mut().zip(&charge.attribute_by) {
            let value = event.properties.get(key).map(|value| {
                let mut text = std::mem::take(text);
                text.clear();
                text.push_str(&value.text());
                text
            });
            let tally = match values.get_mut(&value) {
                Some(tally) => tally,
                None => part(values, value.clone(), plain)?,
            };
            tally.take(reading, amount)?;
            *text = value.unwrap_or_default();
        }
        Ok(())
    }

    fn merge(&mut self, other: &Self) -> Result<(), StateFull> {
        self.total.merge(&other.total)?;
        merge_parts(&mut self.agents, &other.agents)?;
        self.dimensions
            .iter_mut()
            .zip(&other.dimensions)
            .try_for_each(|(parts, theirs)| merge_parts(parts, theirs))
    }

    fn carried(&self, recipe: &Arc<Recipe>, plain: &Arc<Recipe>) -> Option<Self> {
        let agents = self.agents.iter().map(|(key, tally)| Some((key.clone(), tally.carried(plain)?)));
        let dimensions = self.dimensions.iter().map(|parts| {
            parts.iter().map(|(key, tally)| Some((key.clone(), tally.carried(plain)?))).collect::<Option<_>>()
        });
        Some(Self {
            total: self.total.carried(recipe)?,
            agents: agents.collect::<Option<_>>()?,
            dimensions: dimensions.collect::<Option<_>>()?,
        })
    }
}
