//! Charges paid in advance: what is kept is bounded, and an event that is refused leaves nothing behind.

use std::time::{Duration, Instant};

use creto_rating::{
    AdvanceError, AdvanceMeter, Aggregation, Charge, Currency, Model, OPERATION_PROPERTY, Percentage, Window,
};

use crate::speech::{DAY, august, charge, event, later, number, q, standard, sum, text};

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
