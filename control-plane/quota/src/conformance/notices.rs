//! What people are told of.

use creto_quota::Report;

use super::{NOW_MS, ask, holder, lease_of, limit, line, report, told};
use crate::{Issuer, Level, QuotaEvent, QuotaLimit, Spike, Window};

const HOUR_MS: u64 = 3_600_000;
const WINDOW: Window = Window { start_ms: 1_791_972_000_000, end_ms: 1_791_975_600_000 };

async fn levels(issuer: &dyn Issuer, namespace: &str) -> Vec<(Level, u64)> {
    let events = issuer.events(namespace, 0).await.unwrap();
    events.into_iter().map(|event| (event.level, event.used)).collect()
}

/// At the percent exactly, once, and again in the next window.
pub async fn the_warning_comes_once_a_window(issuer: &dyn Issuer) {
    issuer.open_namespace("warn").await.unwrap();
    let limit = limit("warn", 1_000);
    let lease = lease_of(issuer, &limit, &holder("s"), 1, 1_000).await;
    for (sequence, spent) in [(1, 799), (2, 1), (3, 100), (3, 100)] {
        report(issuer, &limit, &holder("s"), &told(sequence, &[line(&lease, spent, 0, false)])).await;
        let expected = if sequence == 1 { Vec::new() } else { vec![(Level::Warning, 800)] };
        assert_eq!(levels(issuer, "warn").await, expected);
    }
    let later = NOW_MS + HOUR_MS;
    let overage = Report { sequence: 4, leases: Vec::new(), overage: 900 };
    issuer.report(&limit, &holder("s"), &overage, later).await.unwrap();
    let events = issuer.events("warn", 0).await.unwrap();
    let next = Window { start_ms: WINDOW.end_ms, end_ms: WINDOW.end_ms + HOUR_MS };
    let expected = |sequence, window, at_ms, used| QuotaEvent {
        sequence,
        limit: "tokens".into(),
        level: Level::Warning,
        window,
        at_ms,
        used,
        measure: 1_000,
        hours: 0,
    };
    assert_eq!(events, [expected(1, WINDOW, NOW_MS, 800), expected(2, next, later, 900)]);
}

/// However many are refused.
pub async fn exhausted_is_told_once_a_window(issuer: &dyn Issuer) {
    issuer.open_namespace("exhausted").await.unwrap();
    let limit = limit("exhausted", 100);
    lease_of(issuer, &limit, &holder("s"), 1, 100).await;
    assert_eq!(levels(issuer, "exhausted").await, []);
    for name in ["a", "b", "c"] {
        issuer.grant(&limit, &holder(name), &ask(1, 1), None, NOW_MS).await.unwrap();
    }
    assert_eq!(levels(issuer, "exhausted").await, [(Level::Exhausted, 0)]);
}

async fn use_up(issuer: &dyn Issuer, limit: &QuotaLimit, sequence: u64, hour: u64, overage: u64) {
    let report = Report { sequence, leases: Vec::new(), overage };
    issuer.report(limit, &holder("s"), &report, NOW_MS + hour * HOUR_MS).await.unwrap();
}

/// Above, not at; while the hour lasts; once.
pub async fn an_hour_above_its_mean_is_a_spike_once(issuer: &dyn Issuer) {
    issuer.open_namespace("spike").await.unwrap();
    let limit = QuotaLimit { spike: Some(Spike::default()), ..limit("spike", 1_000_000) };
    // Hours of 1000, 1000, 0 and 2000: a mean of 1000.
    for (sequence, hour, used) in [(1, 0, 1_000), (2, 1, 1_000), (3, 3, 2_000), (4, 4, 1_200)] {
        use_up(issuer, &limit, sequence, hour, used).await;
    }
    // The hour of 2000 was above 120% of 667.
    let events = issuer.events("spike", 0).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(
        (events[0].level, events[0].used, events[0].measure, events[0].hours),
        (Level::Spike, 2_000, 2_000, 3)
    );
    for sequence in [5, 6, 7] {
        use_up(issuer, &limit, sequence, 4, 1).await;
    }
    let events = issuer.events("spike", 1).await.unwrap();
    assert_eq!(events.len(), 1, "1200 of a mean of 1000 is no spike, 1201 is one");
    assert_eq!((events[0].used, events[0].measure, events[0].hours), (1_201, 4_000, 4));
    let hour = WINDOW.start_ms + 4 * HOUR_MS;
    assert_eq!(events[0].window, Window { start_ms: hour, end_ms: hour + HOUR_MS });
}

/// A new limit, and one of little use, raise no alarm.
pub async fn no_spike_without_enough_hours_or_below_the_floor(issuer: &dyn Issuer) {
    issuer.open_namespace("calm").await.unwrap();
    let spike = Spike { percent: 120, hours: 2, minimum_hours: 2, floor: 500 };
    let limit = QuotaLimit { spike: Some(spike), ..limit("calm", 1_000_000) };
    for (sequence, hour, used) in
        [(1, 0, 10), (2, 1, 9_000), (3, 2, 400), (4, 3, 400), (5, 4, 499), (6, 4, 1)]
    {
        assert_eq!(levels(issuer, "calm").await, []);
        use_up(issuer, &limit, sequence, hour, used).await;
    }
    let events = issuer.events("calm", 0).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].used, events[0].measure, events[0].hours), (500, 800, 2));
}

/// The reader keeps its place, and says when it is done.
pub async fn events_are_read_in_order_and_forgotten_on_demand(issuer: &dyn Issuer) {
    issuer.open_namespace("read").await.unwrap();
    for name in ["a", "b", "c"] {
        let limit = QuotaLimit { name: name.into(), ..limit("read", 0) };
        issuer.grant(&limit, &holder("s"), &ask(1, 1), None, NOW_MS).await.unwrap();
    }
    let events = issuer.events("read", 0).await.unwrap();
    assert_eq!(
        events.iter().map(|event| (event.sequence, &*event.limit)).collect::<Vec<_>>(),
        [(1, "a"), (2, "b"), (3, "c")]
    );
    assert_eq!(issuer.events("read", 1).await.unwrap(), events[1..]);
    issuer.forget_events("read", 2).await.unwrap();
    assert_eq!(issuer.events("read", 0).await.unwrap(), events[2..]);
    let limit = QuotaLimit { name: "d".into(), ..limit("read", 0) };
    issuer.grant(&limit, &holder("s"), &ask(1, 1), None, NOW_MS).await.unwrap();
    assert_eq!(issuer.events("read", 3).await.unwrap()[0].sequence, 4);
}
