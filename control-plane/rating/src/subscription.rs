//! Subscriptions: which plan was in force when.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::charge::Charge;
use crate::plan::{Plan, PlanError};
use crate::{Currency, Interval, Moment, Period, Window};

/// Plans one subscription may go through.
pub const MAX_VERSIONS: usize = 1_000;

/// A plan and when it came into force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanVersion {
    /// Its first instant.
    pub from: Moment,
    /// The plan.
    pub plan: Arc<Plan>,
}

/// What one customer subscribed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// Its id.
    pub id: String,
    /// Who pays.
    pub customer: String,
    /// The first instant after it, when it ended.
    #[serde(default)]
    pub ended_at: Option<Moment>,
    /// The plans it went through, in order. The subscription starts with the first.
    pub versions: Vec<PlanVersion>,
}

/// A subscription that cannot be billed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionError {
    /// It never had a plan.
    #[error("subscription `{0}` has no plan: give it at least one version")]
    NoPlan(String),
    /// More than [`MAX_VERSIONS`].
    #[error("subscription `{id}` has {found} plan versions; at most {MAX_VERSIONS}")]
    TooMany {
        /// The subscription.
        id: String,
        /// How many there are.
        found: usize,
    },
    /// Versions out of order.
    #[error("subscription `{id}`: plan `{plan}` starts at {from}, not after the plan before it")]
    Order {
        /// The subscription.
        id: String,
        /// The later plan.
        plan: String,
        /// Its start.
        from: Moment,
    },
    /// Plans in different currencies.
    #[error(
        "subscription `{id}`: plan `{plan}` bills in {found}, an earlier one in {wanted}; start a new subscription"
    )]
    Currencies {
        /// The subscription.
        id: String,
        /// The later plan.
        plan: String,
        /// Its currency.
        found: Currency,
        /// That of the first.
        wanted: Currency,
    },
    /// Plans that bill at different intervals.
    #[error(
        "subscription `{id}`: plan `{plan}` bills {found}, an earlier one {wanted}; end it and start a new subscription"
    )]
    Intervals {
        /// The subscription.
        id: String,
        /// The later plan.
        plan: String,
        /// Its interval.
        found: Interval,
        /// That of the first.
        wanted: Interval,
    },
    /// A plan that cannot be.
    #[error("subscription `{id}`: {error}")]
    Plan {
        /// The subscription.
        id: String,
        /// What is wrong.
        error: Box<PlanError>,
    },
}

/// A plan and the part of a period it is in force for.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) plan: Arc<Plan>,
    pub(crate) window: Window,
}

impl Subscription {
    /// A subscription to one plan.
    #[must_use]
    pub fn new(id: &str, customer: &str, from: Moment, plan: Plan) -> Self {
        let versions = vec![PlanVersion { from, plan: Arc::new(plan) }];
        Self { id: id.to_owned(), customer: customer.to_owned(), ended_at: None, versions }
    }

    /// Whether it can be billed.
    ///
    /// # Errors
    ///
    /// [`SubscriptionError`].
    pub fn validate(&self) -> Result<(), SubscriptionError> {
        self.currency()?;
        if self.versions.len() > MAX_VERSIONS {
            return Err(SubscriptionError::TooMany { id: self.id.clone(), found: self.versions.len() });
        }
        for pair in self.versions.windows(2) {
            let [before, after] = pair else { continue };
            let (id, plan) = (self.id.clone(), after.plan.code.clone());
            if after.from <= before.from {
                return Err(SubscriptionError::Order { id, plan, from: after.from });
            }
            let (wanted, found) = (before.plan.currency, after.plan.currency);
            if wanted != found {
                return Err(SubscriptionError::Currencies { id, plan, found, wanted });
            }
            // One period has one length: a fee for a year is never shared out over the days of a month.
            let (wanted, found) = (before.plan.interval, after.plan.interval);
            if wanted != found {
                return Err(SubscriptionError::Intervals { id, plan, found, wanted });
            }
        }
        let invalid = |error| SubscriptionError::Plan { id: self.id.clone(), error: Box::new(error) };
        self.versions.iter().try_for_each(|version| version.plan.validate().map_err(invalid))
    }

    /// The currency it bills in.
    ///
    /// # Errors
    ///
    /// [`SubscriptionError::NoPlan`].
    pub fn currency(&self) -> Result<Currency, SubscriptionError> {
        Ok(self.first_plan()?.currency)
    }

    /// How often it bills.
    ///
    /// # Errors
    ///
    /// [`SubscriptionError::NoPlan`].
    pub fn interval(&self) -> Result<Interval, SubscriptionError> {
        Ok(self.first_plan()?.interval)
    }

    fn first_plan(&self) -> Result<&Plan, SubscriptionError> {
        let first = self.versions.first().ok_or_else(|| SubscriptionError::NoPlan(self.id.clone()))?;
        Ok(&first.plan)
    }

    /// From when on the units of a meter last: the start of the first plan with a charge of it whose units do. Nothing when
    /// that is the plan the subscription started on: no event is too early then.
    pub(crate) fn counts_since(&self, meter: &str) -> Option<Moment> {
        let lasts = |charge: &Charge| charge.metric.recurring && charge.metric.meter == meter;
        let first = self.versions.iter().position(|version| version.plan.charges.iter().any(lasts))?;
        (first > 0).then(|| self.versions.get(first).map(|version| version.from))?
    }

    /// The parts of a period with the plan in force, in order; none for a period without service.
    pub(crate) fn segments(&self, period: &Period) -> Vec<Segment> {
        let end = self.ended_at.map_or(period.to(), |ended| ended.min(period.to()));
        let starts = self.versions.iter().map(|version| version.from);
        let ends = starts.clone().skip(1).map(Some).chain(std::iter::once(None));
        let spans = self.versions.iter().zip(ends).filter_map(|(version, next)| {
            let next = next.filter(|next| *next < end);
            let (from, to) = (version.from.max(period.from()), next.unwrap_or(end));
            (from < to).then(|| Segment {
                plan: Arc::clone(&version.plan),
                window: Window::cut(period, from, to, next),
            })
        });
        spans.collect()
    }
}
