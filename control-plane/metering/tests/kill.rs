//! A process that takes events in is killed at random points, again and again: what it acknowledged is there, once.
//!
//! `CRETO_KILLS` says how often (30 unless told otherwise).
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]
#![allow(clippy::print_stdout, reason = "what was killed is printed")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use creto_event_store::conformance::{NOW_US, ask, today};
use creto_event_store::{EmbeddedEventStore, EmbeddedOptions, Event, EventId, EventStore as _};

const NAMESPACE: &str = "killed";
const PRODUCERS: u64 = 4;

/// The example that is killed: Cargo builds it before the tests, beside them.
fn child() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples/ingest-child");
    assert!(path.try_exists().unwrap(), "{} is missing: build the examples", path.display());
    path
}

/// Runs it for a while, kills it, and takes in what it said.
fn run(folder: &Path, lifetime: Duration, marks: &mut BTreeMap<u64, u64>, named: &mut u64) {
    let mut child = Command::new(child())
        .arg(folder)
        .args([PRODUCERS.to_string(), "40".into(), "25".into()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.lines() {
                // The last line may be cut.
                let Ok(line) = line else { break };
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        receiver
    })
    .join()
    .unwrap();
    let first = reader.recv_timeout(Duration::from_secs(30)).unwrap();
    assert!(first.starts_with("open "), "{first}");
    let until = std::time::Instant::now() + lifetime;
    let mut said = vec![];
    loop {
        let left = until.saturating_duration_since(std::time::Instant::now());
        match reader.recv_timeout(left) {
            Ok(line) => said.push(line),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => break,
            Err(error) => panic!("it ended by itself: {error}"),
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    said.extend(reader.iter());
    for line in said {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["ack", producer, mark] => {
                let (producer, mark) = (producer.parse().unwrap(), mark.parse::<u64>().unwrap());
                let known: &mut u64 = marks.entry(producer).or_default();
                *known = mark.max(*known);
            }
            ["named", id] => *named = (id.parse::<u64>().unwrap() + 1).max(*named),
            _ => panic!("{line}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_once_after_kills_at_random_points() {
    let folder = tempfile::tempdir().unwrap();
    let kills: u64 = std::env::var("CRETO_KILLS").map_or(30, |kills| kills.parse().unwrap());
    let (mut marks, mut named) = (BTreeMap::new(), 0);
    let mut random = u64::from(std::process::id()) << 32 | 1;
    let (mut replayed, mut torn) = (0, 0);
    for kill in 0..kills {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let lifetime = Duration::from_micros((random >> 33) % 120_000);
        let path = folder.path().to_owned();
        (marks, named) = tokio::task::spawn_blocking(move || {
            run(&path, lifetime, &mut marks, &mut named);
            (marks, named)
        })
        .await
        .unwrap();
        // Between some of them is looked, not only at the end.
        if kill % 5 == 4 || kill + 1 == kills {
            let store = EmbeddedEventStore::open(folder.path(), EmbeddedOptions::default()).await.unwrap();
            replayed += store.recovery().replayed_events;
            torn += u64::from(store.recovery().torn.is_some());
            check(&store, &marks, named).await;
            store.close().await.unwrap();
        }
    }
    println!(
        "{kills} kills, {replayed} events counted again, {torn} writes cut off, {marks:?}, {named} named"
    );
    assert!(marks.values().all(|mark| *mark > 0) && marks.len() as u64 == PRODUCERS, "{marks:?}");
}

async fn check(store: &EmbeddedEventStore, marks: &BTreeMap<u64, u64>, named: u64) {
    let accounts = store.producers(NAMESPACE).await.unwrap();
    let mut seen: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    let mut last = None;
    let mut each = |event: &Event, order: u64| {
        assert!(last.is_none_or(|last| last < order));
        last = Some(order);
        let (producer, number) = match &event.id {
            EventId::Sequenced { producer, sequence, .. } => (producer.to_string(), *sequence),
            EventId::Named { source, id } => (source.to_string(), id.parse().unwrap()),
        };
        assert!(
            seen.entry(producer.clone()).or_default().insert(number),
            "{producer} {number} is there twice"
        );
        ControlFlow::Continue(())
    };
    store.scan(NAMESPACE, 0, NOW_US + 1, &mut each).await.unwrap();
    for (producer, mark) in marks {
        let name = format!("p{producer}");
        let Some(sequences) = seen.get(&name) else { panic!("{name} lost all of {mark}") };
        // All up to the account's mark, which is not below what was acknowledged.
        let account = accounts.iter().find(|account| *account.producer == *name).unwrap();
        assert!(
            account.highest_sequence >= *mark,
            "{name}: {} and {mark} was acknowledged",
            account.highest_sequence
        );
        assert!(sequences.iter().copied().eq(1..=account.highest_sequence));
        assert_eq!(account.accepted, account.highest_sequence);
        assert_eq!(account.sent, account.accepted + account.duplicate + account.rejected);
        let sum = ask(store, NAMESPACE, &today("use.sum").only("agent", &name)).await;
        let n = u128::from(account.highest_sequence);
        assert_eq!(sum[0].value.to_string(), (n * (n + 1) / 2).to_string());
    }
    let ids = seen.remove("shop").unwrap_or_default();
    assert!(ids.len() as u64 >= named, "{named} named events were acknowledged, {} are there", ids.len());
    assert!(ids.iter().copied().eq(0..ids.len() as u64));
    let count: u64 = ask(store, NAMESPACE, &today("use.count").only("agent", "shop"))
        .await
        .iter()
        .map(|value| value.events)
        .sum();
    assert_eq!(count, ids.len() as u64);
}
