//! The customer's calendar: daylight-saving days, leap days, periods, zones.

use creto_rating::{Interval, Moment, Period, Window, Zone};
use proptest::prelude::*;

use crate::speech::{DAY, HOUR, at, later};

fn period(interval: Interval, moment: &str, zone: &str) -> (String, String, i64, i64) {
    let period = interval.period_at(at(moment), &Zone::named(zone).unwrap()).unwrap();
    (period.from().to_string(), period.to().to_string(), period.days(), period.micros() / HOUR)
}

fn spans(from: &str, to: &str, days: i64, hours: i64) -> (String, String, i64, i64) {
    (from.into(), to.into(), days, hours)
}

#[test]
fn a_leap_february_has_29_days_and_another_28() {
    let leap = period(Interval::Monthly, "2024-02-29T12:00:00Z", "UTC");
    assert_eq!(leap, spans("2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z", 29, 29 * 24));
    let plain = period(Interval::Monthly, "2023-02-15T12:00:00Z", "UTC");
    assert_eq!(plain, spans("2023-02-01T00:00:00Z", "2023-03-01T00:00:00Z", 28, 28 * 24));
    assert_eq!(period(Interval::Yearly, "2024-05-01T00:00:00Z", "UTC").2, 366);
    // 2100 is no leap year.
    assert_eq!(period(Interval::Monthly, "2100-02-15T00:00:00Z", "UTC").2, 28);
}

#[test]
fn daylight_saving_changes_the_hours_of_a_month_and_not_its_days() {
    let march = period(Interval::Monthly, "2025-03-10T00:00:00Z", "Europe/Berlin");
    assert_eq!(march, spans("2025-02-28T23:00:00Z", "2025-03-31T22:00:00Z", 31, 31 * 24 - 1));
    let october = period(Interval::Monthly, "2025-10-10T00:00:00Z", "Europe/Berlin");
    assert_eq!(october, spans("2025-09-30T22:00:00Z", "2025-10-31T23:00:00Z", 31, 31 * 24 + 1));
    let short = period(Interval::Daily, "2025-03-09T15:00:00Z", "America/New_York");
    assert_eq!(short, spans("2025-03-09T05:00:00Z", "2025-03-10T04:00:00Z", 1, 23));
    let long = period(Interval::Daily, "2025-11-02T15:00:00Z", "America/New_York");
    assert_eq!(long, spans("2025-11-02T04:00:00Z", "2025-11-03T05:00:00Z", 1, 25));
}

#[test]
fn the_hour_that_comes_twice_is_two_periods() {
    let first = period(Interval::Hourly, "2025-10-26T00:30:00Z", "Europe/Berlin");
    let second = period(Interval::Hourly, "2025-10-26T01:30:00Z", "Europe/Berlin");
    assert_eq!(first, spans("2025-10-26T00:00:00Z", "2025-10-26T01:00:00Z", 1, 1));
    assert_eq!(second, spans("2025-10-26T01:00:00Z", "2025-10-26T02:00:00Z", 1, 1));
}

#[test]
fn where_midnight_is_skipped_the_day_starts_at_its_first_instant() {
    // Beirut went from 00:00 to 01:00 on 2022-03-27.
    let day = period(Interval::Daily, "2022-03-27T10:00:00Z", "Asia/Beirut");
    assert_eq!(day, spans("2022-03-26T22:00:00Z", "2022-03-27T21:00:00Z", 1, 23));
}

#[test]
fn where_clocks_fall_back_across_midnight_the_day_that_had_begun_goes_on() {
    // St. John's went from 00:01 on 2009-11-01 back to 23:01 on 2009-10-31, at 02:31 UTC.
    let november = spans("2009-11-01T02:30:00Z", "2009-12-01T03:30:00Z", 30, 30 * 24 + 1);
    for moment in ["2009-11-01T02:30:00Z", "2009-11-01T02:31:00Z", "2009-11-01T03:29:59Z"] {
        assert_eq!(period(Interval::Monthly, moment, "America/St_Johns"), november, "{moment}");
    }
    let october = period(Interval::Monthly, "2009-11-01T02:29:59Z", "America/St_Johns");
    assert_eq!((october.1.as_str(), october.2), ("2009-11-01T02:30:00Z", 31));
}

#[test]
fn a_day_never_goes_back_where_clocks_fell_back_across_midnight() {
    for name in ["America/St_Johns", "America/Goose_Bay", "America/Moncton"] {
        let zone = Zone::named(name).unwrap();
        let mut crossed = 0;
        // The Sundays of 1987 to 2011.
        for sunday in 0..1_305 {
            let midnight = later(at("1987-01-04T00:00:00Z"), sunday * 7 * DAY);
            let mut before = zone.day(midnight);
            for quarter in 4..28 {
                let moment = later(midnight, quarter * HOUR / 4);
                let day = zone.day(moment);
                assert!(day >= before, "{name} {moment}");
                before = day;
                let daily = Interval::Daily.period_at(moment, &zone).unwrap();
                assert!(daily.contains(moment) && daily.days() == 1, "{name} {moment}");
                crossed += i64::from(daily.micros() > DAY);
            }
        }
        assert!(crossed > 0, "{name} has long days");
    }
}

#[test]
fn where_clocks_go_forward_across_midnight_the_day_starts_at_the_change() {
    // Toronto went from 23:30 on 1919-03-30 to 00:30 on the 31st, at 04:30 UTC.
    let first = period(Interval::Daily, "1919-03-31T04:45:00Z", "America/Toronto");
    assert_eq!(first.0, "1919-03-31T04:30:00Z");
}

#[test]
fn weeks_start_on_monday_and_custom_periods_are_so_many_days() {
    let week = period(Interval::Weekly, "2026-11-22T12:00:00Z", "UTC");
    assert_eq!(week, spans("2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z", 7, 168));
    let ten = period(Interval::Custom { days: 10 }, "1970-01-25T12:00:00Z", "UTC");
    assert_eq!(ten, spans("1970-01-21T00:00:00Z", "1970-01-31T00:00:00Z", 10, 240));
    let refused = Interval::Custom { days: 0 }.period_at(at("2022-01-01T00:00:00Z"), &Zone::utc());
    assert!(refused.unwrap_err().to_string().contains("out of range"));
}

#[test]
fn days_are_the_customers() {
    let moment = at("2025-06-30T22:30:00Z");
    let day = |zone: &str| Zone::named(zone).unwrap().day(moment);
    assert_eq!((day("Europe/Berlin") - day("UTC"), day("America/New_York") - day("UTC")), (1, 0));
    assert!(Zone::named("Mars/Olympus").unwrap_err().to_string().contains("IANA"));
}

#[test]
fn a_period_must_cover_time_and_a_time_must_be_in_the_calendar() {
    let now = at("2025-06-30T22:30:00Z");
    assert!(Period::new(now, now, Zone::utc()).is_err());
    for micros in [i64::MIN, i64::MAX, -62_135_596_800_000_001, 253_370_764_800_000_000] {
        assert!(Moment::from_micros(micros).is_err(), "{micros}");
    }
}

proptest! {
    #[test]
    fn an_instant_is_in_its_period_and_periods_adjoin(
        // Half of them in the hours of Sundays in which clocks were changed across midnight in Canada.
        micros in prop_oneof![
            -2_000_000_000_000_000_i64..8_000_000_000_000_000,
            (-3_000..4_000_i64, 2 * HOUR..6 * HOUR).prop_map(|(week, into)| (3 + week * 7) * DAY + into),
        ],
        zone in prop::sample::select(vec![
            "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Asia/Beirut",
            "America/St_Johns", "America/Goose_Bay", "America/Moncton", "America/Toronto",
        ]),
        interval in prop::sample::select(vec![
            Interval::Hourly, Interval::Daily, Interval::Weekly, Interval::Monthly, Interval::Yearly, Interval::Custom { days: 13 },
        ]),
    ) {
        let zone = Zone::named(zone).unwrap();
        let moment = Moment::from_micros(micros).unwrap();
        let period = interval.period_at(moment, &zone).unwrap();
        prop_assert!(period.contains(moment), "{:?}", period);
        let next = interval.period_at(period.to(), &zone).unwrap();
        prop_assert_eq!(next.from(), period.to());
        let window = Window::whole(&period);
        prop_assert_eq!((window.days(), window.days_from(period.from())), (period.days(), period.days()));
        prop_assert!((1..=window.days()).contains(&window.days_from(moment)));
    }
}
