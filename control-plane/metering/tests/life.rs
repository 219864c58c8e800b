//! What the embedded store has to live through: owners, closing, age, small memory, and a full disk.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use creto_event_store::conformance::{
    DAY_US, HOUR_US, MINUTE_US, NOW_US, ask, define, frame, sample, send, today, total,
};
use creto_event_store::{
    Acceptance, EmbeddedEventStore, EmbeddedOptions, Event, EventStore as _, MAX_FRAME_EVENTS, MeterQuery,
    NamedOutcome, RejectCode, StoreError, Window,
};

const NAMESPACE: &str = "life";

async fn open(folder: &Path, options: EmbeddedOptions) -> EmbeddedEventStore {
    EmbeddedEventStore::open(folder, options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_has_one_owner_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), EmbeddedOptions::default()).await;
    let second = EmbeddedEventStore::open(folder.path(), EmbeddedOptions::default()).await;
    assert_eq!(second.unwrap_err(), StoreError::InUse(folder.path().into()));
    define(&store, NAMESPACE).await;
    let clone = store.clone();
    store.close().await.unwrap();
    // Every clone is told.
    let late = clone.ingest_frame(NAMESPACE, frame("p", 1, 1, &[sample()]), NOW_US).await;
    assert!(matches!(late, Err(StoreError::Away(_))), "{late:?}");
    assert!(matches!(clone.close().await, Err(StoreError::Away(_))));
    let store = open(folder.path(), EmbeddedOptions::default()).await;
    assert_eq!(send(&store, NAMESPACE, 1, &[sample()]).await.accepted, 1);
    // Dropped without a word it lets go, too, and nothing is lost.
    drop(store);
    let store = open(folder.path(), EmbeddedOptions::default()).await;
    assert_eq!(total(&store, NAMESPACE, "use.count").await.1, 1);
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_clean_end_nothing_is_counted_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), EmbeddedOptions::default()).await;
    define(&store, NAMESPACE).await;
    send(&store, NAMESPACE, 1, &vec![sample().number("units", "2"); 500]).await;
    let named = vec![sample().named("shop", "1")];
    store.ingest_named(NAMESPACE, named.clone(), NOW_US).await.unwrap();
    store.close().await.unwrap();
    for _ in 0..3 {
        let store = open(folder.path(), EmbeddedOptions::default()).await;
        assert_eq!((store.recovery().replayed_records, store.recovery().torn.is_some()), (0, false));
        assert_eq!(total(&store, NAMESPACE, "use.sum").await, ("1000".into(), 500));
        assert_eq!(send(&store, NAMESPACE, 1, &vec![sample(); 500]).await.duplicate, 500);
        let again = store.ingest_named(NAMESPACE, named.clone(), NOW_US).await.unwrap();
        assert_eq!(again, vec![NamedOutcome::Duplicate]);
        store.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn options_out_of_range_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let good = EmbeddedOptions::default();
    let wrong = [
        EmbeddedOptions { segment_bytes: 1 << 20, ..good.clone() },
        EmbeddedOptions { retention_us: 35 * DAY_US, ..good.clone() },
        EmbeddedOptions { live_bytes: 10, ..good.clone() },
        EmbeddedOptions { acceptance: Acceptance { max_age_us: -1, max_ahead_us: 0 }, ..good },
    ];
    for wrong in wrong {
        let refused = EmbeddedEventStore::open(folder.path(), wrong).await;
        assert!(matches!(refused, Err(StoreError::Option { .. })), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_of_a_later_version_is_left_alone() {
    use sqlx::ConnectOptions as _;
    let folder = tempfile::tempdir().unwrap();
    open(folder.path(), EmbeddedOptions::default()).await.close().await.unwrap();
    let mut database = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(folder.path().join("events.db"))
        .connect()
        .await
        .unwrap();
    sqlx::query("INSERT INTO schema_migrations VALUES (99, 'later')").execute(&mut database).await.unwrap();
    drop(database);
    let refused = EmbeddedEventStore::open(folder.path(), EmbeddedOptions::default()).await.unwrap_err();
    assert!(matches!(refused, StoreError::NewerSchema { found: 99, known: 2, .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_sees_all_that_was_acknowledged_while_checkpoints_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions { checkpoint_every: Duration::ZERO, ..EmbeddedOptions::default() };
    let store = open(folder.path(), options).await;
    define(&store, NAMESPACE).await;
    let acknowledged = std::sync::atomic::AtomicU64::new(0);
    let order = std::sync::atomic::Ordering::SeqCst;
    let over = std::sync::atomic::AtomicBool::new(false);
    let sending = async {
        for part in 0..300 {
            let samples: Vec<_> = (0..20)
                .map(|n| sample().number("units", "1").agent(&format!("a{n}")).text("user", "u"))
                .collect();
            send(&store, NAMESPACE, part * 20 + 1, &samples).await;
            acknowledged.fetch_add(20, order);
            if part % 3 == 0 {
                let event = sample().number("units", "1").named("shop", &part.to_string());
                let twice = vec![event.clone(), event];
                let outcomes = store.ingest_named(NAMESPACE, twice, NOW_US).await.unwrap();
                assert_eq!(outcomes, vec![NamedOutcome::Accepted, NamedOutcome::Duplicate]);
                acknowledged.fetch_add(1, order);
            }
        }
        over.store(true, order);
    };
    let asking = async {
        let mut asked = 0;
        while !over.load(order) {
            let before = acknowledged.load(order);
            let values = store.query(NAMESPACE, &today("use.sum")).await.unwrap();
            let found = values.first().map_or(0, |value| value.events);
            // A frame and a named event may be in that are not acknowledged yet.
            assert!(found >= before && found <= acknowledged.load(order) + 21, "{found}, {before} before");
            asked += 1;
        }
        asked
    };
    let ((), asked) = futures::future::join(sending, asking).await;
    assert!(asked > 3, "{asked}");
    assert_eq!(total(&store, NAMESPACE, "use.sum").await, ("6100".into(), 6_100));
    assert_eq!(total(&store, NAMESPACE, "use.users").await.0, "1");
    for part in (0..300).step_by(3) {
        let event = sample().number("units", "1").named("shop", &part.to_string());
        let outcomes = store.ingest_named(NAMESPACE, vec![event], NOW_US).await.unwrap();
        assert_eq!(outcomes, vec![NamedOutcome::Duplicate]);
    }
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn little_memory_is_enough_for_many_series() {
    let folder = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions { live_bytes: 1 << 20, ..EmbeddedOptions::default() };
    let store = open(folder.path(), options).await;
    define(&store, NAMESPACE).await;
    // Several times what fits, and each series twice.
    for part in 0..8_u64 {
        let samples: Vec<_> = (0..2_000)
            .map(|n| sample().number("units", "1").agent(&format!("a{}", (part % 4) * 2_000 + n)))
            .collect();
        send(&store, NAMESPACE, part * 2_000 + 1, &samples).await;
    }
    assert_eq!(total(&store, NAMESPACE, "use.sum").await, ("16000".into(), 16_000));
    let by_agent = ask(&store, NAMESPACE, &today("use.count").by(&["agent"])).await;
    assert_eq!(by_agent.len(), 8_000);
    assert!(by_agent.iter().all(|value| value.events == 2));
    let one = ask(&store, NAMESPACE, &today("use.count").only("agent", "a4711").every(Window::Minute)).await;
    assert_eq!((one.len(), one[0].events), (1, 2));
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_of_many_segments_is_read_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions {
        segment_bytes: 8 << 20,
        checkpoint_every: Duration::from_secs(3_600),
        ..EmbeddedOptions::default()
    };
    let store = open(folder.path(), options.clone()).await;
    define(&store, NAMESPACE).await;
    let text = "x".repeat(1_000);
    let mut sent = 0;
    for part in 0..18_u64 {
        // Texts that all differ, so that a frame takes about two megabytes.
        let samples: Vec<_> = (0..2_000)
            .map(|n| sample().number("units", "1").text("note", &format!("{text}{part}{n}")))
            .collect();
        send(&store, NAMESPACE, sent + 1, &samples).await;
        sent += 2_000;
    }
    let segments = |folder: &Path| {
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
        files.filter(|name| name.to_string_lossy().ends_with(".events")).count()
    };
    assert!(segments(folder.path()) >= 4, "{}", segments(folder.path()));
    assert_eq!(total(&store, NAMESPACE, "use.sum").await, (sent.to_string(), sent));
    // As a crash leaves it: a copy, without the last checkpoint.
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        if file.file_name().to_string_lossy().ends_with(".events") {
            std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
    }
    store.close().await.unwrap();
    let store = open(copy.path(), options).await;
    assert_eq!(store.recovery().replayed_events, sent);
    assert_eq!(total(&store, NAMESPACE, "use.sum").await, (sent.to_string(), sent));
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_past_retention_go_and_rollups_stay() {
    let folder = tempfile::tempdir().unwrap();
    let acceptance = Acceptance { max_age_us: HOUR_US, max_ahead_us: MINUTE_US };
    let options = EmbeddedOptions { acceptance, retention_us: 2 * DAY_US, ..EmbeddedOptions::default() };
    let store = open(folder.path(), options.clone()).await;
    define(&store, NAMESPACE).await;
    send(&store, NAMESPACE, 1, &vec![sample().number("units", "1"); 10]).await;
    let old = sample().named("shop", "old");
    store.ingest_named(NAMESPACE, vec![old.clone()], NOW_US).await.unwrap();
    store.close().await.unwrap();
    let first = folder.path().join(format!("{:020}.events", 1));
    for days in 1..=3 {
        // Each start begins a segment.
        let store = open(folder.path(), options.clone()).await;
        let later = NOW_US + days * DAY_US;
        let event = sample().number("units", "1").at(later);
        let frame = frame("p", 2, days as u64, &[event]);
        assert_eq!(store.ingest_frame(NAMESPACE, frame, later).await.unwrap().accepted, 1);
        store.checkpoint().await.unwrap();
        assert_eq!(first.try_exists().unwrap(), days < 3, "after {days} days");
        let query = MeterQuery::new("use.sum", NOW_US, NOW_US + 10 * DAY_US).every(Window::Day);
        let values = store.query(NAMESPACE, &query).await.unwrap();
        assert_eq!(values.iter().map(|value| value.events).sum::<u64>(), 10 + days as u64);
        let recomputed = store.recompute(NAMESPACE, &query).await;
        if days < 3 {
            assert_eq!(recomputed.unwrap(), values);
        } else {
            assert_eq!(recomputed, Err(StoreError::Gone { before_us: NOW_US + 1 }));
            let mut each = |_: &Event, _: u64| ControlFlow::Continue(());
            assert!(store.scan(NAMESPACE, NOW_US, later, &mut each).await.is_err());
            store.scan(NAMESPACE, NOW_US + 1, later, &mut each).await.unwrap();
            // What is forgotten would be too old to come in again.
            let outcomes = store.ingest_named(NAMESPACE, vec![old.clone()], later).await.unwrap();
            assert!(matches!(outcomes[0], NamedOutcome::Rejected { code: RejectCode::TimeTooOld, .. }));
        }
        store.close().await.unwrap();
    }
}

/// A file system of its own, and gone at the end.
struct Small(tempfile::TempDir);

impl Small {
    fn mount(option: &str, folder: &Path) {
        let done =
            Command::new("mount").args(["-t", "tmpfs", "-o", option, "creto-test"]).arg(folder).status();
        assert!(done.unwrap().success(), "this test mounts a small file system: run it as root");
    }

    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::mount("size=24m", folder.path());
        Self(folder)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_said_loses_nothing_and_is_got_over() {
    let disk = Small::new();
    let folder = disk.0.path().join("events");
    let options = EmbeddedOptions {
        segment_bytes: 8 << 20,
        checkpoint_every: Duration::from_millis(300),
        ..EmbeddedOptions::default()
    };
    let store = open(&folder, options.clone()).await;
    define(&store, NAMESPACE).await;
    let text = "x".repeat(1_000);
    let samples = |first: u64| -> Vec<_> {
        (first..first + 500)
            .map(|n| sample().number("units", &n.to_string()).text("note", &format!("{text}{n}")))
            .collect()
    };
    let mut sent = 0;
    let refused = loop {
        let frame = frame("p", 1, sent + 1, &samples(sent + 1));
        match store.ingest_frame(NAMESPACE, frame, NOW_US).await {
            Ok(outcome) => sent = outcome.mark,
            Err(error) => break error,
        }
        assert!(sent < 100_000, "24 MiB hold no more");
    };
    assert!(matches!(refused, StoreError::DiskFull(_)), "{refused}");
    assert!(sent > 1_000, "{sent}");
    // Again and again, and what was acknowledged is still there.
    for _ in 0..5 {
        let frame = frame("p", 1, sent + 1, &samples(sent + 1));
        let refused = store.ingest_frame(NAMESPACE, frame, NOW_US).await;
        assert!(matches!(refused, Err(StoreError::DiskFull(_))), "{refused:?}");
    }
    let sum = |n: u64| (n * (n + 1) / 2).to_string();
    assert_eq!(total(&store, NAMESPACE, "use.sum").await, (sum(sent), sent));
    Small::mount("remount,size=96m", disk.0.path());
    for _ in 0..4 {
        let frame = frame("p", 1, sent + 1, &samples(sent + 1));
        sent = store.ingest_frame(NAMESPACE, frame, NOW_US).await.unwrap().mark;
    }
    store.checkpoint().await.unwrap();
    assert_eq!(total(&store, NAMESPACE, "use.sum").await, (sum(sent), sent));
    store.close().await.unwrap();
    let store = open(&folder, options).await;
    assert_eq!(total(&store, NAMESPACE, "use.sum").await, (sum(sent), sent));
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_beyond_the_bounds_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), EmbeddedOptions::default()).await;
    define(&store, NAMESPACE).await;
    let event = sample().named("shop", "1");
    let refused = store.ingest_named(NAMESPACE, vec![event; MAX_FRAME_EVENTS + 1], NOW_US).await;
    assert_eq!(refused, Err(StoreError::TooMany { found: MAX_FRAME_EVENTS + 1, most: MAX_FRAME_EVENTS }));
    let large = sample().text("note", &"x".repeat(1_000));
    let events = (0..8_000).map(|n| large.named("shop", &n.to_string())).collect();
    let refused = store.ingest_named(NAMESPACE, events, NOW_US).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "{refused:?}");
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_cannot_be_written_is_said_and_got_over() {
    use sqlx::ConnectOptions as _;
    let folder = tempfile::tempdir().unwrap();
    let checkpoint_every = Duration::from_secs(3_600);
    let options = EmbeddedOptions { live_bytes: 1 << 20, checkpoint_every, ..EmbeddedOptions::default() };
    let store = open(folder.path(), options.clone()).await;
    define(&store, NAMESPACE).await;
    let mut other = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(folder.path().join("events.db"))
        .connect()
        .await
        .unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let frame_from = |first: u64| {
        let samples: Vec<_> =
            (first..first + 3_000).map(|n| sample().agent(&format!("a{n}")).number("units", "1")).collect();
        frame("p", 1, first, &samples)
    };
    let mut sent = 0;
    let refused = loop {
        match store.ingest_frame(NAMESPACE, frame_from(sent + 1), NOW_US).await {
            Ok(outcome) => sent = outcome.mark,
            Err(error) => break error,
        }
        assert!(sent < 300_000, "memory is bounded");
    };
    assert!(refused.to_string().contains("locked"), "{refused}");
    assert!(sent >= 6_000, "{sent}");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    drop(other);
    for _ in 0..400 {
        match store.ingest_frame(NAMESPACE, frame_from(sent + 1), NOW_US).await {
            Ok(outcome) => {
                sent = outcome.mark;
                break;
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    assert_eq!(send(&store, NAMESPACE, sent + 1, &[sample().number("units", "1")]).await.accepted, 1);
    assert_eq!(total(&store, NAMESPACE, "use.sum").await, ((sent + 1).to_string(), sent + 1));
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_ends_while_the_database_cannot_be_written_and_memory_is_full() {
    use sqlx::ConnectOptions as _;
    let folder = tempfile::tempdir().unwrap();
    let checkpoint_every = Duration::from_secs(3_600);
    let options = EmbeddedOptions { live_bytes: 1 << 20, checkpoint_every, ..EmbeddedOptions::default() };
    let store = open(folder.path(), options.clone()).await;
    define(&store, NAMESPACE).await;
    let mut other = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(folder.path().join("events.db"))
        .connect()
        .await
        .unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let mut sent = 0;
    loop {
        let samples: Vec<_> =
            (sent..sent + 3_000).map(|n| sample().agent(&format!("a{n}")).number("units", "1")).collect();
        match store.ingest_frame(NAMESPACE, frame("p", 1, sent + 1, &samples), NOW_US).await {
            Ok(outcome) => sent = outcome.mark,
            Err(_) => break,
        }
    }
    let began = std::time::Instant::now();
    store.close().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    drop(other);
    let store = open(folder.path(), options).await;
    assert_eq!(total(&store, NAMESPACE, "use.sum").await, (sent.to_string(), sent));
    store.close().await.unwrap();
}
