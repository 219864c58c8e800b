//! The charge models: worked numbers of the field, tiers that are wrong, charges paid in advance.

use creto_rating::{
    AdvanceError, AdvanceMeter, Aggregation, Currency, Exact, Measured, Metric, Model, ModelError,
    Percentage, Step, TierError, Window,
};

use crate::speech::{DAY, august, charge, event, exact, later, number, price, q, standard, sum, text, tiers};

fn v1() -> Model {
    Model::Graduated {
        tiers: tiers(&[("0", "10", "10", "2"), ("10", "20", "5", "3"), ("20", "inf", "5", "3")]),
    }
}

fn v6() -> Model {
    Model::Volume {
        tiers: tiers(&[("0", "100", "2", "10"), ("100", "200", "1", "0"), ("200", "inf", "0.5", "50")]),
    }
}

#[test]
fn v1_graduated_charges_each_unit_in_its_tier_and_the_first_flat_fee_always() {
    let prices = ["0", "1", "10", "11", "12", "21"].map(|units| price(&v1(), units));
    assert_eq!(prices, ["2", "12", "102", "110", "115", "163"]);
}

#[test]
fn v2_graduated_tiers_may_be_smaller_than_a_unit() {
    let model = Model::Graduated {
        tiers: tiers(&[("0", "0.1", "10", "0"), ("0.1", "1", "5", "0"), ("1", "inf", "2", "0")]),
    };
    assert_eq!(["0.05", "0.5"].map(|units| price(&model, units)), ["0.5", "3"]);
}

#[test]
fn v3_half_a_unit_above_a_tier_is_charged_in_the_next() {
    // The note's 107.5 comes out of ranges 0-10 and 11-20 with a rule for the gap; half-open tiers have no gap, and the
    // half unit is in the second tier anyway: 2 + 10*10 + 3 + 0.5*5.
    assert_eq!(price(&v1(), "10.5"), "107.5");
}

#[test]
fn the_mixed_list_of_ranges_costs_51_90_where_the_fields_formula_says_61_90() {
    // Ranges 0-0.01, 0.01-10 and 11-inf: the field's formula finds one pair with a gap and then adds a unit to every
    // tier, so that 4.99 units are billed as 5.99. Half-open tiers bill what is there: 4.99 * 10 + 2.
    let model = Model::Graduated {
        tiers: tiers(&[("0", "0.01", "0", "0"), ("0.01", "10", "10", "2"), ("10", "inf", "1", "0")]),
    };
    assert_eq!(price(&model, "5"), "51.9");
}

#[test]
fn v4_graduated_percentage_charges_each_unit_its_tiers_percent() {
    let model = Model::GraduatedPercentage {
        tiers: tiers(&[("0", "10", "1", "200"), ("10", "20", "2", "300"), ("20", "inf", "3", "400")]),
    };
    let prices = ["0", "1", "10", "11", "12"].map(|units| price(&model, units));
    assert_eq!(prices, ["200", "200.01", "200.1", "500.12", "500.14"]);
}

#[test]
fn a_graduated_percentage_over_adjoining_tiers_bills_4_99_units_not_5_99() {
    let model =
        Model::GraduatedPercentage { tiers: tiers(&[("0", "0.01", "0", "0"), ("0.01", "inf", "100", "0")]) };
    assert_eq!(price(&model, "5"), "4.99");
}

#[test]
fn v5_packages_begun_are_paid_in_full_after_the_free_units() {
    let package = |free| Model::Package { size: q("10"), price: q("100"), free: q(free) };
    assert_eq!(["0", "10", "200"].map(|free| price(&package(free), "121")), ["1300", "1200", "0"]);
    assert_eq!(price(&package("0"), "120.000000000000000001"), "1300");
    assert_eq!(price(&package("0"), "0"), "0");
}

#[test]
fn v6_volume_charges_all_units_at_the_tier_they_reach() {
    let prices = ["0", "1", "100", "100.5", "101", "200", "300"].map(|units| price(&v6(), units));
    assert_eq!(prices, ["10", "12", "210", "100.5", "101", "200", "200"]);
}

#[test]
fn v7_prorated_volume_picks_the_tier_by_full_units_and_charges_prorated_ones() {
    let measured = Measured { full_units: exact("300"), ..Measured::units(exact("198.6")) };
    assert_eq!(v6().price(&measured).to_string(), "149.3");
}

#[test]
fn v13_standard_keeps_every_digit_of_the_rate() {
    assert_eq!(price(&standard("5.12345"), "10"), "51.2345");
}

#[test]
fn prorated_graduated_splits_each_change_over_the_tiers_it_crosses() {
    // 8 units all month, then 6 more for the last 6 of 31 days: 2 of those still in the first tier, 4 in the second.
    let steps = vec![Step { days: 31, delta: exact("8") }, Step { days: 6, delta: exact("6") }];
    let measured = Measured { prorated: Some((steps, 31)), ..Measured::units(exact("14")) };
    let expected = exact("80") + Exact::ratio(6 * (2 * 10 + 4 * 5), 31).unwrap() + exact("5");
    assert_eq!(v1().price(&measured), expected);
}

#[test]
fn prorated_flat_fees_go_by_the_most_units_there_were() {
    let step = |days, delta| Step { days, delta: exact(delta) };
    let measured = |steps| Measured { prorated: Some((steps, 31)), ..Measured::units(exact("5")) };
    let stayed = v1().price(&measured(vec![step(31, "5")]));
    let peaked = v1().price(&measured(vec![step(31, "5"), step(10, "10"), step(10, "-10")]));
    assert_eq!((stayed, peaked), (exact("52"), exact("55")));
}

#[test]
fn a_percentage_without_units_costs_nothing_and_else_a_fixed_fee_an_event() {
    let model = Model::Percentage(Percentage { rate: q("2"), fixed: q("0.30"), ..Percentage::default() });
    let measured = |units, events| Measured { events, ..Measured::units(exact(units)) };
    assert_eq!(model.price(&measured("0", 3)), Exact::zero());
    assert_eq!(model.price(&measured("250", 3)), exact("5.9"));
}

#[test]
fn what_is_free_in_a_percentage_goes_to_the_first_events() {
    let percentage = Percentage { rate: q("10"), fixed: q("1"), ..Percentage::default() };
    let cost = |free_units: Option<&str>, free_events, values: &[&str]| {
        let model = Model::Percentage(Percentage {
            free_units: free_units.map(q),
            free_events,
            ..percentage.clone()
        });
        let values = values.iter().map(|value| q(value)).collect();
        model.price(&Measured { values, ..Measured::default() }).to_string()
    };
    assert_eq!(cost(None, Some(1), &["500", "100"]), "11");
    // 60 of the second event are beyond the free units: 6, and one fixed fee.
    assert_eq!(cost(Some("100"), None, &["60", "100", "0"]), "8");
    assert_eq!(cost(Some("100"), None, &["100", "50"]), "6");
    // The second event is not among the free ones, though free units are left.
    assert_eq!(cost(Some("100"), Some(1), &["60", "100"]), "11");
    // Money back: at the rate, without a fee.
    assert_eq!(cost(None, Some(0), &["100", "-50"]), "6");
}

#[test]
fn the_limits_of_an_event_hold_for_each_event_that_is_not_free() {
    let percentage = Percentage {
        rate: q("1"),
        event_minimum: Some(q("0.50")),
        event_maximum: Some(q("3")),
        ..Percentage::default()
    };
    let model = Model::Percentage(Percentage { free_events: Some(1), ..percentage });
    let values = ["10", "10", "100", "1000"].map(q).to_vec();
    assert_eq!(model.price(&Measured { values, ..Measured::default() }), exact("4.5"));
}

#[test]
fn a_dynamic_price_is_what_events_carry_and_nothing_without_them() {
    let model = Model::Dynamic { amount_field: "price".into(), currency_field: None };
    assert_eq!(model.price(&Measured::default()), Exact::zero());
    assert_eq!(
        model.price(&Measured { carried: exact("0.054399"), ..Measured::default() }),
        exact("0.054399")
    );
}

#[test]
fn below_zero_units_cost_what_zero_units_cost() {
    assert_eq!([price(&v1(), "-5"), price(&standard("3"), "-5"), price(&v6(), "-5")], ["2", "0", "10"]);
}

#[test]
fn wrong_tiers_are_told_with_their_number_and_field() {
    let problem = |list: &[(&str, &str, &str, &str)]| {
        let metric = Metric::new("calls", sum("n"));
        match (Model::Graduated { tiers: tiers(list) }).validate(&metric) {
            Err(ModelError::Tiers(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    let gap = problem(&[("0", "10", "1", "0"), ("11", "inf", "1", "0")]);
    assert_eq!(gap, TierError::Gap { tier: 2, from: q("11"), end: q("10") });
    assert_eq!(
        gap.to_string(),
        "tier 2, field `from`: starts at 11 but tier 1 ends at 10; units between have no price"
    );
    let overlap = problem(&[("0", "10", "1", "0"), ("9", "inf", "1", "0")]);
    assert_eq!(overlap, TierError::Overlap { tier: 2, from: q("9"), end: q("10") });
    assert_eq!(problem(&[]), TierError::None);
    assert_eq!(problem(&[("1", "inf", "1", "0")]), TierError::Start(q("1")));
    assert_eq!(problem(&[("0", "0", "1", "0")]), TierError::Empty { tier: 1, from: q("0"), to: q("0") });
    let backwards = problem(&[("0", "10", "1", "0"), ("10", "5", "1", "0"), ("5", "inf", "1", "0")]);
    assert_eq!(backwards, TierError::Empty { tier: 2, from: q("10"), to: q("5") });
    assert_eq!(problem(&[("0", "10", "1", "0")]), TierError::Ends { tier: 1, to: q("10") });
    assert_eq!(problem(&[("0", "inf", "1", "0"), ("10", "inf", "1", "0")]), TierError::Endless(1));
    let negative = problem(&[("0", "10", "1", "0"), ("10", "inf", "-1", "0")]);
    assert_eq!(negative, TierError::Negative { tier: 2, field: "rate", value: q("-1") });
    let negative = problem(&[("0", "inf", "1", "-0.5")]);
    assert_eq!(negative, TierError::Negative { tier: 1, field: "flat", value: q("-0.5") });
    assert_eq!(problem(&vec![("0", "inf", "1", "0"); 1_001]), TierError::TooMany(1_001));
}

#[test]
fn wrong_models_are_told_with_their_field() {
    let metric = Metric::new("calls", sum("n"));
    let package =
        |size, free| Model::Package { size: q(size), price: q("1"), free: q(free) }.validate(&metric);
    assert_eq!(package("0", "0"), Err(ModelError::EmptyPackage));
    assert_eq!(package("10", "-1"), Err(ModelError::Negative { field: "free", value: q("-1") }));
    assert_eq!(package("10", "1"), Ok(()));
    assert_eq!(standard("-2").validate(&metric), Err(ModelError::Negative { field: "rate", value: q("-2") }));
    let limits =
        Percentage { event_minimum: Some(q("2")), event_maximum: Some(q("1")), ..Percentage::default() };
    let expected = ModelError::Limits { least: q("2"), most: q("1") };
    assert_eq!(Model::Percentage(limits).validate(&metric), Err(expected));
    let latest = Metric::new("calls", Aggregation::Latest { field: "n".into() });
    let unsuited = Model::Percentage(Percentage::default()).validate(&latest);
    assert_eq!(unsuited, Err(ModelError::Unsuited { model: "percentage", metric: "latest" }));
    let prorated = Metric { recurring: true, prorated: true, ..metric };
    let package = Model::Package { size: q("1"), price: q("1"), free: q("0") };
    assert_eq!(package.validate(&prorated), Err(ModelError::NotProrated("package")));
}

fn advance(model: Model, recurring: bool) -> AdvanceMeter {
    let mut charge = charge("calls", sum("n"), model);
    charge.metric.recurring = recurring;
    charge.pay_in_advance = true;
    AdvanceMeter::new(charge, Window::whole(&august()), Currency::USD).unwrap()
}

fn billed(meter: &mut AdvanceMeter, values: &[&str]) -> Vec<(String, i64)> {
    let bill = |(place, value): (usize, &&str)| {
        let event = event(place as u64, later(august().from(), place as i64), &[("n", number(value))]);
        match meter.bill(&event).unwrap() {
            Some(billed) => (billed.units.to_string(), billed.fee.minor),
            None => ("0".to_owned(), 0),
        }
    };
    values.iter().enumerate().map(bill).collect()
}

#[test]
fn in_advance_only_growth_over_the_most_of_the_period_is_billed() {
    let fees = billed(&mut advance(standard("1"), false), &["10", "-6", "10"]);
    assert_eq!(fees, [("10".to_owned(), 1_000), ("0".to_owned(), 0), ("4".to_owned(), 400)]);
}

#[test]
fn in_advance_the_first_flat_fee_is_billed_once_with_the_first_event() {
    let fees = billed(&mut advance(v1(), false), &["1", "1", "9"]);
    assert_eq!(fees.iter().map(|(_, minor)| *minor).collect::<Vec<_>>(), [1_200, 1_000, 8_000 + 500 + 300]);
}

#[test]
fn in_advance_fees_below_a_cent_add_up_instead_of_being_lost() {
    let fees = billed(&mut advance(standard("0.004"), false), &["1"; 1_000]);
    assert_eq!(fees.iter().map(|(_, minor)| minor).sum::<i64>(), 400);
}

#[test]
fn v17_in_advance_the_units_that_last_are_billed_in_full() {
    let mut meter = advance(standard("1"), true);
    let before = later(august().from(), -5 * DAY);
    let units = [(1, "2.5"), (2, "2.5"), (3, "12"), (4, "12")].map(|(sequence, value)| {
        meter.bill(&event(sequence, before, &[("n", number(value))])).unwrap().unwrap().units
    });
    assert_eq!(units.into_iter().sum::<Exact>(), exact("29"));
}

#[test]
fn in_advance_a_value_added_twice_is_billed_once() {
    let mut charge = charge("seats", Aggregation::UniqueCount { field: "user".into() }, standard("10"));
    charge.pay_in_advance = true;
    let mut meter = AdvanceMeter::new(charge, Window::whole(&august()), Currency::USD).unwrap();
    let mut bill = |sequence, user: &str, operation: &str| {
        let properties = [("user", text(user)), ("operation_type", text(operation))];
        let billed =
            meter.bill(&event(sequence, later(august().from(), sequence as i64), &properties)).unwrap();
        billed.map_or(0, |billed| billed.fee.minor)
    };
    let fees = [
        bill(1, "ann", "add"),
        bill(2, "ann", "add"),
        bill(3, "ann", "remove"),
        bill(4, "bob", "add"),
        bill(5, "cy", "add"),
    ];
    assert_eq!(fees, [1_000, 0, 0, 0, 1_000]);
}

#[test]
fn a_volume_price_cannot_be_paid_in_advance() {
    let mut volume = charge("calls", sum("n"), v6());
    volume.pay_in_advance = true;
    let refused = AdvanceMeter::new(volume, Window::whole(&august()), Currency::USD).unwrap_err();
    assert!(
        matches!(&refused, AdvanceError::Charge(_)) && refused.to_string().contains("volume"),
        "{refused}"
    );
}
