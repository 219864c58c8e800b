//! Where windows begin and end.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use creto_quota_issuer::{Period, PeriodError, Window, Zone};
use proptest::prelude::*;

const HOUR_MS: u64 = 3_600_000;

fn zone(name: &str) -> Zone {
    Zone::named(name).unwrap()
}

fn at(text: &str) -> u64 {
    let time: jiff::Timestamp = text.parse().unwrap();
    u64::try_from(time.as_millisecond()).unwrap()
}

fn window(period: Period, zone: &Zone, text: &str) -> (String, String) {
    let Window { start_ms, end_ms } = period.window_at(zone, at(text)).unwrap();
    let show = |ms: u64| jiff::Timestamp::from_millisecond(ms.cast_signed()).unwrap().to_string();
    (show(start_ms), show(end_ms))
}

fn is(from: &str, to: &str) -> (String, String) {
    (from.into(), to.into())
}

#[test]
fn a_window_ends_with_its_last_millisecond() {
    let (day, utc) = (Period::Daily, Zone::UTC);
    assert_eq!(
        window(day, &utc, "2026-10-14T23:59:59.999Z"),
        is("2026-10-14T00:00:00Z", "2026-10-15T00:00:00Z")
    );
    assert_eq!(window(day, &utc, "2026-10-15T00:00:00Z"), is("2026-10-15T00:00:00Z", "2026-10-16T00:00:00Z"));
}

#[test]
fn days_on_which_the_clock_changes_are_23_and_25_hours() {
    let berlin = zone("Europe/Berlin");
    for (noon, hours) in
        [("2026-03-29T10:00:00Z", 23), ("2026-10-25T10:00:00Z", 25), ("2026-10-26T10:00:00Z", 24)]
    {
        let window = Period::Daily.window_at(&berlin, at(noon)).unwrap();
        assert_eq!((window.end_ms - window.start_ms) / HOUR_MS, hours, "{noon}");
    }
}

#[test]
fn a_day_whose_midnight_is_skipped_begins_at_one() {
    // Santiago skips 0:00 to 1:00 on 6 September 2026.
    let santiago = zone("America/Santiago");
    let day = window(Period::Daily, &santiago, "2026-09-06T12:00:00Z");
    assert_eq!(day, is("2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"));
}

#[test]
fn months_end_where_the_calendar_says() {
    let (month, utc) = (Period::Monthly, Zone::UTC);
    assert_eq!(
        window(month, &utc, "2028-02-29T12:00:00Z"),
        is("2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z")
    );
    assert_eq!(
        window(month, &utc, "2027-02-28T23:59:59Z"),
        is("2027-02-01T00:00:00Z", "2027-03-01T00:00:00Z")
    );
    assert_eq!(
        window(month, &utc, "2026-12-31T23:59:59Z"),
        is("2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z")
    );
    let kiritimati = zone("Pacific/Kiritimati");
    assert_eq!(
        window(month, &kiritimati, "2026-12-31T10:00:00Z"),
        is("2026-12-31T10:00:00Z", "2027-01-31T10:00:00Z")
    );
}

#[test]
fn weeks_begin_on_monday() {
    let (week, utc) = (Period::Weekly, Zone::UTC);
    assert_eq!(
        window(week, &utc, "2026-10-18T23:59:59Z"),
        is("2026-10-12T00:00:00Z", "2026-10-19T00:00:00Z")
    );
    assert_eq!(
        window(week, &utc, "2026-10-19T00:00:00Z"),
        is("2026-10-19T00:00:00Z", "2026-10-26T00:00:00Z")
    );
    let new_york = zone("America/New_York");
    let window = week.window_at(&new_york, at("2026-10-31T12:00:00Z")).unwrap();
    assert_eq!((window.end_ms - window.start_ms) / HOUR_MS, 7 * 24 + 1, "the clock goes back on Sunday");
}

#[test]
fn hours_follow_the_zones_clock() {
    let hour = Period::Hourly;
    let kolkata = zone("Asia/Kolkata");
    assert_eq!(
        window(hour, &kolkata, "2026-10-14T10:20:00Z"),
        is("2026-10-14T09:30:00Z", "2026-10-14T10:30:00Z")
    );
    // The hour from 2:00 is shown twice in Berlin, and is two windows.
    let berlin = zone("Europe/Berlin");
    assert_eq!(
        window(hour, &berlin, "2026-10-25T00:30:00Z"),
        is("2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z")
    );
    assert_eq!(
        window(hour, &berlin, "2026-10-25T01:30:00Z"),
        is("2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z")
    );
    // Lord Howe's clock goes back half an hour at 2:00, to 1:30: that hour lasts longer. On to 2:30 in October.
    let lord_howe = zone("Australia/Lord_Howe");
    let long = is("2026-04-04T14:00:00Z", "2026-04-04T15:30:00Z");
    for within in
        ["2026-04-04T14:00:00Z", "2026-04-04T14:59:59Z", "2026-04-04T15:00:00Z", "2026-04-04T15:29:59Z"]
    {
        assert_eq!(window(hour, &lord_howe, within), long, "{within}");
    }
    let long = is("2026-10-03T14:30:00Z", "2026-10-03T16:00:00Z");
    for within in
        ["2026-10-03T14:30:00Z", "2026-10-03T15:29:59Z", "2026-10-03T15:30:00Z", "2026-10-03T15:59:59Z"]
    {
        assert_eq!(window(hour, &lord_howe, within), long, "{within}");
    }
}

#[test]
fn custom_periods_count_from_their_anchor_both_ways() {
    let period = Period::Custom { seconds: 90, anchor_ms: 1_000_000_000_000 };
    for (now_ms, start_ms) in [
        (1_000_000_000_000, 1_000_000_000_000),
        (1_000_000_089_999, 1_000_000_000_000),
        (1_000_000_090_000, 1_000_000_090_000),
        (999_999_999_999, 999_999_910_000),
    ] {
        let window = period.window_at(&Zone::UTC, now_ms).unwrap();
        assert_eq!(window, Window { start_ms, end_ms: start_ms + 90_000 });
    }
}

#[test]
fn what_is_no_zone_period_or_time_is_refused_with_what_to_do() {
    let error = Zone::named("Europe/Atlantis").unwrap_err();
    assert!(error.to_string().contains("IANA"), "{error}");
    for (seconds, anchor_ms) in [(0, 0), (59, 0), (366 * 86_400 + 1, 0), (60, 1), (60, u64::MAX)] {
        let error = Period::Custom { seconds, anchor_ms }.window_at(&Zone::UTC, 0).unwrap_err();
        assert_eq!(error, PeriodError::Custom { seconds, anchor_ms });
    }
    assert_eq!(Period::Daily.window_at(&Zone::UTC, u64::MAX), Err(PeriodError::Time(u64::MAX)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn windows_follow_each_other_without_gap_or_overlap(
        now_ms in 1_577_836_800_000_u64..2_208_988_800_000,
        period in prop_oneof![
            Just(Period::Hourly), Just(Period::Daily), Just(Period::Weekly), Just(Period::Monthly),
            (60_u64..1_000_000, 0_u64..2_000_000_000)
                .prop_map(|(seconds, anchor)| Period::Custom { seconds, anchor_ms: anchor * 1_000 }),
        ],
        name in prop_oneof![
            Just("UTC"), Just("Europe/Berlin"), Just("America/New_York"), Just("America/Santiago"),
            Just("Australia/Lord_Howe"), Just("Asia/Kathmandu"), Just("America/St_Johns"), Just("Africa/Cairo"),
            Just("Pacific/Apia"), Just("Africa/Casablanca"), Just("Asia/Beirut"), Just("Antarctica/Troll"),
        ],
        inside in 0.0..1.0,
    ) {
        let zone = zone(name);
        let window = period.window_at(&zone, now_ms).unwrap();
        prop_assert!(window.start_ms <= now_ms && now_ms < window.end_ms);
        prop_assert!(window.start_ms % 1_000 == 0 && window.end_ms % 1_000 == 0);
        let other = window.start_ms + ((window.end_ms - window.start_ms) as f64 * inside) as u64;
        for same in [window.start_ms, other.min(window.end_ms - 1), window.end_ms - 1] {
            prop_assert_eq!(period.window_at(&zone, same).unwrap(), window);
        }
        prop_assert_eq!(period.window_at(&zone, window.end_ms).unwrap().start_ms, window.end_ms);
        prop_assert_eq!(period.window_at(&zone, window.start_ms - 1).unwrap().end_ms, window.start_ms);
    }
}
