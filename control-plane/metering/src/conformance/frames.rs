//! Frames, marks, and sending again.

use super::{Sample, ask, define, frame, message, sample, send, today, total};
use crate::{EventStore, Frame, FrameOutcome, StoreError};

use super::NOW_US;

fn units(from: u64, to: u64) -> Vec<Sample> {
    (from..=to).map(|units| sample().number("units", &units.to_string())).collect()
}

/// Sent again, nothing is added, and the outcome says so.
pub async fn a_frame_counts_once_however_often_it_is_sent(store: &dyn EventStore) {
    let namespace = "frames-once";
    define(store, namespace).await;
    let first = send(store, namespace, 1, &units(1, 10)).await;
    assert_eq!(first, FrameOutcome { mark: 10, accepted: 10, duplicate: 0, rejected: vec![] });
    for _ in 0..3 {
        let again = send(store, namespace, 1, &units(1, 10)).await;
        assert_eq!(again, FrameOutcome { mark: 10, accepted: 0, duplicate: 10, rejected: vec![] });
    }
    assert_eq!(total(store, namespace, "use.sum").await, ("55".into(), 10));
}

/// Frames cut otherwise than before.
pub async fn a_frame_that_overlaps_the_mark_adds_what_is_new(store: &dyn EventStore) {
    let namespace = "frames-overlap";
    define(store, namespace).await;
    send(store, namespace, 1, &units(1, 10)).await;
    let outcome = send(store, namespace, 6, &units(6, 15)).await;
    assert_eq!(outcome, FrameOutcome { mark: 15, accepted: 5, duplicate: 5, rejected: vec![] });
    let outcome = send(store, namespace, 1, &units(1, 16)).await;
    assert_eq!(outcome, FrameOutcome { mark: 16, accepted: 1, duplicate: 15, rejected: vec![] });
    assert_eq!(total(store, namespace, "use.sum").await, ("136".into(), 16));
}

/// Nothing of it is taken in, and sending from the mark on is.
pub async fn a_gap_is_refused_and_names_the_mark(store: &dyn EventStore) {
    let namespace = "frames-gap";
    define(store, namespace).await;
    send(store, namespace, 1, &units(1, 10)).await;
    let refused = store.ingest_frame(namespace, frame("p", 1, 12, &units(12, 13)), NOW_US).await.unwrap_err();
    let gap = StoreError::Gap { producer: "p".into(), epoch: 1, mark: 10, first: 12 };
    assert_eq!(refused, gap);
    assert!(refused.to_string().contains("send from 11 on"), "{refused}");
    let refused = store.ingest_frame(namespace, frame("new", 1, 2, &units(2, 3)), NOW_US).await.unwrap_err();
    assert_eq!(refused, StoreError::Gap { producer: "new".into(), epoch: 1, mark: 0, first: 2 });
    assert_eq!(send(store, namespace, 11, &units(11, 13)).await.accepted, 3);
    assert_eq!(total(store, namespace, "use.sum").await, ("91".into(), 13));
}

/// The same sequence is another event when another process, or another run of it, sends it.
pub async fn producers_and_epochs_have_marks_of_their_own(store: &dyn EventStore) {
    let namespace = "frames-epochs";
    define(store, namespace).await;
    for (producer, epoch) in [("p", 1), ("p", 2), ("q", 1), ("p", u64::MAX), ("p", 0)] {
        let outcome =
            store.ingest_frame(namespace, frame(producer, epoch, 1, &units(1, 4)), NOW_US).await.unwrap();
        assert_eq!((outcome.accepted, outcome.mark), (4, 4));
    }
    assert_eq!(total(store, namespace, "use.count").await, ("20".into(), 20));
    assert_eq!(store.producers(namespace).await.unwrap().len(), 5);
}

/// Whoever sent it is not trusted with another's namespace.
pub async fn a_frame_that_says_another_namespace_is_refused(store: &dyn EventStore) {
    let namespace = "frames-namespace";
    define(store, namespace).await;
    let mut said = message("p", 1, 1, &units(1, 2));
    said.namespace = "other".into();
    let refused = store.ingest_frame(namespace, Frame::new(said.clone()).unwrap(), NOW_US).await;
    let (other, expected) = ("other".to_owned(), namespace.to_owned());
    assert_eq!(refused, Err(StoreError::OtherNamespace { said: other, expected }));
    said.namespace = namespace.into();
    assert_eq!(store.ingest_frame(namespace, Frame::new(said).unwrap(), NOW_US).await.unwrap().accepted, 2);
}

/// Twenty producers at once, each of which sends everything twice.
pub async fn frames_sent_at_the_same_time_all_count(store: &dyn EventStore) {
    let namespace = "frames-at-once";
    define(store, namespace).await;
    let send = async |producer: usize| {
        let mut sums = (0, 0);
        for part in 0..8_u64 {
            let first = part / 2 * 50 + 1;
            let samples = units(first, first + 49);
            let frame = frame(&format!("p{producer}"), 7, first, &samples);
            let outcome = store.ingest_frame(namespace, frame, NOW_US).await.unwrap();
            sums.0 += outcome.accepted;
            sums.1 += outcome.duplicate;
        }
        assert_eq!(sums, (200, 200));
    };
    futures::future::join_all((0..20).map(send)).await;
    assert_eq!(total(store, namespace, "use.sum").await, ((20 * 200 * 201 / 2).to_string(), 4_000));
    assert_eq!(ask(store, namespace, &today("use.count").by(&["model"])).await.len(), 1);
}
