//! The one thread that decides what is new and writes it: what waits goes in one write, one sync, then all are answered.

mod frames;
mod named;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use foldhash::fast::RandomState;
use prost::Message as _;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::account::{AccountKey, Of};
use super::applied::{Applied, What};
use super::counter::Told;
use super::epochs::{Epochs, Mark};
use super::log::Log;
use super::options::{EmbeddedOptions, MAX_WRITE_BYTES};
use super::payload::StoredMeter;
use super::record::{self, Header, Kind};
use super::segment::Position;
use super::shared::{Segment, Shared};
use crate::{Catalog, Event, Frame, FrameOutcome, Meter, NamedOutcome, Rejection, StoreError};

/// How long to wait before looking again whether there is room to hand over what is to be counted.
const PAUSE: Duration = Duration::from_millis(1);

/// An answer, sometime.
pub(super) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// A frame that asks to be taken in.
#[derive(Debug)]
pub(super) struct FrameRequest {
    pub(super) namespace: Arc<str>,
    pub(super) frame: Box<Frame>,
    /// What it was judged by, and what was found.
    pub(super) catalog: Arc<Catalog>,
    pub(super) rejections: Vec<(usize, Rejection)>,
    pub(super) now_us: i64,
    pub(super) answer: Answer<FrameOutcome>,
}

/// A named event that asks to be taken in.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) event: Event,
    pub(super) key: [u8; 32],
    pub(super) digest: [u8; 32],
    /// Digest of the one of the same key in the database.
    pub(super) known: Option<[u8; 32]>,
    pub(super) rejection: Option<Rejection>,
}

/// What becomes of named events.
#[derive(Debug)]
pub(super) enum NamedAnswer {
    Outcomes(Vec<NamedOutcome>),
    /// They were judged, or looked up, too long ago: do it again.
    Stale(Vec<Candidate>),
}

/// Named events that ask to be taken in.
#[derive(Debug)]
pub(super) struct NamedRequest {
    pub(super) namespace: Arc<str>,
    pub(super) candidates: Vec<Candidate>,
    pub(super) catalog: Arc<Catalog>,
    /// The last record that was in the database when they were looked up.
    pub(super) looked_up: u64,
    pub(super) now_us: i64,
    pub(super) answer: Answer<NamedAnswer>,
}

#[derive(Debug)]
pub(super) enum Request {
    Frame(FrameRequest, OwnedSemaphorePermit),
    Named(NamedRequest, OwnedSemaphorePermit),
    Meter { namespace: Arc<str>, meter: Box<Meter>, answer: Answer<()> },
    Close,
}

/// An answer that waits for the disk.
enum Waiting {
    Frame(Answer<FrameOutcome>, FrameOutcome),
    Named(Answer<NamedAnswer>, Vec<NamedOutcome>),
    Meter(Answer<()>, Arc<str>, Arc<Catalog>),
}

/// What is taken back when a write fails.
enum Undo {
    Mark(AccountKey, Option<Mark>),
    /// What was retired before.
    Retired(AccountKey, i64),
    /// Bytes of a namespace in a segment.
    Usage(u64, Arc<str>, u64),
    Recent([u8; 32]),
    Source(Arc<str>, Arc<str>),
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    options: EmbeddedOptions,
    log: Log,
    epochs: Epochs,
    sources: HashSet<(Arc<str>, Arc<str>), RandomState>,
    /// Named events that may not be in the database yet: digest and record.
    recent: HashMap<[u8; 32], ([u8; 32], u64), RandomState>,
    /// Of `recent`, what was in records up to this is gone.
    pruned: u64,
    checkpointed: u64,
    newest_us: i64,
    waiting: Vec<Waiting>,
    applied: Vec<Applied>,
    undo: Vec<Undo>,
    counter: SyncSender<Told>,
    /// What is on disk and could not be handed over for counting, because the database cannot be written.
    left: VecDeque<Vec<Applied>>,
}

/// What a writer starts from.
pub(super) struct Start {
    pub(super) log: Log,
    pub(super) epochs: Epochs,
    pub(super) sources: HashSet<(Arc<str>, Arc<str>), RandomState>,
    pub(super) recent: HashMap<[u8; 32], ([u8; 32], u64), RandomState>,
    pub(super) checkpointed: u64,
    pub(super) newest_us: i64,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        options: EmbeddedOptions,
        start: Start,
        counter: SyncSender<Told>,
    ) -> Self {
        let Start { log, epochs, sources, recent, checkpointed, newest_us } = start;
        Self {
            shared,
            options,
            log,
            epochs,
            sources,
            recent,
            pruned: checkpointed,
            checkpointed,
            newest_us,
            waiting: Vec::new(),
            applied: Vec::new(),
            undo: Vec::new(),
            counter,
            left: VecDeque::new(),
        }
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// The next request; none when nobody is left to ask.
    fn next(&mut self, requests: &mut mpsc::Receiver<Request>) -> Option<Request> {
        loop {
            self.hand_over();
            if self.left.is_empty() {
                return requests.blocking_recv();
            }
            match requests.try_recv() {
                Ok(request) => return Some(request),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => std::thread::park_timeout(PAUSE),
            }
        }
    }

    /// Hands over what was written. Waits while too much is to be counted, unless that does not get less because the
    /// database cannot be written: then it is kept, and nothing more is taken in.
    fn hand_over(&mut self) {
        while let Some(applied) = self.left.pop_front() {
            match self.counter.try_send(Told::Written(applied)) {
                Ok(()) => {}
                Err(TrySendError::Full(Told::Written(back))) => {
                    self.left.push_front(back);
                    if self.shared.trouble.lock().is_some() {
                        return;
                    }
                    std::thread::park_timeout(PAUSE);
                }
                // Whoever counts is gone only when all is over.
                Err(_) => return,
            }
        }
    }

    /// Why nothing is taken in, when it is not.
    fn trouble(&self) -> Option<StoreError> {
        let busy = || StoreError::Away("too much waits to be counted".into());
        (!self.left.is_empty()).then(|| self.shared.trouble.lock().clone().unwrap_or_else(busy))
    }

    /// Answers until told to close, or nobody is left to ask.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        // While one write is on its way to the disk the next one gathers: the busier, the larger.
        while let Some(first) = self.next(&mut requests) {
            self.forget_checkpointed();
            let mut permits = Vec::new();
            let mut next = Some(first);
            let mut closed = false;
            while let Some(request) = next {
                match request {
                    Request::Frame(request, permit) => {
                        permits.push(permit);
                        self.frame(request);
                    }
                    Request::Named(request, permit) => {
                        permits.push(permit);
                        self.named(request);
                    }
                    Request::Meter { namespace, meter, answer } => {
                        self.meter(&namespace, &meter, answer);
                    }
                    Request::Close => closed = true,
                }
                if closed || self.log.waiting_bytes() >= MAX_WRITE_BYTES {
                    break;
                }
                next = requests.try_recv().ok();
            }
            self.commit();
            if closed {
                break;
            }
        }
    }

    /// Drops named events that every look-up under way finds in the database.
    fn forget_checkpointed(&mut self) {
        let checkpointed = self.shared.checkpointed.load(Ordering::Acquire);
        if checkpointed > self.checkpointed {
            // One checkpoint behind, so that who looked up before the last one is still answered.
            self.pruned = self.checkpointed;
            self.checkpointed = checkpointed;
            let pruned = self.pruned;
            self.recent.retain(|_, (_, record)| *record > pruned);
        }
    }

    /// Makes sure that a payload fits into the segment.
    fn make_room(&mut self, payload: usize) -> Result<(), StoreError> {
        if self.log.fits(payload) {
            return Ok(());
        }
        self.commit();
        if self.log.fits(payload) {
            return Ok(());
        }
        self.room_on_disk()?;
        let old = self.log.position();
        let (number, sealed) = self.log.rotate()?;
        let mut segments = self.shared.segments.lock();
        if let Some(segment) = segments.get_mut(&old.segment) {
            segment.end = Some(old.offset);
            segment.sealed = Some(sealed);
        }
        segments.insert(number, Segment::begun());
        Ok(())
    }

    /// Makes sure that another segment is within what may be on disk.
    fn room_on_disk(&self) -> Result<(), StoreError> {
        let log: u64 = self.shared.segments.lock().values().filter_map(|segment| segment.end).sum();
        // What cannot be looked at is not counted: the database is asked for again at the next segment.
        let database = super::file::bytes(&self.shared.folder);
        if log.saturating_add(database).saturating_add(self.options.segment_bytes) <= self.options.disk_bytes
        {
            return Ok(());
        }
        Err(StoreError::bytes("bytes of events, about, on disk", self.options.disk_bytes))
    }

    /// Makes sure that a record is within what its namespace may have.
    fn room_of(&self, namespace: &str, payload: usize) -> Result<(), StoreError> {
        let wanted = record::size(payload) as u64;
        if self.shared.usage.lock().of(namespace).saturating_add(wanted) <= self.options.namespace_bytes {
            return Ok(());
        }
        Err(StoreError::bytes("bytes of events of this namespace, about,", self.options.namespace_bytes))
    }

    /// Adds a record to what waits to be written.
    fn add(
        &mut self,
        namespace: &Arc<str>,
        kind: Kind,
        now_us: i64,
        events: u32,
        payload: impl FnOnce(&mut Vec<u8>),
    ) -> (Header, Position) {
        let (header, end) = self.log.add(kind, now_us, events, payload);
        let bytes = end.offset.saturating_sub(u64::from(header.at));
        self.shared.usage.lock().add(end.segment, namespace, bytes);
        self.undo.push(Undo::Usage(end.segment, Arc::clone(namespace), bytes));
        (header, end)
    }

    fn meter(&mut self, namespace: &Arc<str>, meter: &Meter, answer: Answer<()>) {
        if let Some(trouble) = self.trouble() {
            let _ = answer.send(Err(trouble));
            return;
        }
        // Alone in its write: what comes after is judged by it.
        self.commit();
        let catalog = match self.shared.catalog(namespace).with(meter, self.log.next_order()) {
            Ok(Some(catalog)) => Arc::new(catalog),
            Ok(None) => {
                let _ = answer.send(Ok(()));
                return;
            }
            Err(error) => {
                let _ = answer.send(Err(error));
                return;
            }
        };
        let payload = StoredMeter::of(namespace, meter).encode_to_vec();
        if let Err(error) =
            self.room_of(namespace, payload.len()).and_then(|()| self.make_room(payload.len()))
        {
            let _ = answer.send(Err(error));
            return;
        }
        let (header, end) =
            self.add(namespace, Kind::Meter, self.newest_us, 0, |out| out.extend_from_slice(&payload));
        let what = What::Meter(Box::new(meter.clone()));
        self.applied.push(Applied::new(&header, end, Arc::clone(namespace), what));
        self.waiting.push(Waiting::Meter(answer, Arc::clone(namespace), catalog));
        self.commit();
    }

    /// Writes what waits, and answers.
    fn commit(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut self.waiting);
        let applied = std::mem::take(&mut self.applied);
        match self.log.commit() {
            Ok(position) => {
                self.undo.clear();
                if let Some(segment) = self.shared.segments.lock().get_mut(&position.segment) {
                    segment.end = Some(position.offset);
                }
                if let Some(last) = applied.last() {
                    self.shared.committed.store(last.record, Ordering::Release);
                }
                for answer in waiting {
                    self.answer(answer);
                }
                self.left.push_back(applied);
                self.hand_over();
            }
            Err(error) => {
                tracing::error!(%error, "events could not be written; whoever sent them was told");
                for undo in std::mem::take(&mut self.undo).into_iter().rev() {
                    match undo {
                        Undo::Mark(key, Some(mark)) => self.epochs.set(&key, mark),
                        Undo::Mark(key, None) => self.epochs.remove(&key),
                        Undo::Retired(key, until_us) => self.epochs.set_retired_us(&key, until_us),
                        Undo::Usage(segment, namespace, bytes) => {
                            self.shared.usage.lock().take_back(segment, &namespace, bytes);
                        }
                        Undo::Recent(key) => drop(self.recent.remove(&key)),
                        Undo::Source(namespace, source) => drop(self.sources.remove(&(namespace, source))),
                    }
                }
                for answer in waiting {
                    match answer {
                        Waiting::Frame(answer, _) => drop(answer.send(Err(error.clone()))),
                        Waiting::Named(answer, _) => drop(answer.send(Err(error.clone()))),
                        Waiting::Meter(answer, ..) => drop(answer.send(Err(error.clone()))),
                    }
                }
            }
        }
    }

    /// What it was about is on disk. Who does not wait any more does not need to know.
    fn answer(&self, answer: Waiting) {
        match answer {
            Waiting::Frame(answer, outcome) => drop(answer.send(Ok(outcome))),
            Waiting::Named(answer, outcomes) => drop(answer.send(Ok(NamedAnswer::Outcomes(outcomes)))),
            Waiting::Meter(answer, namespace, catalog) => {
                let mut catalogs = (**self.shared.catalogs.load()).clone();
                catalogs.insert(namespace, catalog);
                self.shared.catalogs.store(Arc::new(catalogs));
                let _ = answer.send(Ok(()));
            }
        }
    }
}
