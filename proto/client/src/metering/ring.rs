//! The bounded ring between a handle and the task that sends.

use std::collections::VecDeque;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use super::budget::Budget;
use super::clock::Clock;
use super::{EventDraft, RecordError};

/// Most bytes of the events in a ring.
pub const MAX_RING_BYTES: usize = 16 * 1024 * 1024;
/// Most handles, each with a ring, of one client.
pub const MAX_HANDLES: usize = 64;

/// An event with its time.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The event.
    pub draft: EventDraft,
    /// Microseconds since 1970.
    pub at_us: i64,
    /// The hybrid logical clock's counter within the microsecond.
    pub logical: u32,
}

#[derive(Debug, Default)]
struct Held {
    events: VecDeque<Recorded>,
    bytes: usize,
    /// How many were ever put in, taken out, and are safe where they were promised to be.
    pushed: u64,
    popped: u64,
    kept: u64,
    closed: bool,
    spool_failure: Option<String>,
}

/// A ring.
#[derive(Debug)]
pub(crate) struct Ring {
    held: Mutex<Held>,
    most_events: usize,
    /// Told when there is room again, when events are kept, and when it closes.
    changed: Notify,
}

/// What putting an event in came to.
pub(crate) enum Put {
    /// It is the nth of this ring; the sender must be woken if that says so.
    Taken { nth: u64, wake: bool },
    /// No room; here it is again.
    Full(EventDraft),
}

impl Ring {
    pub(crate) fn new(most_events: usize) -> Self {
        Self { held: Mutex::default(), most_events, changed: Notify::new() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock()
    }

    /// Puts an event in. `frame_events` is how many make the sender act at once.
    pub(crate) fn put(
        &self,
        draft: EventDraft,
        clock: &Clock,
        frame_events: usize,
    ) -> Result<Put, RecordError> {
        let bytes = draft.bytes();
        let mut held = self.held();
        if held.closed {
            return Err(RecordError::Closed);
        }
        if held.events.len() >= self.most_events || held.bytes + bytes > MAX_RING_BYTES {
            return match &held.spool_failure {
                Some(failure) => Err(RecordError::Spool(failure.clone())),
                None => Ok(Put::Full(draft)),
            };
        }
        let stamp = clock.now();
        let (at_us, logical) = match draft.at_us {
            Some(at_us) => (at_us, 0),
            None => (stamp.at_us, stamp.logical),
        };
        held.events.push_back(Recorded { draft, at_us, logical });
        held.bytes += bytes;
        held.pushed += 1;
        let waiting = held.events.len();
        Ok(Put::Taken { nth: held.pushed, wake: waiting == 1 || waiting == frame_events })
    }

    /// Takes events out, oldest first, while they fit the frame.
    pub(crate) fn take(&self, into: &mut Vec<Recorded>, budget: &mut Budget) {
        let mut held = self.held();
        while held.events.front().is_some_and(|next| budget.take(&next.draft)) {
            if let Some(next) = held.events.pop_front() {
                held.bytes -= next.draft.bytes();
                held.popped += 1;
                into.push(next);
            }
        }
        drop(held);
        self.changed.notify_waiters();
    }

    /// Events waiting.
    pub(crate) fn len(&self) -> usize {
        self.held().events.len()
    }

    /// How many were ever put in.
    pub(crate) fn pushed(&self) -> u64 {
        self.held().pushed
    }

    /// Whether the nth was taken out.
    pub(crate) fn took(&self, nth: u64) -> bool {
        self.held().popped >= nth
    }

    /// What was taken out is where it was promised to be.
    pub(crate) fn keep(&self) {
        let mut held = self.held();
        held.kept = held.popped;
        held.spool_failure = None;
        drop(held);
        self.changed.notify_waiters();
    }

    /// What was taken out could not be put where it was promised to be; it is tried again.
    pub(crate) fn fail(&self, failure: &str) {
        self.held().spool_failure = Some(failure.to_owned());
        self.changed.notify_waiters();
    }

    /// Takes nothing any more.
    pub(crate) fn close(&self) -> u64 {
        let mut held = self.held();
        held.closed = true;
        let left = held.events.len() as u64;
        held.events.clear();
        held.bytes = 0;
        drop(held);
        self.changed.notify_waiters();
        left
    }

    /// Waits until the nth is kept.
    pub(crate) async fn kept(&self, nth: u64) -> Result<(), RecordError> {
        self.until(|held| {
            if held.kept >= nth {
                return Some(Ok(()));
            }
            match &held.spool_failure {
                Some(failure) => Some(Err(RecordError::Spool(failure.clone()))),
                None => held.closed.then_some(Err(RecordError::Closed)),
            }
        })
        .await
    }

    /// Waits until there may be room for this many bytes.
    pub(crate) async fn room(&self, bytes: usize) {
        let most = self.most_events;
        self.until(|held| {
            let room = held.events.len() < most && held.bytes + bytes <= MAX_RING_BYTES;
            (room || held.closed || held.spool_failure.is_some()).then_some(())
        })
        .await;
    }

    async fn until<T>(&self, done: impl Fn(&Held) -> Option<T>) -> T {
        loop {
            // Enlisted before it looks, so that no change falls between the two.
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(done) = done(&self.held()) {
                return done;
            }
            changed.await;
        }
    }
}
