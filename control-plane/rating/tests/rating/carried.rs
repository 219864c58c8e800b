//! Units that last, carried over an instant instead of the events before it.

use std::sync::Arc;

use creto_rating::{
    Adjustments, Aggregation, Carried, Carrying, Charge, InvoiceDraft, Metric, Model, OPERATION_PROPERTY,
    PlanVersion, Rounding, RoundingFunction, Subscription, Usage, UsageError, UsageEvent, bill,
};
use proptest::prelude::*;

use crate::speech::{DAY, august, event, later, number, plan, q, standard, subscribed, sum, text, tiers};

fn lasting(code: &str, aggregation: Aggregation, prorated: bool, model: Model) -> Charge {
    let mut charge =
        Charge::new(code, Metric { recurring: true, prorated, ..Metric::new("calls", aggregation) }, model);
    charge.attribute_by = vec!["team".into()];
    charge
}

/// Every kind of unit that lasts, priced in every way that looks at more than their sum.
fn everything() -> Subscription {
    let graduated =
        || Model::Graduated { tiers: tiers(&[("0", "5", "1.11", "2"), ("5", "inf", "0.7", "3")]) };
    let users = || Aggregation::UniqueCount { field: "user".into() };
    let mut split = lasting("split", sum("n"), true, graduated());
    split.group_by = vec!["team".into()];
    split.filters = vec![creto_rating::Filter {
        name: "ann".into(),
        keys: [("user".to_owned(), ["ann".to_owned()].into())].into(),
        model: standard("0.3"),
    }];
    let mut rounded = lasting("rounded", sum("n"), false, standard("1"));
    rounded.metric.rounding = Some(Rounding { function: RoundingFunction::Ceil, precision: 0 });
    let custom = Aggregation::Custom { expression: creto_rating::Expression::parse("n / 3").unwrap() };
    let mut first = plan(vec![
        split,
        rounded,
        lasting("seats", users(), true, graduated()),
        lasting("names", users(), false, standard("2")),
        lasting("stored", Aggregation::WeightedSum { field: "n".into() }, false, standard("0.5")),
        lasting("custom", custom, false, graduated()),
    ]);
    first.amount = q("20");
    let mut second = first.clone();
    second.code = "dearer".into();
    second.charges[2].model = standard("5");
    let mut subscription = subscribed(first);
    let change = later(august().from(), 10 * DAY + 7);
    subscription.versions.push(PlanVersion { from: change, plan: Arc::new(second) });
    subscription
}

fn events() -> impl Strategy<Value = Vec<UsageEvent>> {
    // From a hundred days before August to its end.
    let one = (0_i64..131 * 24, -9_i32..30, 0_usize..4, 0_usize..3, any::<bool>());
    proptest::collection::vec(one, 0..60).prop_map(|all| {
        let one = |(place, (hour, n, user, team, removes)): (usize, (i64, i32, usize, usize, bool))| {
            let n = format!("{n}.{user}");
            let mut properties = vec![
                ("n", number(&n)),
                ("user", text(["ann", "bob", "cy", "di"][user])),
                (OPERATION_PROPERTY, text(if removes { "remove" } else { "add" })),
            ];
            if team > 0 {
                properties.push(("team", text(["", "red", "blue"][team])));
            }
            let mut event =
                event(place as u64, later(august().from(), hour * DAY / 24 - 100 * DAY), &properties);
            event.agent = ["one", "two", "three"][(place + team) % 3].to_owned();
            event
        };
        all.into_iter().enumerate().map(one).collect()
    })
}

fn billed(mut usage: Usage, events: &[UsageEvent]) -> InvoiceDraft {
    for event in events {
        usage.add(event).unwrap();
    }
    bill(&usage, &Adjustments::none(august().to())).unwrap()
}

/// Parts of nothing say nothing: who has left is not carried.
fn without_idlers(mut draft: InvoiceDraft) -> InvoiceDraft {
    let idle = |part: &creto_rating::Part| part.fee_minor != 0 || part.total_minor != 0;
    for attribution in
        draft.lines.iter_mut().map(|line| &mut line.attribution).chain([&mut draft.attribution])
    {
        attribution.agents.retain(idle);
        attribution.dimensions.values_mut().for_each(|parts| parts.retain(idle));
    }
    draft
}

fn counted(base: Option<&Carried>, subscription: &Subscription, days: i64, events: &[UsageEvent]) -> Carried {
    let at = later(august().from(), -days * DAY);
    let mut carrying = Carrying::new(base, subscription, at).unwrap();
    events.iter().for_each(|event| carrying.add(event).unwrap());
    let written = serde_json::to_string(&carrying.finish().unwrap()).unwrap();
    serde_json::from_str(&written).unwrap()
}

proptest! {
    #[test]
    fn a_bill_from_carried_units_is_the_bill_from_all_events(
        events in events(), early in 51_i64..90, middle in 21_i64..50, late in 0_i64..20,
    ) {
        let subscription = Arc::new(everything());
        let whole = billed(Usage::new(Arc::clone(&subscription), august()).unwrap(), &events);
        let mut carried: Option<Carried> = None;
        for days in [early, middle, late] {
            // What was carried is needed no more, and would count twice.
            let since: Vec<UsageEvent> = events
                .iter()
                .filter(|event| carried.as_ref().is_none_or(|carried| event.order.at >= carried.at()))
                .cloned()
                .collect();
            carried = Some(counted(carried.as_ref(), &subscription, days, &since));
        }
        let carried = carried.unwrap();
        let rest: Vec<UsageEvent> =
            events.iter().filter(|event| event.order.at >= carried.at()).cloned().collect();
        let usage = Usage::carrying(&carried, Arc::clone(&subscription), august()).unwrap();
        prop_assert_eq!(without_idlers(billed(usage, &rest)), without_idlers(whole));
    }
}

#[test]
fn a_new_price_or_name_goes_on_with_the_units_and_another_count_does_not() {
    let seats = lasting("seats", Aggregation::UniqueCount { field: "user".into() }, false, standard("2"));
    let before = subscribed(plan(vec![seats.clone()]));
    let added = event(1, later(august().from(), -40 * DAY), &[("user", text("ann"))]);
    let carried = counted(None, &before, 30, &[added]);

    let mut renamed = seats.clone();
    renamed.code = "people".into();
    renamed.model = standard("3");
    renamed.metric.prorated = true;
    let same = Arc::new(subscribed(plan(vec![renamed])));
    assert_eq!(carried.lacks(&same), None);
    let draft = billed(Usage::carrying(&carried, same, august()).unwrap(), &[]);
    assert_eq!(draft.subtotal_minor, 300);

    let mut grouped = seats;
    grouped.group_by = vec!["team".into()];
    let other = Arc::new(subscribed(plan(vec![grouped])));
    assert_eq!(carried.lacks(&other), Some("seats"));
    let refused = Usage::carrying(&carried, Arc::clone(&other), august()).unwrap_err();
    assert_eq!(refused, UsageError::Changed("seats".into()));
    let refused = Carrying::new(Some(&carried), &other, august().from()).unwrap_err();
    assert_eq!(refused, UsageError::Changed("seats".into()));
}

#[test]
fn units_of_a_charge_that_a_later_plan_brings_last_from_that_plan_on() {
    let seats = lasting("seats", Aggregation::UniqueCount { field: "user".into() }, false, standard("2"));
    let mut subscription = subscribed(plan(vec![]));
    let since = later(august().from(), -10 * DAY);
    subscription.versions.push(PlanVersion { from: since, plan: Arc::new(plan(vec![seats])) });
    let subscription = Arc::new(subscription);
    let events = [
        event(1, later(since, -1), &[("user", text("early"))]),
        event(2, since, &[("user", text("ann"))]),
        event(3, later(august().from(), DAY), &[("user", text("bob"))]),
    ];
    let whole = billed(Usage::new(Arc::clone(&subscription), august()).unwrap(), &events);
    assert_eq!(whole.subtotal_minor, 400);
    for days in [20, 10, 5] {
        let carried = counted(None, &subscription, days, &events);
        let rest: Vec<UsageEvent> =
            events.iter().filter(|event| event.order.at >= carried.at()).cloned().collect();
        let usage = Usage::carrying(&carried, Arc::clone(&subscription), august()).unwrap();
        assert_eq!(without_idlers(billed(usage, &rest)), without_idlers(whole.clone()), "{days}");
    }
}

#[test]
fn units_are_not_carried_back_nor_read_from_a_later_program() {
    let subscription = Arc::new(everything());
    let carried = counted(None, &subscription, -1, &[]);
    let refused = Usage::carrying(&carried, Arc::clone(&subscription), august());
    assert!(matches!(refused, Err(UsageError::Earlier(_))));
    assert!(matches!(
        Carrying::new(Some(&carried), &subscription, carried.at()),
        Err(UsageError::Earlier(_))
    ));
    let newer = serde_json::to_string(&carried).unwrap().replacen("\"version\":1", "\"version\":2", 1);
    let refused = serde_json::from_str::<Carried>(&newer).unwrap_err().to_string();
    assert!(refused.contains("carried units of version 2"), "{refused}");
}
