//! The log cut at every byte, and with bits flipped: what is left is a prefix of what was acknowledged, and damage is said.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use creto_event_store::conformance::{NOW_US, ask, define, sample, send, today};
use creto_event_store::{
    EmbeddedEventStore, EmbeddedOptions, Event, EventId, EventStore as _, NamedOutcome, StoreError,
};

const NAMESPACE: &str = "damage";
/// Writes, and events of each.
const WRITES: u64 = 6;
const EVENTS: u64 = 3;

fn options() -> EmbeddedOptions {
    // Nothing of it is in the database.
    let checkpoint_every = std::time::Duration::from_secs(3_600);
    EmbeddedOptions { segment_bytes: 8 << 20, checkpoint_every, ..EmbeddedOptions::default() }
}

fn segment(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.events"))
}

/// A log of a few small writes, as a crash would leave it; and where each ends.
async fn small_log(folder: &Path) -> (Vec<u8>, Vec<usize>) {
    let store = EmbeddedEventStore::open(folder, options()).await.unwrap();
    define(&store, NAMESPACE).await;
    let mut ends = vec![];
    for write in 0..WRITES {
        let samples = vec![sample().number("units", "1"); EVENTS as usize];
        send(&store, NAMESPACE, write * EVENTS + 1, &samples).await;
        let bytes = std::fs::read(segment(folder, 1)).unwrap();
        ends.push(bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1);
    }
    let bytes = std::fs::read(segment(folder, 1)).unwrap();
    store.close().await.unwrap();
    let end = ends[ends.len() - 1].next_multiple_of(8);
    (bytes[..end].to_vec(), ends)
}

/// Opens a folder that holds only this segment.
async fn open(
    bytes: &[u8],
    options: EmbeddedOptions,
) -> (tempfile::TempDir, Result<EmbeddedEventStore, StoreError>) {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    std::fs::write(segment(folder.path(), 1), bytes).unwrap();
    let store = EmbeddedEventStore::open(folder.path(), options).await;
    (folder, store)
}

/// The sequences that are there, which the mark, the rollups and the account agree with.
async fn there(store: &EmbeddedEventStore) -> u64 {
    let mut sequences = vec![];
    let mut each = |event: &Event, _: u64| {
        let EventId::Sequenced { sequence, .. } = event.id else { panic!("{event:?}") };
        sequences.push(sequence);
        ControlFlow::Continue(())
    };
    store.scan(NAMESPACE, 0, NOW_US + 1, &mut each).await.unwrap();
    let count = sequences.len() as u64;
    assert!(sequences.into_iter().eq(1..=count), "not a prefix");
    let accounts = store.producers(NAMESPACE).await.unwrap();
    assert_eq!(accounts.first().map_or(0, |account| account.highest_sequence), count);
    let has_meters = store.meters(NAMESPACE).await.unwrap().iter().any(|meter| &*meter.name == "use.users");
    if has_meters {
        let values = store.query(NAMESPACE, &today("use.sum")).await.unwrap();
        assert_eq!(values.first().map_or(0, |value| value.events), count);
    }
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_cut_at_any_byte_leaves_whole_writes() {
    let folder = tempfile::tempdir().unwrap();
    let (bytes, ends) = small_log(folder.path()).await;
    // Every byte of the last two writes, and every eleventh before.
    let dense = ends[ends.len() - 3];
    for cut in (0..dense).step_by(11).chain(dense..=bytes.len()) {
        for zeros in [0, 4_096] {
            let mut left = bytes[..cut].to_vec();
            left.resize(cut + zeros, 0);
            let (_folder, store) = open(&left, options()).await;
            if cut > 0 && cut < 32 {
                // Not even the header: nothing was ever acknowledged from it, or all of it is said to be damaged.
                if let Err(error) = store {
                    assert!(matches!(error, StoreError::Damaged { .. }), "cut at {cut}: {error}");
                }
                continue;
            }
            let store = store.unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
            // What fills a record up to a multiple of eight may be cut, if there are zeros behind it.
            let is_whole = |end: &&usize| **end <= cut && end.next_multiple_of(8) <= cut + zeros;
            let whole = ends.iter().filter(is_whole).count() as u64;
            assert_eq!(there(&store).await, whole * EVENTS, "cut at {cut}");
            // It goes on from there.
            if whole > 0 && cut % 7 == 0 {
                let next = send(&store, NAMESPACE, whole * EVENTS + 1, &[sample()]).await;
                assert_eq!(next.accepted, 1);
            }
            store.close().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_is_said_and_never_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (bytes, ends) = small_log(folder.path()).await;
    let last_write = ends[ends.len() - 2].next_multiple_of(8);
    // A bit of every fifth byte, another one each time; and every bit of one record's header.
    let spread = (0..bytes.len()).step_by(5).map(|at| at * 8 + at % 8);
    let header = ends[2].next_multiple_of(8);
    for bit in spread.chain(header * 8..(header + 56) * 8) {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let (_folder, store) = open(&damaged, options()).await;
        if bit / 8 < last_write {
            // Acknowledged data behind it shows that it was acknowledged, too.
            match store {
                Err(StoreError::Damaged { segment, offset, what }) => {
                    assert!(segment.ends_with("00000000000000000001.events") && !what.is_empty());
                    assert!(offset as usize <= bit / 8, "bit {bit} was said to be at {offset}");
                }
                Err(error) => panic!("bit {bit}: {error}"),
                Ok(_) => panic!("bit {bit} went unnoticed"),
            }
        } else {
            // The last write: it cannot be told from one that was not finished, is cut off, and said.
            let store = store.unwrap_or_else(|error| panic!("bit {bit}: {error}"));
            let torn = store.recovery().torn.as_ref().unwrap_or_else(|| panic!("bit {bit} went unnoticed"));
            assert!(torn.offset as usize >= ends[ends.len() - 2]);
            assert_eq!(there(&store).await, (WRITES - 1) * EVENTS);
            store.close().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_skip_what_is_damaged_the_rest_counts() {
    let folder = tempfile::tempdir().unwrap();
    let (mut bytes, ends) = small_log(folder.path()).await;
    let middle = (ends[2].next_multiple_of(8) + ends[3]) / 2;
    bytes[middle] ^= 0x10;
    let (folder, refused) = open(&bytes, options()).await;
    let refused = refused.unwrap_err();
    assert!(refused.to_string().contains("--skip-damaged"), "{refused}");
    let skipping = EmbeddedOptions { skip_damaged: true, ..options() };
    let store = EmbeddedEventStore::open(folder.path(), skipping.clone()).await.unwrap();
    let recovery = store.recovery().clone();
    assert_eq!(recovery.damage.len(), 1, "{recovery:?}");
    assert_eq!(recovery.damage[0].offset as usize, ends[2].next_multiple_of(8));
    // The write in the middle is lost, the mark is that of the last, and rollups equal what is there.
    let values = ask(&store, NAMESPACE, &today("use.sum")).await;
    assert_eq!(values[0].events, (WRITES - 1) * EVENTS);
    let account = store.producers(NAMESPACE).await.unwrap().remove(0);
    assert_eq!((account.highest_sequence, account.accepted), (WRITES * EVENTS, (WRITES - 1) * EVENTS));
    store.close().await.unwrap();
    // Once it is counted, start does not read it again; reading the events does.
    let store = EmbeddedEventStore::open(folder.path(), options()).await.unwrap();
    assert!(store.recovery().damage.is_empty());
    let refused = store.recompute(NAMESPACE, &today("use.sum")).await;
    assert!(matches!(refused, Err(StoreError::Damaged { .. })), "{refused:?}");
    assert_eq!(store.query(NAMESPACE, &today("use.sum")).await.unwrap(), values);
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_data_that_is_gone_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let (bytes, _) = small_log(folder.path()).await;
    // The checkpoint of closing says how much there was.
    std::fs::write(segment(folder.path(), 1), &bytes[..bytes.len() - 8]).unwrap();
    let refused = EmbeddedEventStore::open(folder.path(), options()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
    std::fs::remove_file(segment(folder.path(), 1)).unwrap();
    let refused = EmbeddedEventStore::open(folder.path(), options()).await.unwrap_err();
    assert!(refused.to_string().contains("missing"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_missing_between_others_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let mut copies = vec![];
    for run in 0..3_u64 {
        let store = EmbeddedEventStore::open(folder.path(), options()).await.unwrap();
        define(&store, NAMESPACE).await;
        send(&store, NAMESPACE, run * 2 + 1, &[sample(), sample()]).await;
        copies.push((run + 1, std::fs::read(segment(folder.path(), run + 1)).unwrap()));
        store.close().await.unwrap();
    }
    let events = |store: EmbeddedEventStore| async move {
        let values = ask(&store, NAMESPACE, &today("use.count")).await;
        store.close().await.unwrap();
        values[0].events
    };
    for missing in [0, 1, 2, 3] {
        let folder = tempfile::tempdir().unwrap();
        for (number, bytes) in copies.iter().filter(|(number, _)| *number != missing) {
            std::fs::write(segment(folder.path(), *number), bytes).unwrap();
        }
        let opened = EmbeddedEventStore::open(folder.path(), options()).await;
        match missing {
            0 => assert_eq!(events(opened.unwrap()).await, 6),
            // The end of a log that no database speaks of cannot be missed.
            3 => assert_eq!(events(opened.unwrap()).await, 4),
            _ => assert!(matches!(opened, Err(StoreError::Damaged { .. })), "{missing}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_lost_is_made_again_from_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedEventStore::open(folder.path(), options()).await.unwrap();
    define(&store, NAMESPACE).await;
    send(&store, NAMESPACE, 1, &vec![sample().number("units", "3").text("user", "u"); 100]).await;
    let named = vec![sample().number("units", "4").named("shop", "1")];
    store.ingest_named(NAMESPACE, named.clone(), NOW_US).await.unwrap();
    let before = (ask(&store, NAMESPACE, &today("use.sum")).await, store.producers(NAMESPACE).await.unwrap());
    store.close().await.unwrap();
    for name in ["events.db", "events.db-wal", "events.db-shm"] {
        let _ = std::fs::remove_file(folder.path().join(name));
    }
    let store = EmbeddedEventStore::open(folder.path(), options()).await.unwrap();
    assert_eq!(store.recovery().replayed_events, 101);
    let after = (ask(&store, NAMESPACE, &today("use.sum")).await, store.producers(NAMESPACE).await.unwrap());
    assert_eq!(before, after);
    assert_eq!(send(&store, NAMESPACE, 51, &vec![sample(); 60]).await.accepted, 10);
    let outcomes = store.ingest_named(NAMESPACE, named, NOW_US).await.unwrap();
    assert_eq!(outcomes, vec![NamedOutcome::Duplicate]);
    store.close().await.unwrap();
}

/// Three runs of a store, a segment each; the database knows how the first two ended.
async fn three_runs(folder: &Path, units: &str) {
    for run in 0..3_u64 {
        let store = EmbeddedEventStore::open(folder, options()).await.unwrap();
        define(&store, NAMESPACE).await;
        let samples = [sample().number("units", units), sample()];
        send(&store, NAMESPACE, run * 2 + 1, &samples).await;
        store.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_that_was_sealed_and_is_shorter_or_gone_is_missed_at_start() {
    let folder = tempfile::tempdir().unwrap();
    three_runs(folder.path(), "1").await;
    let skipping = EmbeddedOptions { skip_damaged: true, ..options() };
    for number in [1, 2] {
        let path = segment(folder.path(), number);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 8]).unwrap();
        let refused = EmbeddedEventStore::open(folder.path(), options()).await.unwrap_err();
        let StoreError::Damaged { segment, what, .. } = &refused else { panic!("{refused}") };
        assert!(*segment == path && what.contains("acknowledged"), "{refused}");
        std::fs::remove_file(&path).unwrap();
        let refused = EmbeddedEventStore::open(folder.path(), options()).await.unwrap_err();
        let StoreError::Damaged { segment, what, .. } = &refused else { panic!("{refused}") };
        assert!(*segment == path && what.contains("missing"), "{refused}");
        let store = EmbeddedEventStore::open(folder.path(), skipping.clone()).await.unwrap();
        assert_eq!(store.recovery().damage.len(), 1);
        store.close().await.unwrap();
        std::fs::write(&path, &bytes).unwrap();
    }
    EmbeddedEventStore::open(folder.path(), options()).await.unwrap().close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_that_is_another_one_is_noticed_by_its_checksum() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    three_runs(folder.path(), "1").await;
    three_runs(other.path(), "2").await;
    let read = async || {
        let store = EmbeddedEventStore::open(folder.path(), options()).await.unwrap();
        let read = store.recompute(NAMESPACE, &today("use.sum")).await;
        // The second time it is not compared again, and says the same.
        assert_eq!(store.recompute(NAMESPACE, &today("use.sum")).await, read);
        store.close().await.unwrap();
        read
    };
    assert_eq!(read().await.unwrap()[0].value.to_i64(), Some(3));
    let [mine, theirs] = [&folder, &other].map(|folder| std::fs::read(segment(folder.path(), 2)).unwrap());
    assert!(mine.len() == theirs.len() && mine != theirs);
    std::fs::write(segment(folder.path(), 2), theirs).unwrap();
    let refused = read().await.unwrap_err();
    assert!(refused.to_string().contains("checksum"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_that_cannot_be_read_is_kept_for_the_operator() {
    let folder = tempfile::tempdir().unwrap();
    three_runs(folder.path(), "1").await;
    for name in ["events.db", "events.db-wal", "events.db-shm"] {
        let _ = std::fs::remove_file(folder.path().join(name));
    }
    let path = segment(folder.path(), 2);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[9] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    EmbeddedEventStore::open(folder.path(), options()).await.unwrap_err();
    let skipping = EmbeddedOptions { skip_damaged: true, ..options() };
    for _ in 0..3 {
        let store = EmbeddedEventStore::open(folder.path(), skipping.clone()).await.unwrap();
        let values = ask(&store, NAMESPACE, &today("use.count")).await;
        assert_eq!(values[0].events, 4);
        store.checkpoint().await.unwrap();
        store.close().await.unwrap();
        assert_eq!(std::fs::read(path.with_extension("events.damaged")).unwrap(), bytes);
    }
    // What is known to be lost keeps nobody from starting.
    EmbeddedEventStore::open(folder.path(), options()).await.unwrap().close().await.unwrap();
}
