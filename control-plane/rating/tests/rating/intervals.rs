//! Periods that are not the plan's, and plans of different intervals.

use std::sync::Arc;

use creto_rating::{
    Adjustments, BillError, Interval, InvoiceDraft, Period, PlanVersion, Subscription, SubscriptionError,
    Usage, UsageError, Zone, bill_events,
};

use crate::speech::{DAY, HOUR, august, later, plan, q, subscribed};

fn costing(amount: &str, interval: Interval) -> creto_rating::Plan {
    creto_rating::Plan { amount: q(amount), interval, ..plan(vec![]) }
}

fn billed(subscription: &Subscription, period: &Period) -> Result<InvoiceDraft, BillError> {
    bill_events(period, subscription, [], &Adjustments::none(period.to()))
}

#[test]
fn a_monthly_plan_is_not_billed_in_full_for_one_day() {
    let monthly = subscribed(costing("31", Interval::Monthly));
    let days = |from: i64, to: i64| {
        Period::new(later(august().from(), from), later(august().from(), to), Zone::utc()).unwrap()
    };
    let refused = billed(&monthly, &days(0, DAY)).unwrap_err();
    assert!(matches!(&refused, BillError::Usage(UsageError::Period { whole, .. }) if **whole == august()));
    assert!(refused.to_string().contains("bills monthly"), "{refused}");
    assert!(refused.to_string().contains("2022-08-01T00:00:00Z to 2022-09-01T00:00:00Z"), "{refused}");
    for odd in [days(DAY, 31 * DAY), days(0, 32 * DAY), days(HOUR, 31 * DAY), days(0, 62 * DAY)] {
        assert!(
            matches!(billed(&monthly, &odd), Err(BillError::Usage(UsageError::Period { .. }))),
            "{odd:?}"
        );
    }
    assert_eq!(billed(&monthly, &august()).unwrap().subtotal_minor, 3_100);
}

#[test]
fn the_months_of_another_zone_are_other_periods() {
    let berlin = Zone::named("Europe/Berlin").unwrap();
    let utc_month = Period::new(august().from(), august().to(), berlin.clone()).unwrap();
    let monthly = subscribed(costing("31", Interval::Monthly));
    assert!(matches!(billed(&monthly, &utc_month), Err(BillError::Usage(UsageError::Period { .. }))));
    let month = Interval::Monthly.period_at(august().from(), &berlin).unwrap();
    assert_eq!(billed(&monthly, &month).unwrap().subtotal_minor, 3_100);
}

#[test]
fn a_yearly_fee_is_never_shared_out_over_the_days_of_a_month() {
    let mut subscription = subscribed(costing("31", Interval::Monthly));
    let from = later(august().from(), 15 * DAY);
    let yearly = creto_rating::Plan { code: "year".into(), ..costing("1200", Interval::Yearly) };
    subscription.versions.push(PlanVersion { from, plan: Arc::new(yearly) });
    let refused = subscription.validate().unwrap_err();
    assert!(matches!(
        refused,
        SubscriptionError::Intervals { found: Interval::Yearly, wanted: Interval::Monthly, .. }
    ));
    assert!(refused.to_string().contains("bills yearly, an earlier one monthly"), "{refused}");
    assert!(billed(&subscription, &august()).is_err());
}

#[test]
fn a_subscription_that_starts_within_its_year_pays_the_days_of_the_year() {
    let year = Interval::Yearly.period_at(august().from(), &Zone::utc()).unwrap();
    let subscription =
        Subscription::new("s", "acme", later(august().from(), 15 * DAY), costing("365", Interval::Yearly));
    // From August 16 to the end of December.
    assert_eq!(billed(&subscription, &year).unwrap().subtotal_minor, 13_800);
}

#[test]
fn an_interval_of_no_days_has_no_period_to_bill() {
    let never = subscribed(costing("1", Interval::Custom { days: 0 }));
    let refused = Usage::new(Arc::new(never), august()).unwrap_err();
    assert!(matches!(refused, UsageError::Interval(_)), "{refused}");
}
