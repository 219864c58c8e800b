//! Group `ingest`: how fast events come in, durably, into the embedded store and into PostgreSQL. Frames are decoded,
//! deduplicated, written, synced and counted.

mod frames;
mod postgres;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use creto_event_store::{
    Aggregation, EmbeddedEventStore, EmbeddedOptions, EventStore, Frame, Meter, MeterQuery,
};

use self::frames::Numbers;
use crate::report::Report;

type Failed = Box<dyn std::error::Error + Send + Sync>;

const NAMESPACE: &str = "bench";

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) seconds: u64,
    /// Frames are made for so many events a second; more cannot be measured.
    pub(crate) most: u64,
    pub(crate) producers: u64,
    /// Frames of 100 that are sent twice.
    pub(crate) duplicates: u64,
    pub(crate) agents: u64,
    pub(crate) types: u64,
    pub(crate) frame_events: u64,
}

const LOAD: Load = Load {
    seconds: 12,
    most: 900_000,
    producers: 16,
    duplicates: 1,
    agents: 10_000,
    types: 4,
    frame_events: 512,
};
/// Sums over the types of events, as many over each.
const METERS: u64 = 20;
const FOLDER: &str = "target/bench";

pub(crate) fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut report = Report::new("ingest");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    // Not in a folder of memory: what is synced must have a disk to go to. Beside the figures, where nobody minds what one
    // that is killed leaves behind.
    std::fs::create_dir_all(FOLDER)?;
    let folder = tempfile::tempdir_in(FOLDER)?;
    let measured = runtime.block_on(measure(&mut report, &folder.path().join("events")));
    measured.map_err(|error| error.to_string())?;
    runtime.block_on(postgres::measure(&mut report)).map_err(|error| error.to_string())?;
    report.finish()
}

fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// CPU time of this process so far.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[derive(Default)]
struct Sums {
    accepted: AtomicU64,
    duplicate: AtomicU64,
    over: AtomicBool,
}

/// One producer: one frame after the other, each when the one before was acknowledged. Gives the waits in microseconds.
async fn produce(
    store: EmbeddedEventStore,
    producer: u64,
    frames: Vec<Bytes>,
    sums: Arc<Sums>,
) -> Result<Vec<u32>, Failed> {
    let mut numbers = Numbers(producer + 99);
    let mut waits = Vec::with_capacity(frames.len());
    for bytes in frames {
        let times = 1 + u64::from(numbers.below(100) < LOAD.duplicates);
        for _ in 0..times {
            if sums.over.load(Ordering::Relaxed) {
                return Ok(waits);
            }
            let sent = Instant::now();
            let frame = Frame::decode(bytes.clone())?;
            let outcome = store.ingest_frame(NAMESPACE, frame, now_us()).await?;
            waits.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
            if let Some(rejected) = outcome.rejected.first() {
                return Err(format!("{rejected:?}").into());
            }
            sums.accepted.fetch_add(outcome.accepted, Ordering::Relaxed);
            sums.duplicate.fetch_add(outcome.duplicate, Ordering::Relaxed);
        }
    }
    Ok(waits)
}

async fn measure(report: &mut Report, folder: &Path) -> Result<(), Failed> {
    let store = EmbeddedEventStore::open(folder, EmbeddedOptions::default()).await?;
    for meter in 0..METERS {
        let event_type = format!("type-{}", meter % LOAD.types);
        let field = if (meter / LOAD.types).is_multiple_of(2) { "units" } else { "cost" };
        let meter =
            Meter::new(&format!("meter-{meter}"), &event_type, Aggregation::Sum, field).by(&["model"]);
        store.put_meter(NAMESPACE, &meter).await?;
    }
    let each = LOAD.most * LOAD.seconds / LOAD.producers;
    let start_us = now_us();
    let all: Vec<_> =
        (0..LOAD.producers).map(|producer| frames::of_producer(&LOAD, producer, each, start_us)).collect();

    let sums = Arc::new(Sums::default());
    let (began, cpu_before) = (Instant::now(), cpu());
    let mut tasks = tokio::task::JoinSet::new();
    for (producer, frames) in (0..).zip(all) {
        tasks.spawn(produce(store.clone(), producer, frames, Arc::clone(&sums)));
    }
    let mut waits = Vec::new();
    let timer = tokio::time::sleep(Duration::from_secs(LOAD.seconds));
    tokio::pin!(timer);
    loop {
        tokio::select! {
            () = &mut timer, if !sums.over.load(Ordering::Relaxed) => sums.over.store(true, Ordering::Relaxed),
            ended = tasks.join_next() => match ended {
                Some(ended) => waits.extend(ended??),
                None => break,
            },
        }
    }
    let (elapsed, used) = (began.elapsed(), cpu() - cpu_before);
    let accepted = sums.accepted.load(Ordering::Relaxed);
    let events = accepted + sums.duplicate.load(Ordering::Relaxed);
    waits.sort_unstable();
    let at = |part: f64| f64::from(waits[((waits.len() - 1) as f64 * part) as usize]) / 1_000.0;
    let note = format!(
        "durable (synced before it is acknowledged), {} agents, {METERS} meters (5 an event), 1% sent twice, {events} events in {elapsed:.1?}",
        LOAD.agents
    );
    report.add("ingest.events_per_s", events as f64 / elapsed.as_secs_f64(), "events/s", note);
    let note = format!(
        "{} frames of {} events, {} producers at once",
        waits.len(),
        LOAD.frame_events,
        LOAD.producers
    );
    report.add("ingest.ack_p50_ms", at(0.5), "ms", &note);
    report.add("ingest.ack_p99_ms", at(0.99), "ms", &note);
    report.add("ingest.ack_p999_ms", at(0.999), "ms", &note);
    report.add(
        "ingest.cpu_ns",
        used.as_nanos() as f64 / events as f64,
        "ns",
        "CPU an event, producers included",
    );
    counted(&store, start_us, accepted).await?;
    store.close().await?;
    recover(report, folder, start_us, accepted).await
}

/// Everything is counted again from the log alone.
async fn recover(report: &mut Report, folder: &Path, start_us: i64, accepted: u64) -> Result<(), Failed> {
    for name in ["events.db", "events.db-wal", "events.db-shm"] {
        match std::fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    let began = Instant::now();
    let store = EmbeddedEventStore::open(folder, EmbeddedOptions::default()).await?;
    let took = began.elapsed().as_secs_f64();
    let replayed = store.recovery().replayed_events as f64;
    let note = format!("{replayed} events counted again without the database, in {took:.1} s");
    report.add("ingest.recovery_per_s", replayed / took, "events/s", note);
    counted(&store, start_us, accepted).await?;
    Ok(store.close().await?)
}

/// Every accepted event is counted once by one meter of each type.
async fn counted(store: &dyn EventStore, start_us: i64, accepted: u64) -> Result<(), Failed> {
    const HOUR: i64 = 3_600_000_000;
    let from = start_us - start_us % HOUR;
    let mut counted = 0;
    for meter in 0..LOAD.types {
        let query = MeterQuery::new(&format!("meter-{meter}"), from, from + 2 * HOUR);
        counted += store.query(NAMESPACE, &query).await?.iter().map(|value| value.events).sum::<u64>();
    }
    if counted == accepted {
        Ok(())
    } else {
        Err(format!("{counted} of {accepted} events are counted").into())
    }
}
