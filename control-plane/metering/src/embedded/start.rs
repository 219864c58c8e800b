//! Opens the folder: takes it for this process, reads what is there, starts the threads.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustix::fs::{FlockOperation, flock};
use tokio::sync::{mpsc, oneshot, watch};

use super::checkpoint::Checkpointer;
use super::counter::{Counter, Told, finish};
use super::generation::Generation;
use super::generation::Times;
use super::load::load;
use super::log::Log;
use super::options::{EmbeddedOptions, MAX_WAITING_REQUESTS, MAX_WRITES_TO_COUNT, Recovery};
use super::recover::{Replay, Replayed};
use super::shared::{Live, Segment, Shared};
use super::writer::{Request, Start, Writer};
use super::{file, segment};
use crate::{Catalog, StoreError};

/// How long to wait for another process to let go of the folder: one that is being replaced is on its way out.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How often is looked whether it has.
const BUSY_RETRY: Duration = Duration::from_millis(20);

/// What an open store is used by.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) shared: Arc<Shared>,
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) counter: std::sync::Weak<SyncSender<Told>>,
    pub(super) recovery: Recovery,
    /// Told when all threads are done.
    pub(super) ended: watch::Receiver<bool>,
}

/// Starts everything, on a thread of its own; the answer is how it went.
pub(super) fn start(
    folder: &Path,
    options: EmbeddedOptions,
) -> oneshot::Receiver<Result<Started, StoreError>> {
    let (answer, started) = oneshot::channel();
    let folder = folder.to_owned();
    let thread = std::thread::Builder::new().name("creto-events".into());
    // When no thread can be had, the answer is dropped, and who asked is told so.
    let spawned = thread.spawn(move || match prepare(&folder, options) {
        Err(error) => drop(answer.send(Err(error))),
        Ok((started, running)) => {
            if answer.send(Ok(started)).is_ok() {
                running.run();
            }
        }
    });
    if let Err(error) = spawned {
        tracing::error!(%error, "the thread of the event store cannot be started");
    }
    started
}

/// All that runs until the store is closed.
struct Running {
    writer: Writer,
    requests: mpsc::Receiver<Request>,
    counter: std::thread::JoinHandle<()>,
    database: std::thread::JoinHandle<()>,
    /// Dropped when the writer is done: the counter ends when nobody can tell it anything.
    told: Arc<SyncSender<Told>>,
    ended: watch::Sender<bool>,
    lock: File,
}

impl Running {
    fn run(self) {
        let Self { writer, requests, counter, database, told, ended, lock } = self;
        let shared = writer.shared();
        writer.run(requests);
        // Whoever waits for the database to be written waits no longer: what is not counted is in the log.
        shared.closing.store(true, Ordering::Release);
        drop(told);
        // A thread that panicked has said so itself.
        let _ = counter.join();
        let _ = database.join();
        drop(lock);
        ended.send_replace(true);
    }
}

fn lock(folder: &Path, runtime: &tokio::runtime::Runtime) -> Result<File, StoreError> {
    let path = folder.join("lock");
    let opened = |error: std::io::Error| StoreError::Open { path: path.clone(), cause: error.to_string() };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(opened)?;
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(opened)?;
    let until = Instant::now() + BUSY_TIMEOUT;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < until => {
                runtime.block_on(async { tokio::time::sleep(BUSY_RETRY).await });
            }
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(StoreError::InUse(folder.to_owned())),
            Err(error) => return Err(opened(error.into())),
        }
    }
}

fn prepare(folder: &Path, options: EmbeddedOptions) -> Result<(Started, Running), StoreError> {
    options.check()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| StoreError::Away(format!("a runtime cannot be started: {error}")))?;
    let lock = lock(folder, &runtime)?;
    let mut connection = runtime.block_on(file::open(folder))?;
    let mut loaded = runtime.block_on(load(folder, &mut connection, options.retention_us))?;
    let mut checkpointer = Checkpointer::new(folder.to_owned(), connection, &options);
    let built_in = Arc::new(Catalog::built_in());
    let shared = Arc::new(Shared {
        folder: folder.to_owned(),
        catalogs: ArcSwap::default(),
        built_in: Arc::clone(&built_in),
        live: Mutex::default(),
        segments: Mutex::default(),
        usage: Mutex::default(),
        committed: AtomicU64::new(0),
        counted: watch::channel(0).0,
        checkpointed: AtomicU64::new(loaded.progress.record),
        gone_us: AtomicI64::new(loaded.gone_us),
        trouble: Mutex::new(None),
        closing: AtomicBool::new(false),
        skip_damaged: options.skip_damaged,
    });
    let began = Instant::now();
    let progress = loaded.progress;
    let replay = Replay {
        folder,
        loaded: &mut loaded,
        built_in: &built_in,
        skip_damaged: options.skip_damaged,
        live_bytes: options.live_bytes,
        spill: |generation| {
            let generation = Arc::new(generation);
            let retired = runtime.block_on(checkpointer.write(&generation))?;
            finish(&shared, &generation, &retired);
            Ok(())
        },
        generation: Generation::after(progress),
        recovery: Recovery::default(),
        in_damage: false,
        last_record: progress.record,
        unmeasured: 0,
    };
    let Replayed { generation, recovery, next_segment, segments, sealed } = replay.run()?;
    let progress = generation.progress;
    tracing::info!(
        events = recovery.replayed_events,
        records = recovery.replayed_records,
        milliseconds = began.elapsed().as_millis() as u64,
        "the event store is open"
    );
    let log = Log::begin(
        folder.to_owned(),
        options.segment_bytes,
        next_segment,
        (progress.record, progress.next_order),
    )?;
    let mut known: BTreeMap<u64, Segment> = segments
        .into_iter()
        // What a checkpoint during the replay took away is gone.
        .filter(|number| segment::path(folder, *number).try_exists().unwrap_or(true))
        .map(|number| {
            let times = loaded.segments.get(&number).copied().unwrap_or(Times::NONE);
            let kept = loaded.sealed.get(&number).copied();
            let sealed = sealed.get(&number).copied().or(kept);
            (number, Segment::known(times, sealed, sealed == kept))
        })
        .collect();
    known.insert(next_segment, Segment::begun());
    let mut usage = std::mem::take(&mut loaded.usage);
    loaded.segments.keys().filter(|number| !known.contains_key(number)).for_each(|gone| usage.forget(*gone));
    *shared.usage.lock() = usage;
    *shared.segments.lock() = known;
    shared.committed.store(progress.record, Ordering::Release);
    shared.counted.send_replace(progress.record);
    shared.catalogs.store(Arc::new(loaded.catalogs.clone()));
    let recent = generation.named.iter().map(|one| (one.key, (one.digest, one.record))).collect();
    *shared.live.lock() = Live { current: generation, frozen: None };

    let (requests, asked) = mpsc::channel(MAX_WAITING_REQUESTS);
    let (told, heard) = sync_channel(MAX_WRITES_TO_COUNT);
    let told = Arc::new(told);
    let (counter, database) = Counter::new(&shared, options.clone(), loaded.catalogs, checkpointer, runtime)?;
    let counter = std::thread::Builder::new()
        .name("creto-events-sum".into())
        .spawn(move || counter.run(&heard))
        .map_err(|error| StoreError::Away(format!("a thread cannot be started: {error}")))?;
    let start = Start {
        log,
        epochs: loaded.epochs,
        sources: loaded.sources,
        recent,
        checkpointed: shared.checkpointed.load(Ordering::Acquire),
        newest_us: progress.newest_us,
    };
    let writer = Writer::new(Arc::clone(&shared), options, start, (*told).clone());
    let (ending, ended) = watch::channel(false);
    let started = Started { shared, requests, counter: Arc::downgrade(&told), recovery, ended };
    let running = Running { writer, requests: asked, counter, database, told, ended: ending, lock };
    Ok((started, running))
}
