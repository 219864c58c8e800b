//! Events of third parties.

use super::{HOUR_US, NOW_US, Sample, define, sample, total};
use crate::{EventStore, NamedOutcome, RejectCode};

fn units(units: u64) -> Sample {
    sample().number("units", &units.to_string())
}

/// Sent again, in this request or a later one.
pub async fn a_named_event_counts_once(store: &dyn EventStore) {
    let namespace = "named-once";
    define(store, namespace).await;
    let events: Vec<_> = (1..=5).map(|n| units(n).named("shop", &n.to_string())).collect();
    let outcomes = store.ingest_named(namespace, events.clone(), NOW_US).await.unwrap();
    assert_eq!(outcomes, vec![NamedOutcome::Accepted; 5]);
    for later in [0, HOUR_US] {
        let outcomes = store.ingest_named(namespace, events.clone(), NOW_US + later).await.unwrap();
        assert_eq!(outcomes, vec![NamedOutcome::Duplicate; 5]);
    }
    assert_eq!(total(store, namespace, "use.sum").await, ("15".into(), 5));
    assert_eq!(store.ingest_named(namespace, vec![], NOW_US).await, Ok(vec![]));
}

/// What came first stays.
pub async fn a_named_event_with_another_payload_is_a_conflict(store: &dyn EventStore) {
    let namespace = "named-conflict";
    define(store, namespace).await;
    store.ingest_named(namespace, vec![units(1).named("shop", "1")], NOW_US).await.unwrap();
    let others = [
        units(2).named("shop", "1"),
        units(1).at(NOW_US - 1).named("shop", "1"),
        units(1).agent("b").named("shop", "1"),
        units(1).flag("more", true).named("shop", "1"),
    ];
    for other in others {
        let outcomes = store.ingest_named(namespace, vec![other], NOW_US).await.unwrap();
        assert_eq!(outcomes, vec![NamedOutcome::Conflict]);
    }
    // Another source, or the same text cut elsewhere, is another event.
    let others =
        vec![units(1).named("shop2", "1"), units(1).named("sho", "p1"), units(1).named("shop", "11")];
    let outcomes = store.ingest_named(namespace, others, NOW_US).await.unwrap();
    assert_eq!(outcomes, vec![NamedOutcome::Accepted; 3]);
    assert_eq!(total(store, namespace, "use.sum").await, ("4".into(), 4));
    let accounts = store.producers(namespace).await.unwrap();
    let shop = accounts.iter().find(|account| &*account.producer == "shop").unwrap();
    assert_eq!((shop.sent, shop.accepted, shop.rejected), (6, 2, 4));
    assert_eq!(shop.rejected_by_code.get("conflict"), Some(&4));
}

/// One outcome each, in order; what is bad does not keep out what is good.
pub async fn named_events_of_one_request_are_told_apart(store: &dyn EventStore) {
    let namespace = "named-batch";
    define(store, namespace).await;
    let events = vec![
        units(1).named("shop", "1"),
        units(1).named("shop", "1"),
        units(2).named("shop", "1"),
        units(3).of("unheard-of").named("shop", "2"),
        units(4).named("shop", "3"),
    ];
    let outcomes = store.ingest_named(namespace, events, NOW_US).await.unwrap();
    assert_eq!(outcomes[0], NamedOutcome::Accepted);
    assert_eq!(outcomes[1], NamedOutcome::Duplicate);
    assert_eq!(outcomes[2], NamedOutcome::Conflict);
    assert!(matches!(outcomes[3], NamedOutcome::Rejected { code: RejectCode::UnknownEventType, .. }));
    assert_eq!(outcomes[4], NamedOutcome::Accepted);
    assert_eq!(total(store, namespace, "use.sum").await, ("5".into(), 2));
}

/// A rejected event leaves no mark.
pub async fn a_rejected_named_event_may_be_corrected(store: &dyn EventStore) {
    let namespace = "named-corrected";
    define(store, namespace).await;
    let wrong = sample().text("units", "twelve").named("shop", "1");
    let outcomes = store.ingest_named(namespace, vec![wrong], NOW_US).await.unwrap();
    assert!(matches!(outcomes[0], NamedOutcome::Rejected { code: RejectCode::BadValue, .. }));
    let outcomes = store.ingest_named(namespace, vec![units(12).named("shop", "1")], NOW_US).await.unwrap();
    assert_eq!(outcomes, vec![NamedOutcome::Accepted]);
    assert_eq!(total(store, namespace, "use.sum").await, ("12".into(), 1));
}

/// And is no other event when it is sent again later.
pub async fn a_named_event_without_a_time_counts_when_it_comes_in(store: &dyn EventStore) {
    let namespace = "named-timeless";
    define(store, namespace).await;
    let mut event = units(3).named("shop", "1");
    event.at_us = None;
    let outcomes = store.ingest_named(namespace, vec![event.clone()], NOW_US).await.unwrap();
    assert_eq!(outcomes, vec![NamedOutcome::Accepted]);
    let outcomes = store.ingest_named(namespace, vec![event], NOW_US + HOUR_US).await.unwrap();
    assert_eq!(outcomes, vec![NamedOutcome::Duplicate]);
    assert_eq!(total(store, namespace, "use.sum").await, ("3".into(), 1));
}

/// Whoever comes first, one of them counts.
pub async fn the_same_named_event_sent_at_the_same_time_counts_once(store: &dyn EventStore) {
    let namespace = "named-at-once";
    define(store, namespace).await;
    let send = async |_: usize| {
        let events: Vec<_> = (0..50).map(|n| units(1).named("shop", &n.to_string())).collect();
        store.ingest_named(namespace, events, NOW_US).await.unwrap()
    };
    let outcomes: Vec<_> = futures::future::join_all((0..8).map(send)).await.concat();
    let accepted = outcomes.iter().filter(|outcome| **outcome == NamedOutcome::Accepted).count();
    let duplicate = outcomes.iter().filter(|outcome| **outcome == NamedOutcome::Duplicate).count();
    assert_eq!((accepted, duplicate), (50, 350));
    assert_eq!(total(store, namespace, "use.count").await, ("50".into(), 50));
}
