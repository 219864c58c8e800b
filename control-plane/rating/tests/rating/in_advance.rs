//! Charges paid in advance: what is kept is bounded, and an event that is refused leaves nothing behind.

use std::time::{Duration, Instant};

use creto_rating::{
    Adjustments, AdvanceError, AdvanceMeter, Aggregation, Charge, Currency, Exact, Model, OPERATION_PROPERTY,
    Percentage, UsageEvent, Window, bill_events,
};
use proptest::prelude::*;

use crate::speech::{DAY, august, charge, event, later, number, plan, q, standard, subscribed, sum, text};

fn meter(mut charge: Charge) -> AdvanceMeter {
    charge.pay_in_advance = true;
    AdvanceMeter::new(charge, Window::whole(&august()), Currency::USD).unwrap()
}

fn shown(meter: &AdvanceMeter) -> String {
    format!("{meter:?}")
}

#[test]
fn an_event_outside_the_window_is_not_looked_at() {
    let mut meter = meter(charge("tokens", sum("n"), standard("1")));
    let before = shown(&meter);
    // Not even read: it has no number.
    assert_eq!(meter.bill(&event(1, later(august().from(), -DAY), &[])), Ok(None));
    assert_eq!(meter.bill(&event(2, august().to(), &[])), Ok(None));
    assert_eq!(shown(&meter), before);
}

#[test]
fn values_are_kept_only_where_single_events_are_priced() {
    let grown = |model| {
        let mut meter = meter(charge("tokens", sum("n"), model));
        let mut sizes = Vec::new();
        for sequence in 0..200 {
            meter.bill(&event(sequence, august().from(), &[("n", number("1"))])).unwrap();
            sizes.push(shown(&meter).len());
        }
        sizes[199] - sizes[1]
    };
    let of_sums = Percentage { rate: q("50"), ..Percentage::default() };
    let by_event = Percentage { event_minimum: Some(q("1")), ..of_sums.clone() };
    let (sums, events) = (grown(Model::Percentage(of_sums)), grown(Model::Percentage(by_event)));
    assert!(sums < 100 && grown(standard("1")) < 100 && events > 1_000, "{sums} {events}");
}

#[test]
fn an_event_that_cannot_be_billed_leaves_nothing_behind() {
    let dear = || standard("9999999999");
    let by_event =
        Percentage { rate: q("999999999999"), event_minimum: Some(q("1")), ..Percentage::default() };
    for model in [dear(), Model::Percentage(by_event)] {
        let mut meter = meter(charge("tokens", sum("n"), model));
        let billing =
            |meter: &mut AdvanceMeter, n: &str| meter.bill(&event(1, august().from(), &[("n", number(n))]));
        let before = shown(&meter);
        let huge = billing(&mut meter, "999999999999");
        assert!(matches!(huge, Err(AdvanceError::Fee(_))), "{huge:?}");
        assert_eq!(shown(&meter), before, "nor the group it would have been the first of");
        assert!(billing(&mut meter, "1").unwrap().is_some());
        let before = shown(&meter);
        assert!(billing(&mut meter, "999999999999").is_err());
        assert_eq!(shown(&meter), before);
        assert_eq!(billing(&mut meter, "2").unwrap().unwrap().units.to_string(), "2");
    }
}

#[test]
fn a_value_whose_event_cannot_be_billed_is_not_there() {
    let aggregation = Aggregation::UniqueCount { field: "user".into() };
    let mut meter = meter(charge("seats", aggregation, standard("50000000000000000")));
    let seat = |sequence: u64, user: &str, operation: &str| {
        let properties = [("user", text(user)), (OPERATION_PROPERTY, text(operation))];
        event(sequence, later(august().from(), sequence as i64), &properties)
    };
    assert!(meter.bill(&seat(1, "ann", "add")).unwrap().is_some());
    let before = shown(&meter);
    assert!(matches!(meter.bill(&seat(2, "bob", "add")), Err(AdvanceError::Fee(_))));
    assert_eq!(shown(&meter), before);
    // One in place of the other is no growth.
    assert_eq!(meter.bill(&seat(3, "ann", "remove")), Ok(None));
    assert_eq!(meter.bill(&seat(4, "bob", "add")), Ok(None));
}

#[test]
fn the_thousandth_event_costs_no_more_work_than_the_first() {
    let time = |events: u64| {
        let mut meter = meter(charge("tokens", sum("n"), standard("1")));
        let one = event(1, august().from(), &[("n", number("1"))]);
        let started = Instant::now();
        for _ in 0..events {
            meter.bill(&one).unwrap();
        }
        started.elapsed()
    };
    time(100);
    // Twenty times the events, in far less than the four hundred times that copying all of them takes.
    assert!(time(20_000) < time(1_000) * 100 + Duration::from_millis(100));
}

/// What the bill of August asks for, from all of its events.
fn billed(charge: Charge, events: &[UsageEvent]) -> (i64, Exact) {
    let mut advance = charge;
    advance.pay_in_advance = true;
    let subscription = subscribed(plan(vec![advance]));
    let none = Adjustments::none(august().to());
    let draft = bill_events(&august(), &subscription, events.to_vec(), &none).unwrap();
    (draft.subtotal_minor, draft.lines.iter().map(|line| &line.fee.precise).sum())
}

#[test]
fn the_bill_asks_for_the_most_there_was_and_nothing_without_use() {
    let used = |values: &[&str]| {
        let of = |(place, value): (usize, &&str)| {
            event(place as u64, later(august().from(), place as i64 * DAY), &[("n", number(value))])
        };
        values.iter().enumerate().map(of).collect::<Vec<_>>()
    };
    let tokens = || charge("tokens", sum("n"), standard("1"));
    // +10, then -6, then +10: the last one adds four to the most there was.
    assert_eq!(billed(tokens(), &used(&["10"])).0, 1_000);
    assert_eq!(billed(tokens(), &used(&["10", "-6"])).0, 1_000);
    assert_eq!(billed(tokens(), &used(&["10", "-6", "10"])).0, 1_400);
    let flat = Model::Graduated { tiers: crate::speech::tiers(&[("0", "inf", "1", "2")]) };
    assert_eq!(
        billed(charge("tokens", sum("n"), flat.clone()), &[]).0,
        0,
        "no flat fee before the first use"
    );
    assert_eq!(billed(charge("tokens", sum("n"), flat), &used(&["3"])).0, 500);
}

proptest! {
    #[test]
    fn the_bill_asks_for_what_the_events_were_billed_one_by_one(
        all in proptest::collection::vec((-20_i64..60, 0_usize..4, any::<bool>(), 0_i64..30), 0..40),
        model in 0_usize..5,
        metric in 0_usize..3,
    ) {
        let list = crate::speech::tiers(&[("0", "10", "0.013", "0.2"), ("10", "inf", "0.007", "0")]);
        let percentage = Percentage { rate: q("0.31"), fixed: q("0.004"), ..Percentage::default() };
        let by_event = Percentage { free_events: Some(2), ..percentage.clone() };
        let model = match model {
            0 => standard("0.0041"),
            1 => Model::Graduated { tiers: list },
            2 => Model::Package { size: q("7"), price: q("0.333"), free: q("5") },
            3 if metric < 2 => Model::Percentage(by_event),
            _ => Model::Percentage(percentage),
        };
        let aggregation = match metric {
            0 => sum("n"),
            1 => Aggregation::Count,
            _ => Aggregation::UniqueCount { field: "user".into() },
        };
        let mut events: Vec<UsageEvent> = Vec::new();
        for (place, (n, user, removes, day)) in all.into_iter().enumerate() {
            let operation = text(if removes { "remove" } else { "add" });
            let user = text(["ann", "bob", "cy", "di"][user]);
            let properties =
                [("n", number(&n.to_string())), ("user", user), (OPERATION_PROPERTY, operation)];
            events.push(event(place as u64, later(august().from(), day * DAY), &properties));
        }
        let charge = charge("tokens", aggregation, model);
        let whole = billed(charge.clone(), &events);
        events.sort_by_key(|event| event.order);
        let mut meter = meter(charge);
        let mut one_by_one = (0, Exact::zero());
        for event in &events {
            if let Some(due) = meter.bill(event).unwrap() {
                one_by_one = (one_by_one.0 + due.fee.minor, one_by_one.1 + due.fee.precise);
            }
        }
        prop_assert_eq!(whole, one_by_one);
    }
}
