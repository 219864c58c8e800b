//! The one thread that counts what is on disk, and the one that writes what was counted into the database.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::applied::{Applied, What};
use super::checkpoint::{Checkpointer, Retired};
use super::generation::{Catalogs, Generation};
use super::options::{CHECKPOINT_RETRY, EmbeddedOptions};
use super::segment;
use super::shared::Shared;
use crate::{Catalog, StoreError};

/// How often is looked whether a checkpoint is due while nothing comes in.
const TICK: Duration = Duration::from_millis(200);
/// And whether one that is being made is done.
const SHORT_TICK: Duration = Duration::from_millis(2);

/// What the counter is told.
#[derive(Debug)]
pub(super) enum Told {
    /// What a write to the log held.
    Written(Vec<Applied>),
    /// A checkpoint is wanted now.
    Checkpoint(oneshot::Sender<Result<(), StoreError>>),
}

pub(super) struct Counter {
    shared: Arc<Shared>,
    options: EmbeddedOptions,
    catalogs: Catalogs,
    /// When the last checkpoint began.
    last: Instant,
    /// A generation is being written.
    writing: bool,
    to_write: SyncSender<Arc<Generation>>,
    written: Receiver<bool>,
    wanted: Vec<oneshot::Sender<Result<(), StoreError>>>,
    /// Told when the generation that is being written is.
    waiting: Vec<oneshot::Sender<Result<(), StoreError>>>,
}

/// Counts one record, and keeps the meters up to date.
pub(super) fn count(
    generation: &mut Generation,
    catalogs: &mut Catalogs,
    built_in: &Arc<Catalog>,
    applied: &Applied,
) {
    let known = catalogs.get(&applied.namespace).unwrap_or(built_in);
    let catalog = match &applied.what {
        What::Meter(meter) => match known.with(meter, applied.first_order) {
            Ok(Some(catalog)) => Arc::new(catalog),
            // It was checked before it was written: it can only be there already.
            Ok(None) | Err(_) => Arc::clone(known),
        },
        _ => Arc::clone(known),
    };
    if matches!(applied.what, What::Meter(_)) {
        catalogs.insert(Arc::clone(&applied.namespace), Arc::clone(&catalog));
    }
    generation.count(applied, &catalog);
}

impl Counter {
    /// Starts the thread that writes checkpoints.
    pub(super) fn new(
        shared: &Arc<Shared>,
        options: EmbeddedOptions,
        catalogs: Catalogs,
        checkpointer: Checkpointer,
        runtime: tokio::runtime::Runtime,
    ) -> Result<(Self, JoinHandle<()>), StoreError> {
        let (to_write, generations) = sync_channel(1);
        let (done, written) = sync_channel(1);
        let of_thread = Arc::clone(shared);
        let thread = std::thread::Builder::new()
            .name("creto-events-db".into())
            .spawn(move || write_checkpoints(&of_thread, checkpointer, &runtime, &generations, &done))
            .map_err(|error| StoreError::Away(format!("a thread cannot be started: {error}")))?;
        let counter = Self {
            shared: Arc::clone(shared),
            options,
            catalogs,
            last: Instant::now(),
            writing: false,
            to_write,
            written,
            wanted: Vec::new(),
            waiting: Vec::new(),
        };
        Ok((counter, thread))
    }

    /// Counts until nothing can be written any more, and makes a last checkpoint.
    pub(super) fn run(mut self, told: &Receiver<Told>) {
        loop {
            match told.recv_timeout(if self.writing { SHORT_TICK } else { TICK }) {
                Ok(Told::Written(records)) => {
                    for applied in &records {
                        self.count(applied);
                    }
                }
                Ok(Told::Checkpoint(answer)) => self.wanted.push(answer),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.checkpoint_if_due();
        }
        if self.writing {
            self.wait_for_checkpoint();
        }
        if self.shared.live.lock().frozen.is_none() && self.begin_checkpoint() {
            self.wait_for_checkpoint();
        }
    }

    fn count(&mut self, applied: &Applied) {
        let times = applied.times();
        let bytes = {
            let mut live = self.shared.live.lock();
            count(&mut live.current, &mut self.catalogs, &self.shared.built_in, applied);
            live.current.bytes()
        };
        if let Some((from, to)) = times
            && let Some(segment) = self.shared.segments.lock().get_mut(&applied.end.segment)
        {
            segment.times.from_us = segment.times.from_us.min(from);
            segment.times.to_us = segment.times.to_us.max(to);
        }
        self.shared.counted.send_replace(applied.record);
        if bytes >= self.options.live_bytes {
            // No room: what is being written must be done first. Meanwhile the log's queue fills, and says so.
            if self.writing {
                self.wait_for_checkpoint();
            }
            self.begin_checkpoint();
        }
    }

    fn checkpoint_if_due(&mut self) {
        if self.writing
            && let Ok(made) = self.written.try_recv()
        {
            self.checkpoint_done(made);
        }
        if self.writing {
            return;
        }
        let (records, bytes) = {
            let live = self.shared.live.lock();
            (live.current.records, live.current.log_bytes)
        };
        if !self.wanted.is_empty() {
            self.waiting = std::mem::take(&mut self.wanted);
            if !self.begin_checkpoint() {
                self.tell(true);
            }
        } else if records > 0
            && (self.last.elapsed() >= self.options.checkpoint_every
                || bytes >= self.options.checkpoint_bytes)
        {
            self.begin_checkpoint();
        }
    }

    /// Hands over what was counted; false when there is nothing.
    fn begin_checkpoint(&mut self) -> bool {
        let generation = {
            let mut live = self.shared.live.lock();
            if live.current.records == 0 || live.frozen.is_some() {
                return false;
            }
            let next = Generation::after(live.current.progress);
            let mut generation = std::mem::replace(&mut live.current, next);
            let written = generation.progress.position.segment;
            let segments = self.shared.segments.lock();
            let sealed = segments.range(..written).filter(|(_, segment)| !segment.seal_is_kept);
            generation.sealed =
                sealed.filter_map(|(number, segment)| Some((*number, segment.sealed?))).collect();
            drop(segments);
            let generation = Arc::new(generation);
            live.frozen = Some(Arc::clone(&generation));
            generation
        };
        self.last = Instant::now();
        self.writing = self.to_write.send(generation).is_ok();
        self.writing
    }

    fn wait_for_checkpoint(&mut self) {
        let made = self.written.recv().unwrap_or(false);
        self.checkpoint_done(made);
    }

    fn checkpoint_done(&mut self, made: bool) {
        self.writing = false;
        self.tell(made);
    }

    fn tell(&mut self, made: bool) {
        for answer in self.waiting.drain(..) {
            let trouble = || self.shared.trouble.lock().clone();
            let result = if made { Ok(()) } else { Err(trouble().unwrap_or(closed())) };
            let _ = answer.send(result);
        }
    }
}

/// The store was closed.
pub(super) fn closed() -> StoreError {
    StoreError::Away("the event store was closed".into())
}

fn write_checkpoints(
    shared: &Shared,
    mut checkpointer: Checkpointer,
    runtime: &tokio::runtime::Runtime,
    generations: &Receiver<Arc<Generation>>,
    done: &SyncSender<bool>,
) {
    while let Ok(generation) = generations.recv() {
        let made = loop {
            match runtime.block_on(checkpointer.write(&generation)) {
                Ok(retired) => {
                    finish(shared, &generation, &retired);
                    break true;
                }
                Err(error) => {
                    tracing::error!(%error, "what events come to could not be written; the log has them");
                    *shared.trouble.lock() = Some(error);
                }
            }
            if shared.closing.load(Ordering::Acquire) {
                break false;
            }
            runtime.block_on(async { tokio::time::sleep(CHECKPOINT_RETRY).await });
        };
        if done.send(made).is_err() {
            break;
        }
    }
    runtime.block_on(checkpointer.close());
}

/// A checkpoint is in the database.
pub(super) fn finish(shared: &Shared, generation: &Arc<Generation>, retired: &Retired) {
    *shared.trouble.lock() = None;
    // Readers look at the record the database is at, so the order of these does not matter to them.
    shared.live.lock().frozen = None;
    shared.checkpointed.store(generation.progress.record, Ordering::Release);
    shared.gone_us.store(retired.gone_us, Ordering::Release);
    for number in generation.sealed.keys() {
        if let Some(segment) = shared.segments.lock().get_mut(number) {
            segment.seal_is_kept = true;
        }
    }
    for number in &retired.segments {
        shared.segments.lock().remove(number);
        shared.usage.lock().forget(*number);
        let path = segment::path(&shared.folder, *number);
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::warn!(segment = %path.display(), %error, "a segment that is not needed could not be removed");
        }
    }
}
