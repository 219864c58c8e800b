//! Subscriptions as they are kept: which plan from when, what status, what period is open.

use std::collections::BTreeMap;
use std::fmt;

use creto_rating::{Coupon, Currency, Interval, Moment, Period, Thresholds};
use serde::{Deserialize, Serialize};

use crate::BillingError;
use crate::customer::{id_problem, refused};

/// Quotas one subscription may have.
pub const MAX_QUOTAS: usize = 100;
/// Coupons one subscription may have.
pub const MAX_COUPONS: usize = 20;
/// Entries of metadata one subscription may have.
pub const MAX_METADATA: usize = 50;
/// Characters of a key or value of metadata.
pub const MAX_METADATA_CHARS: usize = 500;

/// Where a subscription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionStatus {
    /// In service.
    Active,
    /// In service; an invoice is overdue.
    PastDue,
    /// Ended, for good. What was used until then is still billed.
    Canceled,
    /// Service is stopped for now; what was used is billed.
    Suspended,
}

impl SubscriptionStatus {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Canceled => "canceled",
            Self::Suspended => "suspended",
        }
    }

    /// Whether it may become `next`. What is canceled stays so.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        self != Self::Canceled && self != next
    }
}

impl fmt::Display for SubscriptionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What happens when a quota is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaAction {
    /// More is refused.
    Block,
    /// More is let through and billed.
    AllowWithOverage,
    /// Somebody is told.
    NotifyOnly,
}

/// A quota that comes with a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaConfig {
    /// The type of the events it counts.
    pub event_type: String,
    /// Whole units.
    pub limit: u64,
    /// How long a window is.
    pub period: Interval,
    /// What happens at the limit.
    pub action_on_exceed: QuotaAction,
    /// Percent of the limit at which to warn, 1 to 100.
    #[serde(default)]
    pub warning_percent: Option<u8>,
}

/// A version of a plan, and from when it is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanChange {
    /// Its first instant.
    pub from: Moment,
    /// The plan.
    pub plan: String,
    /// The version. Later versions do not change it.
    pub version: u32,
}

/// A subscription to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSubscription {
    /// Its id, unique in the namespace.
    pub id: String,
    /// Who pays.
    pub customer: String,
    /// The agent it is for; empty when it is for any.
    #[serde(default)]
    pub owner: String,
    /// The plan, in the version that is in effect at the start.
    pub plan: String,
    /// Its first instant.
    pub started_at: Moment,
    /// Quotas that come with it.
    #[serde(default)]
    pub quotas: Vec<QuotaConfig>,
    /// What is taken off its invoices before tax, in order.
    #[serde(default)]
    pub coupons: Vec<Coupon>,
    /// Amounts of usage that are billed before the period ends.
    #[serde(default)]
    pub thresholds: Option<Thresholds>,
    /// What the operator notes about it.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

/// A subscription as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionRecord {
    /// Its id.
    pub id: String,
    /// Who pays.
    pub customer: String,
    /// The agent it is for; empty when it is for any.
    pub owner: String,
    /// Where it stands.
    pub status: SubscriptionStatus,
    /// What it pays in.
    pub currency: Currency,
    /// How often it is billed.
    pub billing_period: Interval,
    /// The plans it went through, in order.
    pub plans: Vec<PlanChange>,
    /// Its first instant.
    pub started_at: Moment,
    /// The first period that is not billed yet.
    pub current_period: Period,
    /// The first instant after it.
    pub ended_at: Option<Moment>,
    /// Quotas that come with it.
    pub quotas: Vec<QuotaConfig>,
    /// What is taken off its invoices.
    pub coupons: Vec<Coupon>,
    /// Amounts of usage that are billed at once.
    pub thresholds: Option<Thresholds>,
    /// What the operator notes about it.
    pub metadata: BTreeMap<String, String>,
}

impl NewSubscription {
    /// One without quotas, coupons and the rest.
    #[must_use]
    pub fn new(id: &str, customer: &str, plan: &str, started_at: Moment) -> Self {
        Self {
            id: id.to_owned(),
            customer: customer.to_owned(),
            owner: String::new(),
            plan: plan.to_owned(),
            started_at,
            quotas: Vec::new(),
            coupons: Vec::new(),
            thresholds: None,
            metadata: BTreeMap::new(),
        }
    }

    /// Whether it holds by itself.
    ///
    /// # Errors
    /// [`BillingError::Invalid`] with every problem.
    pub fn validate(&self) -> Result<(), BillingError> {
        let mut problems: Vec<String> = id_problem(&self.id).into_iter().collect();
        for (field, found, most) in [
            ("quotas", self.quotas.len(), MAX_QUOTAS),
            ("coupons", self.coupons.len(), MAX_COUPONS),
            ("metadata", self.metadata.len(), MAX_METADATA),
        ] {
            if found > most {
                problems.push(format!("`{field}`: {found} entries; at most {most}"));
            }
        }
        for quota in &self.quotas {
            if quota.warning_percent.is_some_and(|percent| !(1..=100).contains(&percent)) {
                problems
                    .push(format!("quota of `{}`: `warning_percent` is between 1 and 100", quota.event_type));
            }
        }
        let long = |text: &String| text.chars().count() > MAX_METADATA_CHARS;
        if self.metadata.iter().any(|(key, value)| long(key) || long(value)) {
            problems
                .push(format!("`metadata`: keys and values have at most {MAX_METADATA_CHARS} characters"));
        }
        if let Some(Err(error)) = self.thresholds.as_ref().map(Thresholds::validate) {
            problems.push(format!("`thresholds`: {error}"));
        }
        refused("subscription", &self.id, problems)
    }
}

impl SubscriptionRecord {
    /// The period after one of its own.
    ///
    /// # Errors
    /// [`BillingError::Usage`] at the end of the calendar.
    pub fn period_after(&self, period: &Period) -> Result<Period, BillingError> {
        let next = self.billing_period.period_at(period.to(), period.zone());
        Ok(next.map_err(creto_rating::UsageError::from)?)
    }
}
