//! How many epochs there may be, and what becomes of one that is not held any more.

use super::{MINUTE_US, NOW_US, SECOND_US, Sample, define, frame, sample, total};
use crate::bounds::MIN_IDLE_US;
use crate::{EpochBounds, EventStore, RejectCode, StoreError};

/// The bounds a store has that the suite is run on.
pub const EPOCHS: EpochBounds = EpochBounds { of_producer: 8, of_namespace: 24, all: 2_000 };

fn units(count: usize, at_us: i64) -> Vec<Sample> {
    vec![sample().number("units", "1").at(at_us); count]
}

/// Fills the bound of producer `p`, each epoch a second after the one before, with two events each.
pub async fn fill_epochs(store: &dyn EventStore, namespace: &str) {
    for epoch in 1..=EPOCHS.of_producer as u64 {
        let now_us = NOW_US + epoch as i64 * SECOND_US;
        let frame = frame("p", epoch, 1, &units(2, NOW_US));
        assert_eq!(store.ingest_frame(namespace, frame, now_us).await.unwrap().accepted, 2);
    }
}

/// Begins one more epoch when all are idle: the first is retired for it.
pub async fn retire_first(store: &dyn EventStore, namespace: &str) {
    let later = NOW_US + MIN_IDLE_US + 2 * SECOND_US;
    let frame = frame("p", 9, 1, &units(1, later));
    assert_eq!(store.ingest_frame(namespace, frame, later).await.unwrap().accepted, 1);
}

/// Sends again what was counted in the epoch that was retired: none of it counts.
pub async fn send_retired_again(store: &dyn EventStore, namespace: &str) {
    let later = NOW_US + MIN_IDLE_US + 3 * SECOND_US;
    let counted = total(store, namespace, "use.sum").await;
    let again = store.ingest_frame(namespace, frame("p", 1, 1, &units(2, NOW_US)), later).await.unwrap();
    assert_eq!((again.accepted, again.duplicate, again.mark), (0, 0, 2));
    assert!(again.rejected.iter().all(|event| event.code == RejectCode::EpochRetired), "{again:?}");
    // Nor what follows it, now that the epoch is held again.
    let next = store.ingest_frame(namespace, frame("p", 1, 3, &units(2, NOW_US)), later).await.unwrap();
    assert_eq!((next.accepted, next.rejected.len()), (0, 2));
    assert_eq!(total(store, namespace, "use.sum").await, counted);
}

/// An epoch that is retired never counts twice, and what cannot have been counted in it counts.
pub async fn a_retired_epoch_counts_once(store: &dyn EventStore) {
    let namespace = "epochs-retired";
    define(store, namespace).await;
    fill_epochs(store, namespace).await;
    let busy = store.ingest_frame(namespace, frame("p", 9, 1, &units(1, NOW_US)), NOW_US + MINUTE_US).await;
    let Err(StoreError::Full { most, .. }) = busy else { panic!("{busy:?}") };
    assert_eq!(most, EPOCHS.of_producer as u64);
    retire_first(store, namespace).await;
    send_retired_again(store, namespace).await;
    let later = NOW_US + MIN_IDLE_US + 4 * SECOND_US;
    let new = store.ingest_frame(namespace, frame("p", 1, 5, &units(1, later)), later).await.unwrap();
    assert_eq!(new.accepted, 1);
    // One that is held goes on, however late its events are.
    let held = store.ingest_frame(namespace, frame("p", 7, 3, &units(1, NOW_US)), later).await.unwrap();
    assert_eq!((held.accepted, held.rejected.len()), (1, 0));
    assert_eq!(total(store, namespace, "use.sum").await, ("19".into(), 19));
    let accounts = store.producers(namespace).await.unwrap();
    assert_eq!(accounts.iter().map(|account| account.accepted).sum::<u64>(), 19);
    assert_eq!(accounts.iter().map(|account| account.retired_epochs).sum::<u64>(), 2);
    assert_eq!(accounts.len(), EPOCHS.of_producer + 1);
    for account in accounts {
        assert_eq!(account.sent, account.accepted + account.duplicate + account.rejected, "{account:?}");
    }
}

/// Who fills a namespace keeps others out of that one, and of no other.
pub async fn a_namespace_full_of_epochs_leaves_others_room(store: &dyn EventStore) {
    let namespace = "epochs-full";
    define(store, namespace).await;
    // Nothing is older than the clock of the machine says.
    let later = NOW_US;
    let begin_us = later - 36 * super::DAY_US;
    for producer in 0..EPOCHS.of_namespace {
        // Whether anything of it is taken in or not.
        let samples =
            if producer % 2 == 0 { units(1, begin_us) } else { vec![sample().of("unheard-of").at(begin_us)] };
        store
            .ingest_frame(namespace, frame(&format!("p{producer}"), 1, 1, &samples), begin_us)
            .await
            .unwrap();
    }
    let full = store.ingest_frame(namespace, frame("one-more", 1, 1, &units(1, begin_us)), begin_us).await;
    let Err(StoreError::Full { most, .. }) = full else { panic!("{full:?}") };
    assert_eq!(most, EPOCHS.of_namespace as u64);
    // Those that are there go on.
    let held = store.ingest_frame(namespace, frame("p0", 1, 2, &units(1, begin_us)), begin_us).await.unwrap();
    assert_eq!(held.accepted, 1);
    let other = "epochs-others";
    define(store, other).await;
    let one =
        store.ingest_frame(other, frame("one-more", 1, 1, &units(1, begin_us)), begin_us).await.unwrap();
    assert_eq!(one.accepted, 1);
    // Once the others are silent for longer than events may be late, there is room again.
    let late = store.ingest_frame(namespace, frame("one-more", 1, 1, &units(1, later)), later).await;
    assert_eq!(late.unwrap().accepted, 1);
}
