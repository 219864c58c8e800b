//! What an auditor will ask for, on its way to the control plane.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use creto_proto::v1::{SidecarEvent, SidecarEventKind};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::plane::clock::wall_ms;

/// Most events that wait; further ones push out the oldest.
const WAITING: usize = 64;
/// Longest detail kept, in bytes.
const DETAIL: usize = 600;

/// Events that the control plane does not have yet.
#[derive(Debug, Default)]
pub(crate) struct Events {
    waiting: Mutex<VecDeque<SidecarEvent>>,
    dropped: AtomicU64,
    /// Of what is in force.
    epoch: AtomicU64,
    ready: Notify,
}

impl Events {
    /// What is in force from now on.
    pub(crate) fn in_force(&self, epoch: u64) {
        self.epoch.store(epoch, Ordering::Relaxed);
    }

    pub(crate) fn push(&self, kind: SidecarEventKind, detail: &str) {
        let event = SidecarEvent {
            at_ms: wall_ms(),
            kind: kind.into(),
            epoch: self.epoch.load(Ordering::Relaxed),
            detail: cut(detail, DETAIL).to_owned(),
        };
        let mut waiting = self.waiting.lock();
        waiting.push_back(event);
        self.shorten(&mut waiting);
        drop(waiting);
        self.ready.notify_one();
    }

    /// Waits until there are some.
    pub(crate) async fn wait(&self) {
        while self.waiting.lock().is_empty() {
            self.ready.notified().await;
        }
    }

    /// All of them, oldest first.
    pub(crate) fn take(&self) -> Vec<SidecarEvent> {
        self.waiting.lock().drain(..).collect()
    }

    /// Those that may not have arrived, before those that came since.
    pub(crate) fn put_back(&self, events: Vec<SidecarEvent>) {
        let mut waiting = self.waiting.lock();
        for event in events.into_iter().rev() {
            waiting.push_front(event);
        }
        self.shorten(&mut waiting);
    }

    /// How many were pushed out.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn shorten(&self, waiting: &mut VecDeque<SidecarEvent>) {
        while waiting.len() > WAITING {
            waiting.pop_front();
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The beginning of a text.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(events: &[SidecarEvent]) -> Vec<&str> {
        events.iter().map(|event| event.detail.as_str()).collect()
    }

    #[test]
    fn events_that_may_not_have_arrived_are_sent_again_first() {
        let events = Events::default();
        events.in_force(7);
        for detail in ["a", "b"] {
            events.push(SidecarEventKind::Revoked, detail);
        }
        let taken = events.take();
        assert_eq!(details(&taken), ["a", "b"]);
        assert!(taken.iter().all(|event| event.epoch == 7 && event.at_ms > 0));
        events.push(SidecarEventKind::ClockJumped, "c");
        events.put_back(taken);
        assert_eq!(details(&events.take()), ["a", "b", "c"]);
        assert!(events.take().is_empty());
    }

    #[test]
    fn the_oldest_events_make_room_and_are_counted() {
        let events = Events::default();
        for number in 0..WAITING + 3 {
            events.push(SidecarEventKind::GenerationRefused, &format!("{number}"));
        }
        let taken = events.take();
        assert_eq!((taken.len(), events.dropped()), (WAITING, 3));
        assert_eq!(taken[0].detail, "3");
        events.push(SidecarEventKind::Revoked, "last");
        events.put_back(taken);
        let taken = events.take();
        assert_eq!((taken.len(), events.dropped()), (WAITING, 4));
        assert_eq!(taken[WAITING - 1].detail, "last");
    }

    #[test]
    fn a_long_detail_is_cut_between_characters() {
        let events = Events::default();
        events.push(SidecarEventKind::GenerationRefused, &"ä".repeat(DETAIL));
        assert_eq!(events.take()[0].detail.len(), DETAIL);
        assert_eq!(cut("aä", 2), "a");
    }
}
