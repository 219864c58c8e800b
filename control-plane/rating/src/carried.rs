//! Units that last, at an instant: what is left of the events before it, so that they are needed no more.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::aggregation::{Metric, Recipe, StateFull, Units};
use crate::charge::{Charge, chosen};
use crate::usage::{Bucket, BucketKey, MAX_BUCKETS, Tally, Usage, UsageError, group_of};
use crate::{Exact, Moment, Period, Subscription, UsageEvent, Window};

/// How units are written.
const VERSION: u32 = 1;

/// The units a subscription's charges carry over an instant. Bills of later periods need the events since that instant
/// only, as long as no event of before it comes in any more. How charges price their units is no part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Carried {
    at: Moment,
    counts: Vec<Count>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    at: Moment,
    counts: Vec<Count>,
}

/// What one way of counting came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Count {
    counting: Counting,
    buckets: Vec<Parts>,
}

/// All of a charge that decides which events count together. Charges that agree in it share their units: a new price, or
/// another name, does not make anybody count again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counting {
    metric: Metric,
    filters: Vec<BTreeMap<String, BTreeSet<String>>>,
    group_by: Vec<String>,
    attribute_by: Vec<String>,
}

/// The units of one price and group, whole and in parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    price: usize,
    group: Vec<Option<String>>,
    total: Units,
    agents: BTreeMap<String, Units>,
    dimensions: Vec<Vec<(Option<String>, Units)>>,
}

/// Units written by a program this one is older than.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("carried units of version {0}, this program reads {VERSION}: upgrade it")]
pub struct CarriedVersion(u32);

impl TryFrom<Written> for Carried {
    type Error = CarriedVersion;
    fn try_from(Written { version, at, counts }: Written) -> Result<Self, CarriedVersion> {
        if version == VERSION { Ok(Self { at, counts }) } else { Err(CarriedVersion(version)) }
    }
}

impl From<Carried> for Written {
    fn from(Carried { at, counts }: Carried) -> Self {
        Self { version: VERSION, at, counts }
    }
}

impl Counting {
    fn of(charge: &Charge) -> Self {
        // Proration and rounding are of the period that is billed.
        let metric = Metric { prorated: false, rounding: None, ..charge.metric.clone() };
        Self {
            metric,
            filters: charge.filters.iter().map(|filter| filter.keys.clone()).collect(),
            group_by: charge.group_by.clone(),
            attribute_by: charge.attribute_by.clone(),
        }
    }
}

/// Charges whose units last, with the instant from which on they count.
fn lasting(subscription: &Subscription) -> impl Iterator<Item = (&Charge, Option<Moment>)> {
    let charges = subscription.versions.iter().flat_map(|version| &version.plan.charges);
    charges
        .filter(|charge| charge.metric.recurring)
        .map(|charge| (charge, subscription.counts_since(&charge.metric.meter)))
}

impl Carried {
    /// The instant. Events at it or later are not in these units.
    #[must_use]
    pub const fn at(&self) -> Moment {
        self.at
    }

    /// The first charge whose units are needed and not among these: it counts otherwise than any charge did when these
    /// were kept, so that its events have to be counted again.
    #[must_use]
    pub fn lacks<'s>(&self, subscription: &'s Subscription) -> Option<&'s str> {
        let mut missing = lasting(subscription).filter(|(charge, since)| {
            since.is_none_or(|since| since < self.at) && self.count(&Counting::of(charge)).is_none()
        });
        missing.next().map(|(charge, _)| charge.code.as_str())
    }

    fn count(&self, counting: &Counting) -> Option<&Count> {
        self.counts.iter().find(|count| count.counting == *counting)
    }
}

impl Usage {
    /// Nothing used yet in `period` but for what is carried into it: events before [`Carried::at`] must not be added.
    ///
    /// # Errors
    ///
    /// [`UsageError::Earlier`] for a period that starts before, [`UsageError::Changed`] for a charge that counts otherwise
    /// ([`Carried::lacks`]), and what [`Usage::new`] refuses.
    pub fn carrying(
        carried: &Carried,
        subscription: Arc<Subscription>,
        period: Period,
    ) -> Result<Self, UsageError> {
        if period.from() < carried.at {
            return Err(UsageError::Earlier(period.from()));
        }
        let mut usage = Self::new(subscription, period)?;
        let mut buckets = BTreeMap::new();
        for (place, slot) in usage.slots.iter().enumerate() {
            let charge = usage.charge(slot);
            if !charge.metric.recurring || slot.since.is_some_and(|since| since >= carried.at) {
                continue;
            }
            let changed = || UsageError::Changed(charge.code.clone());
            let count = carried.count(&Counting::of(charge)).ok_or_else(changed)?;
            for parts in &count.buckets {
                let recipe = slot.recipes.get(parts.price).ok_or_else(changed)?;
                let bucket = parts.bucket(carried.at, recipe, &slot.plain).ok_or_else(changed)?;
                buckets.insert(
                    BucketKey { slot: place, price: parts.price, group: parts.group.clone() },
                    bucket,
                );
                if buckets.len() > MAX_BUCKETS {
                    let error = StateFull { what: "prices and groups", most: MAX_BUCKETS as u64 };
                    return Err(UsageError::Full { charge: charge.code.clone(), error });
                }
            }
        }
        usage.buckets = buckets;
        Ok(usage)
    }
}

impl Parts {
    fn of((price, group): &(usize, Vec<Option<String>>), bucket: &Bucket) -> Option<Self> {
        let agents = bucket.agents.iter().map(|(agent, tally)| Some((agent.clone(), tally.state.lasting()?)));
        let agents: BTreeMap<String, Units> = agents.collect::<Option<_>>()?;
        let dimension = |values: &BTreeMap<Option<String>, Tally>| {
            let units = values.iter().map(|(value, tally)| Some((value.clone(), tally.state.lasting()?)));
            let units: Vec<(Option<String>, Units)> = units.collect::<Option<_>>()?;
            Some(units.into_iter().filter(|(_, units)| !units.is_nothing()).collect())
        };
        Some(Self {
            price: *price,
            group: group.clone(),
            total: bucket.total.state.lasting()?,
            // Who has nothing left bears nothing of a fee.
            agents: agents.into_iter().filter(|(_, units)| !units.is_nothing()).collect(),
            dimensions: bucket.dimensions.iter().map(dimension).collect::<Option<_>>()?,
        })
    }

    fn bucket(&self, at: Moment, recipe: &Arc<Recipe>, plain: &Arc<Recipe>) -> Option<Bucket> {
        let tally = |units: &Units| Tally::lasting(plain, units, at);
        let dimensions = self.dimensions.iter().map(|values| {
            values.iter().map(|(value, units)| Some((value.clone(), tally(units)?))).collect::<Option<_>>()
        });
        let agents = self.agents.iter().map(|(agent, units)| Some((agent.clone(), tally(units)?)));
        Some(Bucket {
            total: Tally::lasting(recipe, &self.total, at)?,
            agents: agents.collect::<Option<_>>()?,
            dimensions: dimensions.collect::<Option<_>>()?,
        })
    }
}

/// Counts what a subscription carries over an instant. Events enter in any order.
#[derive(Debug)]
pub struct Carrying {
    from: Option<Moment>,
    at: Moment,
    counts: Vec<Counted>,
    by_meter: HashMap<String, Vec<usize>>,
    incomplete: Option<UsageError>,
}

#[derive(Debug)]
struct Counted {
    counting: Counting,
    charge: Charge,
    since: Option<Moment>,
    recipe: Arc<Recipe>,
    buckets: BTreeMap<(usize, Vec<Option<String>>), Bucket>,
}

impl Carrying {
    /// Nothing counted yet, but for what was carried to an instant before.
    ///
    /// # Errors
    ///
    /// [`UsageError::Earlier`] when `at` is not after that instant, [`UsageError::Changed`] when a charge counts otherwise
    /// ([`Carried::lacks`]).
    pub fn new(base: Option<&Carried>, subscription: &Subscription, at: Moment) -> Result<Self, UsageError> {
        if base.is_some_and(|base| at <= base.at) {
            return Err(UsageError::Earlier(at));
        }
        let mut carrying = Self {
            from: base.map(Carried::at),
            at,
            counts: Vec::new(),
            by_meter: HashMap::new(),
            incomplete: None,
        };
        for (charge, since) in lasting(subscription) {
            let counting = Counting::of(charge);
            if carrying.counts.iter().any(|counted| counted.counting == counting) {
                continue;
            }
            let window = Window::just_from(at);
            let recipe = Arc::new(Recipe { metric: counting.metric.clone(), window, ordered: false });
            let mut buckets = BTreeMap::new();
            let needed = |base: &&Carried| since.is_none_or(|since| since < base.at);
            if let Some(base) = base.filter(needed) {
                let changed = || UsageError::Changed(charge.code.clone());
                for parts in &base.count(&counting).ok_or_else(changed)?.buckets {
                    let bucket = parts.bucket(base.at, &recipe, &recipe).ok_or_else(changed)?;
                    buckets.insert((parts.price, parts.group.clone()), bucket);
                }
            }
            let meter = charge.metric.meter.clone();
            carrying.by_meter.entry(meter).or_default().push(carrying.counts.len());
            let charge = charge.clone();
            carrying.counts.push(Counted { counting, charge, since, recipe, buckets });
        }
        Ok(carrying)
    }

    /// Takes one event in. What was carried before, and what comes at the instant or after, changes nothing. Repeats must
    /// have been removed.
    ///
    /// # Errors
    ///
    /// [`UsageError::Reading`] for an event that cannot be read, [`UsageError::Full`] at a bound.
    pub fn add(&mut self, event: &UsageEvent) -> Result<(), UsageError> {
        let at = event.order.at;
        if at >= self.at || self.from.is_some_and(|from| at < from) {
            return Ok(());
        }
        for place in self.by_meter.get(&event.meter).into_iter().flatten() {
            let counted = &mut self.counts[*place];
            if counted.since.is_some_and(|since| at < since) {
                continue;
            }
            if let Err(error) = counted.take(event) {
                self.incomplete.get_or_insert(error.clone());
                return Err(error);
            }
        }
        Ok(())
    }

    /// What is carried.
    ///
    /// # Errors
    ///
    /// What [`Carrying::add`] refused first.
    pub fn finish(self) -> Result<Carried, UsageError> {
        if let Some(error) = self.incomplete {
            return Err(error);
        }
        let counts = self.counts.into_iter().map(|Counted { counting, charge, buckets, .. }| {
            let parts = buckets.iter().map(|(key, bucket)| Parts::of(key, bucket));
            let buckets = parts.collect::<Option<_>>().ok_or(UsageError::Changed(charge.code))?;
            Ok(Count { counting, buckets })
        });
        Ok(Carried { at: self.at, counts: counts.collect::<Result<_, UsageError>>()? })
    }
}

impl Counted {
    fn take(&mut self, event: &UsageEvent) -> Result<(), UsageError> {
        let Self { charge, recipe, buckets, .. } = self;
        let code = || charge.code.clone();
        let reading = charge.metric.aggregation.read(event);
        let reading = reading.map_err(|error| UsageError::Reading { charge: code(), error })?;
        let price = chosen(&charge.filters, event).unwrap_or(charge.filters.len());
        let key = (price, group_of(&charge.group_by, event));
        let full = |error| UsageError::Full { charge: code(), error };
        if buckets.len() >= MAX_BUCKETS && !buckets.contains_key(&key) {
            return Err(full(StateFull { what: "prices and groups", most: MAX_BUCKETS as u64 }));
        }
        let bucket = buckets.entry(key).or_insert_with(|| Bucket::empty(recipe, charge.attribute_by.len()));
        bucket.take(&reading, None, event, charge, recipe, &mut String::new()).map_err(full)
    }
}

impl Units {
    fn is_nothing(&self) -> bool {
        match self {
            Self::Sum(sum) => *sum == Exact::zero(),
            Self::Values(values) => values.is_empty(),
        }
    }
}
