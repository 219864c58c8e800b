//! Aggregations: worked numbers, order, ties, units that last.

use std::sync::Arc;

use creto_rating::{
    Aggregation, Exact, Expression, MergeError, Metric, MetricError, Moment, OPERATION_PROPERTY, Period,
    Placed, Recipe, Rounding, RoundingFunction, State, UsageEvent, Window, Zone,
};
use proptest::prelude::*;

use crate::speech::{DAY, HOUR, at, august, event, exact, later, number, q, sum, text};

fn recipe(metric: Metric, period: &Period) -> Arc<Recipe> {
    Arc::new(Recipe { metric, window: Window::whole(period), ordered: true })
}

fn metric(aggregation: Aggregation) -> Metric {
    Metric::new("calls", aggregation)
}

fn lasting(aggregation: Aggregation, prorated: bool) -> Metric {
    Metric { recurring: true, prorated, ..metric(aggregation) }
}

fn aggregate(metric: Metric, events: &[UsageEvent]) -> State {
    let mut state = State::new(recipe(metric, &august()));
    for event in events {
        state.add(event).unwrap();
    }
    state
}

fn n(sequence: u64, micros: i64, value: &str) -> UsageEvent {
    event(sequence, later(august().from(), micros), &[("n", number(value))])
}

fn seat(sequence: u64, micros: i64, user: &str, operation: &str) -> UsageEvent {
    let properties = [("user", text(user)), (OPERATION_PROPERTY, text(operation))];
    event(sequence, later(august().from(), micros), &properties)
}

fn field() -> String {
    "n".to_owned()
}

fn unique() -> Aggregation {
    Aggregation::UniqueCount { field: "user".into() }
}

#[test]
fn v15_a_weighted_sum_counts_each_value_for_the_time_it_lasted() {
    let half = HOUR / 2;
    let events = [
        n(1, 0, "2"),
        n(2, HOUR, "3"),
        n(3, 3 * half, "1"),
        n(4, 2 * HOUR, "-4"),
        n(5, 4 * HOUR, "-2"),
        n(6, 5 * HOUR, "10"),
        n(7, 11 * half, "-10"),
    ];
    let once = aggregate(metric(Aggregation::WeightedSum { field: field() }), &events).finish();
    assert_eq!(once.units, Exact::ratio(59_400, 2_678_400).unwrap());
    assert_eq!(once.units.to_decimal(5), "0.02218");
    let mut before = vec![n(0, -DAY, "1000")];
    before.extend(events);
    let recurring = aggregate(lasting(Aggregation::WeightedSum { field: field() }, false), &before).finish();
    assert_eq!((recurring.units.to_decimal(5), recurring.full_units), ("1000.02218".into(), exact("1000")));
}

#[test]
fn v17_a_prorated_sum_counts_the_days_from_each_event_to_the_end() {
    let rounding = Some(Rounding { function: RoundingFunction::Ceil, precision: 5 });
    let events = [
        n(1, -40 * DAY, "2.5"),
        n(2, -2 * DAY, "2.5"),
        n(3, 25 * DAY, "12"),
        n(4, 25 * DAY + 9 * HOUR, "12"),
    ];
    let exactly = aggregate(lasting(sum("n"), true), &events).finish();
    assert_eq!(exactly.units, exact("5") + Exact::ratio(144, 31).unwrap());
    assert_eq!((exactly.full_units, exactly.events), (exact("29"), 2));
    let rounded = aggregate(Metric { rounding, ..lasting(sum("n"), true) }, &events).finish();
    assert_eq!(rounded.units.to_string(), "9.64517");
}

#[test]
fn without_events_every_aggregation_is_zero() {
    for aggregation in every_aggregation() {
        let finished = aggregate(metric(aggregation), &[]).finish();
        assert_eq!((finished.units, finished.events), (Exact::zero(), 0));
    }
}

#[test]
fn the_largest_of_values_below_zero_is_below_zero() {
    let state = aggregate(metric(Aggregation::Max { field: field() }), &[n(1, 0, "-7"), n(2, 1, "-3")]);
    assert_eq!(state.finish().units, exact("-3"));
}

#[test]
fn the_latest_value_goes_by_time_then_by_ingestion_and_below_zero_counts_as_zero() {
    let latest = || metric(Aggregation::Latest { field: field() });
    let tie = aggregate(latest(), &[n(3, 5, "30"), n(9, 5, "90"), n(4, 5, "40"), n(10, 4, "1")]);
    assert_eq!(tie.finish().units, exact("90"));
    assert_eq!(aggregate(latest(), &[n(1, 0, "5"), n(2, 1, "-5")]).finish().units, Exact::zero());
}

#[test]
fn a_value_added_and_removed_at_one_instant_goes_by_ingestion() {
    let (add, remove) = (seat(1, 7, "ann", "add"), seat(2, 7, "ann", "remove"));
    let last_removed = [add.clone(), remove.clone()];
    assert_eq!(aggregate(metric(unique()), &last_removed).finish().units, exact("0"));
    let (remove, add) =
        (UsageEvent { order: add.order, ..remove.clone() }, UsageEvent { order: remove.order, ..add });
    assert_eq!(aggregate(metric(unique()), &[add, remove]).finish().units, exact("1"));
}

#[test]
fn removing_what_was_never_there_and_adding_what_is_change_nothing() {
    let events = [
        seat(1, 1, "ann", "remove"),
        seat(2, 2, "bob", "add"),
        seat(3, 3, "bob", "add"),
        seat(4, 4, "cy", "add"),
        seat(5, 5, "cy", "remove"),
        seat(6, 6, "cy", "remove"),
    ];
    assert_eq!(aggregate(metric(unique()), &events).finish().units, exact("1"));
}

#[test]
fn a_seat_counts_each_day_it_was_there_once() {
    let seats = |events: &[UsageEvent]| aggregate(lasting(unique(), true), events).finish().units;
    let of_31 = |days| Exact::ratio(days, 31).unwrap();
    assert_eq!(seats(&[seat(1, 0, "ann", "add")]), exact("1"));
    assert_eq!(seats(&[seat(1, 30 * DAY + 23 * HOUR, "ann", "add")]), of_31(1));
    // There on days 1 to 3, the third included.
    assert_eq!(seats(&[seat(1, -DAY, "ann", "add"), seat(2, 2 * DAY + HOUR, "ann", "remove")]), of_31(3));
    // Gone at midnight: the day after does not count.
    assert_eq!(seats(&[seat(1, -DAY, "ann", "add"), seat(2, 2 * DAY, "ann", "remove")]), of_31(2));
    // Gone before the period: no day, where the field counts one in some of its queries.
    assert_eq!(seats(&[seat(1, -9 * DAY, "ann", "add"), seat(2, -HOUR, "ann", "remove")]), of_31(0));
    // Gone and back on one day: no day twice.
    let back = [
        seat(1, 0, "ann", "add"),
        seat(2, 5 * DAY + HOUR, "ann", "remove"),
        seat(3, 5 * DAY + 3 * HOUR, "ann", "add"),
    ];
    assert_eq!(seats(&back), exact("1"));
    // Added and removed at one instant: never there.
    assert_eq!(seats(&[seat(1, 5, "ann", "add"), seat(2, 5, "ann", "remove")]), of_31(0));
}

#[test]
fn a_custom_expression_is_summed_over_events() {
    let expression = Expression::parse("if(n > 10, n * 2, default(m, 1) / 3)").unwrap();
    let events = [n(1, 0, "11"), n(2, 1, "4"), n(3, 2, "5")];
    let units = aggregate(metric(Aggregation::Custom { expression }), &events).finish().units;
    // A third is rounded to 18 decimals for each event, so that sums need no more digits than that.
    assert_eq!(units.to_string(), "22.666666666666666666");
}

#[test]
fn the_first_instant_of_a_period_is_in_it_and_the_first_after_it_is_not() {
    let mut state = State::new(recipe(metric(Aggregation::Count), &august()));
    let placed = |state: &mut State, moment: Moment| state.add(&event(1, moment, &[])).unwrap();
    assert_eq!(placed(&mut state, august().from()), Placed::Counted);
    assert_eq!(placed(&mut state, later(august().from(), -1)), Placed::Outside);
    assert_eq!(placed(&mut state, later(august().to(), -1)), Placed::Counted);
    assert_eq!(placed(&mut state, august().to()), Placed::Outside);
    assert_eq!(state.finish().units, exact("2"));
}

#[test]
fn a_day_of_23_hours_is_one_day() {
    // Berlin, March 2025: 31 days, the 30th without its hour from two to three.
    let zone = Zone::named("Europe/Berlin").unwrap();
    let period = Period::new(at("2025-02-28T23:00:00Z"), at("2025-03-31T22:00:00Z"), zone).unwrap();
    let mut state = State::new(recipe(lasting(sum("n"), true), &period));
    // 00:30 on the 30th in Berlin is still the 29th in UTC.
    state.add(&event(1, at("2025-03-29T23:30:00Z"), &[("n", number("31"))])).unwrap();
    assert_eq!(state.finish().units, exact("2"));
}

#[test]
fn metrics_that_cannot_last_or_be_prorated_are_refused() {
    let recurring = |aggregation| Metric { recurring: true, ..metric(aggregation) }.validate();
    assert_eq!(recurring(Aggregation::Count), Err(MetricError::NotRecurring("count")));
    assert_eq!(recurring(Aggregation::Max { field: field() }), Err(MetricError::NotRecurring("max")));
    assert_eq!(recurring(sum("n")), Ok(()));
    let prorated = Metric { prorated: true, ..metric(sum("n")) };
    assert_eq!(prorated.validate(), Err(MetricError::NotProrated("sum")));
    let weighted = lasting(Aggregation::WeightedSum { field: field() }, true);
    assert_eq!(weighted.validate(), Err(MetricError::NotProrated("weighted_sum")));
    let rounding = Some(Rounding { function: RoundingFunction::Round, precision: 19 });
    assert!(matches!(
        Metric { rounding, ..metric(Aggregation::Count) }.validate(),
        Err(MetricError::Precision(_))
    ));
}

#[test]
fn states_of_different_metrics_do_not_merge() {
    let mut count = aggregate(metric(Aggregation::Count), &[]);
    let max = aggregate(metric(Aggregation::Max { field: field() }), &[]);
    assert_eq!(count.merge(&max), Err(MergeError::Different));
}

fn every_aggregation() -> Vec<Aggregation> {
    vec![
        Aggregation::Count,
        sum("n"),
        Aggregation::Max { field: field() },
        unique(),
        Aggregation::WeightedSum { field: field() },
        Aggregation::Latest { field: field() },
        Aggregation::Custom { expression: Expression::parse("max(n, 0) * 3 / 7").unwrap() },
    ]
}

fn every_metric() -> Vec<Metric> {
    let mut metrics: Vec<Metric> = every_aggregation().into_iter().map(metric).collect();
    metrics.extend([
        lasting(sum("n"), false),
        lasting(sum("n"), true),
        lasting(unique(), false),
        lasting(unique(), true),
    ]);
    metrics.push(lasting(Aggregation::WeightedSum { field: field() }, false));
    metrics
}

/// Events before, in and after August, many at the same instant.
fn events() -> impl Strategy<Value = Vec<UsageEvent>> {
    let one = (-10..45_i64, 0..4_i64, -50..50_i64, 0..4_usize, prop::bool::weighted(0.7));
    prop::collection::vec(one, 0..40).prop_map(|list| {
        let event = |(sequence, (day, quarter, value, user, add)): (usize, (i64, i64, i64, usize, bool))| {
            let users = ["ann", "bob", "cy", "dee"];
            let properties = [
                ("n", number(&format!("{value}.25"))),
                ("user", text(users[user])),
                (OPERATION_PROPERTY, text(if add { "add" } else { "remove" })),
            ];
            event(sequence as u64, later(august().from(), day * DAY + quarter * 6 * HOUR), &properties)
        };
        list.into_iter().enumerate().map(event).collect()
    })
}

/// A full recomputation, written down as the definitions read: sorted, event by event.
fn recomputed(metric: &Metric, events: &[UsageEvent]) -> Exact {
    let (period, window) = (august(), Window::whole(&august()));
    let mut sorted: Vec<&UsageEvent> = events.iter().filter(|event| event.order.at < period.to()).collect();
    sorted.retain(|event| metric.recurring || event.order.at >= period.from());
    sorted.sort_by_key(|event| event.order);
    let value = |event: &UsageEvent| match event.properties["n"] {
        creto_rating::Value::Number(number) => Exact::from(number),
        _ => Exact::zero(),
    };
    let days = Exact::from(window.period_days());
    match &metric.aggregation {
        Aggregation::Count => Exact::from(sorted.len() as u64),
        Aggregation::Sum { .. } if metric.prorated => sorted
            .iter()
            .map(|event| {
                value(event) * Exact::from(window.days_from(event.order.at)).divided_by(&days).unwrap()
            })
            .sum(),
        Aggregation::Sum { .. } => sorted.iter().map(|event| value(event)).sum(),
        Aggregation::Max { .. } => sorted.iter().map(|event| value(event)).max().unwrap_or_default(),
        Aggregation::Latest { .. } => sorted.last().map_or_else(Exact::zero, |event| value(event)).or_zero(),
        Aggregation::Custom { expression } => {
            sorted.iter().map(|event| Exact::from(expression.value(event).unwrap())).sum()
        }
        Aggregation::WeightedSum { .. } => {
            let mut area = Exact::zero();
            let mut running = Exact::zero();
            let mut since = period.from();
            for event in sorted {
                let now = event.order.at.max(period.from());
                area = area + &running * &Exact::from(now.micros() - since.micros());
                running = running + value(event);
                since = now;
            }
            area = area + running * Exact::from(period.to().micros() - since.micros());
            area.divided_by(&Exact::from(period.micros())).unwrap()
        }
        Aggregation::UniqueCount { .. } => {
            let users = ["ann", "bob", "cy", "dee"];
            if !metric.prorated {
                let last = |user| sorted.iter().rfind(|event| event.properties["user"].text() == user);
                let there = |event: &&&UsageEvent| event.properties[OPERATION_PROPERTY].text() == "add";
                return Exact::from(
                    users.into_iter().filter_map(last).filter(|event| there(event)).count() as u64
                );
            }
            // A day counts when the value is there at any of its instants: after an event on it, or at its start.
            let mut there_days = 0_i64;
            for user in users {
                for day in 0..31 {
                    let (start, end) =
                        (later(period.from(), day * DAY), later(period.from(), (day + 1) * DAY));
                    let mine = sorted.iter().filter(|event| event.properties["user"].text() == user);
                    let mut there = false;
                    let mut seen = false;
                    let mut changed_at = None;
                    for event in mine.filter(|event| event.order.at < end) {
                        let now = event.order.at.max(start);
                        seen |= there && changed_at.is_none_or(|since: Moment| since.max(start) < now);
                        there = event.properties[OPERATION_PROPERTY].text() == "add";
                        changed_at = Some(event.order.at);
                    }
                    there_days += i64::from(seen || there);
                }
            }
            Exact::from(there_days).divided_by(&days).unwrap()
        }
    }
}

proptest! {
    #[test]
    fn any_order_any_parts_and_a_full_recomputation_agree(
        events in events(),
        shuffled in any::<prop::sample::Index>(),
        parts in 1..5_usize,
    ) {
        for metric in every_metric() {
            let whole = aggregate(metric.clone(), &events);
            prop_assert_eq!(&whole.finish().units, &recomputed(&metric, &events), "{:?}", metric);

            let mut turned = events.clone();
            turned.rotate_left(shuffled.index(events.len().max(1)).min(events.len()));
            turned.reverse();
            prop_assert_eq!(&aggregate(metric.clone(), &turned), &whole, "order: {:?}", metric);

            let mut merged = aggregate(metric.clone(), &[]);
            for part in 0..parts {
                let mine: Vec<UsageEvent> = turned.iter().skip(part).step_by(parts).cloned().collect();
                merged.merge(&aggregate(metric.clone(), &mine)).unwrap();
            }
            prop_assert_eq!(&merged, &whole, "parts: {:?}", metric);
        }
    }

    #[test]
    fn units_carried_from_month_to_month_are_those_of_the_whole_history(events in events()) {
        let july = Period::new(at("2022-07-01T00:00:00Z"), august().from(), Zone::utc()).unwrap();
        for metric in every_metric().into_iter().filter(|metric| metric.recurring) {
            let mut before = State::new(recipe(metric.clone(), &july));
            for event in &events {
                before.add(event).unwrap();
            }
            let mut carried = before.carried_into(&recipe(metric.clone(), &august())).unwrap();
            for event in events.iter().filter(|event| event.order.at >= august().from()) {
                carried.add(event).unwrap();
            }
            prop_assert_eq!(carried.finish(), aggregate(metric.clone(), &events).finish(), "{:?}", metric);
        }
    }
}

#[test]
fn quantities_at_their_bounds_are_summed_exactly() {
    let most = "999999999999999999.999999999999999999";
    let events: Vec<UsageEvent> = (0..1_000).map(|sequence| n(sequence, 0, most)).collect();
    let expected = Exact::from(q(most)) * Exact::from(1_000);
    assert_eq!(aggregate(metric(sum("n")), &events).finish().units, expected);
    let weighted = aggregate(metric(Aggregation::WeightedSum { field: field() }), &events).finish();
    assert_eq!(weighted.units, expected);
}
