//! What the operator has set up: plans, customers, and what they subscribed to.

use std::collections::BTreeSet;

use creto_billing::{BillingSettings, BillingStore, Customer, NewSubscription, Party, PlanDocument};
use creto_rating::{Coupon, CouponAmount, Currency, Interval, Moment, Sharing, Zone};

use super::frames::{customer_id, subscription_id};
use super::usage::CUSTOMERS;
use super::{Failed, NAMESPACE};

const PLANS: [&str; 3] =
    [include_str!("plan_start.toml"), include_str!("plan_grow.toml"), include_str!("plan_japan.toml")];

/// A currency without minor units.
const YEN: &str = "JPY";
/// 1 October 2026, 00:00 UTC, in microseconds since 1970.
const OCTOBER_US: i64 = 1_790_812_800_000_000;
const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;

/// The terms of one customer's subscription. Times in microseconds since 1970.
pub(super) struct Terms {
    pub(super) customer: u32,
    pub(super) zone: &'static str,
    pub(super) plan: &'static str,
    /// The plan it changed to within the month, and when.
    pub(super) later: Option<(i64, &'static str)>,
    /// None: with the month.
    pub(super) started_us: Option<i64>,
    pub(super) ended_us: Option<i64>,
    pub(super) coupons: Vec<Coupon>,
}

/// Those of every customer: three zones (in one of them clocks change within the month), two currencies, two changes of
/// plan, some that start late or end early, four kinds of coupons.
pub(super) fn terms() -> Result<Vec<Terms>, Failed> {
    let yen: Currency = YEN.parse()?;
    let terms = (0..CUSTOMERS as u32).map(|customer| {
        let japan = customer % 20 == 19;
        let (plan, later) = match customer % 4 {
            _ if japan => ("japan", None),
            0 => ("start", None),
            1 => ("start", Some((OCTOBER_US + 15 * DAY_US + 10 * HOUR_US, "grow"))),
            2 => ("grow", None),
            // Midnight in Berlin.
            _ => ("grow", Some((OCTOBER_US + 10 * DAY_US + 22 * HOUR_US, "start"))),
        };
        let currency = if japan { yen } else { Currency::EUR };
        let coupon = |code: &str, amount, only: Option<&[&str]>| Coupon {
            code: code.to_owned(),
            amount,
            sharing: Sharing::Proportional,
            only: only.map(|codes| codes.iter().map(|code| (*code).to_owned()).collect::<BTreeSet<_>>()),
        };
        let fixed = |minor| CouponAmount::Fixed { minor, currency };
        let tenth = |tenths: u32| {
            // At most a thousand: always a quantity.
            creto_rating::Quantity::from_atto(i128::from(tenths) * 10_i128.pow(17)).unwrap_or_default()
        };
        let coupons = match customer % 6 {
            1 => vec![coupon("eighth", CouponAmount::Percent(tenth(125)), None)],
            2 => vec![coupon("fifty", fixed(5_000), Some(&["tokens", "calls"]))],
            3 => vec![
                coupon("tenth", CouponAmount::Percent(tenth(100)), Some(&["tokens"])),
                coupon("ten", fixed(1_000), None),
            ],
            _ => Vec::new(),
        };
        Terms {
            customer,
            zone: ["Europe/Berlin", "America/New_York", "UTC"][customer as usize % 3],
            plan,
            later,
            started_us: (customer % 10 == 7).then_some(OCTOBER_US + 7 * DAY_US + 13 * HOUR_US),
            ended_us: (customer % 10 == 3).then_some(OCTOBER_US + 24 * DAY_US + 12 * HOUR_US),
            coupons,
        }
    });
    Ok(terms.collect())
}

pub(super) async fn set_up(store: &dyn BillingStore) -> Result<(), Failed> {
    let issuer = Party { name: "Creto GmbH".into(), address: vec!["Berlin".into()], tax_ids: Vec::new() };
    store.put_settings(NAMESPACE, &BillingSettings::of(issuer)).await?;
    for plan in PLANS {
        let plan = PlanDocument::from_toml(plan).map_err(|problems| problems.to_string())?;
        store.publish_plan(NAMESPACE, &plan).await?;
    }
    let yen: Currency = YEN.parse()?;
    for terms in terms()? {
        let (id, customer) = (subscription_id(terms.customer), customer_id(terms.customer));
        let zone = Zone::named(terms.zone)?;
        let month = Interval::Monthly.period_at(Moment::from_micros(OCTOBER_US + 15 * DAY_US)?, &zone)?;
        let party = Party { name: customer.clone(), address: Vec::new(), tax_ids: Vec::new() };
        let currency = if terms.plan == "japan" { yen } else { Currency::EUR };
        let record = Customer { id: customer.clone(), party, currency, zone, stripe_customer: None };
        store.put_customer(NAMESPACE, &record).await?;
        let started_at = terms.started_us.map_or(Ok(month.from()), Moment::from_micros)?;
        let mut new = NewSubscription::new(&id, &customer, terms.plan, started_at);
        new.coupons = terms.coupons;
        store.subscribe(NAMESPACE, &new).await?;
        if let Some((from, plan)) = terms.later {
            store.change_plan(NAMESPACE, &id, plan, Moment::from_micros(from)?).await?;
        }
        if let Some(at) = terms.ended_us {
            store.cancel(NAMESPACE, &id, Moment::from_micros(at)?).await?;
        }
    }
    Ok(())
}
