//! Bad input: each a clear result.

use std::sync::Arc;

use creto_rating::{
    Adjustments, Aggregation, BillError, Charge, Coupon, CouponAmount, Currency, Expression, Fee, Filter,
    Metric, Model, OPERATION_PROPERTY, PlanVersion, Received, Sharing, Subscription, SubscriptionError,
    TaxRate, Usage, UsageError, UsageEvent, bill_events,
};

use crate::speech::{
    DAY, august, charge, event, later, number, plan, q, standard, subscribed, sum, text, tiers,
};

fn usage(charges: Vec<Charge>) -> Usage {
    Usage::new(Arc::new(subscribed(plan(charges))), august()).unwrap()
}

fn n(value: creto_rating::Value) -> UsageEvent {
    event(1, august().from(), &[("n", value)])
}

fn summing() -> Usage {
    usage(vec![charge("tokens", sum("n"), standard("1"))])
}

fn refused(mut usage: Usage, event: &UsageEvent) -> String {
    let before = format!("{usage:?}");
    let error = usage.add(event).unwrap_err();
    assert_eq!(format!("{usage:?}"), before, "an event that is refused leaves nothing behind");
    error.to_string()
}

#[test]
fn an_event_of_an_unknown_meter_is_told_apart_and_changes_nothing() {
    let mut usage = summing();
    let unknown = UsageEvent { meter: "telepathy".into(), ..n(number("1")) };
    assert_eq!(usage.add(&unknown), Ok(Received::NoCharge));
}

#[test]
fn an_event_far_in_the_past_or_future_is_outside_the_period() {
    let mut usage = summing();
    for days in [-700_000, -1, 31, 2_000_000] {
        let far = event(1, later(august().from(), days * DAY), &[("n", number("1"))]);
        assert_eq!(usage.add(&far), Ok(Received::Outside));
    }
}

#[test]
fn a_value_that_is_no_number_is_refused_with_charge_event_and_reason() {
    assert_eq!(
        refused(summing(), &n(text("NaN"))),
        "charge `tokens`: event `event-1`: property `n`: `NaN` is not a finite number: send what was used, in digits"
    );
    assert!(refused(summing(), &n(text("twelve"))).contains("is not a number, at byte 0"));
    assert!(refused(summing(), &event(1, august().from(), &[])).contains("property `n` is missing"));
    let divided = Aggregation::Custom { expression: Expression::parse("1 / n").unwrap() };
    assert!(
        refused(usage(vec![charge("x", divided, standard("1"))]), &n(number("0")))
            .contains("division by zero")
    );
    let seats = usage(vec![charge("seats", Aggregation::UniqueCount { field: "n".into() }, standard("1"))]);
    let odd = event(1, august().from(), &[("n", text("ann")), (OPERATION_PROPERTY, text("toggle"))]);
    assert!(refused(seats, &odd).contains("send add or remove"));
}

#[test]
fn an_event_one_charge_cannot_read_is_counted_by_none() {
    let charges =
        vec![charge("calls", Aggregation::Count, standard("1")), charge("tokens", sum("n"), standard("1"))];
    assert!(refused(usage(charges), &n(text("?"))).starts_with("charge `tokens`"));
}

#[test]
fn the_same_id_with_another_payload_is_a_conflict_and_with_the_same_is_one_event() {
    let subscription = subscribed(plan(vec![charge("tokens", sum("n"), standard("1"))]));
    let bill = |events: [UsageEvent; 2]| {
        bill_events(&august(), &subscription, events, &Adjustments::none(august().to()))
    };
    assert_eq!(bill([n(number("5")), n(number("5"))]).unwrap().total_minor, 500);
    let conflict = bill([n(number("5")), n(number("6"))]).unwrap_err();
    assert!(matches!(&conflict, BillError::Conflict(conflict) if conflict.id == "event-1"), "{conflict}");
}

#[test]
fn currencies_are_never_mixed() {
    let subscription = subscribed(plan(vec![charge("calls", Aggregation::Count, standard("1"))]));
    let none = || Adjustments::none(august().to());
    let euro = Fee::of_minor(100, Currency::EUR);
    let coupon = Coupon {
        code: "c".into(),
        amount: CouponAmount::Fixed { minor: 1, currency: Currency::EUR },
        sharing: Sharing::Even,
        only: None,
    };
    let all = [
        Adjustments { progressively_billed: vec![euro.clone()], ..none() },
        Adjustments { in_advance: vec![euro], ..none() },
        Adjustments { coupons: vec![coupon], ..none() },
    ];
    for adjustments in all {
        let error = bill_events(&august(), &subscription, [], &adjustments).unwrap_err();
        assert!(
            matches!(error, BillError::Currencies { found: Currency::EUR, wanted: Currency::USD, .. }),
            "{error}"
        );
    }
    let model = Model::Dynamic { amount_field: "n".into(), currency_field: Some("currency".into()) };
    let priced = |currency| event(1, august().from(), &[("n", number("2")), ("currency", text(currency))]);
    let dynamic = || usage(vec![charge("calls", Aggregation::Count, model.clone())]);
    assert_eq!(dynamic().add(&priced("USD")), Ok(Received::Counted));
    assert!(refused(dynamic(), &priced("EUR")).contains("the plan bills in USD"));

    let mut changed = subscribed(plan(vec![]));
    let euros = creto_rating::Plan { currency: Currency::EUR, ..plan(vec![]) };
    changed.versions.push(PlanVersion { from: august().from(), plan: Arc::new(euros) });
    assert!(matches!(changed.validate(), Err(SubscriptionError::Currencies { .. })));
}

#[test]
fn a_plan_that_cannot_be_is_refused_with_charge_tier_and_field() {
    let told = |plan| subscribed(plan).validate().unwrap_err().to_string();
    let gap = Model::Volume { tiers: tiers(&[("0", "10", "1", "0"), ("11", "inf", "1", "0")]) };
    assert_eq!(
        told(plan(vec![charge("tokens", sum("n"), gap.clone())])),
        "subscription `sub-1`: plan `team`, charge `tokens`: tier 2, field `from`: starts at 11 but tier 1 ends at 10; \
         units between have no price"
    );
    let mut filtered = charge("tokens", sum("n"), standard("1"));
    let keys: std::collections::BTreeMap<_, _> = [("model".to_owned(), ["large".to_owned()].into())].into();
    let filter = |name: &str, model| Filter { name: name.into(), keys: keys.clone(), model };
    filtered.filters = vec![filter("large", gap)];
    assert!(told(plan(vec![filtered.clone()])).contains("filter `large`: tier 2"));
    filtered.filters = vec![filter("a", standard("1")), filter("b", standard("2"))];
    assert!(told(plan(vec![filtered])).contains("filters `a` and `b` match the same events"));
    let twice = charge("tokens", sum("n"), standard("1"));
    assert!(told(plan(vec![twice.clone(), twice])).contains("charge `tokens` is there twice"));
    let mut negative = plan(vec![]);
    negative.commitment = Some(q("-1"));
    assert!(told(negative).contains("field `commitment`: -1 is below zero"));
    let mut taxed = plan(vec![]);
    taxed.taxes = ["19", "7"].map(|percent| TaxRate { code: "vat".into(), percent: q(percent) }).to_vec();
    assert!(told(taxed).contains("tax `vat` has two rates"));
    let mut advance = charge("w", Aggregation::WeightedSum { field: "n".into() }, standard("1"));
    advance.pay_in_advance = true;
    assert!(told(plan(vec![advance])).contains("cannot be paid in advance"));
    let recurring = Metric { recurring: true, ..Metric::new("calls", Aggregation::Count) };
    assert!(told(plan(vec![Charge::new("c", recurring, standard("1"))])).contains("cannot be recurring"));
}

#[test]
fn a_subscription_without_plan_or_with_plans_out_of_order_is_refused() {
    let empty = Subscription { versions: vec![], ..subscribed(plan(vec![])) };
    assert!(matches!(empty.validate(), Err(SubscriptionError::NoPlan(_))));
    let mut turned = subscribed(plan(vec![]));
    turned.versions.push(turned.versions[0].clone());
    assert!(matches!(turned.validate(), Err(SubscriptionError::Order { .. })));
}

#[test]
fn a_coupon_of_more_than_all_or_less_than_nothing_is_refused() {
    let subscription = subscribed(plan(vec![]));
    for percent in ["-1", "100.000000000000000001"] {
        let amount = CouponAmount::Percent(q(percent));
        let coupon = Coupon { code: "c".into(), amount, sharing: Sharing::Proportional, only: None };
        let adjustments = Adjustments { coupons: vec![coupon], ..Adjustments::none(august().to()) };
        let error = bill_events(&august(), &subscription, [], &adjustments).unwrap_err();
        assert!(matches!(error, BillError::Percent { .. }), "{error}");
    }
}

#[test]
fn an_amount_no_invoice_can_carry_is_refused() {
    let huge = charge("tokens", sum("n"), standard("999999999999999999"));
    let error = bill_events(
        &august(),
        &subscribed(plan(vec![huge])),
        [n(number("1000"))],
        &Adjustments::none(august().to()),
    );
    assert!(matches!(error, Err(BillError::TooLarge(_))), "{error:?}");
}

#[test]
fn usage_of_another_subscription_is_not_merged() {
    let mut one = summing();
    let other = usage(vec![]);
    assert!(matches!(one.merge(&other), Err(UsageError::Different(..))));
}

#[test]
fn units_of_a_charge_that_changed_are_not_carried() {
    let metric = Metric { recurring: true, ..Metric::new("calls", sum("n")) };
    let stored = Charge::new("stored", metric, standard("1"));
    let mut first = usage(vec![stored.clone()]);
    first.add(&n(number("1"))).unwrap();
    let mut grouped = stored;
    grouped.group_by = vec!["model".into()];
    let september =
        creto_rating::Interval::Monthly.period_at(august().to(), &creto_rating::Zone::utc()).unwrap();
    let next = Arc::new(subscribed(plan(vec![grouped])));
    let refused = Usage::following(&first, Arc::clone(&next), september).unwrap_err();
    assert_eq!(refused, UsageError::Changed("stored".into()));
    assert!(matches!(Usage::following(&first, next, august()), Err(UsageError::Earlier(_))));
}
