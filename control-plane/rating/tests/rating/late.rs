//! Distinct values at their bound, merged, and carried into a later period that gets late events.

use std::sync::Arc;

use creto_rating::{
    Adjustments, Aggregation, Charge, Interval, MAX_MEMBERS, Metric, OPERATION_PROPERTY, Recipe, State,
    Usage, UsageEvent, Window, Zone, bill,
};
use proptest::prelude::*;

use crate::speech::{DAY, august, event, exact, later, plan, standard, subscribed, text};

fn users(prorated: bool) -> Metric {
    let aggregation = Aggregation::UniqueCount { field: "user".into() };
    Metric { recurring: true, prorated, ..Metric::new("calls", aggregation) }
}

fn seat(sequence: u64, micros: i64, user: &str, operation: &str) -> UsageEvent {
    let properties = [("user", text(user)), (OPERATION_PROPERTY, text(operation))];
    event(sequence, later(august().from(), micros), &properties)
}

fn holding(prorated: bool, count: u64) -> State {
    let window = Window::whole(&august());
    let mut state = State::new(Arc::new(Recipe { metric: users(prorated), window, ordered: false }));
    let mut one = seat(1, 0, "", "add");
    for user in 0..count {
        one.properties.insert("user".into(), text(&user.to_string()));
        state.add(&one).unwrap();
    }
    state
}

#[test]
fn parts_with_the_same_values_merge_when_their_union_fits() {
    for prorated in [false, true] {
        let part = holding(prorated, MAX_MEMBERS * 6 / 10);
        let mut whole = part.clone();
        assert_eq!(whole.merge(&part), Ok(()));
        assert_eq!(whole.finish().full_units.to_string(), "600000");
    }
}

#[test]
fn what_is_there_can_be_taken_away_when_there_is_no_room_for_more() {
    for prorated in [false, true] {
        let mut full = holding(prorated, MAX_MEMBERS);
        assert!(full.add(&seat(2, DAY, "another", "add")).is_err());
        assert!(full.add(&seat(3, DAY, "7", "remove")).is_ok());
        assert_eq!(full.finish().full_units.to_string(), (MAX_MEMBERS - 1).to_string());
        // What fits in one pass fits in parts.
        let mut merged = holding(prorated, 0);
        assert_eq!(merged.merge(&full), Ok(()));
        assert_eq!(merged, full);
    }
}

/// Units of September, when the events of `first` were known at the end of August and those of `late` came after.
fn in_september(prorated: bool, first: &[UsageEvent], late: &[UsageEvent]) -> creto_rating::Exact {
    let subscription = Arc::new(subscribed(plan(vec![Charge::new("seats", users(prorated), standard("1"))])));
    let september = Interval::Monthly.period_at(august().to(), &Zone::utc()).unwrap();
    let mut usage = Usage::new(Arc::clone(&subscription), august()).unwrap();
    for event in first {
        usage.add(event).unwrap();
    }
    let mut usage = Usage::following(&usage, subscription, september.clone()).unwrap();
    for event in late {
        usage.add(event).unwrap();
    }
    let draft = bill(&usage, &Adjustments::none(september.to())).unwrap();
    draft.lines.into_iter().map(|line| line.units).sum()
}

#[test]
fn a_value_that_was_taken_away_stays_away_when_an_earlier_event_arrives_late() {
    for prorated in [false, true] {
        let first = [seat(2, 2 * DAY, "ann", "add"), seat(3, 3 * DAY, "ann", "remove")];
        assert_eq!(in_september(prorated, &first, &[seat(1, DAY, "ann", "add")]), exact("0"));
        assert_eq!(in_september(prorated, &first, &[seat(4, 4 * DAY, "ann", "add")]), exact("1"));
        let there = [seat(2, 2 * DAY, "ann", "add")];
        assert_eq!(in_september(prorated, &there, &[seat(1, DAY, "ann", "remove")]), exact("1"));
    }
}

proptest! {
    #[test]
    fn whether_events_of_august_arrive_late_does_not_change_september(
        list in prop::collection::vec((0..31_i64, 0..3_usize, any::<bool>(), any::<bool>()), 0..16),
    ) {
        let mut first = Vec::new();
        let mut late = Vec::new();
        for (sequence, (day, user, add, is_late)) in list.into_iter().enumerate() {
            let operation = if add { "add" } else { "remove" };
            let one = seat(sequence as u64, day * DAY, ["ann", "bob", "cy"][user], operation);
            if is_late { late.push(one) } else { first.push(one) }
        }
        let all: Vec<UsageEvent> = first.iter().chain(&late).cloned().collect();
        for prorated in [false, true] {
            prop_assert_eq!(in_september(prorated, &first, &late), in_september(prorated, &all, &[]));
        }
    }
}
