//! Accounts of producers, and namespaces.

use super::{NOW_US, SECOND_US, define, frame, message, sample, send, today, total};
use crate::{EventStore, Frame, Meter, ProducerAccount, StoreError};

/// Of all that came in, repeated and rejected events included.
pub async fn accounts_add_up(store: &dyn EventStore) {
    let namespace = "accounts";
    define(store, namespace).await;
    let good = sample().number("units", "1");
    let samples = [good.clone(), good.clone().of("unheard-of"), good.clone().at(0), good.clone()];
    send(store, namespace, 1, &samples).await;
    send(store, namespace, 1, &samples).await;
    send(store, namespace, 3, &[good.clone(), good.clone(), good.clone()]).await;
    // A gap is no event that came in.
    store.ingest_frame(namespace, frame("p", 1, 99, &samples), NOW_US).await.unwrap_err();
    let later = NOW_US + SECOND_US;
    store.ingest_frame(namespace, frame("p", 2, 1, &samples[..1]), later).await.unwrap();
    let named = vec![good.named("shop", "1"), good.named("shop", "1"), good.clone().at(0).named("shop", "2")];
    store.ingest_named(namespace, named, NOW_US).await.unwrap();
    let mut accounts = store.producers(namespace).await.unwrap();
    accounts.sort_by(|a, b| (&a.producer, a.epoch).cmp(&(&b.producer, b.epoch)));
    let account = |producer: &str,
                   epoch,
                   [highest_sequence, sent, accepted, duplicate, rejected]: [u64; 5],
                   codes: &[(&str, u64)],
                   last_seen_us| {
        let rejected_by_code = codes.iter().map(|(code, events)| ((*code).into(), *events)).collect();
        let producer = producer.into();
        ProducerAccount {
            producer,
            epoch,
            retired_epochs: 0,
            highest_sequence,
            sent,
            accepted,
            duplicate,
            rejected,
            rejected_by_code,
            last_seen_us,
        }
    };
    let codes = [("time_too_old", 1), ("unknown_event_type", 1)];
    let expected = vec![
        account("p", 1, [5, 11, 3, 6, 2], &codes, NOW_US),
        account("p", 2, [1, 1, 1, 0, 0], &[], later),
        account("shop", 0, [0, 3, 1, 1, 1], &codes[..1], NOW_US),
    ];
    assert_eq!(accounts, expected);
    for account in accounts {
        assert_eq!(account.sent, account.accepted + account.duplicate + account.rejected);
    }
}

/// Not their meters, events, producers or ids.
pub async fn namespaces_do_not_see_each_other(store: &dyn EventStore) {
    let (mine, other) = ("spaces-mine", "spaces-other");
    define(store, mine).await;
    assert!(store.meters(other).await.unwrap().iter().all(|meter| !meter.name.starts_with("use.")));
    define(store, other).await;
    send(store, mine, 1, &vec![sample(); 3]).await;
    store.ingest_named(mine, vec![sample().named("shop", "1")], NOW_US).await.unwrap();
    assert_eq!(total(store, other, "use.count").await.1, 0);
    assert!(store.producers(other).await.unwrap().is_empty());
    // The same identities are other events there.
    assert_eq!(send(store, other, 1, &[sample()]).await.accepted, 1);
    let outcomes = store.ingest_named(other, vec![sample().agent("z").named("shop", "1")], NOW_US).await;
    assert_eq!(outcomes.unwrap(), vec![crate::NamedOutcome::Accepted]);
    assert_eq!(total(store, mine, "use.count").await.1, 4);
    assert_eq!(total(store, other, "use.count").await.1, 2);
    let mut seen = 0;
    let mut each = |_: &crate::Event, _: u64| {
        seen += 1;
        std::ops::ControlFlow::Continue(())
    };
    store.scan(other, 0, NOW_US + 1, &mut each).await.unwrap();
    assert_eq!(seen, 2);
}

/// Whatever is asked.
pub async fn a_namespace_must_have_a_name(store: &dyn EventStore) {
    let long = "x".repeat(64);
    for namespace in ["", "Upper", "a b", "a/b", "a.b", "ä", long.as_str()] {
        let refused = StoreError::Namespace(namespace.chars().take(63).collect());
        let frame = Frame::new(message("p", 1, 1, &[sample()])).unwrap();
        assert_eq!(store.ingest_frame(namespace, frame, NOW_US).await.unwrap_err(), refused);
        let named = vec![sample().named("shop", "1")];
        assert_eq!(store.ingest_named(namespace, named, NOW_US).await.unwrap_err(), refused);
        assert_eq!(store.query(namespace, &today("calls")).await.unwrap_err(), refused);
        assert_eq!(store.recompute(namespace, &today("calls")).await.unwrap_err(), refused);
        assert_eq!(store.producers(namespace).await.unwrap_err(), refused);
        assert_eq!(store.meters(namespace).await.unwrap_err(), refused);
        let meter = Meter::new("m", "use", crate::Aggregation::Count, "");
        assert_eq!(store.put_meter(namespace, &meter).await.unwrap_err(), refused);
        let mut each = |_: &crate::Event, _: u64| std::ops::ControlFlow::Continue(());
        assert_eq!(store.scan(namespace, 0, 1, &mut each).await.unwrap_err(), refused);
    }
}
