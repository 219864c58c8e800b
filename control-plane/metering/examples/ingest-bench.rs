//! How fast events come in, durably: frames are decoded, deduplicated, written, synced and counted.
//!
//! `ingest-bench SECONDS PRODUCERS DUPLICATES_PERCENT AGENTS METERS [TYPES] [FRAME_EVENTS] [FOLDER] [EVENTS_A_SECOND]`
//!
//! The METERS are sums over TYPES types of events, as many over each; every event is counted by all meters of its type.
//! Frames are encoded before the clock starts. A producer sends one frame after the other, each when the one before was
//! acknowledged; in DUPLICATES_PERCENT of cases it sends the same frame again. With EVENTS_A_SECOND, frames are sent at
//! that pace instead of as fast as they are taken. At the end the database is removed and everything is counted again
//! from the log.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, reason = "a measurement")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use creto_event_store::{
    Aggregation, EmbeddedEventStore, EmbeddedOptions, EventStore, Frame, Meter, MeterQuery,
};
use creto_proto::v1::{IngestFrame, PropertyColumn};
use prost::Message as _;

const NAMESPACE: &str = "bench";
/// Frames are made for so many events a second; more cannot be measured.
const MOST_EVENTS_PER_SECOND: u64 = 900_000;
const MODELS: u64 = 2;

#[derive(Clone, Debug)]
struct Arguments {
    seconds: u64,
    producers: u64,
    duplicates: u64,
    agents: u64,
    meters: u64,
    types: u64,
    frame_events: u64,
    folder: PathBuf,
    pace: Option<u64>,
}

impl Arguments {
    fn read() -> Self {
        let given: Vec<String> = std::env::args().skip(1).collect();
        let number = |index: usize, otherwise: u64| {
            given.get(index).map_or(otherwise, |text| text.parse().expect("a whole number"))
        };
        Self {
            seconds: number(0, 20),
            producers: number(1, 16),
            duplicates: number(2, 1),
            agents: number(3, 10_000),
            meters: number(4, 20),
            types: number(5, 4).max(1),
            frame_events: number(6, 512).clamp(1, 8_192),
            folder: given.get(7).map_or_else(|| "ingest-bench-data".into(), PathBuf::from),
            pace: given.get(8).map(|text| text.parse().expect("a whole number")),
        }
    }
}

fn now_us() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

/// CPU time of this process so far.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after = stat.rsplit(')').next().unwrap();
    let ticks: u64 =
        after.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    // Linux counts in hundredths of a second here.
    Duration::from_millis(ticks * 10)
}

struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// The frames of one producer.
fn frames(arguments: &Arguments, producer: u64, events: u64, start_us: i64) -> Vec<Bytes> {
    let mut numbers = Numbers(producer + 1);
    let step = (arguments.seconds * 1_000_000) as f64 / events as f64;
    let mut frames = Vec::new();
    let mut first = 0;
    while first < events {
        let count = arguments.frame_events.min(events - first);
        let mut strings: Vec<String> = Vec::new();
        let mut index_of = std::collections::HashMap::new();
        let mut index = |text: String| {
            *index_of.entry(text.clone()).or_insert_with(|| {
                strings.push(text);
                strings.len() as u32
            })
        };
        let mut frame = IngestFrame {
            producer: format!("sidecar/{producer}"),
            epoch: 7,
            first_sequence: first + 1,
            count: count as u32,
            ..IngestFrame::default()
        };
        let mut units = PropertyColumn { name: index("units".into()), ..PropertyColumn::default() };
        let mut cost = PropertyColumn { name: index("cost".into()), scale: 9, ..PropertyColumn::default() };
        let mut model = PropertyColumn { name: index("model".into()), ..PropertyColumn::default() };
        let mut last = 0;
        for event in 0..count {
            let agent = numbers.below(arguments.agents);
            frame.event_type.push(index(format!("type-{}", numbers.below(arguments.types))));
            frame.agent.push(index(format!("agent-{agent:05}")));
            frame.customer.push(index(format!("customer-{:03}", agent % 100)));
            frame.subscription.push(index(format!("subscription-{:03}", agent % 100)));
            let at = start_us + ((first + event) as f64 * step) as i64;
            frame.at_us.push(at - last);
            last = at;
            units.numbers.push(numbers.below(4_000) as i64);
            cost.numbers.push(numbers.below(50_000_000) as i64);
            model.texts.push(index(format!("model-{}", agent % MODELS)));
        }
        frame.properties = vec![units, cost, model];
        frame.strings = strings;
        frames.push(frame.encode_to_vec().into());
        first += count;
    }
    frames
}

#[derive(Default)]
struct Sums {
    accepted: AtomicU64,
    duplicate: AtomicU64,
    over: AtomicBool,
}

async fn produce(
    store: EmbeddedEventStore,
    arguments: Arguments,
    producer: u64,
    frames: Vec<Bytes>,
    sums: Arc<Sums>,
) -> Vec<u32> {
    let mut numbers = Numbers(producer + 99);
    let mut latencies = Vec::with_capacity(frames.len());
    let began = Instant::now();
    let pause = arguments.pace.map(|pace| {
        Duration::from_secs_f64((arguments.frame_events * arguments.producers) as f64 / pace as f64)
    });
    for (index, bytes) in frames.into_iter().enumerate() {
        if let Some(pause) = pause {
            let phase = pause.mul_f64(producer as f64 / arguments.producers as f64);
            tokio::time::sleep_until((began + phase + pause * index as u32).into()).await;
        }
        let times = 1 + u64::from(numbers.below(100) < arguments.duplicates);
        for _ in 0..times {
            if sums.over.load(Ordering::Relaxed) {
                return latencies;
            }
            let sent = Instant::now();
            let frame = Frame::decode(bytes.clone()).unwrap();
            let outcome = store.ingest_frame(NAMESPACE, frame, now_us()).await.unwrap();
            latencies.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
            assert!(outcome.rejected.is_empty(), "{:?}", outcome.rejected[0]);
            sums.accepted.fetch_add(outcome.accepted, Ordering::Relaxed);
            sums.duplicate.fetch_add(outcome.duplicate, Ordering::Relaxed);
        }
    }
    latencies
}

fn bytes_of(folder: &std::path::Path, ending: &str) -> u64 {
    let files = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    files
        .filter(|file| file.file_name().to_string_lossy().contains(ending))
        .map(|file| file.metadata().unwrap().len())
        .sum()
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let arguments = Arguments::read();
    println!("{arguments:?}");
    assert!(!arguments.folder.try_exists().unwrap(), "{} is there already", arguments.folder.display());
    let store = EmbeddedEventStore::open(&arguments.folder, EmbeddedOptions::default()).await.unwrap();
    for meter in 0..arguments.meters {
        let event_type = format!("type-{}", meter % arguments.types);
        let field = if (meter / arguments.types).is_multiple_of(2) { "units" } else { "cost" };
        let meter =
            Meter::new(&format!("meter-{meter}"), &event_type, Aggregation::Sum, field).by(&["model"]);
        store.put_meter(NAMESPACE, &meter).await.unwrap();
    }
    let rate = arguments.pace.unwrap_or(MOST_EVENTS_PER_SECOND);
    let each = (rate * arguments.seconds / arguments.producers).max(1);
    let start_us = now_us();
    let began = Instant::now();
    let makers: Vec<_> = (0..arguments.producers)
        .map(|producer| {
            let arguments = arguments.clone();
            tokio::task::spawn_blocking(move || frames(&arguments, producer, each, start_us))
        })
        .collect();
    let mut all = Vec::new();
    for maker in makers {
        all.push(maker.await.unwrap());
    }
    let bytes: usize = all.iter().flatten().map(Bytes::len).sum();
    let encoded = bytes as f64 / (each * arguments.producers) as f64;
    println!("frames made in {:.1?}: {encoded:.1} bytes an event", began.elapsed());

    let sums = Arc::new(Sums::default());
    let (began, cpu_before) = (Instant::now(), cpu());
    let mut tasks = tokio::task::JoinSet::new();
    for (producer, frames) in (0..).zip(all) {
        tasks.spawn(produce(store.clone(), arguments.clone(), producer, frames, Arc::clone(&sums)));
    }
    let mut latencies = Vec::new();
    let timer = tokio::time::sleep(Duration::from_secs(arguments.seconds));
    tokio::pin!(timer);
    loop {
        tokio::select! {
            () = &mut timer, if !sums.over.load(Ordering::Relaxed) => sums.over.store(true, Ordering::Relaxed),
            ended = tasks.join_next() => match ended {
                Some(ended) => latencies.extend(ended.unwrap()),
                None => break,
            },
        }
    }
    let (elapsed, used) = (began.elapsed(), cpu() - cpu_before);
    let (accepted, duplicate) =
        (sums.accepted.load(Ordering::Relaxed), sums.duplicate.load(Ordering::Relaxed));
    let events = accepted + duplicate;
    latencies.sort_unstable();
    let at = |part: f64| f64::from(latencies[((latencies.len() - 1) as f64 * part) as usize]) / 1_000.0;
    println!(
        "{events} events ({duplicate} of them duplicates) in {elapsed:.2?}: {:.0} events/s",
        events as f64 / elapsed.as_secs_f64()
    );
    println!(
        "ack ms: p50 {:.2}, p99 {:.2}, p999 {:.2}, of {} frames",
        at(0.5),
        at(0.99),
        at(0.999),
        latencies.len()
    );
    println!(
        "CPU: {:.0} ns an event, {:.2} cores",
        used.as_nanos() as f64 / events as f64,
        used.as_secs_f64() / elapsed.as_secs_f64()
    );

    let hour = 3_600_000_000;
    let from = start_us - start_us % hour;
    let mut counted = 0;
    let asked = Instant::now();
    for meter in 0..arguments.types {
        let query = MeterQuery::new(&format!("meter-{meter}"), from, from + 2 * hour);
        counted +=
            store.query(NAMESPACE, &query).await.unwrap().iter().map(|value| value.events).sum::<u64>();
    }
    assert_eq!(counted, accepted, "every accepted event is counted once by one meter of each type");
    println!("counted: {counted}, asked in {:.1?}", asked.elapsed());
    let closing = Instant::now();
    store.close().await.unwrap();
    println!("last checkpoint and close: {:.2?}", closing.elapsed());
    println!(
        "log {:.1} bytes an event, database {:.1} MiB",
        bytes_of(&arguments.folder, ".events") as f64 / accepted as f64,
        bytes_of(&arguments.folder, "events.db") as f64 / f64::from(1 << 20)
    );

    let again = Instant::now();
    let store = EmbeddedEventStore::open(&arguments.folder, EmbeddedOptions::default()).await.unwrap();
    println!("start after a clean end: {:.2?}", again.elapsed());
    store.close().await.unwrap();
    drop(store);
    for name in ["events.db", "events.db-wal", "events.db-shm"] {
        let _ = std::fs::remove_file(arguments.folder.join(name));
    }
    let (again, before) = (Instant::now(), cpu());
    let store = EmbeddedEventStore::open(&arguments.folder, EmbeddedOptions::default()).await.unwrap();
    let taken = again.elapsed();
    let replayed = store.recovery().replayed_events;
    println!(
        "recovery of {replayed} events from the log alone: {taken:.2?} ({:.0} events/s), CPU {:.2?}",
        replayed as f64 / taken.as_secs_f64(),
        cpu() - before
    );
    let mut counted = 0;
    for meter in 0..arguments.types {
        let query = MeterQuery::new(&format!("meter-{meter}"), from, from + 2 * hour);
        counted +=
            store.query(NAMESPACE, &query).await.unwrap().iter().map(|value| value.events).sum::<u64>();
    }
    assert_eq!(counted, accepted, "recovered");
    store.close().await.unwrap();
    std::fs::remove_dir_all(&arguments.folder).unwrap();
}
