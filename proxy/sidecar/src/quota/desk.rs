//! The leases of this process.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use creto_policy::{PolicySet, QuotaRule};
use creto_prices::PriceList;
use creto_quota::{Action, QuotaSet, QuotaSpec, Quotas};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::book::{BookEntry, QuotaBook};
use super::line::QuotaLine;

/// How long a call waits for a lease.
pub(crate) const LEASE_WAIT: Duration = Duration::from_secs(5);

/// Why quotas of a policy cannot be kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QuotaError {
    #[error(transparent)]
    Resolve(#[from] creto_quota::ResolveError),
    #[error(transparent)]
    Set(#[from] creto_quota::SetError),
    #[error("the price list cannot be read: {0}")]
    Prices(String),
}

/// The quotas that policies have named since the process began.
pub(crate) struct LeaseDesk {
    quotas: Quotas,
    lines: Mutex<BTreeMap<Box<str>, Arc<QuotaLine>>>,
    /// There is something to ask for, or to tell.
    pub(crate) wake: Arc<Notify>,
    /// Made when a policy first asks for it: it takes a megabyte.
    prices: OnceLock<Arc<PriceList>>,
}

impl std::fmt::Debug for LeaseDesk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LeaseDesk").field("lines", &self.lines.lock().len()).finish_non_exhaustive()
    }
}

impl LeaseDesk {
    pub(crate) fn new() -> Self {
        Self { quotas: Quotas::new(), lines: Mutex::default(), wake: Arc::default(), prices: OnceLock::new() }
    }

    /// What a policy says of quotas, with the leases that are in hand.
    ///
    /// # Errors
    /// [`QuotaError`]: the policy cannot be enforced.
    pub(crate) fn book(&self, policy: &PolicySet) -> Result<QuotaBook, QuotaError> {
        let rules = policy.quotas();
        if rules.is_empty() {
            return Ok(match policy.holds_ask_cost() {
                true => QuotaBook::of_prices(self.prices()?),
                false => QuotaBook::empty(),
            });
        }
        // An observing policy refuses nothing.
        let milder = policy.observes().then_some(Action::NotifyOnly);
        let entries = rules
            .iter()
            .map(|rule| Ok(BookEntry { rule: Arc::clone(rule), line: self.line(rule, milder)? }))
            .collect::<Result<Vec<_>, QuotaError>>()?;
        let set = QuotaSet::new(entries.iter().map(|entry| Arc::clone(&entry.line.quota)).collect())?;
        let prices = policy.holds_ask_cost() || rules.iter().any(|rule| rule.meter().is_about_models());
        let prices = if prices { Some(self.prices()?) } else { None };
        self.wake.notify_one();
        Ok(QuotaBook::new(entries, Arc::new(set), prices))
    }

    fn line(&self, rule: &QuotaRule, milder: Option<Action>) -> Result<Arc<QuotaLine>, QuotaError> {
        let action = milder.unwrap_or(rule.action());
        let name = format!("{}/{}", rule.policy(), rule.name());
        let mut spec = QuotaSpec::new(&name, rule.meter().as_str(), rule.unit()).with_action(action);
        spec.warn_percent = rule.warn_percent();
        let quota = self.quotas.resolve(spec)?;
        let mut lines = self.lines.lock();
        let line =
            lines.entry(name.into()).or_insert_with(|| Arc::new(QuotaLine::new(rule, quota, &self.wake)));
        line.follow(rule, action);
        Ok(Arc::clone(line))
    }

    fn prices(&self) -> Result<Arc<PriceList>, QuotaError> {
        if let Some(prices) = self.prices.get() {
            return Ok(Arc::clone(prices));
        }
        let built_in = PriceList::built_in().map_err(|error| QuotaError::Prices(error.to_string()))?;
        Ok(Arc::clone(self.prices.get_or_init(|| Arc::new(built_in))))
    }

    /// All of them.
    pub(crate) fn lines(&self) -> Vec<Arc<QuotaLine>> {
        self.lines.lock().values().map(Arc::clone).collect()
    }
}
