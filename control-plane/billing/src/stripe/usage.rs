//! Usage by customer, meter and hour, as meter events report it.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use creto_rating::{Moment, Quantity, Value};
use serde::{Deserialize, Serialize};

use super::outbox::HourTotal;
use crate::BillingError;
use crate::store::BillingStore;
use crate::usage_source::{SourcedEvent, UsageSource};

/// Customers times meters times hours of one scan.
pub const MAX_HOUR_TOTALS: usize = 200_000;
const HOUR: i64 = 3_600_000_000;

/// Which events a meter at Stripe sums.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportMeter {
    /// The name of the meter's events at Stripe.
    pub event_name: String,
    /// The type of our events.
    pub meter: String,
    /// The property that is summed; events are counted without one.
    #[serde(default)]
    pub field: Option<String>,
}

/// What a scan found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HourTotals {
    /// The totals, by customer, meter and hour.
    pub totals: Vec<HourTotal>,
    /// Events of nobody known, or of a customer without an id at Stripe.
    pub unmatched: u64,
    /// Events without a number where one is summed, or whose sum is out of range.
    pub unreadable: u64,
}

/// Sums the events of `[from, to)` by hour. Give whole hours: an hour that is cut is told by its part.
///
/// # Errors
/// [`BillingError`] when the store or the source fails, or beyond [`MAX_HOUR_TOTALS`].
pub async fn hour_totals(
    store: &dyn BillingStore,
    source: &dyn UsageSource,
    namespace: &str,
    meters: &[ExportMeter],
    (from, to): (Moment, Moment),
) -> Result<HourTotals, BillingError> {
    let (stripe, owners) = directory(store, namespace).await?;
    let mut sums: BTreeMap<(&str, usize, i64), i128> = BTreeMap::new();
    let mut found = HourTotals::default();
    let mut full = false;
    let mut each = |sourced: &SourcedEvent| {
        let customer = owners.get(&sourced.subscription).unwrap_or(&sourced.customer);
        let Some((customer, _)) = stripe.get_key_value(customer) else {
            found.unmatched += 1;
            return ControlFlow::Continue(());
        };
        let hour = sourced.event.order.at.micros().div_euclid(HOUR);
        for (place, meter) in
            meters.iter().enumerate().filter(|(_, meter)| meter.meter == sourced.event.meter)
        {
            let amount = match &meter.field {
                None => Some(Quantity::ONE.atto()),
                Some(field) => match sourced.event.properties.get(field) {
                    Some(Value::Number(number)) => Some(number.atto()),
                    _ => None,
                },
            };
            full |= sums.len() >= MAX_HOUR_TOTALS;
            if full {
                return ControlFlow::Break(());
            }
            let sum = sums.entry((customer.as_str(), place, hour)).or_default();
            match amount
                .and_then(|amount| sum.checked_add(amount))
                .filter(|sum| Quantity::from_atto(*sum).is_some())
            {
                Some(more) => *sum = more,
                None => found.unreadable += 1,
            }
        }
        ControlFlow::Continue(())
    };
    source.scan(namespace, from, to, &mut each).await?;
    if full {
        let what = "hours of customers in one export";
        return Err(BillingError::TooMany { what, found: MAX_HOUR_TOTALS + 1, most: MAX_HOUR_TOTALS });
    }
    for ((customer, place, hour), sum) in sums {
        let (Some(total), Ok(hour)) = (Quantity::from_atto(sum), Moment::from_micros(hour * HOUR)) else {
            found.unreadable += 1;
            continue;
        };
        found.totals.push(HourTotal {
            customer: customer.to_owned(),
            stripe_customer: stripe[customer].clone(),
            event_name: meters[place].event_name.clone(),
            hour,
            total,
        });
    }
    Ok(found)
}

/// Customers with an id at Stripe, and the customer of each subscription.
async fn directory(
    store: &dyn BillingStore,
    namespace: &str,
) -> Result<(HashMap<String, String>, HashMap<String, String>), BillingError> {
    let (mut stripe, mut owners) = (HashMap::new(), HashMap::new());
    let mut after = String::new();
    loop {
        let page = store.customers(namespace, &after).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.id);
        let known = page.into_iter().filter_map(|customer| Some((customer.id, customer.stripe_customer?)));
        stripe.extend(known);
    }
    let mut after = String::new();
    loop {
        let page = store.subscriptions(namespace, &after).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.id);
        owners.extend(page.into_iter().map(|record| (record.id, record.customer)));
    }
    Ok((stripe, owners))
}
