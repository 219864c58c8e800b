//! Takes frames in and says what was acknowledged, one line an answer, until it is killed. For the tests that kill it.
//!
//! `ingest-child FOLDER PRODUCERS FRAME_EVENTS CHECKPOINT_MILLISECONDS`: producer `i` sends events of its epoch from
//! where its mark is on; event `n` of it has `units = n`. Lines are `ack PRODUCER MARK` and `named ID`.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, reason = "a part of a test")]

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use creto_event_store::conformance::{NOW_US, define, frame, sample};
use creto_event_store::{EmbeddedEventStore, EmbeddedOptions, EventStore as _, NamedOutcome};

const NAMESPACE: &str = "killed";

async fn produce(store: EmbeddedEventStore, producer: u64, events: u64) {
    let name = format!("p{producer}");
    let account = store.producers(NAMESPACE).await.unwrap();
    let mut mark = account.iter().find(|one| *one.producer == *name).map_or(0, |one| one.highest_sequence);
    // What may have been sent before is sent again.
    let mut next = (mark + 1).saturating_sub(events / 2).max(1);
    loop {
        let samples: Vec<_> =
            (next..next + events).map(|n| sample().agent(&name).number("units", &n.to_string())).collect();
        let outcome = store.ingest_frame(NAMESPACE, frame(&name, 1, next, &samples), NOW_US).await.unwrap();
        assert_eq!(outcome.accepted + outcome.duplicate, events);
        assert_eq!(outcome.duplicate, (mark + 1).saturating_sub(next), "of {name}, from {next}");
        mark = outcome.mark;
        let mut out = std::io::stdout().lock();
        writeln!(out, "ack {producer} {mark}").unwrap();
        out.flush().unwrap();
        drop(out);
        next = mark + 1;
    }
}

async fn produce_named(store: EmbeddedEventStore) {
    for id in 0.. {
        let event = sample().agent("shop").number("units", "1").named("shop", &id.to_string());
        let again = event.clone();
        let outcomes = store.ingest_named(NAMESPACE, vec![event, again], NOW_US).await.unwrap();
        assert_ne!(outcomes[0], NamedOutcome::Conflict);
        assert_eq!(outcomes[1], NamedOutcome::Duplicate);
        let mut out = std::io::stdout().lock();
        writeln!(out, "named {id}").unwrap();
        out.flush().unwrap();
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |index: usize| arguments[index].parse::<u64>().unwrap();
    let options = EmbeddedOptions {
        checkpoint_every: Duration::from_millis(number(4)),
        segment_bytes: 8 << 20,
        ..EmbeddedOptions::default()
    };
    let store = EmbeddedEventStore::open(&PathBuf::from(&arguments[1]), options).await.unwrap();
    define(&store, NAMESPACE).await;
    println!("open {}", store.recovery().replayed_events);
    let mut tasks = tokio::task::JoinSet::new();
    for producer in 0..number(2) {
        tasks.spawn(produce(store.clone(), producer, number(3)));
    }
    tasks.spawn(produce_named(store.clone()));
    // They never end well.
    tasks.join_next().await.unwrap().unwrap();
}
