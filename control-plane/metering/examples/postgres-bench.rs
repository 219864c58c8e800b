//! Durable ingestion into PostgreSQL: events a second, and how long an acknowledgement takes.
//!
//! Starts a server of its own (fsync on), or uses `--url`. Prints one JSON object a line.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement, not the product"
)]

#[path = "../tests/frames/mod.rs"]
#[allow(unreachable_pub, reason = "shared with the tests")]
mod frames;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use creto_event_store::postgres::{PostgresEventStore, PostgresOptions};
use creto_event_store::{Aggregation, Event, EventId, EventStore, Frame, Meter, MeterQuery, Value};
use creto_test_services::PostgresServer;

const AGENTS: u64 = 10_000;
const TYPES: u64 = 20;
/// Every so many frames, one is sent twice.
const REPEATED: u64 = 100;
/// Before the clock starts: the caches are warm.
const WARM: Duration = Duration::from_secs(3);
/// Frames are made for so many events a second.
const MOST: u64 = 120_000;

struct Arguments {
    seconds: u64,
    producers: u64,
    frame_events: u64,
    url: Option<String>,
}

fn arguments() -> Arguments {
    let mut read = Arguments { seconds: 10, producers: 4, frame_events: 4_096, url: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().expect("a value after each option");
        match word.as_str() {
            "--seconds" => read.seconds = value.parse().unwrap(),
            "--producers" => read.producers = value.parse().unwrap(),
            "--frame-events" => read.frame_events = value.parse().unwrap(),
            "--url" => read.url = Some(value),
            other => panic!("{other}: --seconds, --producers, --frame-events or --url"),
        }
    }
    read
}

fn now_us() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

fn event(number: u64, at_us: i64) -> Event {
    // Each series once, then agents and types in no order that helps anybody.
    let is_first = number < AGENTS * TYPES;
    let mixed = if is_first { number } else { number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20 };
    let agent = mixed % AGENTS;
    let amount = Value::Number((mixed % 997).to_string().parse().unwrap());
    Event {
        id: EventId::Named { source: "".into(), id: "".into() },
        event_type: format!("type-{}", mixed / AGENTS % TYPES).into(),
        agent: format!("agent-{agent}").into(),
        customer: format!("customer-{}", agent % 100).into(),
        subscription: format!("subscription-{}", agent % 100).into(),
        delegation: format!("root/agent-{agent}").into(),
        at_us,
        logical: 0,
        properties: vec![("amount".into(), amount), ("model".into(), Value::Text("gpt-5".into()))],
        signature: None,
    }
}

/// Sends frames, made before, one after the other; in what time each was acknowledged, by whether the clock ran.
async fn produce(
    store: PostgresEventStore,
    which: u64,
    frames: Vec<Frame>,
    start: Instant,
    end: Instant,
) -> (u64, Vec<Duration>) {
    let (mut accepted, mut times) = (0, Vec::new());
    for (at, frame) in frames.into_iter().enumerate() {
        let is_repeated = (at as u64 + which) % REPEATED == REPEATED - 1;
        for _ in 0..=u64::from(is_repeated) {
            let sent = Instant::now();
            let outcome = store.ingest_frame("acme", frame.clone(), now_us()).await.unwrap();
            let done = Instant::now();
            if done > end {
                return (accepted, times);
            }
            if sent >= start {
                accepted += outcome.accepted;
                times.push(done - sent);
            }
        }
    }
    panic!("too few frames were made: raise --frame-events or lower --seconds")
}

fn say(name: &str, value: f64, unit: &str, note: &str) {
    println!("{}", serde_json::json!({"name": name, "value": value, "unit": unit, "note": note}));
}

#[tokio::main]
async fn main() {
    let Arguments { seconds, producers, frame_events, url } = arguments();
    let server = if url.is_none() { Some(PostgresServer::start().await) } else { None };
    let url = url.or_else(|| server.as_ref().map(PostgresServer::url)).unwrap();
    let store = PostgresEventStore::open(PostgresOptions::new(&url)).await.unwrap();
    for number in 0..TYPES {
        let (name, event_type) = (format!("meter-{number}"), format!("type-{number}"));
        let meter = Meter::new(&name, &event_type, Aggregation::Sum, "amount").by(&["model"]);
        store.put_meter("acme", &meter).await.unwrap();
    }
    // Every series is there before the clock starts.
    let first = Instant::now();
    for number in (0..AGENTS * TYPES).step_by(frame_events as usize) {
        let events: Vec<Event> = (number..(number + frame_events).min(AGENTS * TYPES))
            .map(|number| event(number, now_us()))
            .collect();
        store.ingest_frame("acme", frames::frame("warm", 1, number + 1, &events), now_us()).await.unwrap();
    }
    let new_series = (AGENTS * TYPES) as f64 / first.elapsed().as_secs_f64();
    let each = (MOST * (seconds + WARM.as_secs()) / frame_events / producers).max(2);
    let at = now_us();
    let mut made: Vec<Vec<Frame>> = Vec::new();
    for producer in 0..producers {
        let name = format!("sidecar/{producer}");
        let frames = (0..each).map(|number| {
            let first = number * frame_events;
            let events: Vec<Event> = (first..first + frame_events)
                .map(|sequence| {
                    event(
                        (producer + 1) * each * frame_events + sequence + AGENTS * TYPES,
                        at + (sequence % 1_000_000) as i64,
                    )
                })
                .collect();
            frames::frame(&name, 1, first + 1, &events)
        });
        made.push(frames.collect());
    }
    let start = Instant::now() + WARM;
    let end = start + Duration::from_secs(seconds);
    let tasks: Vec<_> = made
        .into_iter()
        .zip(0..)
        .map(|(frames, which)| tokio::spawn(produce(store.clone(), which, frames, start, end)))
        .collect();
    let (mut accepted, mut times) = (0, Vec::new());
    for task in tasks {
        let (events, mut acknowledged) = task.await.unwrap();
        accepted += events;
        times.append(&mut acknowledged);
    }
    times.sort_unstable();
    let at_share = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e3;
    let note = format!(
        "PostgreSQL, fsync on, {producers} producers, frames of {frame_events}, {AGENTS} agents x {TYPES} meters, each event counted by one, 1% repeated"
    );
    say("ingest.postgres_events_per_s", (accepted / seconds) as f64, "events/s", &note);
    say(
        "ingest.postgres_ack_p50_ms",
        at_share(50),
        "ms",
        &format!("of a frame, {} acknowledged", times.len()),
    );
    say("ingest.postgres_ack_p99_ms", at_share(99), "ms", "of a frame");
    say(
        "ingest.postgres_new_series_per_s",
        new_series.round(),
        "events/s",
        "each the first of its series, one producer",
    );
    // What was counted is what the events come to.
    let minute = 60_000_000;
    let query = MeterQuery::new("meter-0", at / minute * minute, (at / minute + 3) * minute).by(&["agent"]);
    let answer = store.query("acme", &query).await.unwrap();
    assert!(!answer.is_empty());
    assert_eq!(answer, store.recompute("acme", &query).await.unwrap());
    drop(server);
}
