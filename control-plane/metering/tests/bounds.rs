//! What the embedded store holds at most: epochs over a restart, bytes of a namespace and of all.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::path::Path;
use std::time::Duration;

use creto_event_store::conformance::{
    DAY_US, EPOCHS, HOUR_US, MINUTE_US, NOW_US, SERIES, Sample, assert_the_rest_is_other, define,
    fill_epochs, frame, retire_first, sample, send_many_series, send_retired_again, total,
};
use creto_event_store::{
    Acceptance, EmbeddedEventStore, EmbeddedOptions, EventStore as _, RejectCode, StoreError,
};

const NAMESPACE: &str = "bounds";

fn options() -> EmbeddedOptions {
    let checkpoint_every = Duration::from_secs(3_600);
    EmbeddedOptions { epochs: EPOCHS, segment_bytes: 8 << 20, checkpoint_every, ..EmbeddedOptions::default() }
}

async fn open(folder: &Path, options: EmbeddedOptions) -> EmbeddedEventStore {
    EmbeddedEventStore::open(folder, options).await.unwrap()
}

/// As a crash leaves it that takes the database, too.
fn copy_log(from: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        if file.file_name().to_string_lossy().ends_with(".events") {
            std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
    }
    copy
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retired_epoch_counts_once_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), options()).await;
    define(&store, NAMESPACE).await;
    fill_epochs(&store, NAMESPACE).await;
    store.checkpoint().await.unwrap();
    retire_first(&store, NAMESPACE).await;
    let accounts = store.producers(NAMESPACE).await.unwrap();
    let copy = copy_log(folder.path());
    store.close().await.unwrap();
    for folder in [folder.path(), copy.path()] {
        let store = open(folder, options()).await;
        assert_eq!(store.producers(NAMESPACE).await.unwrap(), accounts);
        send_retired_again(&store, NAMESPACE).await;
        store.close().await.unwrap();
        // And once more: what was begun since knows it.
        let store = open(folder, options()).await;
        let later = NOW_US + HOUR_US;
        let late = vec![sample().number("units", "1"); 2];
        let outcome = store.ingest_frame(NAMESPACE, frame("p", 1, 5, &late), later).await.unwrap();
        let codes: Vec<RejectCode> = outcome.rejected.iter().map(|event| event.code).collect();
        assert_eq!((outcome.accepted, codes), (0, vec![RejectCode::EpochRetired; 2]));
        store.close().await.unwrap();
    }
}

/// About 100 KB, each another.
fn large(first: u64) -> Vec<Sample> {
    let note = "x".repeat(900);
    (first..first + 100).map(|n| sample().number("units", "1").text("note", &format!("{note}{n}"))).collect()
}

/// Sends until it is refused: the mark, and why.
async fn fill(store: &EmbeddedEventStore, namespace: &str, mut mark: u64) -> (u64, StoreError) {
    loop {
        let frame = frame("p", 1, mark + 1, &large(mark + 1));
        match store.ingest_frame(namespace, frame, NOW_US).await {
            Ok(outcome) => mark = outcome.mark,
            Err(error) => return (mark, error),
        }
        assert!(mark < 100_000, "there is a bound");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_that_has_its_share_leaves_others_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let acceptance = Acceptance { max_age_us: HOUR_US, max_ahead_us: MINUTE_US };
    let options =
        EmbeddedOptions { acceptance, retention_us: 2 * DAY_US, namespace_bytes: 1 << 20, ..options() };
    let store = open(folder.path(), options.clone()).await;
    define(&store, NAMESPACE).await;
    let (mark, refused) = fill(&store, NAMESPACE, 0).await;
    assert!(matches!(refused, StoreError::Full { most: 1_048_576, .. }), "{refused}");
    assert!((800..=1_200).contains(&mark), "{mark}");
    let copy = copy_log(folder.path());
    // Others go on; what is there is known when it is sent again, and leaves nothing behind.
    define(&store, "other").await;
    assert_eq!(fill(&store, "other", 0).await.0, mark);
    let again = frame("p", 1, 1, &large(1));
    assert_eq!(store.ingest_frame(NAMESPACE, again, NOW_US).await.unwrap().duplicate, 100);
    let named = store.ingest_named(NAMESPACE, vec![large(1)[0].named("shop", "1"); 100], NOW_US).await;
    assert!(named.is_ok() || matches!(named, Err(StoreError::Full { .. })), "{named:?}");
    store.close().await.unwrap();
    // It is known after a restart, from the database and from the log.
    for folder in [folder.path(), copy.path()] {
        let store = open(folder, options.clone()).await;
        assert_eq!(fill(&store, NAMESPACE, mark).await, (mark, refused.clone()));
        assert_eq!(total(&store, NAMESPACE, "use.sum").await.1 / 100 * 100, mark);
        store.close().await.unwrap();
    }
    // Once they are past retention there is room again.
    let later = NOW_US + 4 * DAY_US;
    let store = open(folder.path(), options).await;
    let next = frame("q", 1, 1, &[sample().at(later)]);
    store.ingest_frame("other-still", next, later).await.unwrap();
    store.checkpoint().await.unwrap();
    let next = frame("p", 1, mark + 1, &[sample().at(later)]);
    assert_eq!(store.ingest_frame(NAMESPACE, next, later).await.unwrap().accepted, 1);
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_together_take_no_more_than_they_may() {
    let folder = tempfile::tempdir().unwrap();
    let disk_bytes = 40 << 20;
    let options = EmbeddedOptions { disk_bytes, namespace_bytes: disk_bytes, ..options() };
    let store = open(folder.path(), options.clone()).await;
    define(&store, NAMESPACE).await;
    let (mark, refused) = fill(&store, NAMESPACE, 0).await;
    assert!(matches!(refused, StoreError::Full { most, .. } if most == disk_bytes), "{refused}");
    assert!(mark > 20_000, "{mark}");
    let files = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
    let taken: u64 = files.sum();
    assert!((24 << 20..=disk_bytes).contains(&taken), "{taken}");
    assert_eq!(total(&store, NAMESPACE, "use.sum").await, (mark.to_string(), mark));
    store.close().await.unwrap();
    let store = open(folder.path(), options).await;
    assert_eq!(total(&store, NAMESPACE, "use.sum").await, (mark.to_string(), mark));
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn series_that_are_not_kept_apart_count_as_other_however_often_it_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions { series: SERIES, ..options() };
    let store = open(folder.path(), options.clone()).await;
    send_many_series(&store, NAMESPACE).await;
    store.checkpoint().await.unwrap();
    assert_the_rest_is_other(&store, NAMESPACE).await;
    let copy = copy_log(folder.path());
    store.close().await.unwrap();
    // From the database, and counted again from the log.
    for folder in [folder.path(), copy.path()] {
        let store = open(folder, options.clone()).await;
        store.checkpoint().await.unwrap();
        assert_the_rest_is_other(&store, NAMESPACE).await;
        store.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_frames_of_which_nothing_is_taken_in_only_the_mark_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), options()).await;
    define(&store, NAMESPACE).await;
    let segment = folder.path().join(format!("{:020}.events", 1));
    let end = || std::fs::read(&segment).unwrap().iter().rposition(|byte| *byte != 0).unwrap();
    let before = end();
    let unknown: Vec<Sample> = large(1).into_iter().map(|sample| sample.of("unheard-of")).collect();
    let outcome = store.ingest_frame(NAMESPACE, frame("p", 1, 1, &unknown), NOW_US).await.unwrap();
    assert_eq!((outcome.mark, outcome.accepted, outcome.rejected.len()), (100, 0, 100));
    let old = vec![sample().at(1), sample().of("unheard-of")];
    store.ingest_frame(NAMESPACE, frame("p", 1, 100, &[&unknown[..1], &old].concat()), NOW_US).await.unwrap();
    assert!(end() - before < 512, "{} bytes", end() - before);
    let accounts = store.producers(NAMESPACE).await.unwrap();
    let account = &accounts[0];
    assert_eq!(
        (account.highest_sequence, account.sent, account.duplicate, account.rejected),
        (102, 103, 1, 102)
    );
    let copy = copy_log(folder.path());
    store.close().await.unwrap();
    for folder in [folder.path(), copy.path()] {
        let store = open(folder, options()).await;
        assert_eq!(store.producers(NAMESPACE).await.unwrap(), accounts);
        let again = store.ingest_frame(NAMESPACE, frame("p", 1, 1, &unknown), NOW_US).await.unwrap();
        assert_eq!((again.mark, again.duplicate), (102, 100));
        let next = store.ingest_frame(NAMESPACE, frame("p", 1, 103, &[sample()]), NOW_US).await.unwrap();
        assert_eq!(next.accepted, 1);
        store.close().await.unwrap();
    }
}
