//! Frames that wait, taken in together: what waits for a connection goes in one transaction, then all are answered.
//!
//! A frame that comes while a connection is free goes at once, alone. While all are at work others gather behind them, so
//! the busier it is, the larger the groups: nobody waits for a group to fill. A group is of one namespace, in the order in
//! which the frames came. It is kept whole or not at all; one that the server will not have is tried again frame by frame,
//! so that no frame fails for another's sake.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::fault::Fault;
use super::options::{MAX_GROUP_BYTES, MAX_GROUP_EVENTS};
use super::store::PostgresEventStore;
use super::turns::Purpose;
use crate::{Frame, FrameOutcome, StoreError};

type Outcome = Result<FrameOutcome, StoreError>;

/// A frame that waits, or is being taken in.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) namespace: Arc<str>,
    pub(super) frame: Frame,
    pub(super) now_us: i64,
    answer: oneshot::Sender<Outcome>,
}

impl Waiting {
    /// Whether its sender still wants to know.
    fn is_wanted(&self) -> bool {
        !self.answer.is_closed()
    }

    fn answer(self, outcome: Outcome) {
        // Who went away meanwhile sends again.
        let _ = self.answer.send(outcome);
    }
}

/// Frames that wait, and how many see to them.
#[derive(Debug)]
pub(super) struct Groups {
    queue: Mutex<Queue>,
    /// How many may see to them at once.
    most: usize,
    /// How many of them are taken in together.
    frames: usize,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Waiting>,
    busy: usize,
}

impl Groups {
    /// Seen to by so many at once, so many frames together.
    pub(super) fn new(most: usize, frames: usize) -> Self {
        Self { queue: Mutex::default(), most, frames }
    }

    /// Adds a frame; whether somebody more has to see to them.
    fn push(&self, waiting: Waiting) -> bool {
        let mut queue = self.queue.lock();
        queue.frames.push_back(waiting);
        let more = queue.busy < self.most;
        queue.busy += usize::from(more);
        more
    }

    /// The next frames to be taken in together; none, and one less who sees to them, when nothing waits.
    fn next(&self) -> Option<Vec<Waiting>> {
        let mut queue = self.queue.lock();
        queue.frames.retain(Waiting::is_wanted);
        let Some(first) = queue.frames.pop_front() else {
            queue.busy -= 1;
            return None;
        };
        let (mut events, mut bytes) = (first.frame.len(), first.frame.encoded().len());
        let namespace = Arc::clone(&first.namespace);
        let mut group = vec![first];
        let mut others = VecDeque::new();
        let mut is_full = false;
        while let Some(waiting) = queue.frames.pop_front() {
            let (more_events, more_bytes) = (waiting.frame.len(), waiting.frame.encoded().len());
            let fits = group.len() < self.frames
                && events + more_events <= MAX_GROUP_EVENTS
                && bytes + more_bytes <= MAX_GROUP_BYTES;
            if waiting.namespace != namespace || is_full || !fits {
                // What comes after one of its namespace that does not fit must not overtake it.
                is_full |= waiting.namespace == namespace;
                others.push_back(waiting);
                continue;
            }
            events += more_events;
            bytes += more_bytes;
            group.push(waiting);
        }
        queue.frames = others;
        Some(group)
    }
}

/// Sees to frames. Dropped before nothing waits, it makes room for another.
struct Worker {
    store: PostgresEventStore,
    is_done: bool,
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !self.is_done {
            self.store.groups().queue.lock().busy -= 1;
        }
    }
}

impl Worker {
    async fn work(mut self) {
        loop {
            // A place first: meanwhile more may gather.
            let Ok(_turn) = self.store.writer_turn().await else { return };
            let Some(group) = self.store.groups().next() else {
                self.is_done = true;
                return;
            };
            self.store.take_in(group).await;
        }
    }
}

impl PostgresEventStore {
    /// Has a frame taken in, with others that wait. `None` when whoever saw to it is gone.
    pub(super) async fn taken_in(&self, namespace: &str, frame: Frame, now_us: i64) -> Option<Outcome> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { namespace: namespace.into(), frame, now_us, answer };
        if self.groups().push(waiting) {
            // Apart from whoever asks: one of a group that goes away takes nobody's answer with it.
            let worker = Worker { store: self.clone(), is_done: false };
            tokio::spawn(worker.work());
        }
        answered.await.ok()
    }

    /// Takes a group in, and answers.
    async fn take_in(&self, group: Vec<Waiting>) {
        let fault = match self.together(&group).await {
            Ok(outcomes) => {
                for (waiting, outcome) in group.into_iter().zip(outcomes) {
                    waiting.answer(outcome);
                }
                return;
            }
            Err(fault) => fault,
        };
        if group.len() == 1 || !fault.is_of_what_was_sent() {
            let error = StoreError::from(fault);
            for waiting in group {
                waiting.answer(Err(error.clone()));
            }
            return;
        }
        // Nothing of it was kept, for the sake of one perhaps.
        for waiting in group.into_iter().filter(Waiting::is_wanted) {
            let alone = self.together(std::slice::from_ref(&waiting)).await;
            let outcome = match alone {
                Ok(mut outcomes) => outcomes.pop().unwrap_or_else(|| Err(Fault::Outdated.into())),
                Err(fault) => Err(fault.into()),
            };
            waiting.answer(outcome);
        }
    }

    /// One transaction, again when the server broke it off for the sake of another. An outcome for each frame.
    async fn together(&self, group: &[Waiting]) -> Result<Vec<Outcome>, Fault> {
        self.tries(Purpose::Write, || self.try_together(group)).await
    }

    async fn try_together(&self, group: &[Waiting]) -> Result<Vec<Outcome>, Fault> {
        let Some(first) = group.first() else { return Ok(Vec::new()) };
        let now_us = group.iter().map(|waiting| waiting.now_us).max().unwrap_or(first.now_us);
        let times = group.iter().flat_map(|Waiting { frame, .. }| (0..frame.len()).map(|at| frame.at_us(at)));
        self.make_months(times, now_us).await?;
        let taken = loop {
            let mut transaction = self.pool().begin().await?;
            if let Some(taken) = self.take_frames(&mut transaction, &first.namespace, group).await? {
                transaction.commit().await?;
                break taken;
            }
            transaction.rollback().await?;
            self.try_put(&first.namespace, None).await?;
        };
        self.known_series().remember(taken.numbers);
        Ok(taken.outcomes)
    }
}
