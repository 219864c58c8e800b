//! Windows, groups, filters, and questions that are none.

use super::{DAY_US, HOUR_US, MINUTE_US, NOW_US, Sample, ask, define, frame, sample, send, table, today};
use crate::{EventStore, MeterQuery, QueryError, StoreError, Window};

fn units(units: u64) -> Sample {
    sample().number("units", &units.to_string())
}

/// An event just before and at each edge.
pub async fn windows_are_those_of_the_calendar(store: &dyn EventStore) {
    let namespace = "questions-windows";
    define(store, namespace).await;
    // 2026-03-01T00:00:00Z, after a February of 28 days; and 2028-03-01, after one of 29.
    for (year, march, february) in [(1, 1_772_323_200_000_000, 28), (2, 1_835_481_600_000_000, 29)] {
        let epoch = year;
        let samples = [
            units(1).at(march - february * DAY_US),
            units(2).at(march - 1),
            units(4).at(march),
            units(8).at(march + HOUR_US - 1),
        ];
        let now = march + HOUR_US;
        store.ingest_frame(namespace, frame("p", epoch, 1, &samples), now).await.unwrap();
        let span = MeterQuery::new("use.sum", march - february * DAY_US, march + DAY_US);
        let starts = |values: Vec<crate::MeterValue>| -> Vec<(i64, String)> {
            values
                .into_iter()
                .map(|value| (value.window_starts_us - march, value.value.to_string()))
                .collect()
        };
        let months = starts(ask(store, namespace, &span.clone().every(Window::Month)).await);
        assert_eq!(months, vec![(-february * DAY_US, "3".into()), (0, "12".into())]);
        let days = starts(ask(store, namespace, &span.clone().every(Window::Day)).await);
        assert_eq!(days, vec![(-february * DAY_US, "1".into()), (-DAY_US, "2".into()), (0, "12".into())]);
        let hours = starts(ask(store, namespace, &span.clone().every(Window::Hour)).await);
        assert_eq!(hours, vec![(-february * DAY_US, "1".into()), (-HOUR_US, "2".into()), (0, "12".into())]);
        let minutes = starts(ask(store, namespace, &span.every(Window::Minute)).await);
        let expected = vec![
            (-february * DAY_US, "1".into()),
            (-MINUTE_US, "2".into()),
            (0, "4".into()),
            (HOUR_US - MINUTE_US, "8".into()),
        ];
        assert_eq!(minutes, expected);
    }
}

/// By any of what rollups are kept apart by.
pub async fn groups_and_filters_tell_events_apart(store: &dyn EventStore) {
    let namespace = "questions-groups";
    define(store, namespace).await;
    let samples = [
        units(1).text("model", "m1"),
        units(2).text("model", "m2"),
        units(4).text("model", "m1").agent("b"),
        Sample { customer: "other".into(), ..units(8).agent("b") },
        Sample { subscription: String::new(), ..units(16).number("model", "1.50") },
        units(32).flag("model", true),
    ];
    send(store, namespace, 1, &samples).await;
    let show = async |query: MeterQuery| {
        let rows = table(store, namespace, &query).await;
        rows.into_iter().map(|(_, group, value)| format!("{}={value}", group.join(","))).collect::<Vec<_>>()
    };
    assert_eq!(show(today("use.sum").by(&["agent"])).await, ["a=51", "b=12"]);
    assert_eq!(show(today("use.sum").by(&["model"])).await, ["=8", "1.5=16", "m1=5", "m2=2", "true=32"]);
    let both = ["a,1.5=16", "a,m1=1", "a,m2=2", "a,true=32", "b,=8", "b,m1=4"];
    assert_eq!(show(today("use.sum").by(&["agent", "model"])).await, both);
    assert_eq!(show(today("use.sum").by(&["model"]).only("agent", "b")).await, ["=8", "m1=4"]);
    assert_eq!(show(today("use.sum").only("model", "m1")).await, ["=5"]);
    assert_eq!(show(today("use.sum").only("model", "")).await, ["=8"]);
    assert_eq!(show(today("use.sum").only("customer", "other")).await, ["=8"]);
    assert_eq!(show(today("use.sum").only("subscription", "")).await, ["=16"]);
    assert_eq!(
        show(today("use.sum").by(&["customer", "subscription"])).await,
        ["acme,=16", "acme,sub-1=39", "other,sub-1=8"]
    );
    assert!(show(today("use.sum").only("agent", "nobody")).await.is_empty());
    assert!(show(today("use.sum").only("agent", "b").only("model", "m2")).await.is_empty());
}

/// The first and the last window are cut.
pub async fn a_span_may_begin_and_end_in_the_middle_of_windows(store: &dyn EventStore) {
    let namespace = "questions-cut";
    define(store, namespace).await;
    let samples: Vec<_> = (0..30 * 24).map(|hour| units(1).at(NOW_US - hour * HOUR_US)).collect();
    send(store, namespace, 1, &samples).await;
    for (from, to) in [(-1, 1), (-90, 0), (-1_500, -59), (-9_000, -61), (-40_000, 1)] {
        let query = MeterQuery::new("use.sum", NOW_US + from * MINUTE_US, NOW_US + to * MINUTE_US);
        let expected = samples
            .iter()
            .filter(|sample| sample.at_us >= query.from_us && sample.at_us < query.to_us)
            .count();
        let sum = |values: &[crate::MeterValue]| values.iter().map(|value| value.events).sum::<u64>();
        assert_eq!(sum(&ask(store, namespace, &query).await) as usize, expected, "{from} to {to}");
        for window in Window::ALL {
            let values = ask(store, namespace, &query.clone().every(window)).await;
            assert_eq!(sum(&values) as usize, expected, "{from} to {to} by {window}");
            for value in &values {
                assert_eq!(value.window_starts_us, window.start_us(value.window_starts_us));
            }
        }
    }
}

/// With what is wrong.
pub async fn a_wrong_question_is_refused(store: &dyn EventStore) {
    let namespace = "questions-wrong";
    define(store, namespace).await;
    let missing = MeterQuery::new("unheard-of", 0, MINUTE_US);
    assert_eq!(store.query(namespace, &missing).await, Err(StoreError::NoMeter("unheard-of".into())));
    assert_eq!(store.recompute(namespace, &missing).await, Err(StoreError::NoMeter("unheard-of".into())));
    let wrong = [
        MeterQuery::new("use.sum", NOW_US, NOW_US),
        MeterQuery::new("use.sum", NOW_US, NOW_US - MINUTE_US),
        MeterQuery::new("use.sum", -MINUTE_US, NOW_US),
        MeterQuery::new("use.sum", NOW_US + 1, NOW_US + MINUTE_US),
        MeterQuery::new("use.sum", 0, i64::MAX - i64::MAX % MINUTE_US),
        today("use.sum").by(&["host"]),
        today("use.sum").by(&["agent", "agent"]),
        today("use.sum").only("units", "1"),
    ];
    for wrong in wrong {
        let refused = store.query(namespace, &wrong).await;
        assert!(matches!(refused, Err(StoreError::Query(_))), "{wrong:?}: {refused:?}");
        assert_eq!(refused, store.recompute(namespace, &wrong).await);
    }
    let refused = store.query(namespace, &MeterQuery::new("use.sum", 30_000_000, MINUTE_US)).await;
    assert_eq!(refused, Err(StoreError::Query(QueryError::NotAMinute(30_000_000))));
}
