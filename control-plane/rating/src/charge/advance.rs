//! Charges paid in advance: each event is billed when it happens.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::definition::{Charge, ChargeError};
use super::filter;
use super::model::{Measured, Model};
use crate::aggregation::{MAX_ORDERED_EVENTS, MergeError, Placed, Reading, Recipe, State, StateFull};
use crate::amount::carried_amount;
use crate::event::UsageEvent;
use crate::fee::minor_units;
use crate::number::Total;
use crate::usage::{BucketLabel, MAX_BUCKETS, group_of};
use crate::{AmountError, Currency, Exact, Fee, FeeTooLarge, Quantity, Window};

/// Bills the events of one charge as they arrive, for one period.
///
/// An event costs what the model asks for everything so far less what it asked before, so a tier's flat fee, a package
/// or a free unit is counted once. Only growth over the most there was in the period is billed: after +10, -6, +10 the
/// last event costs 4 units. Fees are rounded so that they add up to the rounded price of all: usage below a cent is not
/// lost event by event.
#[derive(Clone, Debug)]
pub struct AdvanceMeter {
    charge: Charge,
    recipe: Arc<Recipe>,
    currency: Currency,
    buckets: BTreeMap<BucketLabel, Billed>,
}

#[derive(Clone, Debug)]
struct Billed {
    state: State,
    carried: Total,
    most: Exact,
    events: u64,
    /// Kept only where single events are priced; at most [`MAX_ORDERED_EVENTS`].
    values: Vec<Quantity>,
    precise: Exact,
    minor: i64,
}

/// What one event is billed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvanceBilled {
    /// The price and group it was billed under.
    pub bucket: BucketLabel,
    /// The units it added to the most there was.
    pub units: Exact,
    /// Its fee. The minor units are what is due now; they add up, over events, to the rounded price of all.
    pub fee: Fee,
}

/// Why an event cannot be billed in advance.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdvanceError {
    /// The charge cannot be paid in advance.
    #[error(transparent)]
    Charge(#[from] ChargeError),
    /// The event cannot be read, or there is no room.
    #[error(transparent)]
    State(#[from] MergeError),
    /// The event's price cannot be read.
    #[error(transparent)]
    Amount(#[from] AmountError),
    /// The growth has more digits than a quantity.
    #[error("usage of {0} units is out of range")]
    OutOfRange(Exact),
    /// The fee is too large.
    #[error(transparent)]
    Fee(#[from] FeeTooLarge),
    /// Too many groups.
    #[error("more than {MAX_BUCKETS} groups in one charge: group by fewer properties")]
    Groups,
}

impl AdvanceMeter {
    /// Nothing billed yet in `window`.
    ///
    /// # Errors
    ///
    /// [`AdvanceError::Charge`] for a charge that is not, or cannot be, paid in advance.
    pub fn new(charge: Charge, window: Window, currency: Currency) -> Result<Self, AdvanceError> {
        if !charge.pay_in_advance {
            return Err(ChargeError::InAdvance("`pay_in_advance` is not set").into());
        }
        charge.validate()?;
        // Units are rounded after aggregation only; single events never are.
        let metric = crate::Metric { rounding: None, ..charge.metric.clone() };
        let recipe = Arc::new(Recipe { metric, window, ordered: false });
        Ok(Self { charge, recipe, currency, buckets: BTreeMap::new() })
    }

    /// Bills one event; nothing when it adds nothing, or is another meter's or another period's. Units that last from
    /// before the period are billed for all of it.
    ///
    /// # Errors
    ///
    /// [`AdvanceError`]; nothing is billed then.
    pub fn bill(&mut self, event: &UsageEvent) -> Result<Option<AdvanceBilled>, AdvanceError> {
        if event.meter != self.charge.metric.meter {
            return Ok(None);
        }
        if self.recipe.place(event.order) == Placed::Outside {
            return Ok(None);
        }
        let filter = filter::chosen(&self.charge.filters, event);
        let model = self.charge.model_of(filter);
        let bucket = BucketLabel {
            filter: filter.and_then(|place| self.charge.filters.get(place)).map(|filter| filter.name.clone()),
            group: group_of(&self.charge.group_by, event),
        };
        let new = !self.buckets.contains_key(&bucket);
        if new && self.buckets.len() >= MAX_BUCKETS {
            return Err(AdvanceError::Groups);
        }
        let amount = carried_amount(model, event, self.currency)?;
        let reading = self.recipe.metric.aggregation.read(event).map_err(MergeError::from)?;
        let recipe = &self.recipe;
        let billed = self.buckets.entry(bucket.clone()).or_insert_with(|| Billed::none(recipe));
        let due = billed.take(&reading, amount, model, self.currency);
        if new && due.is_err() {
            self.buckets.remove(&bucket);
        }
        Ok(due?.map(|(units, fee)| AdvanceBilled { bucket, units, fee }))
    }
}

impl Billed {
    fn none(recipe: &Arc<Recipe>) -> Self {
        Self {
            state: State::new(Arc::clone(recipe)),
            carried: Total::default(),
            most: Exact::zero(),
            events: 0,
            values: Vec::new(),
            precise: Exact::zero(),
            minor: 0,
        }
    }

    /// Takes one event in and bills what it adds. An event that cannot be billed leaves nothing behind.
    fn take(
        &mut self,
        reading: &Reading,
        amount: Option<Quantity>,
        model: &Model,
        currency: Currency,
    ) -> Result<Option<(Exact, Fee)>, AdvanceError> {
        let (state, carried) = (self.state.before(reading), self.carried.clone());
        self.state.take(reading).map_err(MergeError::from)?;
        if let Some(amount) = amount {
            self.carried.add(amount);
        }
        let due = self.growth(model, currency);
        if due.is_err() {
            self.state.take_back(state);
            self.carried = carried;
        }
        due
    }

    fn growth(&mut self, model: &Model, currency: Currency) -> Result<Option<(Exact, Fee)>, AdvanceError> {
        let reached =
            if model.prices_events() { self.carried.exact() } else { self.state.finish().full_units };
        if reached <= self.most {
            return Ok(None);
        }
        let units = &reached - &self.most;
        let value = units.to_quantity().ok_or_else(|| AdvanceError::OutOfRange(units.clone()))?;
        let by_event = matches!(model, Model::Percentage(percentage) if percentage.by_event());
        if by_event {
            if self.values.len() as u64 >= MAX_ORDERED_EVENTS {
                let full = StateFull { what: "events whose order matters", most: MAX_ORDERED_EVENTS };
                return Err(MergeError::Full(full).into());
            }
            self.values.push(value);
        }
        let measured = Measured {
            units: reached.clone(),
            full_units: reached.clone(),
            events: self.events + 1,
            carried: reached.clone(),
            values: std::mem::take(&mut self.values),
            prorated: None,
        };
        let all = model.price(&measured);
        self.values = measured.values;
        let minor = minor_units(&all, currency);
        let asked = minor.and_then(|minor| Some((minor, minor.checked_sub(self.minor)?)));
        let Some((all_minor, minor)) = asked else {
            if by_event {
                self.values.pop();
            }
            return Err(FeeTooLarge { amount: all.to_decimal(0), currency }.into());
        };
        let fee = Fee { precise: &all - &self.precise, minor, currency };
        self.events += 1;
        self.most = reached;
        self.precise = all;
        self.minor = all_minor;
        Ok(Some((units, fee)))
    }
}
