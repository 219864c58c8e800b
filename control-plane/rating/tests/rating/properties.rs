//! What must hold for every bill.

use std::sync::Arc;

use creto_rating::{
    Adjustments, Aggregation, Charge, Coupon, CouponAmount, Currency, Exact, Expression, Filter,
    InvoiceDraft, Measured, Metric, Model, Part, Percentage, PlanVersion, Quantity, Sharing, Subscription,
    TaxRate, Usage, UsageEvent, Value, bill, bill_events, without_repeats,
};
use proptest::prelude::*;

use crate::speech::{
    DAY, HOUR, august, charge, event, later, number, plan, q, standard, subscribed, sum, text, tiers,
};

/// A plan with every aggregation and model, changed at noon on the 16th.
fn everything() -> Subscription {
    let graduated = || Model::Graduated {
        tiers: tiers(&[("0", "10", "1.11", "2"), ("10", "50", "0.7", "3"), ("50", "inf", "0.3", "0")]),
    };
    let field = || "n".to_owned();
    let users = Aggregation::UniqueCount { field: "user".into() };
    let lasting = |code: &str, aggregation, prorated, model| {
        Charge::new(code, Metric { recurring: true, prorated, ..Metric::new("calls", aggregation) }, model)
    };
    let percentage = Percentage {
        rate: q("1.7"),
        fixed: q("0.05"),
        free_units: Some(q("30")),
        free_events: Some(3),
        event_minimum: Some(q("0.02")),
        event_maximum: Some(q("0.9")),
    };
    let mut split = charge("split", sum("n"), graduated());
    split.filters = vec![Filter {
        name: "ann".into(),
        keys: [("user".to_owned(), ["ann".to_owned()].into())].into(),
        model: Model::Package { size: q("7"), price: q("0.333"), free: q("2") },
    }];
    split.group_by = vec!["model".into()];
    split.attribute_by = vec!["user".into(), "model".into()];
    split.minimum = Some(q("12.345"));
    let volume = Model::Volume { tiers: tiers(&[("0", "20", "0.5", "1"), ("20", "inf", "0.25", "4")]) };
    let custom = Aggregation::Custom { expression: Expression::parse("max(n, 1) / 3").unwrap() };
    let mut first = plan(vec![
        split,
        charge("percentage", sum("n"), Model::Percentage(percentage)),
        charge("count", Aggregation::Count, standard("0.0333")),
        charge("max", Aggregation::Max { field: field() }, standard("0.1")),
        charge("latest", Aggregation::Latest { field: field() }, standard("0.1")),
        charge("custom", custom, volume.clone()),
        charge("weighted", Aggregation::WeightedSum { field: field() }, standard("3")),
        charge("dynamic", sum("n"), Model::Dynamic { amount_field: "price".into(), currency_field: None }),
        lasting("seats", users.clone(), true, graduated()),
        lasting("stored", sum("n"), true, graduated()),
        lasting("names", users, false, volume),
    ]);
    first.amount = q("20");
    first.commitment = Some(q("250"));
    first.taxes = vec![
        TaxRate { code: "vat".into(), percent: q("19") },
        TaxRate { code: "city".into(), percent: q("0.5") },
    ];
    let mut second = first.clone();
    second.code = "more".into();
    second.amount = q("33.33");
    let mut subscription = subscribed(first);
    let change = later(august().from(), 15 * DAY + 12 * HOUR);
    subscription.versions.push(PlanVersion { from: change, plan: Arc::new(second) });
    subscription
}

fn adjustments() -> Adjustments {
    let coupon = |code: &str, amount, sharing| Coupon { code: code.into(), amount, sharing, only: None };
    Adjustments {
        coupons: vec![
            coupon("even", CouponAmount::Fixed { minor: 777, currency: Currency::USD }, Sharing::Even),
            coupon("percent", CouponAmount::Percent(q("3.3")), Sharing::Proportional),
        ],
        ..Adjustments::none(august().to())
    }
}

fn events() -> impl Strategy<Value = Vec<UsageEvent>> {
    let one = (-3..34_i64, 0..3_i64, -5..40_i64, 0..3_usize, 0..3_usize, prop::bool::weighted(0.8));
    prop::collection::vec(one, 0..40).prop_map(|list| {
        let event =
            |(sequence, (day, third, n, user, model, add)): (usize, (i64, i64, i64, usize, usize, bool))| {
                let mut properties = vec![
                    ("n", number(&n.to_string())),
                    ("user", text(["ann", "bob", "cy"][user])),
                    ("operation_type", text(if add { "add" } else { "remove" })),
                    ("price", number(&format!("0.{sequence}"))),
                ];
                if model > 0 {
                    properties.push(("model", text(["", "m1", "m2"][model])));
                }
                let agent = ["planner", "coder", "critic"][(user + model) % 3].to_owned();
                UsageEvent {
                    agent,
                    ..event(
                        sequence as u64,
                        later(august().from(), day * DAY + third * 8 * HOUR),
                        &properties,
                    )
                }
            };
        list.into_iter().enumerate().map(event).collect()
    })
}

fn billed(events: Vec<UsageEvent>) -> InvoiceDraft {
    bill_events(&august(), &everything(), events, &adjustments()).unwrap()
}

fn totals(parts: &[Part]) -> (i64, i64) {
    (parts.iter().map(|part| part.fee_minor).sum(), parts.iter().map(|part| part.total_minor).sum())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn order_repeats_parts_and_batches_do_not_change_a_bill(
        events in events(),
        turn in any::<prop::sample::Index>(),
        repeats in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        parts in 1..5_usize,
    ) {
        let expected = billed(events.clone());

        let mut mixed = events.clone();
        if !events.is_empty() {
            mixed.extend(repeats.iter().map(|repeat| events[repeat.index(events.len())].clone()));
            let place = turn.index(mixed.len());
            mixed.rotate_left(place);
            mixed.reverse();
        }
        prop_assert_eq!(&billed(mixed.clone()), &expected);

        let subscription = Arc::new(everything());
        let mut merged = Usage::new(Arc::clone(&subscription), august()).unwrap();
        let kept = without_repeats(mixed).unwrap();
        for part in 0..parts {
            let mut usage = Usage::new(Arc::clone(&subscription), august()).unwrap();
            for event in kept.iter().skip(part).step_by(parts) {
                usage.add(event).unwrap();
            }
            merged.merge(&usage).unwrap();
        }
        prop_assert_eq!(&bill(&merged, &adjustments()).unwrap(), &expected);
    }

    #[test]
    fn every_sum_of_a_bill_adds_up(events in events()) {
        let draft = billed(events);
        let sum = |of: &dyn Fn(&creto_rating::Line) -> i64| draft.lines.iter().map(of).sum::<i64>();
        prop_assert_eq!(sum(&|line| line.fee.minor), draft.subtotal_minor);
        prop_assert_eq!(draft.subtotal_minor - draft.reductions_minor + draft.tax_minor, draft.total_minor);
        prop_assert_eq!(sum(&|line| line.total_minor), draft.total_minor);
        prop_assert_eq!(draft.total_minor - draft.credited_minor - draft.prepaid_minor, draft.due_minor);
        for tax in &draft.taxes {
            let of = |line: &creto_rating::Line| {
                line.taxes.iter().filter(|part| part.code == tax.code).map(|part| part.minor).sum::<i64>()
            };
            prop_assert_eq!(sum(&of), tax.minor);
        }
        for line in &draft.lines {
            let off: i64 = line.reductions.iter().map(|reduction| reduction.minor).sum();
            let tax: i64 = line.taxes.iter().map(|tax| tax.minor).sum();
            prop_assert_eq!(line.fee.minor - off, line.net_minor);
            prop_assert_eq!(line.net_minor + tax, line.total_minor);
            prop_assert!(line.net_minor >= 0 && line.fee.minor >= 0);
            let whole = (line.fee.minor, line.total_minor);
            prop_assert_eq!(totals(&line.attribution.agents), whole);
            for parts in line.attribution.dimensions.values() {
                prop_assert_eq!(totals(parts), whole);
            }
        }
        prop_assert_eq!(totals(&draft.attribution.agents), (draft.subtotal_minor, draft.total_minor));
        for parts in draft.attribution.dimensions.values() {
            prop_assert_eq!(totals(parts), (draft.subtotal_minor, draft.total_minor));
        }
        // Each plan's lines come to at least its commitment: 250 for a month, for 15 and 16 of 31 days.
        for (plan, days) in [("team", 15), ("more", 16)] {
            let fees: i64 = draft.lines.iter().filter(|line| line.plan == plan).map(|line| line.fee.minor).sum();
            prop_assert!(Exact::from(fees) >= Exact::ratio(25_000 * days, 31).unwrap().round());
        }
    }

    #[test]
    fn more_usage_never_costs_less(
        values in prop::collection::vec(0..2_000_i64, 1..12),
        place in any::<prop::sample::Index>(),
        more in 0..2_000_i64,
        numbers in prop::collection::vec(0..300_u32, 7),
        options in any::<[bool; 4]>(),
    ) {
        let quantity = |place: usize| Quantity::from(numbers[place]);
        let (first, second) = (numbers[0] + 1, numbers[0] + numbers[1] + 2);
        let ends = [("0".to_owned(), first.to_string()), (first.to_string(), second.to_string()), (second.to_string(), "inf".to_owned())];
        let listed: Vec<_> = ends.iter().zip(&numbers[2..]).map(|((from, to), rate)| (from, to, rate.to_string())).collect();
        let listed: Vec<_> = listed.iter().map(|(from, to, rate)| (from.as_str(), to.as_str(), rate.as_str(), rate.as_str())).collect();
        let option = |place: usize| options[place].then(|| quantity(place + 2));
        let percentage = Percentage {
            rate: quantity(0),
            fixed: quantity(1),
            free_units: option(0),
            free_events: options[1].then(|| u64::from(numbers[3] % 5)),
            event_minimum: option(2),
            event_maximum: options[3].then(|| q(&(numbers[4] + numbers[5]).to_string())).filter(|_| !options[2]),
        };
        let models = [
            Model::Standard { rate: quantity(0) },
            Model::Graduated { tiers: tiers(&listed) },
            Model::GraduatedPercentage { tiers: tiers(&listed) },
            Model::Package { size: Quantity::from(numbers[0] + 1), price: quantity(1), free: quantity(2) },
            Model::Percentage(percentage),
        ];
        let measured = |values: &[i64]| {
            let units = Exact::from(values.iter().sum::<i64>());
            let values: Vec<Quantity> = values.iter().map(|value| Quantity::whole(*value).unwrap()).collect();
            Measured { events: values.len() as u64, values, ..Measured::units(units) }
        };
        let metric = Metric::new("calls", sum("n"));
        let mut grown = values.clone();
        grown.insert(place.index(values.len() + 1), more);
        for model in &models {
            prop_assert_eq!(model.validate(&metric), Ok(()));
            prop_assert!(model.price(&measured(&grown)) >= model.price(&measured(&values)), "{:?}", model);
        }
        // Volume prices rise within a tier; from one to the next they may fall, and that is what volume means.
        let volume = Model::Volume { tiers: tiers(&listed) };
        for (low, high) in [(1, first), (first + 1, second), (second + 1, second + 500)] {
            let units = |units: u32| volume.price(&Measured::units(Exact::from(units)));
            prop_assert!(units(low) <= units(high));
        }
    }

    #[test]
    fn fees_in_advance_add_up_to_the_price_of_all(values in prop::collection::vec(-20..60_i64, 1..30), kind in 0..4_usize) {
        let list = tiers(&[("0", "10", "0.013", "0.2"), ("10", "50", "0.007", "0"), ("50", "inf", "0.003", "0.111")]);
        let model = match kind {
            0 => standard("0.0041"),
            1 => Model::Graduated { tiers: list },
            2 => Model::Package { size: q("7"), price: q("0.333"), free: q("5") },
            _ => Model::Percentage(Percentage { rate: q("0.31"), fixed: q("0.004"), free_events: Some(2), ..Percentage::default() }),
        };
        let mut tokens = charge("tokens", sum("n"), model.clone());
        tokens.pay_in_advance = true;
        let window = creto_rating::Window::whole(&august());
        let mut meter = creto_rating::AdvanceMeter::new(tokens, window, Currency::USD).unwrap();
        let (mut minor, mut precise, mut growth) = (0, Exact::zero(), Vec::new());
        let (mut running, mut most) = (0, 0);
        for (place, value) in values.iter().enumerate() {
            let moment = later(august().from(), place as i64);
            let billed = meter.bill(&event(place as u64, moment, &[("n", number(&value.to_string()))])).unwrap();
            running += value;
            if running > most {
                growth.push(Quantity::whole(running - most).unwrap());
                most = running;
            }
            if let Some(billed) = billed {
                prop_assert!(billed.fee.minor >= 0);
                minor += billed.fee.minor;
                precise = precise + billed.fee.precise;
            }
        }
        let all = Measured { events: growth.len() as u64, values: growth.clone(), ..Measured::units(Exact::from(most)) };
        let expected = if growth.is_empty() { Exact::zero() } else { model.price(&all) };
        prop_assert_eq!(&precise, &expected);
        prop_assert_eq!(minor, creto_rating::Fee::rounded(expected, Currency::USD).unwrap().minor);
    }
}

#[test]
fn the_plan_of_these_properties_has_lines_for_each_of_its_charges() {
    let events = (0..30).map(|sequence| {
        let properties = [
            ("n", number("9")),
            ("user", text("bob")),
            ("price", Value::Number(q("0.5"))),
            ("model", text("m1")),
        ];
        event(sequence, later(august().from(), sequence as i64 * DAY), &properties)
    });
    let draft = billed(events.collect());
    let seen: std::collections::BTreeSet<_> =
        draft.lines.iter().filter_map(|line| line.charge.clone()).collect();
    let charges: std::collections::BTreeSet<_> =
        everything().versions[0].plan.charges.iter().map(|charge| charge.code.clone()).collect();
    assert_eq!(seen, charges);
}
