//! However events come in, they come to the same.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::time::Duration;

use creto_event_store::conformance::{MINUTE_US, NOW_US, Sample, ask, define, frame, meters, sample};
use creto_event_store::{EmbeddedEventStore, EmbeddedOptions, EventStore, MeterQuery, MeterValue, Window};
use proptest::prelude::*;

const NAMESPACE: &str = "properties";

/// An event of each producer that no other event shares its time with, so that `latest` does not depend on who was first.
fn samples(producer: usize) -> impl Strategy<Value = Vec<Sample>> {
    let one = (
        0_i64..200,
        0_u32..3,
        proptest::option::of(-1_000_000_i64..1_000_000),
        0_usize..3,
        0_usize..6,
        proptest::bool::weighted(0.1),
    );
    proptest::collection::vec(one, 1..40).prop_map(move |events| {
        let many =
            events.into_iter().enumerate().map(|(index, (minute, logical, units, model, user, bad))| {
                let at = NOW_US - minute * 17 * MINUTE_US - (index * 10 + producer) as i64;
                let mut one = sample().agent(&format!("a{}", index % 4)).at(at);
                one.logical = logical;
                if let Some(units) = units {
                    one = one.number("units", &format!("{}.{:02}", units / 100, (units % 100).abs()));
                }
                if model > 0 {
                    one = one.text("model", &format!("m{model}"));
                }
                if user > 0 {
                    one = one.text("user", &format!("u{user}"));
                }
                if bad { one.of("unheard-of") } else { one }
            });
        many.collect()
    })
}

/// What is done, one after the other.
#[derive(Clone, Debug)]
enum Step {
    /// The next so many events of a producer, after some that were sent before.
    Send {
        producer: usize,
        events: usize,
        again: usize,
    },
    Checkpoint,
    /// Closed and opened again.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0_usize..3, 1_usize..12, 0_usize..8)
            .prop_map(|(producer, events, again)| Step::Send { producer, events, again }),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Restart),
    ]
}

fn options() -> EmbeddedOptions {
    EmbeddedOptions {
        segment_bytes: 8 << 20,
        checkpoint_every: Duration::from_millis(50),
        live_bytes: 1 << 20,
        ..EmbeddedOptions::default()
    }
}

async fn answers(store: &dyn EventStore) -> Vec<Vec<MeterValue>> {
    let mut answers = vec![];
    let midnight = Window::Day.start_us(NOW_US);
    let query =
        |name: &str| MeterQuery::new(name, midnight - 4 * 1_440 * MINUTE_US, midnight + 1_440 * MINUTE_US);
    for meter in meters() {
        answers.push(ask(store, NAMESPACE, &query(&meter.name)).await);
        answers.push(
            ask(store, NAMESPACE, &query(&meter.name).every(Window::Minute).by(&["agent", "model"])).await,
        );
        for window in [Window::Hour, Window::Day, Window::Month] {
            answers.push(ask(store, NAMESPACE, &query(&meter.name).every(window).by(&["agent"])).await);
        }
    }
    answers
}

async fn in_order(events: &[Vec<Sample>]) -> Vec<Vec<MeterValue>> {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedEventStore::open(folder.path(), EmbeddedOptions::default()).await.unwrap();
    define(&store, NAMESPACE).await;
    for (producer, samples) in events.iter().enumerate() {
        let frame = frame(&format!("p{producer}"), 1, 1, samples);
        store.ingest_frame(NAMESPACE, frame, NOW_US).await.unwrap();
    }
    let answers = answers(&store).await;
    store.close().await.unwrap();
    answers
}

async fn otherwise(events: &[Vec<Sample>], steps: &[Step]) -> Vec<Vec<MeterValue>> {
    let folder = tempfile::tempdir().unwrap();
    let mut store = EmbeddedEventStore::open(folder.path(), options()).await.unwrap();
    define(&store, NAMESPACE).await;
    let mut sent = vec![0; events.len()];
    let rest = (0..events.len()).map(|producer| Step::Send { producer, events: usize::MAX, again: 3 });
    for step in steps.iter().cloned().chain(rest) {
        match step {
            Step::Send { producer, events: count, again } => {
                let from = sent[producer] - again.min(sent[producer]);
                let to = sent[producer].saturating_add(count).min(events[producer].len());
                if from == to {
                    continue;
                }
                let frame = frame(&format!("p{producer}"), 1, from as u64 + 1, &events[producer][from..to]);
                let outcome = store.ingest_frame(NAMESPACE, frame, NOW_US).await.unwrap();
                assert_eq!(outcome.mark as usize, to);
                assert_eq!(outcome.duplicate as usize, sent[producer] - from);
                sent[producer] = to;
            }
            Step::Checkpoint => store.checkpoint().await.unwrap(),
            Step::Restart => {
                store.close().await.unwrap();
                store = EmbeddedEventStore::open(folder.path(), options()).await.unwrap();
            }
        }
    }
    let answers = answers(&store).await;
    for account in store.producers(NAMESPACE).await.unwrap() {
        assert_eq!(account.sent, account.accepted + account.duplicate + account.rejected);
        assert_eq!(account.highest_sequence, account.accepted + account.rejected);
    }
    store.close().await.unwrap();
    answers
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn permutation_repetition_splitting_batching_and_restarts_change_nothing(
        events in (samples(0), samples(1), samples(2)).prop_map(|(a, b, c)| vec![a, b, c]),
        steps in proptest::collection::vec(step(), 0..30),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (expected, found) = runtime.block_on(async {
            (in_order(&events).await, otherwise(&events, &steps).await)
        });
        prop_assert_eq!(expected, found);
    }
}
