//! A disk that does not take what it is given: a sync fails, the kernel calls what it could not write clean, and reads it
//! from memory as if it were on disk. Nothing that start finds there is believed before it is on disk.
//!
//! The disk is a file system in a file on a small file system that is full: root and loop devices are needed.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use creto_event_store::conformance::{NOW_US, define, frame, sample, send, total};
use creto_event_store::{EmbeddedEventStore, EmbeddedOptions, EventStore as _, StoreError};

const NAMESPACE: &str = "lost";
/// About three megabytes: what is written in one piece may be said to be written when only its beginning is.
const EVENTS: u64 = 3_200;

fn run(program: &str, arguments: &[&str]) {
    let done = Command::new(program).args(arguments).output().unwrap();
    assert!(done.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A disk that is full below, and does not know.
struct Thin {
    below: tempfile::TempDir,
    mounted: PathBuf,
}

impl Thin {
    fn new() -> Self {
        let below = tempfile::tempdir().unwrap();
        let mounted = below.path().join("disk");
        let disk = Self { mounted, below };
        run("mount", &["-t", "tmpfs", "-o", "size=40m", "creto-test", disk.text(disk.below.path())]);
        std::fs::create_dir(&disk.mounted).unwrap();
        let image = std::fs::File::create(disk.image()).unwrap();
        image.set_len(96 << 20).unwrap();
        // Blocks as large as pages below: one is there whole, or not at all.
        let plain = ["-q", "-b", "4096", "-O", "^has_journal", "-E", "lazy_itable_init=0"];
        run("mkfs.ext4", &[&plain[..], &[disk.text(&disk.image())]].concat());
        disk.mount();
        disk
    }

    #[allow(clippy::unused_self, reason = "reads as what it belongs to")]
    fn text<'p>(&self, path: &'p Path) -> &'p str {
        path.to_str().unwrap()
    }

    fn image(&self) -> PathBuf {
        self.below.path().join("image")
    }

    fn mount(&self) {
        run("mount", &["-o", "loop", self.text(&self.image()), self.text(&self.mounted)]);
    }

    /// What was only in memory is gone afterwards.
    fn mount_again(&self) {
        run("umount", &[self.text(&self.mounted)]);
        self.mount();
    }

    /// Takes all room that is left below.
    fn fill(&self) {
        run("sync", &["-f", self.text(&self.mounted)]);
        let mut ballast = std::fs::File::create(self.below.path().join("ballast")).unwrap();
        let block = vec![1; 1 << 16];
        while ballast.write_all(&block).is_ok() {}
    }

    fn empty(&self) {
        std::fs::remove_file(self.below.path().join("ballast")).unwrap();
    }
}

impl Drop for Thin {
    fn drop(&mut self) {
        for folder in [&*self.mounted, self.below.path()] {
            let _ = Command::new("umount").arg("-l").arg(folder).status();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_failed_sync_left_in_memory_is_on_disk_before_it_counts() {
    let disk = Thin::new();
    let folder = disk.mounted.join("events");
    let options = EmbeddedOptions {
        segment_bytes: 8 << 20,
        checkpoint_every: Duration::from_secs(3_600),
        ..EmbeddedOptions::default()
    };
    let store = EmbeddedEventStore::open(&folder, options.clone()).await.unwrap();
    define(&store, NAMESPACE).await;
    send(&store, NAMESPACE, 1, &vec![sample().number("units", "1"); 10]).await;
    store.checkpoint().await.unwrap();
    disk.fill();
    let text = "x".repeat(900);
    let samples: Vec<_> =
        (0..EVENTS).map(|n| sample().number("units", "1").text("note", &format!("{text}{n}"))).collect();
    let lost = store.ingest_frame(NAMESPACE, frame("p", 1, 11, &samples), NOW_US).await.unwrap_err();
    assert!(matches!(&lost, StoreError::Away(why) if why.contains("starts again")), "{lost}");
    // Nothing more is taken in by this process.
    let refused = store.ingest_frame(NAMESPACE, frame("p", 1, 11, &samples), NOW_US).await;
    assert!(matches!(refused, Err(StoreError::Away(_))), "{refused:?}");
    disk.empty();
    store.close().await.unwrap();
    let store = EmbeddedEventStore::open(&folder, options.clone()).await.unwrap();
    // It may or may not be there: nobody was told that it is.
    let found = total(&store, NAMESPACE, "use.sum").await;
    assert!([10, 10 + EVENTS].contains(&found.1), "{found:?}");
    assert_eq!(found.1 - 10, store.recovery().replayed_events);
    let again = store.ingest_frame(NAMESPACE, frame("p", 1, 11, &samples), NOW_US).await.unwrap();
    assert_eq!(again.accepted + again.duplicate, EVENTS);
    store.close().await.unwrap();
    disk.mount_again();
    let store = EmbeddedEventStore::open(&folder, options).await.unwrap();
    assert_eq!(total(&store, NAMESPACE, "use.sum").await, ((10 + EVENTS).to_string(), 10 + EVENTS));
    store.close().await.unwrap();
}
