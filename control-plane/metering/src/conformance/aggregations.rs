//! What aggregations come to.

use super::{
    DAY_US, HOUR_US, MINUTE_US, NOW_US, SECOND_US, Sample, ask, define, frame, sample, send, table, today,
    total,
};
use crate::{EventStore, MAX_FRAME_EVENTS, MAX_MEMBERS, MeterQuery, StoreError, Window};

fn units(units: &str) -> Sample {
    sample().number("units", units)
}

/// Of four events.
pub async fn every_aggregation_comes_to_its_number(store: &dyn EventStore) {
    let namespace = "sums-all";
    define(store, namespace).await;
    let at = |minute: i64| NOW_US - NOW_US % DAY_US + minute * MINUTE_US;
    let samples = [
        units("2.5").at(at(360)).text("user", "ann"),
        units("-1").at(at(600)).text("user", "bob"),
        units("7").at(at(480)).number("user", "3.50"),
        units("0.25").at(at(540)).text("user", "3.5"),
    ];
    send(store, namespace, 1, &samples).await;
    assert_eq!(total(store, namespace, "use.count").await, ("4".into(), 4));
    assert_eq!(total(store, namespace, "use.sum").await, ("8.75".into(), 4));
    assert_eq!(total(store, namespace, "use.max").await, ("7".into(), 4));
    assert_eq!(total(store, namespace, "use.latest").await, ("-1".into(), 4));
    // 2.5 for 18 of 24 hours, -1 for 14, 7 for 16, 0.25 for 15.
    let weighted = creto_rating::Exact::ratio(4_500 - 1_400 + 11_200 + 375, 2_400).unwrap();
    assert_eq!(ask(store, namespace, &today("use.weighted")).await[0].value, weighted);
    // A number and a text that reads the same are one value.
    assert_eq!(total(store, namespace, "use.users").await, ("3".into(), 4));
    // The largest of values below zero is below zero.
    let below = [units("-5").agent("b"), units("-4").agent("b")];
    send(store, namespace, 5, &below).await;
    let only = ask(store, namespace, &today("use.max").only("agent", "b")).await;
    assert_eq!(only[0].value.to_string(), "-4");
}

/// The worked number: August, 31 days, changes of a level within its first six hours.
pub async fn a_weighted_sum_is_that_of_the_field(store: &dyn EventStore) {
    let namespace = "sums-weighted";
    define(store, namespace).await;
    // 2026-08-01T00:00:00Z
    let august = 1_785_542_400 * SECOND_US;
    assert_eq!(Window::Month.start_us(august), august);
    assert_eq!(Window::Month.end_us(august), august + 31 * DAY_US);
    let changes = [("2", 0), ("3", 60), ("1", 90), ("-4", 120), ("-2", 240), ("10", 300), ("-10", 330)];
    let samples: Vec<_> =
        changes.iter().map(|(change, minute)| units(change).at(august + minute * MINUTE_US)).collect();
    let now = august + 7 * HOUR_US;
    store.ingest_frame(namespace, frame("p", 1, 1, &samples), now).await.unwrap();
    let query = MeterQuery::new("use.weighted", august, august + 31 * DAY_US);
    let expected = creto_rating::Exact::ratio(59_400, 2_678_400).unwrap();
    for query in [query.clone(), query.clone().every(Window::Month)] {
        let values = ask(store, namespace, &query).await;
        assert_eq!((values.len(), &values[0].value, values[0].events), (1, &expected, 7));
    }
    // Any span, from the same rollups: the first two hours.
    let values = ask(store, namespace, &MeterQuery::new("use.weighted", august, august + 2 * HOUR_US)).await;
    // 2 for 120 minutes, 3 for 60, 1 for 30.
    assert_eq!(values[0].value, creto_rating::Exact::ratio(2 * 120 + 3 * 60 + 30, 120).unwrap());
}

/// The smallest and the largest that events can carry.
pub async fn sums_are_exact_at_both_ends(store: &dyn EventStore) {
    let namespace = "sums-exact";
    define(store, namespace).await;
    let largest = "999999999999999999.999999999999999999";
    let mut samples = vec![units("0.1"), units("0.2"), units("0.000000000000000001")];
    samples.extend(vec![units(largest); 500]);
    send(store, namespace, 1, &samples).await;
    let sum = "500000000000000000000.299999999999999501";
    assert_eq!(total(store, namespace, "use.sum").await.0, sum);
    let max = total(store, namespace, "use.max").await.0;
    assert_eq!(max, largest);
    send(store, namespace, 504, &vec![units(&format!("-{largest}")); 500]).await;
    assert_eq!(total(store, namespace, "use.sum").await.0, "0.300000000000000001");
}

/// Not the one that came last.
pub async fn the_latest_is_the_last_by_time_and_clock(store: &dyn EventStore) {
    let namespace = "sums-latest";
    define(store, namespace).await;
    let at = |units_of: &str, at_us: i64, logical: u32| Sample { logical, ..units(units_of).at(at_us) };
    send(store, namespace, 1, &[at("1", NOW_US, 5), at("2", NOW_US, 4), at("3", NOW_US - 1, 9)]).await;
    assert_eq!(total(store, namespace, "use.latest").await, ("1".into(), 3));
    // Of the same time and clock, the one that came later.
    send(store, namespace, 4, &[at("4", NOW_US, 5)]).await;
    assert_eq!(total(store, namespace, "use.latest").await, ("4".into(), 4));
    send(store, namespace, 5, &[at("5", NOW_US - 2 * MINUTE_US, 7)]).await;
    assert_eq!(total(store, namespace, "use.latest").await, ("4".into(), 5));
    let by_minute = table(store, namespace, &today("use.latest").every(Window::Minute)).await;
    assert_eq!(by_minute, vec![(-2, vec![], "5".into()), (-1, vec![], "3".into()), (0, vec![], "4".into())]);
}

/// A value that is in two windows counts once in both together.
pub async fn distinct_values_are_counted_over_windows_and_groups(store: &dyn EventStore) {
    let namespace = "sums-distinct";
    define(store, namespace).await;
    let user = |user: &str, agent: &str, minute: i64| {
        sample().text("user", user).agent(agent).at(NOW_US - minute * MINUTE_US)
    };
    let long = "a user whose name is longer than what is kept as it is ".repeat(3);
    let samples = [
        user("ann", "a", 0),
        user("ann", "a", 1),
        user("ann", "b", 90),
        user("bob", "b", 90),
        user(&long, "a", 0),
        user(&long, "b", 0),
        user("", "b", 0),
    ];
    send(store, namespace, 1, &samples).await;
    assert_eq!(total(store, namespace, "use.users").await, ("4".into(), 7));
    let by_agent = table(store, namespace, &today("use.users").by(&["agent"])).await;
    let numbers: Vec<_> = by_agent.into_iter().map(|(_, group, value)| (group[0].clone(), value)).collect();
    assert_eq!(numbers, vec![("a".into(), "2".into()), ("b".into(), "4".into())]);
    let by_hour = table(store, namespace, &today("use.users").every(Window::Hour)).await;
    assert_eq!(by_hour, vec![(-140, vec![], "2".into()), (-20, vec![], "3".into())]);
    // Sent again in another frame, they are still the same.
    send(store, namespace, 8, &samples).await;
    assert_eq!(total(store, namespace, "use.users").await, ("4".into(), 14));
}

/// Never a number that is too small.
pub async fn more_distinct_values_than_are_counted_are_said(store: &dyn EventStore) {
    let namespace = "sums-too-distinct";
    define(store, namespace).await;
    let mut sequence = 1;
    while sequence <= MAX_MEMBERS {
        let count = MAX_FRAME_EVENTS.min(MAX_MEMBERS + 1 - sequence);
        let samples: Vec<_> = (0..count)
            .map(|n| {
                let minute = ((sequence + n) % 2) as i64;
                sample().text("user", &(sequence + n).to_string()).at(NOW_US - minute * MINUTE_US)
            })
            .collect();
        send(store, namespace, sequence as u64, &samples).await;
        sequence += count;
    }
    assert_eq!(total(store, namespace, "use.users").await.0, MAX_MEMBERS.to_string());
    send(store, namespace, sequence as u64, &[sample().text("user", "one more")]).await;
    let refused = Err(StoreError::TooManyMembers { meter: "use.users".into() });
    assert_eq!(store.query(namespace, &today("use.users")).await, refused);
    assert_eq!(store.recompute(namespace, &today("use.users")).await, refused);
    // Each minute has half of them, which can be counted.
    let minute = MeterQuery::new("use.users", NOW_US, NOW_US + MINUTE_US);
    assert_eq!(ask(store, namespace, &minute).await[0].value.to_string(), (MAX_MEMBERS / 2 + 1).to_string());
}

/// However late, and next to what was there.
pub async fn a_late_event_counts_in_its_own_window(store: &dyn EventStore) {
    let namespace = "sums-late";
    define(store, namespace).await;
    send(store, namespace, 1, &[units("1"), units("2").at(NOW_US - 30 * DAY_US)]).await;
    let days =
        MeterQuery::new("use.sum", NOW_US - NOW_US % DAY_US - 34 * DAY_US, NOW_US - NOW_US % DAY_US + DAY_US);
    let days = days.every(Window::Day);
    assert_eq!(table(store, namespace, &days).await.len(), 2);
    send(
        store,
        namespace,
        3,
        &[units("10").at(NOW_US - 30 * DAY_US + 1), units("5").at(NOW_US - 3 * DAY_US)],
    )
    .await;
    let values: Vec<_> =
        table(store, namespace, &days).await.into_iter().map(|(_, _, value)| value).collect();
    assert_eq!(values, vec!["12", "5", "1"]);
}
