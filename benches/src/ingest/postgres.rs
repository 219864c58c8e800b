//! The same into a real PostgreSQL, `fsync` on: few producers with large frames, and many with small ones, whose frames
//! share their commits; the latter again where they do not.
//!
//! Series that are new cost more than those that are there. So every agent sends every type once first, by as many
//! producers in frames as large, which is a figure of its own; the others are of what comes after.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use creto_event_store::postgres::{PostgresEventStore, PostgresOptions};
use creto_event_store::{Aggregation, EventStore, Frame, Meter};
use creto_test_services::PostgresServer;

use super::frames::{self, Numbers};
use super::{Failed, Load, NAMESPACE, counted, now_us};
use crate::report::Report;

/// Before the clock starts, with series that are there: caches are warm.
const WARM: Duration = Duration::from_secs(3);
const LARGE: Load = Load {
    seconds: 12,
    most: 200_000,
    producers: 4,
    duplicates: 1,
    agents: 10_000,
    types: 4,
    frame_events: 4_096,
};
const SMALL: Load = Load { most: 60_000, producers: 32, frame_events: 16, ..LARGE };

pub(super) async fn measure(report: &mut Report) -> Result<(), Failed> {
    for (name, load, is_grouped) in [("", LARGE, true), ("small_", SMALL, true), ("alone_", SMALL, false)] {
        let server = PostgresServer::start().await;
        let mut options = PostgresOptions::new(&server.url());
        if !is_grouped {
            options.group_frames = 1;
        }
        let store = PostgresEventStore::open(options).await?;
        for number in 0..load.types {
            let (meter, event_type) = (format!("meter-{number}"), format!("type-{number}"));
            let meter = Meter::new(&meter, &event_type, Aggregation::Sum, "units").by(&["model"]);
            store.put_meter(NAMESPACE, &meter).await?;
        }
        run(report, (name, is_grouped), &load, &store).await?;
        store.close().await;
    }
    Ok(())
}

async fn run(
    report: &mut Report,
    (name, is_grouped): (&str, bool),
    load: &Load,
    store: &PostgresEventStore,
) -> Result<(), Failed> {
    let each = load.most * (load.seconds + WARM.as_secs()) / load.producers;
    let start_us = now_us();
    let all: Vec<_> =
        (0..load.producers).map(|producer| frames::of_producer(load, producer, each, start_us)).collect();
    let first: Vec<_> =
        (0..load.producers).map(|producer| frames::of_every_series(load, producer, start_us)).collect();
    let what = format!(
        "PostgreSQL, fsync on, {} producers at once, frames of {}, {}",
        load.producers,
        load.frame_events,
        if is_grouped { "those that wait share a commit" } else { "a commit for each" },
    );

    let began = Instant::now();
    let mut produced = Produced::of_all(store, first, None).await?;
    let took = began.elapsed();
    let rate = produced.accepted as f64 / took.as_secs_f64();
    let note = format!("{what}: each event is the first of its series, {} in {took:.1?}", produced.accepted);
    report.add(&format!("ingest.postgres_{name}new_per_s"), rate, "events/s", note);

    let clock = Clock::starting(load);
    let first = produced.accepted;
    produced = Produced::of_all(store, all, Some(clock)).await?;
    let mut waits = produced.waits;
    waits.sort_unstable();
    let at = |part: f64| f64::from(waits[((waits.len() - 1) as f64 * part) as usize]) / 1_000.0;
    let note = format!(
        "{what}; of {} agents and {} types at random, each of which is there already; an event counted by one meter, 1% \
         sent twice; {} s after {WARM:?} that are not counted",
        load.agents, load.types, load.seconds
    );
    let rate = produced.measured as f64 / load.seconds as f64;
    report.add(&format!("ingest.postgres_{name}events_per_s"), rate, "events/s", &note);
    let note = format!("of a frame, {} acknowledged", waits.len());
    report.add(&format!("ingest.postgres_{name}ack_p50_ms"), at(0.5), "ms", &note);
    report.add(&format!("ingest.postgres_{name}ack_p99_ms"), at(0.99), "ms", &note);
    counted(store, start_us, first + produced.accepted).await
}

/// When is measured.
#[derive(Clone, Copy)]
struct Clock {
    start: Instant,
    end: Instant,
}

impl Clock {
    fn starting(load: &Load) -> Self {
        let start = Instant::now() + WARM;
        Self { start, end: start + Duration::from_secs(load.seconds) }
    }
}

#[derive(Default)]
struct Produced {
    /// Events, from the first on.
    accepted: u64,
    /// Events that were acknowledged while the clock ran, repeated ones included.
    measured: u64,
    /// How long each of their frames took, in microseconds.
    waits: Vec<u32>,
}

impl Produced {
    /// All producers at once, until the clock ends; without one, until all is sent.
    async fn of_all(
        store: &PostgresEventStore,
        all: Vec<Vec<Bytes>>,
        clock: Option<Clock>,
    ) -> Result<Self, Failed> {
        let shared: Arc<dyn EventStore> = Arc::new(store.clone());
        let mut tasks = tokio::task::JoinSet::new();
        for (producer, frames) in (0..).zip(all) {
            tasks.spawn(produce(Arc::clone(&shared), producer, frames, clock));
        }
        let mut all = Self::default();
        while let Some(ended) = tasks.join_next().await {
            let produced = ended??;
            all.accepted += produced.accepted;
            all.measured += produced.measured;
            all.waits.extend(produced.waits);
        }
        Ok(all)
    }
}

/// One producer: one frame after the other, each when the one before was acknowledged.
async fn produce(
    store: Arc<dyn EventStore>,
    producer: u64,
    frames: Vec<Bytes>,
    clock: Option<Clock>,
) -> Result<Produced, Failed> {
    let mut numbers = Numbers(producer + 99);
    let mut produced = Produced::default();
    for bytes in frames {
        let times = 1 + u64::from(clock.is_some() && numbers.below(100) == 0);
        for _ in 0..times {
            let sent = Instant::now();
            if clock.is_some_and(|clock| sent >= clock.end) {
                return Ok(produced);
            }
            let outcome = store.ingest_frame(NAMESPACE, Frame::decode(bytes.clone())?, now_us()).await?;
            if let Some(rejected) = outcome.rejected.first() {
                return Err(format!("{rejected:?}").into());
            }
            produced.accepted += outcome.accepted;
            let done = Instant::now();
            if clock.is_some_and(|clock| (clock.start..clock.end).contains(&done)) {
                produced.measured += outcome.accepted + outcome.duplicate;
                produced.waits.push(u32::try_from((done - sent).as_micros()).unwrap_or(u32::MAX));
            }
        }
    }
    if clock.is_some() {
        return Err("frames ran out: more events a second than were made".into());
    }
    Ok(produced)
}
